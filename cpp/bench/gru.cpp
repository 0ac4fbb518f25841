// Gated recurrent units: inference and training.
#include "bench/sequence.h"

namespace ictus::bench {
namespace {

using Values = std::vector<double>;

// The recurrent bias of the candidate is drawn again as RecurrentBench draws it.
void step(const Values& z, const Values& u, Values& h, Values&) {
  const std::size_t n = h.size();
  const auto bias = random_numbers<float>(static_cast<std::int64_t>(2 * n), 4);
  for (std::size_t j = 0; j < n; ++j) {
    const double r = squash(z[j] + u[j]), update = squash(z[n + j] + u[n + j]);
    const double q = u[2 * n + j] + static_cast<double>(bias[j] * 0.1f);
    const double candidate = std::tanh(z[2 * n + j] + r * q);
    h[j] = (1 - update) * candidate + update * h[j];
  }
}

template <class T>
void inference(benchmark::State& state) {
  recurrent_bench<T>(state, *tables<T>().gru, 1, false, step);
}
template <class T>
void training(benchmark::State& state) {
  recurrent_bench<T>(state, *tables<T>().gru, 1, true, step);
}

BENCHMARK_TEMPLATE(inference, float)->Name("gru forward<float>")->Apply(recurrent_shapes);
BENCHMARK_TEMPLATE(training, float)->Name("gru training<float>")->Apply(recurrent_shapes);

}  // namespace
}  // namespace ictus::bench
