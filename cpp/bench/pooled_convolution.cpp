// A stage of a convolutional network: convolution, pooling and tanh, forward and backward with the
// gradient of the data. Arguments: batch, height, width, channels, outputs, height and width of the
// window, of the pooling.
#include "ictus/pooled_convolution.h"

#include "bench/bench.h"

namespace ictus::bench {
namespace {

template <class T>
void stage(benchmark::State& state, bool backward) {
  const auto axis = [&](int size, int elements, int pool) {
    const std::int64_t n = state.range(size), k = state.range(elements), by = state.range(pool);
    return WindowAxis{n, (n - k + 1) / by * by, k, 1, 1, 0};
  };
  const PooledShape shape = {
      {state.range(0), axis(1, 5, 7), axis(2, 6, 8), state.range(3), state.range(4), 1},
      state.range(7),
      state.range(8)};
  const ConvolutionShape& s = shape.convolution;
  const std::int64_t terms = s.down.elements * s.across.elements * s.channels;
  const std::int64_t places = s.batch * s.down.places * s.across.places;
  const std::int64_t pooled = places * s.outputs / shape.pool_down / shape.pool_across;
  const auto x = random_numbers<T>(s.batch * s.down.size * s.across.size * s.channels, 1);
  const auto w = random_numbers<T>(terms * s.outputs, 2);
  std::vector<T> y(static_cast<std::size_t>(pooled)), dw(w), dx(x);
  std::vector<T> db(static_cast<std::size_t>(s.outputs));
  std::vector<WindowElement<T>> argmax(y.size());
  const auto& kernels = *tables<T>().pooled_convolution;
  std::vector<T> workspace(static_cast<std::size_t>(kernels.forward_workspace(shape) +
                                                    kernels.backward_workspace(shape, true)));
  const PooledForward<T> f = {
      shape,    x.data(),      w.data(),        nullptr, Activation::identity,
      y.data(), argmax.data(), workspace.data()};
  const PooledBackward<T> b = {shape,     x.data(),      w.data(),     y.data(),
                               y.data(),  argmax.data(), f.activation, T(0),
                               dw.data(), db.data(),     dx.data(),    workspace.data()};
  kernels.forward(f);
  // The first window's maximum, and the bias' gradient: the sum of what comes from above.
  double largest = 0;
  for (std::int64_t e = 0; e < shape.pool_down * shape.pool_across; ++e) {
    double sum = 0;
    for (std::int64_t k = 0; k < terms; ++k) {
      const std::int64_t c = k % s.channels, element = k / s.channels;
      const std::int64_t i = e / shape.pool_across + element / s.across.elements;
      const std::int64_t j = e % shape.pool_across + element % s.across.elements;
      sum += static_cast<double>(
                 x[static_cast<std::size_t>((i * s.across.size + j) * s.channels + c)]) *
             static_cast<double>(w[static_cast<std::size_t>(k * s.outputs)]);
    }
    if (e == 0 || sum > largest) largest = sum;
  }
  if (!correct<T>(state, residual(std::vector<T>{y[0]}, {largest}), static_cast<double>(terms))) {
    return;
  }
  kernels.backward(b);
  double sum = 0;
  for (std::size_t i = 0; i < y.size(); i += static_cast<std::size_t>(s.outputs)) {
    sum += static_cast<double>(y[i]);
  }
  if (!correct<T>(state, residual(std::vector<T>{db[0]}, {sum}), static_cast<double>(places))) {
    return;
  }
  for (auto _ : state) {
    if (backward) {
      kernels.backward(b);
    } else {
      kernels.forward(f);
    }
  }
  count_flops<T>(state, (backward ? 4.0 : 2.0) * static_cast<double>(places) *
                            static_cast<double>(terms * s.outputs));
}

void float_stage(benchmark::State& state, bool backward) { stage<float>(state, backward); }

void stages(benchmark::internal::Benchmark* b) {
  b->Args({256, 15, 80, 3, 10, 7, 3, 1, 3})->Args({256, 9, 26, 10, 20, 3, 3, 1, 3});
  b->Args({128, 28, 28, 1, 6, 5, 5, 2, 2})->Args({128, 14, 14, 6, 16, 5, 5, 2, 2});
}
BENCHMARK_CAPTURE(float_stage, forward, false)->Apply(stages);
BENCHMARK_CAPTURE(float_stage, backward, true)->Apply(stages);

}  // namespace
}  // namespace ictus::bench
