// The passes of a step of conjugate gradients over vectors of a deep autoencoder's size.
#include "bench/bench.h"

namespace ictus::bench {
namespace {

template <class T>
void advance(benchmark::State& state) {
  const std::int64_t size = state.range(0);
  const auto p = random_numbers<T>(size, 1), ap = random_numbers<T>(size, 2);
  const auto m = random_numbers<T>(size, 3), g = random_numbers<T>(size, 4);
  auto x = random_numbers<T>(size, 5), r = random_numbers<T>(size, 6);
  std::vector<double> expected;
  for (std::size_t i = 0; i < x.size(); ++i) {
    expected.push_back(static_cast<double>(x[i]) + 0.125 * static_cast<double>(p[i]));
  }
  const AdvanceArguments<T> a = {size,     T(0.125), p.data(), ap.data(),
                                 m.data(), g.data(), x.data(), r.data()};
  const auto run = tables<T>().conjugate_gradient->advance;
  run(a);
  if (!correct<T>(state, residual(x, expected), 4)) return;
  for (auto _ : state) benchmark::DoNotOptimize(run(a));
  count_bytes(state, 8.0 * static_cast<double>(size) * sizeof(T));
}

BENCHMARK_TEMPLATE(advance, float)
    ->Name("conjugate gradients, advance<float>")
    ->Arg(20000)
    ->Arg(2837314)
    ->UseRealTime();

}  // namespace
}  // namespace ictus::bench
