// One-pass updates of a flat vector: as many bytes as a network of that size moves.
#include "bench/bench.h"

namespace ictus::bench {
namespace {

template <class T>
void sgd(benchmark::State& state) {
  const std::int64_t size = state.range(0);
  auto w = random_numbers<T>(size, 1), v = random_numbers<T>(size, 2);
  const auto g = random_numbers<T>(size, 3);
  std::vector<double> expected;
  for (std::size_t i = 0; i < w.size(); ++i) {
    const double velocity = 0.5 * static_cast<double>(v[i]) - 0.125 * static_cast<double>(g[i]);
    expected.push_back(static_cast<double>(w[i]) + velocity);
  }
  SgdArguments<T> a = {};
  a.update = {size, w.data(), g.data(), T(1), T(0), T(0), nullptr, 0};
  a.velocity = v.data();
  a.learning_rate = T(0.125);
  a.momentum = T(0.5);
  const auto run = tables<T>().optimizer->sgd;
  run(a);
  if (!correct<T>(state, residual(w, expected), 4)) return;
  for (auto _ : state) run(a);
  count_bytes(state, 5.0 * static_cast<double>(size) * sizeof(T));
}

BENCHMARK_TEMPLATE(sgd, float)
    ->Name("sgd update<float>")
    ->Arg(2000)
    ->Arg(1276810)
    ->Arg(20000000)
    ->UseRealTime();

}  // namespace
}  // namespace ictus::bench
