// Convolution without padding: forward and both gradients. Arguments: batch, height, width,
// channels, outputs, height and width of the window, stride, algorithm (ConvolutionAlgorithm).
#include "ictus/convolution.h"

#include "bench/bench.h"

namespace ictus::bench {
namespace {

enum class Pass { forward, data, weights };

template <class T>
struct ConvolutionBench {
  ConvolutionShape shape;
  std::vector<T> x, w, y, result, workspace;

  ConvolutionBench(const benchmark::State& state, Pass pass) {
    const auto axis = [&](int size, int elements) {
      const std::int64_t n = state.range(size), k = state.range(elements), step = state.range(7);
      return WindowAxis{n, (n - k) / step + 1, k, step, 1, 0};
    };
    shape = {state.range(0),
             axis(1, 5),
             axis(2, 6),
             state.range(3),
             state.range(4),
             1,
             static_cast<ConvolutionAlgorithm>(state.range(8))};
    x = random_numbers<T>(shape.batch * shape.down.size * shape.across.size * shape.channels, 1);
    w = random_numbers<T>(
        shape.down.elements * shape.across.elements * shape.channels * shape.outputs, 2);
    y = random_numbers<T>(places() * shape.outputs, 3);
    result = pass == Pass::forward ? y : pass == Pass::data ? x : w;
    const auto& kernels = *tables<T>().convolution;
    workspace.resize(static_cast<std::size_t>(kernels.forward_workspace(shape) +
                                              kernels.data_workspace(shape) +
                                              kernels.weights_workspace(shape)));
  }

  std::int64_t places() const { return shape.batch * shape.down.places * shape.across.places; }
  double terms(Pass pass) const {
    const auto elements = static_cast<double>(shape.down.elements * shape.across.elements);
    if (pass == Pass::forward) return elements * static_cast<double>(shape.channels);
    if (pass == Pass::data) return elements * static_cast<double>(shape.outputs);
    return static_cast<double>(places());
  }

  // The first numbers of the result, in double precision.
  std::vector<double> expected(Pass pass, std::size_t count) const {
    std::vector<double> sums(count);
    const ConvolutionShape& s = shape;
    std::int64_t y_at = 0;
    for (std::int64_t place = 0; place < places(); ++place) {
      const std::int64_t j = place % s.across.places, line = place / s.across.places;
      const std::int64_t i = line % s.down.places, n = line / s.down.places;
      for (std::int64_t e = 0; e < s.down.elements * s.across.elements; ++e) {
        const std::int64_t row = n * s.down.size + i * s.down.stride + e / s.across.elements;
        const std::int64_t pixel =
            row * s.across.size + j * s.across.stride + e % s.across.elements;
        for (std::int64_t c = 0; c < s.channels; ++c) {
          const std::int64_t x_at = pixel * s.channels + c, w_at = (e * s.channels + c) * s.outputs;
          for (std::int64_t o = 0; o < s.outputs; ++o) {
            const std::int64_t at[] = {y_at + o, x_at, w_at + o};
            const auto target = static_cast<std::size_t>(at[static_cast<int>(pass)]);
            if (target >= count) continue;
            const double product[] = {value(x, x_at) * value(w, w_at + o),
                                      value(y, y_at + o) * value(w, w_at + o),
                                      value(y, y_at + o) * value(x, x_at)};
            sums[target] += product[static_cast<int>(pass)];
          }
        }
      }
      y_at += s.outputs;
      // What follows does not reach the first numbers.
      if (pass != Pass::weights && place > 40 * s.across.size) break;
    }
    return sums;
  }
  static double value(const std::vector<T>& v, std::int64_t at) {
    return static_cast<double>(v[static_cast<std::size_t>(at)]);
  }
};

template <class T>
void convolution(benchmark::State& state, Pass pass) {
  ConvolutionBench<T> b(state, pass);
  const auto& kernels = *tables<T>().convolution;
  const ConvolutionForward<T> forward = {b.shape,         b.x.data(), b.w.data(),        T(0),
                                         b.result.data(), nullptr,    b.workspace.data()};
  const ConvolutionBackward<T> backward = {
      b.shape, b.x.data(),      b.w.data(),      b.y.data(),
      T(0),    b.result.data(), b.result.data(), b.workspace.data()};
  const auto run = [&] {
    if (pass == Pass::forward) kernels.forward(forward);
    if (pass == Pass::data) kernels.backward_data(backward);
    if (pass == Pass::weights) kernels.backward_weights(backward);
  };
  run();
  const std::size_t checked = pass == Pass::weights ? 4 : 60;
  const std::vector<T> first(b.result.begin(), b.result.begin() + static_cast<long>(checked));
  if (!correct<T>(state, residual(first, b.expected(pass, checked)), b.terms(pass))) return;
  for (auto _ : state) run();
  count_flops<T>(state, 2 * static_cast<double>(b.places()) * b.terms(Pass::forward) *
                            static_cast<double>(b.shape.outputs));
}

void float_convolution(benchmark::State& state, Pass pass) { convolution<float>(state, pass); }

void shapes(benchmark::internal::Benchmark* b) {
  b->Args({256, 80, 15, 3, 10, 3, 7, 1, 0})->Args({128, 28, 28, 1, 6, 5, 5, 1, 0});
  for (const std::int64_t algorithm : {1, 2}) {
    b->Args({16, 58, 58, 64, 64, 3, 3, 1, algorithm});
    b->Args({16, 30, 30, 128, 128, 3, 3, 1, algorithm});
    b->Args({16, 32, 32, 32, 64, 5, 5, 1, algorithm});
  }
  b->Args({16, 57, 57, 64, 128, 3, 3, 2, 0});
}
BENCHMARK_CAPTURE(float_convolution, forward, Pass::forward)->Apply(shapes);
BENCHMARK_CAPTURE(float_convolution, data, Pass::data)->Apply(shapes);
BENCHMARK_CAPTURE(float_convolution, weights, Pass::weights)->Apply(shapes);

}  // namespace
}  // namespace ictus::bench
