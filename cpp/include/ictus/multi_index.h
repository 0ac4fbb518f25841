// Multi-index hashing: exact search in binary codes by tables of substrings (Norouzi, Punjani &
// Fleet, "Fast search in Hamming space with multi-index hashing", CVPR 2012).
//
// A code of `bits` bits is cut into `parts` substrings of nearly equal length. Two codes that
// differ in at most parts * s + j bits (j < parts) differ in at most s bits in one of the
// substrings 0 .. j, or in less than s bits in one of the others. So looking up, for s = 0, 1, ...
// and each table j in turn, the buckets whose substring differs from the query's in exactly s bits
// finds all codes within parts * s + j; each candidate's full distance is then computed.
//
// Table j has 2^(bits of substring j) + 1 starts and the codes in the order of their substrings.
#pragma once

#include <cstdint>

namespace ictus {

constexpr int kMaxParts = 64;
constexpr int kMaxSubstringBits = 26;
constexpr std::int64_t kMaxIndexed = (std::int64_t{1} << 32) - 1;

struct MultiIndex {
  std::int64_t count, words, bits, parts;
  const std::uint64_t* codes;   // (count, words)
  std::uint32_t* starts;        // the tables' starts, one after the other
  std::uint32_t* numbers;       // (parts, count): the numbers of the codes, bucket by bucket
  std::uint64_t* bucket_codes;  // (parts, count, words): the codes in that order; or nullptr
};

struct MultiIndexSearch {
  MultiIndex index;
  std::int64_t queries;
  const std::uint64_t* query_codes;  // (queries, words)
  const std::uint8_t* removed;       // as in hamming.h
  std::int64_t radius;               // only codes with distance <= radius
  std::int64_t budget;               // a query gives up after so many buckets and candidates
  std::uint8_t* complete;            // (queries) out: 1, or 0 where the query gave up
};

struct MultiIndexNearest {
  MultiIndexSearch search;
  std::int64_t k;
  std::uint64_t* keys;      // workspace (queries, k)
  std::int32_t* distances;  // (queries, k) out, as in hamming.h
  std::int64_t* numbers;    // (queries, k) out
};

struct MultiIndexWithin {
  MultiIndexSearch search;
  const std::int64_t* offsets;  // (queries + 1): where in `keys` each query writes
  std::uint64_t* keys;          // out: sorted keys of hamming.h; as many as fit, then unsorted
  std::int64_t* counts;         // (queries) out: how many there are, fitting or not
};

template <class T>  // the tables are made by scalar; codes have none, so both are the same
struct MultiIndexKernels {
  // Fills starts, numbers and bucket_codes.
  void (*build)(const MultiIndex& index) noexcept;
  void (*nearest)(const MultiIndexNearest& arguments) noexcept;
  void (*within)(const MultiIndexWithin& arguments) noexcept;
};

}  // namespace ictus
