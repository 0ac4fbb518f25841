// Random numbers: uniform, normal and Bernoulli fills of a vector.
#include "bench/bench.h"

namespace ictus::bench {
namespace {

template <class T>
void fill(benchmark::State& state, Distribution distribution, double mean, double deviation) {
  const std::int64_t size = 1 << 18;
  std::vector<T> out(static_cast<std::size_t>(size)), p(out.size(), T(0.25));
  RandomArguments<T> a = {};
  a.distribution = distribution;
  a.seed = 1;
  a.rows = 1;
  a.columns = size;
  a.p = distribution == Distribution::bernoulli ? p.data() : nullptr;
  a.p_row_stride = size;
  a.out = out.data();
  a.out_row_stride = size;
  const auto run = tables<T>().random->fill_flat;
  run(a);
  double sum = 0;
  for (const T v : out) sum += static_cast<double>(v);
  // Six standard errors of the mean.
  const double error = std::abs(sum / static_cast<double>(size) - mean) /
                       (6 * deviation / std::sqrt(static_cast<double>(size)));
  state.counters["residual"] = error;
  if (!(error < 1)) return state.SkipWithError("wrong mean");
  for (auto _ : state) run(a);
  state.SetItemsProcessed(state.iterations() * size);
  count_bytes(state, static_cast<double>(size) * sizeof(T));
}

void of_float(benchmark::State& state, Distribution distribution, double mean, double deviation) {
  fill<float>(state, distribution, mean, deviation);
}

BENCHMARK_CAPTURE(of_float, uniform, Distribution::uniform, 0.5, 0.2887)->Name("uniform<float>");
BENCHMARK_CAPTURE(of_float, normal, Distribution::normal, 0.0, 1.0)->Name("normal<float>");
BENCHMARK_CAPTURE(of_float, bernoulli, Distribution::bernoulli, 0.25, 0.433)
    ->Name("bernoulli<float>");

}  // namespace
}  // namespace ictus::bench
