// Brute-force search in binary codes (ictus/hamming.h).
//
// A chunk is a group of queries and a part of the codes. It goes over the part in blocks that stay
// in the level-1 cache; a block is turned so that a vector has the same word of as many codes as it
// has lanes, and then meets all queries of the group, four at a time. Nothing is written but codes
// nearer than the query's limit, which soon are few.
#include "ictus/hamming.h"

#include "core/memory.h"
#include "kernels/detail/nearest_keys.h"
#include "kernels/detail/parallel.h"
#include "kernels/detail/population_count.h"

namespace ictus::ICTUS_LEVEL {
namespace {

constexpr std::int64_t kGroup = 32;           // queries of a chunk
constexpr std::int64_t kBlockWords = 2048;    // 16 KiB
constexpr std::int64_t kPartCodes = 1 << 17;  // a part has at least so many codes
constexpr std::int64_t kParts = 32;           // and a few queries are cut in at most so many
constexpr std::int64_t kMostDistances = kMaxCodeWords * 64 + 1;
constexpr std::int64_t kMostBlockWords = kMaxCodeWords * kWordLanes;

static_assert((kBlockWords + kMostBlockWords) * sizeof(std::uint64_t) +
                  kGroup * (kMostDistances * sizeof(std::uint32_t) + sizeof(Candidates)) <
              kScratchBytes);

inline std::int64_t groups(std::int64_t queries) { return (queries + kGroup - 1) / kGroup; }

// Many queries give work enough; few need the codes cut, and then each part finds its own nearest.
std::int64_t parts_of(std::int64_t count, std::int64_t queries) noexcept {
  const std::int64_t wanted = queries > 0 ? kParts / groups(queries) : 1;
  const std::int64_t possible = count / kPartCodes;
  const std::int64_t parts = wanted < possible ? wanted : possible;
  return parts > 1 ? parts : 1;
}

// Room for k candidates, and for others until it is worth while to look for the nearest.
inline std::int64_t room_of(std::int64_t count, std::int64_t k) {
  const std::int64_t kept = k < count ? k : count;
  return kept + (kept > 128 ? kept : 128);
}

// A group of queries at work on a part of the codes.
struct Chunk {
  const HammingScan& scan;
  std::int64_t k;  // 0: all within the radius
  std::int64_t first_query, queries, begin, end;
  std::uint64_t* block;  // the codes of a block, turned
  Candidates* found;     // (queries)
};

// From code `begin`: (vectors, words, lanes). Lanes beyond the end are left as they are.
template <int W>
inline void turn_block(const Chunk& c, std::int64_t begin, std::int64_t end) {
  const std::int64_t words = W > 0 ? W : c.scan.words;
  const std::uint64_t* from = c.scan.codes + begin * words;
  std::uint64_t* to = c.block;
  for (std::int64_t i = begin; i < end; i += kWordLanes, to += words * kWordLanes) {
    const std::int64_t lanes = end - i < kWordLanes ? end - i : kWordLanes;
    for (std::int64_t lane = 0; lane < lanes; ++lane, from += words) {
      for (std::int64_t w = 0; w < words; ++w) to[w * kWordLanes + lane] = from[w];
    }
  }
}

// The distances of Q queries to a vector of codes, each less its query's limit.
template <int W, int Q>
inline void compare(const std::uint64_t* slice, const std::uint64_t* query, std::int64_t words,
                    Words* distance) {
  for (std::int64_t first = 0; first < words; first += kCountedWords) {
    const std::int64_t last = words - first < kCountedWords ? words : first + kCountedWords;
    Words counts[Q] = {};
    for (std::int64_t w = first; w < last; ++w) {
      const Words code = load<std::uint64_t>(slice + w * kWordLanes);
      for (int q = 0; q < Q; ++q) {
        const Words differing = code ^ broadcast<std::uint64_t>(query[q * words + w]);
        counts[q] = add_counts(counts[q], partial_counts(differing));
      }
    }
    for (int q = 0; q < Q; ++q) distance[q] += whole_counts(counts[q]);
  }
}

// The lanes of one query that are nearer than its limit, in their order.
inline void take(const Chunk& c, std::int64_t query, Words below, std::int64_t begin,
                 std::int64_t end) {
  Candidates& found = c.found[query];
  const std::int64_t limit = found.limit;
  for (std::uint32_t bits = negative_lanes(below); bits != 0; bits &= bits - 1) {
    const int lane = __builtin_ctz(bits);
    const std::int64_t number = begin + lane;
    const std::int64_t distance = static_cast<std::int64_t>(below[lane]) + limit;
    if (number >= end || distance >= found.limit || is_removed(c.scan.removed, number)) continue;
    if (c.k > 0) {
      found.add(distance, number, c.k);
    } else {
      found.add(distance, number);
    }
  }
}

// Q queries against a block of codes [begin, end).
template <int W, int Q>
void scan_block(const Chunk& c, const std::uint64_t* slice, std::int64_t query, std::int64_t begin,
                std::int64_t end) {
  const std::int64_t words = W > 0 ? W : c.scan.words;
  const std::uint64_t* codes = c.scan.query_codes + (c.first_query + query) * words;
  Words start[Q];
  const auto set_limits = [&] {
    for (int q = 0; q < Q; ++q) {
      start[q] = broadcast<std::uint64_t>(-static_cast<std::uint64_t>(c.found[query + q].limit));
    }
  };
  set_limits();
  for (std::int64_t i = begin; i < end; i += kWordLanes, slice += words * kWordLanes) {
    Words below[Q];
    for (int q = 0; q < Q; ++q) below[q] = start[q];
    compare<W, Q>(slice, codes, words, below);
    Words any = below[0];
    for (int q = 1; q < Q; ++q) any |= below[q];
    if (__builtin_expect(negative_lanes(any) != 0, 0)) {
      for (int q = 0; q < Q; ++q) take(c, query + q, below[q], i, end);
      set_limits();
    }
  }
}

template <int W>
void scan_part(const Chunk& c) {
  const std::int64_t words = W > 0 ? W : c.scan.words;
  std::int64_t length = kBlockWords / words / kWordLanes * kWordLanes;
  if (length < kWordLanes) length = kWordLanes;
  for (std::int64_t begin = c.begin; begin < c.end; begin += length) {
    const std::int64_t end = c.end - begin < length ? c.end : begin + length;
    const std::uint64_t* slice = c.scan.codes + begin;
    if (W != 1 || end - begin < length) {  // whole blocks of one word are as they should be
      turn_block<W>(c, begin, end);
      slice = c.block;
    }
    std::int64_t query = 0;
    for (; query + 4 <= c.queries; query += 4) scan_block<W, 4>(c, slice, query, begin, end);
    for (; query < c.queries; ++query) scan_block<W, 1>(c, slice, query, begin, end);
  }
}

inline void scan_any(const Chunk& c) {
  switch (c.scan.words) {
    case 1:
      return scan_part<1>(c);
    case 2:
      return scan_part<2>(c);
    case 4:
      return scan_part<4>(c);
    case 8:
      return scan_part<8>(c);
    default:
      return scan_part<0>(c);
  }
}

// Runs all chunks; open(query, part) gives the room of a query in a part, close(query, part, found)
// takes what was found.
template <class Open, class Close>
inline void scan_all(const HammingScan& scan, std::int64_t k, std::int64_t parts, const Open& open,
                     const Close& close) {
  auto body = [&](std::int64_t index) noexcept {
    const std::int64_t part = index % parts, first = index / parts * kGroup;
    const std::int64_t queries = scan.queries - first < kGroup ? scan.queries - first : kGroup;
    auto* block = static_cast<std::uint64_t*>(thread_scratch());
    auto* found = reinterpret_cast<Candidates*>(block + kBlockWords + kMostBlockWords);
    auto* histogram = reinterpret_cast<std::uint32_t*>(found + kGroup);
    const std::int64_t distances = scan.words * 64 + 1;
    if (k > 0) {
      std::memset(histogram, 0, static_cast<std::size_t>(queries * distances) * sizeof *histogram);
    }
    for (std::int64_t q = 0; q < queries; ++q) {
      found[q] = open(first + q, part);
      found[q].limit = scan.radius + 1;
      found[q].histogram = histogram + q * distances;
    }
    const std::int64_t begin = scan.count * part / parts, end = scan.count * (part + 1) / parts;
    scan_any({scan, k, first, queries, begin, end, block, found});
    for (std::int64_t q = 0; q < queries; ++q) close(first + q, part, found[q]);
  };
  parallel_chunks(groups(scan.queries) * parts, body);
}

// Sorts the keys of all parts of a query into its k results. The keys come in the order of their
// numbers, so counting by distance is enough.
inline void write_nearest(const HammingNearest& a, const std::uint64_t* keys, std::int64_t parts,
                          std::int64_t room, std::int64_t query) {
  auto* histogram = static_cast<std::uint32_t*>(thread_scratch());
  const std::int64_t distances = a.scan.words * 64 + 1;
  std::memset(histogram, 0, static_cast<std::size_t>(distances) * sizeof *histogram);
  // The last key of a room is the number of those before it.
  const auto for_keys = [&](const auto& body) {
    for (std::int64_t part = 0; part < parts; ++part) {
      const std::uint64_t* own = keys + part * (room + 1);
      for (std::uint64_t i = 0; i < own[room]; ++i) body(own[i]);
    }
  };
  for_keys([&](std::uint64_t key) { ++histogram[key_distance(key)]; });
  std::uint32_t place = 0;  // where the next key of a distance goes
  for (std::int64_t d = 0; d < distances; ++d) {
    const std::uint32_t here = histogram[d];
    histogram[d] = place;
    place += here;
  }
  std::int32_t* distance = a.distances + query * a.k;
  std::int64_t* number = a.numbers + query * a.k;
  for_keys([&](std::uint64_t key) {
    const std::uint32_t to = histogram[key_distance(key)]++;
    if (to < a.k) write_result(key, distance + to, number + to);
  });
  for (std::int64_t i = place; i < a.k; ++i) {
    distance[i] = kNoDistance;
    number[i] = -1;
  }
}

std::int64_t nearest_keys(std::int64_t count, std::int64_t queries, std::int64_t k) noexcept {
  return queries * parts_of(count, queries) * (room_of(count, k) + 1);
}

void nearest(const HammingNearest& a) noexcept {
  const std::int64_t parts = parts_of(a.scan.count, a.scan.queries);
  const std::int64_t room = room_of(a.scan.count, a.k);
  const auto keys = [&](std::int64_t query, std::int64_t part) {
    return a.keys + (query * parts + part) * (room + 1);
  };
  scan_all(
      a.scan, a.k, parts,
      [&](std::int64_t query, std::int64_t part) {
        return Candidates{keys(query, part), room, 0, 0, 0, nullptr};
      },
      [&](std::int64_t query, std::int64_t part, const Candidates& found) {
        keys(query, part)[room] = static_cast<std::uint64_t>(found.count);
      });
  parallel_ranges(a.scan.queries, 8, [&](std::int64_t begin, std::int64_t end) noexcept {
    for (std::int64_t q = begin; q < end; ++q) write_nearest(a, keys(q, 0), parts, room, q);
  });
}

void within(const HammingWithin& a) noexcept {
  scan_all(
      a.scan, 0, a.parts,
      [&](std::int64_t query, std::int64_t part) {
        const std::int64_t* offset = a.offsets + query * a.parts + part;
        return Candidates{a.keys + offset[0], offset[1] - offset[0], 0, 0, 0, nullptr};
      },
      [&](std::int64_t query, std::int64_t part, const Candidates& found) {
        a.counts[query * a.parts + part] = found.count;
      });
}

}  // namespace

extern const HammingKernels<float> hamming_float;
extern const HammingKernels<double> hamming_double;
const HammingKernels<float> hamming_float = {nearest_keys, nearest, parts_of, within};
const HammingKernels<double> hamming_double = {nearest_keys, nearest, parts_of, within};

}  // namespace ictus::ICTUS_LEVEL
