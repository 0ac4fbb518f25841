// Max pooling by non-overlapping windows of 2 x 2: forward and backward. Arguments: batch, height
// and width, channels.
#include "ictus/pooling.h"

#include "bench/bench.h"

namespace ictus::bench {
namespace {

template <class T>
void max_pooling(benchmark::State& state, bool backward) {
  const std::int64_t batch = state.range(0), size = state.range(1), channels = state.range(2);
  const WindowAxis axis = {size, size / 2, 2, 2, 1, 0};
  const PoolingShape shape = {batch, axis, axis, channels};
  auto x = random_numbers<T>(batch * size * size * channels, 1);
  std::vector<T> y(x.size() / 4);
  std::vector<WindowElement<T>> argmax(y.size());
  const auto& kernels = *tables<T>().pooling;
  const Pooling<T> forward = {shape, x.data(), y.data(), argmax.data()};
  kernels.maximum(forward);
  // The first place, and after the backward pass the first window's sum.
  const auto at = [&](std::int64_t row, std::int64_t column) {
    return x[static_cast<std::size_t>((row * size + column) * channels)];
  };
  const T largest = std::fmax(std::fmax(at(0, 0), at(0, 1)), std::fmax(at(1, 0), at(1, 1)));
  if (!correct<T>(state, std::fabs(static_cast<double>(y[0] - largest)), 1)) return;
  std::vector<T> gradient = y;
  const PoolingBackward<T> back = {shape, gradient.data(), argmax.data(), x.data()};
  if (backward) {
    kernels.maximum_backward(back);
    const double sum = static_cast<double>(at(0, 0) + at(0, 1) + at(1, 0) + at(1, 1));
    if (!correct<T>(state, std::fabs(sum - static_cast<double>(largest)), 1)) return;
  }
  for (auto _ : state) {
    if (backward) {
      kernels.maximum_backward(back);
    } else {
      kernels.maximum(forward);
    }
  }
  count_bytes(state, static_cast<double>(x.size() + 2 * y.size()) * sizeof(T));
}

void float_max_pooling(benchmark::State& state, bool backward) {
  max_pooling<float>(state, backward);
}

void shapes(benchmark::internal::Benchmark* b) {
  b->Args({100, 24, 6})->Args({100, 8, 16})->Args({32, 56, 64});
}
BENCHMARK_CAPTURE(float_max_pooling, forward, false)->Apply(shapes);
BENCHMARK_CAPTURE(float_max_pooling, backward, true)->Apply(shapes);

}  // namespace
}  // namespace ictus::bench
