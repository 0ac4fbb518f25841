// Probabilistic max-pooling of a minibatch of maps: units per second, with and without samples.
#include "ictus/probabilistic_pooling.h"

#include "bench/bench.h"

namespace ictus::bench {
namespace {

void pool(benchmark::State& state, bool samples) {
  const std::int64_t batch = 100, size = 24, maps = 40, block = 2;
  const auto x = random_numbers<float>(batch * size * size * maps, 1);
  std::vector<float> mean(x.size()), sample(x.size()), pooled(x.size() / 4);
  ProbabilisticPoolingArguments<float> a = {};
  a.batch = batch;
  a.height = a.width = size;
  a.maps = maps;
  a.down = a.across = block;
  a.x = x.data();
  a.mean = mean.data();
  a.sample = samples ? sample.data() : nullptr;
  a.pooled_mean = pooled.data();
  const auto run = tables<float>().probabilistic_pooling->forward;
  run(a);
  // The first block of each map against the formula.
  std::vector<float> got;
  std::vector<double> expected;
  for (std::int64_t map = 0; map < maps; ++map) {
    double sum = 0;
    for (const std::int64_t pixel : {std::int64_t{0}, std::int64_t{1}, size, size + 1}) {
      sum += std::exp(static_cast<double>(x[static_cast<std::size_t>(pixel * maps + map)]));
    }
    got.push_back(pooled[static_cast<std::size_t>(map)]);
    expected.push_back(sum / (1 + sum));
  }
  if (!correct<float>(state, residual(got, expected), 16)) return;
  for (auto _ : state) run(a);
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(x.size()));
  count_bytes(state, (samples ? 3.0 : 2.0) * static_cast<double>(x.size()) * sizeof(float));
}

BENCHMARK_CAPTURE(pool, means, false)->Name("probabilistic_pooling<float>/means");
BENCHMARK_CAPTURE(pool, samples, true)->Name("probabilistic_pooling<float>/samples");

}  // namespace
}  // namespace ictus::bench
