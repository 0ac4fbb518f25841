// Brute-force search in a million binary codes: the 100 nearest of each query.
#include "ictus/hamming.h"

#include "bench/bench.h"

namespace ictus::bench {
namespace {

std::vector<std::uint64_t> random_words(std::int64_t size, unsigned seed) {
  std::mt19937_64 generator(seed);
  std::vector<std::uint64_t> words(static_cast<std::size_t>(size));
  for (std::uint64_t& word : words) word = generator();
  return words;
}

void nearest(benchmark::State& state) {
  const std::int64_t words = state.range(0) / 64, queries = state.range(1);
  const std::int64_t count = 1000000, k = 100;
  const auto codes = random_words(count * words, 1);
  auto asked = random_words(queries * words, 2);
  // The first query is a code with two bits changed: nothing else is as near.
  for (std::int64_t w = 0; w < words; ++w) {
    asked[static_cast<std::size_t>(w)] =
        codes[static_cast<std::size_t>(777777 * words + w)] ^ (w == 0 ? 5 : 0);
  }
  const HammingKernels<float>& kernels = *tables<float>().hamming;
  std::vector<std::uint64_t> keys(
      static_cast<std::size_t>(kernels.nearest_keys(count, queries, k)));
  std::vector<std::int32_t> distances(static_cast<std::size_t>(queries * k));
  std::vector<std::int64_t> numbers(distances.size());
  const HammingNearest arguments = {
      {count, queries, words, codes.data(), asked.data(), nullptr, words * 64},
      k,
      keys.data(),
      distances.data(),
      numbers.data()};
  kernels.nearest(arguments);
  if (numbers[0] != 777777 || distances[0] != 2) {
    state.SkipWithError("wrong result");
    return;
  }
  for (auto _ : state) kernels.nearest(arguments);
  state.SetItemsProcessed(state.iterations() * count * queries);
  if (queries == 1) count_bytes(state, 8.0 * static_cast<double>(count * words));
}

BENCHMARK(nearest)
    ->Name("hamming_nearest/bits/queries")
    ->Unit(benchmark::kMillisecond)
    ->ArgsProduct({{64, 256}, {1, 1000}});

}  // namespace
}  // namespace ictus::bench
