// The simple recurrent layer with tanh: inference and training.
#include "bench/sequence.h"

namespace ictus::bench {
namespace {

using Values = std::vector<double>;

void step(const Values& z, const Values& u, Values& h, Values&) {
  for (std::size_t j = 0; j < h.size(); ++j) h[j] = std::tanh(z[j] + u[j]);
}

template <class T>
void inference(benchmark::State& state) {
  recurrent_bench<T>(state, *tables<T>().recurrent, 0, false, step);
}
template <class T>
void training(benchmark::State& state) {
  recurrent_bench<T>(state, *tables<T>().recurrent, 0, true, step);
}

BENCHMARK_TEMPLATE(inference, float)->Name("recurrent forward<float>")->Apply(recurrent_shapes);
BENCHMARK_TEMPLATE(training, float)->Name("recurrent training<float>")->Apply(recurrent_shapes);

}  // namespace
}  // namespace ictus::bench
