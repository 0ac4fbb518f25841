// Multi-index hashing (ictus/multi_index.h).
#include "ictus/multi_index.h"

#include "kernels/detail/nearest_keys.h"
#include "kernels/detail/parallel.h"
#include "kernels/detail/population_count.h"

namespace ictus::ICTUS_LEVEL {
namespace {

constexpr std::int64_t kQueries = 4;  // of a chunk

// Costs in units of a word of a candidate that lies in its bucket.
constexpr double kBucketCost = 8;  // to find a bucket
constexpr double kMissCost = 16;   // to find a candidate that lies elsewhere

// One table: where its substring lies in a code, and its buckets.
struct Table {
  std::int64_t word;
  int shift, bits;
  std::uint32_t* starts;
  std::uint32_t* numbers;
  std::uint64_t* codes;  // nullptr where the index has none in the order of the buckets

  std::uint64_t substring(const std::uint64_t* code) const {
    std::uint64_t value = code[word] >> shift;
    if (shift + bits > 64) value |= code[word + 1] << (64 - shift);
    return value & ((std::uint64_t{1} << bits) - 1);
  }
  std::int64_t buckets() const { return std::int64_t{1} << bits; }
};

// The first `bits % parts` substrings have one bit more.
inline void find_tables(const MultiIndex& index, Table* tables) {
  const std::int64_t length = index.bits / index.parts, longer = index.bits % index.parts;
  std::uint32_t* starts = index.starts;
  for (std::int64_t part = 0; part < index.parts; ++part) {
    const std::int64_t first = part * length + (part < longer ? part : longer);
    Table& t = tables[part];
    t.word = first / 64;
    t.shift = static_cast<int>(first % 64);
    t.bits = static_cast<int>(length + (part < longer));
    t.starts = starts;
    t.numbers = index.numbers + part * index.count;
    t.codes = index.bucket_codes == nullptr ? nullptr
                                            : index.bucket_codes + part * index.count * index.words;
    starts += t.buckets() + 1;
  }
}

// Sorts the codes by their substrings: counts, then places.
inline void build_table(const MultiIndex& index, const Table& t) {
  const std::int64_t buckets = t.buckets();
  std::memset(t.starts, 0, static_cast<std::size_t>(buckets + 1) * sizeof *t.starts);
  for (std::int64_t i = 0; i < index.count; ++i) {
    ++t.starts[t.substring(index.codes + i * index.words)];
  }
  std::uint32_t place = 0;
  for (std::int64_t b = 0; b <= buckets; ++b) {
    const std::uint32_t here = t.starts[b];
    t.starts[b] = place;
    place += here;
  }
  for (std::int64_t i = 0; i < index.count; ++i) {
    const std::uint64_t* code = index.codes + i * index.words;
    const std::uint32_t to = t.starts[t.substring(code)]++;
    t.numbers[to] = static_cast<std::uint32_t>(i);
    if (t.codes == nullptr) continue;
    for (std::int64_t w = 0; w < index.words; ++w) t.codes[to * index.words + w] = code[w];
  }
  // Each start has moved to the start of the next bucket.
  std::memmove(t.starts + 1, t.starts, static_cast<std::size_t>(buckets) * sizeof *t.starts);
  t.starts[0] = 0;
}

void build(const MultiIndex& index) noexcept {
  Table tables[kMaxParts];
  find_tables(index, tables);
  parallel_ranges(index.parts, 1, [&](std::int64_t begin, std::int64_t end) noexcept {
    for (std::int64_t part = begin; part < end; ++part) build_table(index, tables[part]);
  });
}

inline double binomial(int n, int k) {
  double value = 1;
  for (int i = 0; i < k; ++i) value = value * (n - i) / (i + 1);
  return value;
}

// One query at work; Sink is what takes the results: limit() is the largest distance of use.
template <int W, class Sink>
struct Lookup {
  const MultiIndexSearch& a;
  const Table* tables;
  const std::uint64_t* query;
  Sink& sink;
  std::uint64_t own[kMaxParts];  // the query's substrings

  Lookup(const MultiIndexSearch& search, const Table* all, std::int64_t number, Sink& results)
      : a(search),
        tables(all),
        query(search.query_codes + number * search.index.words),
        sink(results) {
    for (std::int64_t j = 0; j < a.index.parts; ++j) own[j] = tables[j].substring(query);
  }

  // A code is taken the first time it is met: in the order of (bits differing, table).
  bool met_before(const std::uint64_t* code, int differing, std::int64_t part) const {
    for (std::int64_t j = 0; j < a.index.parts; ++j) {
      const int d = count_bits(tables[j].substring(code) ^ own[j]);
      if (d < differing || (d == differing && j < part)) return true;
    }
    return false;
  }

  void look_into(std::uint64_t bucket, int differing, std::int64_t part) {
    const std::int64_t words = W > 0 ? W : a.index.words;
    const Table& t = tables[part];
    const std::uint32_t end = t.starts[bucket + 1];
    for (std::uint32_t i = t.starts[bucket]; i < end; ++i) {
      const std::uint64_t* code = t.codes != nullptr
                                      ? t.codes + i * words
                                      : a.index.codes + std::int64_t{t.numbers[i]} * words;
      std::int64_t distance = 0;
      for (std::int64_t w = 0; w < words; ++w) distance += count_bits(code[w] ^ query[w]);
      if (distance > sink.limit() || met_before(code, differing, part)) continue;
      const std::int64_t number = t.numbers[i];
      if (!is_removed(a.removed, number)) sink.add(make_key(distance, number));
    }
  }

  // All buckets of a table whose substring differs from the query's in so many bits.
  void look_up(int differing, std::int64_t part) {
    const std::uint64_t end = std::uint64_t{1} << tables[part].bits;
    std::uint64_t mask = (std::uint64_t{1} << differing) - 1;
    while (mask < end) {
      look_into(own[part] ^ mask, differing, part);
      if (mask == 0) break;
      // The next larger number with as many bits set.
      const std::uint64_t lowest = mask & (~mask + 1), ripple = mask + lowest;
      mask = (((mask ^ ripple) >> 2) / lowest) | ripple;
    }
  }

  // What a step is expected to cost.
  double cost(int differing, const Table& t) const {
    if (differing > t.bits) return 0;
    const double words = static_cast<double>(a.index.words);
    const double in_bucket = static_cast<double>(a.index.count) / static_cast<double>(t.buckets());
    const double candidate = t.codes != nullptr ? words : words + kMissCost;
    return binomial(t.bits, differing) * (kBucketCost + in_bucket * candidate);
  }

  // Calls step(differing, table) in turn until it says that it is enough, or the radius is reached.
  template <class Step>
  void for_steps(const Step& step) {
    for (int differing = 0;; ++differing) {
      for (std::int64_t j = 0; j < a.index.parts; ++j) {
        const std::int64_t reached = a.index.parts * differing + j;
        if (step(differing, j, reached)) return;
        if (reached >= a.radius || reached >= a.index.bits) return;
      }
    }
  }

  // Whether all within the radius, or all that the sink wants, were found within the budget. Where
  // the radius alone says how far to go, what is too far is not begun.
  bool run() {
    double spent = 0;
    bool too_much = false;
    const auto spend = [&](int differing, std::int64_t j) {
      spent += cost(differing, tables[j]);
      return too_much = spent > static_cast<double>(a.budget);
    };
    if (!Sink::kMayStop) {
      for_steps([&](int differing, std::int64_t j, std::int64_t) { return spend(differing, j); });
      if (too_much) return false;
      spent = 0;
    }
    for_steps([&](int differing, std::int64_t j, std::int64_t reached) {
      if (spend(differing, j)) return true;
      if (differing <= tables[j].bits) look_up(differing, j);
      return sink.satisfied(reached);
    });
    return !too_much;
  }
};

struct NearestSink {
  static constexpr bool kMayStop = true;
  BoundedHeap heap;
  std::int64_t radius;

  std::int64_t limit() const {
    return heap.count < heap.room ? radius : key_distance(heap.keys[0]);
  }
  void add(std::uint64_t key) { heap.add(key); }
  bool satisfied(std::int64_t reached) const {
    return heap.count == heap.room && key_distance(heap.keys[0]) <= reached;
  }
};

struct WithinSink {
  static constexpr bool kMayStop = false;
  std::uint64_t* keys;
  std::int64_t room, count, radius;

  std::int64_t limit() const { return radius; }
  void add(std::uint64_t key) {
    if (count < room) keys[count] = key;
    ++count;
  }
  bool satisfied(std::int64_t) const { return false; }
};

// Runs all queries: open(query) gives the sink, close(query, sink, complete) takes the results.
template <int W, class Open, class Close>
inline void search_all(const MultiIndexSearch& a, const Open& open, const Close& close) {
  Table tables[kMaxParts];
  find_tables(a.index, tables);
  parallel_ranges(a.queries, kQueries, [&](std::int64_t begin, std::int64_t end) noexcept {
    for (std::int64_t q = begin; q < end; ++q) {
      auto sink = open(q);
      const bool complete = Lookup<W, decltype(sink)>(a, tables, q, sink).run();
      a.complete[q] = complete;
      close(q, sink, complete);
    }
  });
}

template <class Open, class Close>
inline void search_any(const MultiIndexSearch& a, const Open& open, const Close& close) {
  if (a.index.words == 1) return search_all<1>(a, open, close);
  search_all<0>(a, open, close);
}

void nearest(const MultiIndexNearest& a) noexcept {
  search_any(
      a.search,
      [&](std::int64_t q) { return NearestSink{{a.keys + q * a.k, a.k, 0}, a.search.radius}; },
      [&](std::int64_t q, NearestSink& sink, bool) {
        sink.heap.sort();
        std::int32_t* distance = a.distances + q * a.k;
        std::int64_t* number = a.numbers + q * a.k;
        for (std::int64_t i = 0; i < a.k; ++i) {
          if (i < sink.heap.count) {
            write_result(sink.heap.keys[i], distance + i, number + i);
          } else {
            distance[i] = kNoDistance;
            number[i] = -1;
          }
        }
      });
}

void within(const MultiIndexWithin& a) noexcept {
  search_any(
      a.search,
      [&](std::int64_t q) {
        return WithinSink{a.keys + a.offsets[q], a.offsets[q + 1] - a.offsets[q], 0,
                          a.search.radius};
      },
      [&](std::int64_t q, WithinSink& sink, bool complete) {
        if (complete && sink.count <= sink.room) sort_keys(sink.keys, sink.count);
        a.counts[q] = sink.count;
      });
}

}  // namespace

extern const MultiIndexKernels<float> multi_index_float;
extern const MultiIndexKernels<double> multi_index_double;
const MultiIndexKernels<float> multi_index_float = {build, nearest, within};
const MultiIndexKernels<double> multi_index_double = {build, nearest, within};

}  // namespace ictus::ICTUS_LEVEL
