// Brute-force search in binary codes by Hamming distance.
//
// A code is a row of 64-bit words; bits that a code does not use are zero in codes and queries.
// The distance of two codes is the number of bits in which they differ, and a result is exact:
//
//     nearest: the k codes with the smallest (distance, number), in this order
//     within:  all codes with distance <= radius, in the order (distance, number)
//
// so of codes at the same distance the one with the lower number comes first, whatever the number
// of threads. A *key* is distance * 2^48 + number: keys compare as (distance, number).
#pragma once

#include <cstdint>

namespace ictus {

constexpr int kKeyBits = 48;                               // of a key, for the number of the code
constexpr std::int64_t kMaxCodes = std::int64_t{1} << 40;  // in one search
constexpr std::int64_t kMaxCodeWords = 512;                // 32,768 bits

struct HammingScan {
  std::int64_t count, queries, words;
  const std::uint64_t* codes;        // (count, words)
  const std::uint64_t* query_codes;  // (queries, words)
  const std::uint8_t* removed;       // (count + 7) / 8: bit i % 8 of byte i / 8 says that code i
                                     // is not there; nullptr: all are
  std::int64_t radius;               // only codes with distance <= radius, at least 0
};

struct HammingNearest {
  HammingScan scan;
  std::int64_t k;           // at least 1
  std::uint64_t* keys;      // workspace: as many as nearest_keys says
  std::int32_t* distances;  // (queries, k) out; missing: the largest int32
  std::int64_t* numbers;    // (queries, k) out; missing: -1
};

struct HammingWithin {
  HammingScan scan;
  std::int64_t parts;           // how many parts the codes have: within_parts
  const std::int64_t* offsets;  // (queries * parts + 1): where in `keys` each query and part writes
  std::uint64_t* keys;          // out: keys in the order of their numbers, as many as fit
  std::int64_t* counts;         // (queries, parts) out: how many there are, fitting or not
};

template <class T>  // the tables are made by scalar; codes have none, so both are the same
struct HammingKernels {
  std::int64_t (*nearest_keys)(std::int64_t count, std::int64_t queries, std::int64_t k) noexcept;
  void (*nearest)(const HammingNearest& arguments) noexcept;
  std::int64_t (*within_parts)(std::int64_t count, std::int64_t queries) noexcept;
  void (*within)(const HammingWithin& arguments) noexcept;
};

}  // namespace ictus
