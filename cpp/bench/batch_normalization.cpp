// Batch normalization in training: forward, and backward with the gradient of the data. Arguments:
// rows (pixels of all images), channels.
#include "ictus/batch_normalization.h"

#include "bench/bench.h"

namespace ictus::bench {
namespace {

template <class T>
void batch_normalization(benchmark::State& state, bool backward) {
  const std::int64_t rows = state.range(0), channels = state.range(1);
  const auto count = static_cast<std::size_t>(channels);
  const auto x = random_numbers<T>(rows * channels, 1);
  const auto& kernels = *tables<T>().batch_normalization;
  std::vector<T> y(x.size()), into(x.size()), mean(count), deviation(count), scale(count, T(1)),
      shift(count), running(count), scale_gradient(count), shift_gradient(count);
  std::vector<T> workspace(static_cast<std::size_t>(kernels.workspace(rows, channels)));
  const BatchNormalization<T> a = {rows,
                                   channels,
                                   x.data(),
                                   scale.data(),
                                   shift.data(),
                                   T(0),
                                   T(0.1),
                                   true,
                                   running.data(),
                                   shift.data(),
                                   mean.data(),
                                   deviation.data(),
                                   Activation::identity,
                                   y.data(),
                                   workspace.data()};
  kernels.forward(a);
  std::vector<double> expected(count);
  for (std::size_t i = 0; i < x.size(); ++i) {
    expected[i % count] += static_cast<double>(x[i]) / static_cast<double>(rows);
  }
  if (!correct<T>(state, residual(mean, expected), static_cast<double>(rows))) return;
  const BatchNormalizationBackward<T> b = {rows,
                                           channels,
                                           x.data(),
                                           y.data(),
                                           mean.data(),
                                           deviation.data(),
                                           scale.data(),
                                           true,
                                           T(0),
                                           scale_gradient.data(),
                                           shift_gradient.data(),
                                           into.data(),
                                           workspace.data()};
  for (auto _ : state) {
    if (backward) {
      kernels.backward(b);
    } else {
      kernels.forward(a);
    }
  }
  count_bytes(state, (backward ? 5.0 : 4.0) * static_cast<double>(x.size()) * sizeof(T));
}

void float_batch_normalization(benchmark::State& state, bool backward) {
  batch_normalization<float>(state, backward);
}

void shapes(benchmark::internal::Benchmark* b) {
  b->Args({57600, 6})->Args({6400, 16})->Args({100352, 64});
}
BENCHMARK_CAPTURE(float_batch_normalization, forward, false)->Apply(shapes);
BENCHMARK_CAPTURE(float_batch_normalization, backward, true)->Apply(shapes);

}  // namespace
}  // namespace ictus::bench
