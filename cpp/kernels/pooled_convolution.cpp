// A convolution with its pooling: in the layout of detail/image_lanes.h where channels and outputs
// are few, else by the convolution's own kernels and a pass over what they leave.
#include "ictus/pooled_convolution.h"

#include "kernels/detail/lane_backward.h"
#include "kernels/detail/level_gemm.h"
#include "kernels/detail/rows.h"

namespace ictus::ICTUS_LEVEL {

extern const ConvolutionKernels<float> convolution_float;
extern const ConvolutionKernels<double> convolution_double;

namespace {

template <class T>
const ConvolutionKernels<T>& level_convolution();
template <>
const ConvolutionKernels<float>& level_convolution<float>() {
  return convolution_float;
}
template <>
const ConvolutionKernels<double>& level_convolution<double>() {
  return convolution_double;
}

std::int64_t places(const PooledShape& s) {
  return s.convolution.batch * s.convolution.down.places * s.convolution.across.places;
}

std::int64_t weight_count(const ConvolutionShape& s) {
  return s.down.elements * s.across.elements * (s.channels / s.groups) * s.outputs;
}

template <class T>
LaneChoice<T> lanes_forward(const PooledShape& shape, const GemmArguments<T>& g) {
  const ConvolutionShape& s = shape.convolution;
  LaneChoice<T> lanes(g, s.algorithm == ConvolutionAlgorithm::automatic, shape.pool_down);
  if (s.groups != 1 || shape.pool_down * shape.pool_across > kMostPooled) lanes.strips.rows = 0;
  return lanes;
}

// Calls body(windows' row, places) for each row of windows: (image, p), some at a time.
template <class Body>
void for_window_rows(const PooledShape& shape, const Body& body) {
  const ConvolutionShape& s = shape.convolution;
  const std::int64_t row = s.across.places * s.outputs * shape.pool_down;
  parallel_ranges(s.batch * (s.down.places / shape.pool_down), 1 + (1 << 14) / (row + 1),
                  [&](std::int64_t begin, std::int64_t end) {
                    for (std::int64_t i = begin; i < end; ++i) body(i);
                  });
}

// The maximum and its element, then the activation, of z (batch, places down, places across,
// outputs).
template <class T>
void pool(const PooledForward<T>& a, const T* z) {
  const ConvolutionShape& s = a.shape.convolution;
  const std::int64_t down = a.shape.pool_down, across = a.shape.pool_across, outputs = s.outputs;
  const std::int64_t line = s.across.places * outputs, windows = s.across.places / across;
  for_window_rows(a.shape, [&](std::int64_t row) {
    for (std::int64_t q = 0; q < windows; ++q) {
      const T* const corner = z + row * down * line + q * across * outputs;
      const std::int64_t to = (row * windows + q) * outputs;
      for_vectors<T>(0, outputs, [&](std::int64_t o, auto access) {
        Vector<T> best = access.read(corner + o);
        SignedVector<T> argmax = {};
        for (std::int64_t e = 1; e < down * across; ++e) {
          const T* const at = corner + e / across * line + e % across * outputs + o;
          take_larger<T>(access.read(at), e, best, argmax);
        }
        access.write(a.y + to + o, best);
        if (a.argmax != nullptr) {
          access.write(as_scalars<T>(a.argmax + to + o), bits_as<Vector<T>>(argmax));
        }
      });
    }
    T* const y = a.y + row * windows * outputs;
    with_activation(a.activation, [&](auto tag) {
      for_vectors<T>(0, windows * outputs, [&](std::int64_t k, auto access) {
        access.write(y + k, activate<decltype(tag)::value, T>(access.read(y + k)));
      });
    });
  });
}

// The way back: the gradient of z.
template <class T>
void unpool(const PooledBackward<T>& a, T* z_gradient) {
  using I = typename BitsOf<T>::Signed;
  const ConvolutionShape& s = a.shape.convolution;
  const std::int64_t down = a.shape.pool_down, across = a.shape.pool_across, outputs = s.outputs;
  const std::int64_t line = s.across.places * outputs, windows = s.across.places / across;
  const bool pooled = down * across > 1;
  for_window_rows(a.shape, [&](std::int64_t row) {
    for (std::int64_t q = 0; q < windows; ++q) {
      T* const corner = z_gradient + row * down * line + q * across * outputs;
      const std::int64_t from = (row * windows + q) * outputs;
      for_vectors<T>(0, outputs, [&](std::int64_t o, auto access) {
        Vector<T> gradient = access.read(a.y_gradient + from + o);
        with_activation(a.activation, [&](auto tag) {
          gradient *= derivative_from_output<decltype(tag)::value, T>(access.read(a.y + from + o));
        });
        SignedVector<T> argmax = {};
        if (pooled) {
          argmax = bits_as<SignedVector<T>>(access.read(as_scalars<T>(a.argmax + from + o)));
        }
        for (std::int64_t e = 0; e < down * across; ++e) {
          const SignedVector<T> here = argmax == broadcast<I>(static_cast<I>(e));
          access.write(corner + e / across * line + e % across * outputs + o,
                       select<T>(here, gradient, Vector<T>{}));
        }
      });
    }
  });
}

template <class T>
GemmArguments<T> product(const PooledForward<T>& a, const Windows<T>& windows,
                         const Epilogue<T>& epilogue) {
  const ConvolutionShape& s = a.shape.convolution;
  GemmArguments<T> g = {};
  g.rows = places(a.shape);
  g.inner = s.down.elements * s.across.elements * s.channels;
  g.columns = s.outputs;
  g.alpha = T(1);
  g.b = a.weights;
  g.b_row_stride = s.outputs;
  g.b_column_stride = 1;
  g.epilogue = &epilogue;
  g.a_windows = &windows;
  return g;
}

template <class T>
Windows<T> seen(const ConvolutionShape& s, const T* x) {
  return {x, s.batch, s.down, s.across, s.channels, s.channels};
}

template <class T>
void forward(const PooledForward<T>& a) noexcept {
  Epilogue<T> epilogue;
  epilogue.bias = a.bias;
  const Windows<T> windows = seen(a.shape.convolution, a.x);
  const GemmArguments<T> g = product(a, windows, epilogue);
  const LaneChoice<T> lanes = lanes_forward(a.shape, g);
  if (lanes.strips.rows > 0) return pool_in_lanes(a, lanes.pass, lanes.strips.rows);
  T* const z = a.workspace;
  T* const rest = z + places(a.shape) * a.shape.convolution.outputs;
  level_convolution<T>().forward({a.shape.convolution, a.x, a.weights, T(0), z, &epilogue, rest});
  pool(a, z);
}

template <class T>
std::int64_t forward_workspace(const PooledShape& shape) noexcept {
  PooledForward<T> a = {};
  a.shape = shape;
  const Epilogue<T> epilogue;
  const Windows<T> windows = seen<T>(shape.convolution, nullptr);
  const GemmArguments<T> g = product(a, windows, epilogue);
  if (lanes_forward(shape, g).strips.rows > 0) return 0;
  return places(shape) * shape.convolution.outputs +
         level_convolution<T>().forward_workspace(shape.convolution);
}

// value = beta * value + sum over the parts.
template <class T>
void add_parts(const T* parts, std::int64_t count, std::int64_t stride, std::int64_t size, T beta,
               T* value) {
  for (std::int64_t k = 0; k < size; ++k) {
    T sum = beta == T(0) ? T(0) : value[k] * beta;
    for (std::int64_t p = 0; p < count; ++p) sum += parts[p * stride + k];
    value[k] = sum;
  }
}

// The window's elements in reverse order, channels and outputs exchanged.
template <class T>
void flip(const ConvolutionShape& s, const T* weights, T* flipped) {
  const std::int64_t elements = s.down.elements * s.across.elements;
  for (std::int64_t e = 0; e < elements; ++e) {
    const T* const from = weights + (elements - 1 - e) * s.channels * s.outputs;
    T* const to = flipped + e * s.outputs * s.channels;
    for (std::int64_t c = 0; c < s.channels; ++c) {
      for (std::int64_t o = 0; o < s.outputs; ++o) to[o * s.channels + c] = from[c * s.outputs + o];
    }
  }
}

template <class T>
void backward(const PooledBackward<T>& a) noexcept {
  const ConvolutionShape& s = a.shape.convolution;
  const std::int64_t weights = weight_count(s);
  const bool wants_data = a.x_gradient != nullptr;
  const LaneBackward<T> lanes(a, wants_data, a.workspace);
  if (lanes.pays()) {
    T* const sums = a.workspace + weights;
    if (wants_data) flip(s, a.weights, a.workspace);
    backward_in_lanes(lanes, sums);
    const std::int64_t stride = weights + s.outputs;
    add_parts(sums, lanes.parts, stride, weights, a.beta, a.weights_gradient);
    add_parts(sums + weights, lanes.parts, stride, s.outputs, a.beta, a.bias_gradient);
    return;
  }
  T* const z_gradient = a.workspace;
  T* const rest = z_gradient + places(a.shape) * s.outputs;
  unpool(a, z_gradient);
  level_reduction<T>().column_sums(
      {places(a.shape), s.outputs, z_gradient, s.outputs, rest, s.outputs});
  add_parts(rest, 1, 0, s.outputs, a.beta, a.bias_gradient);
  const ConvolutionBackward<T> b = {s,      a.x,          a.weights,          z_gradient,
                                    a.beta, a.x_gradient, a.weights_gradient, rest};
  level_convolution<T>().backward_weights(b);
  if (!wants_data) return;
  ConvolutionBackward<T> data = b;
  data.beta = T(0);
  level_convolution<T>().backward_data(data);
}

template <class T>
std::int64_t backward_workspace(const PooledShape& shape, bool wants_data) noexcept {
  const ConvolutionShape& s = shape.convolution;
  PooledBackward<T> a = {};
  a.shape = shape;
  const std::int64_t weights = weight_count(s);
  const LaneBackward<T> lanes(a, wants_data, nullptr);
  if (lanes.pays()) return weights + lanes.parts * (weights + s.outputs);
  const auto& kernels = level_convolution<T>();
  return places(shape) * s.outputs +
         larger(s.outputs,
                larger(kernels.weights_workspace(s), wants_data ? kernels.data_workspace(s) : 0));
}

}  // namespace

extern const PooledConvolutionKernels<float> pooled_convolution_float;
extern const PooledConvolutionKernels<double> pooled_convolution_double;
const PooledConvolutionKernels<float> pooled_convolution_float = {
    forward<float>, backward<float>, forward_workspace<float>, backward_workspace<float>};
const PooledConvolutionKernels<double> pooled_convolution_double = {
    forward<double>, backward<double>, forward_workspace<double>, backward_workspace<double>};

}  // namespace ictus::ICTUS_LEVEL
