// Multi-index hashing of a million codes of 64 bits: tables, and all codes within a radius.
#include "ictus/multi_index.h"

#include "bench/bench.h"
#include "ictus/hamming.h"

namespace ictus::bench {
namespace {

constexpr std::int64_t kCount = 1000000, kParts = 3, kQueries = 1000, kRoom = 64;

struct Index {
  std::vector<std::uint64_t> codes, bucket_codes;
  std::vector<std::uint32_t> starts, numbers;

  Index()
      : codes(kCount),
        bucket_codes(kParts * kCount),
        starts((std::size_t{1} << 22) + 2 * (std::size_t{1} << 21) + 3),
        numbers(kParts * kCount) {
    std::mt19937_64 generator(1);
    for (std::uint64_t& code : codes) code = generator();
  }
  MultiIndex arguments() {
    return {
        kCount, 1, 64, kParts, codes.data(), starts.data(), numbers.data(), bucket_codes.data()};
  }
};

void build(benchmark::State& state) {
  Index index;
  for (auto _ : state) tables<float>().multi_index->build(index.arguments());
  state.SetItemsProcessed(state.iterations() * kCount);
}

void within(benchmark::State& state) {
  Index index;
  const MultiIndexKernels<float>& kernels = *tables<float>().multi_index;
  kernels.build(index.arguments());
  std::vector<std::uint64_t> queries(index.codes.begin(), index.codes.begin() + kQueries);
  for (std::uint64_t& query : queries) query ^= 1;
  std::vector<std::uint8_t> complete(kQueries);
  std::vector<std::uint64_t> keys(kQueries * kRoom);
  std::vector<std::int64_t> counts(kQueries), offsets;
  for (std::int64_t q = 0; q <= kQueries; ++q) offsets.push_back(q * kRoom);
  const MultiIndexWithin arguments = {{index.arguments(), kQueries, queries.data(), nullptr,
                                       state.range(0), kCount, complete.data()},
                                      offsets.data(),
                                      keys.data(),
                                      counts.data()};
  kernels.within(arguments);
  for (std::int64_t q = 0; q < kQueries; ++q) {
    if (complete[static_cast<std::size_t>(q)] != 1 || counts[static_cast<std::size_t>(q)] < 1 ||
        keys[static_cast<std::size_t>(q * kRoom)] !=
            (std::uint64_t{1} << kKeyBits) + static_cast<std::uint64_t>(q)) {
      state.SkipWithError("wrong result");
      return;
    }
  }
  for (auto _ : state) kernels.within(arguments);
  state.SetItemsProcessed(state.iterations() * kQueries);
}

BENCHMARK(build)->Name("multi_index_build")->Unit(benchmark::kMillisecond);
BENCHMARK(within)->Name("multi_index_within/radius")->Arg(2)->Arg(4)->Arg(6);

}  // namespace
}  // namespace ictus::bench
