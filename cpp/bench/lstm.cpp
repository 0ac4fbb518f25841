// Long short-term memory without peepholes: inference and training.
#include "bench/sequence.h"

namespace ictus::bench {
namespace {

using Values = std::vector<double>;

void step(const Values& z, const Values& u, Values& h, Values& c) {
  const std::size_t n = h.size();
  for (std::size_t j = 0; j < n; ++j) {
    const auto input = [&](std::size_t gate) { return z[gate * n + j] + u[gate * n + j]; };
    c[j] = squash(input(1)) * c[j] + squash(input(0)) * std::tanh(input(3));
    h[j] = squash(input(2)) * std::tanh(c[j]);
  }
}

template <class T>
void inference(benchmark::State& state) {
  recurrent_bench<T>(state, *tables<T>().lstm, 0, false, step);
}
template <class T>
void training(benchmark::State& state) {
  recurrent_bench<T>(state, *tables<T>().lstm, 0, true, step);
}

BENCHMARK_TEMPLATE(inference, float)->Name("lstm forward<float>")->Apply(recurrent_shapes);
BENCHMARK_TEMPLATE(training, float)->Name("lstm training<float>")->Apply(recurrent_shapes);

}  // namespace
}  // namespace ictus::bench
