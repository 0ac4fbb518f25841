// Corruption of a minibatch: bytes read and written, per second.
#include "bench/bench.h"

namespace ictus::bench {
namespace {

void corrupt(benchmark::State& state, Corruption corruption, double mean) {
  const std::int64_t rows = 100, columns = 784;
  std::vector<float> x(static_cast<std::size_t>(rows * columns), 0.25f), out(x.size());
  const NoiseArguments<float> a = {corruption, 0.3f,    0.0f,     1.0f,    1,          2,      0,
                                   rows,       columns, x.data(), columns, out.data(), columns};
  const auto run = tables<float>().noise->corrupt;
  run(a);
  double sum = 0;
  for (const float v : out) sum += static_cast<double>(v);
  // Six standard errors of the mean; no element has a deviation above 0.5.
  const double error = std::abs(sum / static_cast<double>(x.size()) - mean) /
                       (6 * 0.5 / std::sqrt(static_cast<double>(x.size())));
  state.counters["residual"] = error;
  if (!(error < 1)) return state.SkipWithError("wrong mean");
  for (auto _ : state) run(a);
  state.SetItemsProcessed(state.iterations() * rows * columns);
  count_bytes(state, 2.0 * static_cast<double>(x.size()) * sizeof(float));
}

BENCHMARK_CAPTURE(corrupt, masking, Corruption::masking, 0.175)->Name("masking<float>");
BENCHMARK_CAPTURE(corrupt, gaussian, Corruption::gaussian, 0.25)->Name("gaussian_noise<float>");
BENCHMARK_CAPTURE(corrupt, salt_and_pepper, Corruption::salt_and_pepper, 0.325)
    ->Name("salt_and_pepper<float>");

}  // namespace
}  // namespace ictus::bench
