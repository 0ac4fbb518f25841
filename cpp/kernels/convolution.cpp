// Convolutions as matrix products of which one operand is packed through a window, or by
// Winograd's tiles.
#include "ictus/convolution.h"

#include "kernels/detail/level_gemm.h"
#include "kernels/detail/parallel.h"
#include "kernels/detail/winograd_choice.h"
#include "kernels/detail/winograd_gradient.h"

namespace ictus::ICTUS_LEVEL {
namespace {

// One group of a convolution.
struct Group {
  std::int64_t channels, outputs, elements;
  explicit Group(const ConvolutionShape& s)
      : channels(s.channels / s.groups),
        outputs(s.outputs / s.groups),
        elements(s.down.elements * s.across.elements) {}
  std::int64_t inner() const { return elements * channels; }
};

// c = windows * b.
template <class T>
GemmArguments<T> windowed(const Windows<T>& windows, const T* b, std::int64_t b_row_stride,
                          std::int64_t columns, T beta, T* c, std::int64_t c_row_stride) {
  GemmArguments<T> g = {};
  g.rows = windows.batch * windows.down.places * windows.across.places;
  g.inner = windows.down.elements * windows.across.elements * windows.channels;
  g.columns = columns;
  g.alpha = T(1);
  g.b = b;
  g.b_row_stride = b_row_stride;
  g.b_column_stride = 1;
  g.beta = beta;
  g.c = c;
  g.c_row_stride = c_row_stride;
  g.a_windows = &windows;
  return g;
}

// One group by Winograd's tiles. Element e of the window has its (channels, outputs) at
// w + e * element_stride and the two other strides.
template <class T>
void by_tiles(const WinogradPass<T>& given, const T* w, std::int64_t element_stride,
              std::int64_t channel_stride, std::int64_t output_stride, T* workspace) {
  WinogradPass<T> pass = given;
  pass.weights = workspace;
  with_window(pass.windows.down.elements, [&](auto size) {
    constexpr int R = decltype(size)::value;
    transform_weights<T, R>(w, element_stride, channel_stride, output_stride, pass.windows.channels,
                            pass.outputs, workspace);
    winograd_convolution<T, R>(pass);
  });
}

template <class T>
std::int64_t forward_workspace(const ConvolutionShape& s) noexcept {
  const Group group(s);
  return winograd_chosen<T>(s) ? winograd_weights<T>(group.channels, group.outputs) : 0;
}

template <class T>
void forward(const ConvolutionForward<T>& a) noexcept {
  const ConvolutionShape& s = a.shape;
  const Group group(s);
  const bool tiles = winograd_chosen<T>(s);
  for (std::int64_t i = 0; i < s.groups; ++i) {
    const Windows<T> windows = {a.x + i * group.channels, s.batch,   s.down, s.across,
                                group.channels,           s.channels};
    GemmArguments<T> g = windowed(windows, a.weights + i * group.outputs, s.outputs, group.outputs,
                                  a.beta, a.y + i * group.outputs, s.outputs);
    Epilogue<T> epilogue;
    if (a.epilogue != nullptr) {
      epilogue = *a.epilogue;
      if (epilogue.bias != nullptr) epilogue.bias += i * group.outputs;
      g.epilogue = &epilogue;
    }
    if (tiles) {
      by_tiles<T>({windows, nullptr, group.outputs, a.beta, g.c, s.outputs, g.epilogue}, g.b,
                  group.channels * s.outputs, s.outputs, 1, a.workspace);
      continue;
    }
    level_gemm<T>().multiply(g);
  }
}

// How the window of the transposed convolution moves over the outputs' gradient.
WindowAxis reversed(const WindowAxis& axis) {
  return {axis.places, axis.size,     axis.elements,
          1,           axis.dilation, (axis.elements - 1) * axis.dilation - axis.padding,
          axis.stride};
}

template <class T>
std::int64_t data_workspace(const ConvolutionShape& s) noexcept {
  const Group group(s);
  if (winograd_chosen<T>(s)) return winograd_weights<T>(group.outputs, group.channels);
  return group.elements * group.outputs * group.channels;
}

// The gradient of the data is a convolution of the outputs' gradient: the window's elements in
// reverse order, channels and outputs exchanged.
template <class T>
void backward_data(const ConvolutionBackward<T>& a) noexcept {
  const ConvolutionShape& s = a.shape;
  const Group group(s);
  const bool tiles = winograd_chosen<T>(s);
  for (std::int64_t i = 0; i < s.groups; ++i) {
    const Windows<T> windows = {a.y_gradient + i * group.outputs,
                                s.batch,
                                reversed(s.down),
                                reversed(s.across),
                                group.outputs,
                                s.outputs};
    T* const to = a.x_gradient + i * group.channels;
    const std::int64_t element = group.channels * s.outputs;
    if (tiles) {
      by_tiles<T>({windows, nullptr, group.channels, a.beta, to, s.channels, nullptr},
                  a.weights + i * group.outputs + (group.elements - 1) * element, -element, 1,
                  s.outputs, a.workspace);
      continue;
    }
    for (std::int64_t e = 0; e < group.elements; ++e) {
      const T* const from = a.weights + (group.elements - 1 - e) * element + i * group.outputs;
      T* const turned = a.workspace + e * group.outputs * group.channels;
      for (std::int64_t c = 0; c < group.channels; ++c) {
        for (std::int64_t o = 0; o < group.outputs; ++o) {
          turned[o * group.channels + c] = from[c * s.outputs + o];
        }
      }
    }
    const T* const weights = a.workspace;
    level_gemm<T>().multiply(
        windowed(windows, weights, group.channels, group.channels, a.beta, to, s.channels));
  }
}

// The places of the window are cut into parts that threads sum up for themselves: the sum over them
// is long, and the result small.
struct Parts {
  std::int64_t count, rows;
  Parts(const ConvolutionShape& s, const Group& group) {
    constexpr std::int64_t kFewestRows = 4096, kMost = 64, kMostElements = std::int64_t{4} << 20;
    const std::int64_t places = s.batch * s.down.places * s.across.places;
    const std::int64_t room = kMostElements / (group.inner() * group.outputs + 1);
    count = places / kFewestRows;
    if (count > kMost) count = kMost;
    if (count > room) count = room;
    if (count < 1) count = 1;
    rows = (places + count - 1) / count;
    count = rows == 0 ? 1 : (places + rows - 1) / rows;
  }
};

template <class T>
std::int64_t weights_workspace(const ConvolutionShape& s) noexcept {
  const Group group(s);
  if (winograd_chosen<T>(s)) {
    std::int64_t elements = 0;
    with_window(s.down.elements, [&](auto size) {
      const TileParts<T, decltype(size)::value> parts(s.batch, s.down, s.across, group.channels,
                                                      group.outputs);
      elements = parts.count * parts.sums;
    });
    return elements;
  }
  return Parts(s, group).count * group.inner() * group.outputs;
}

// The transpose of the weights' gradient, of one part of the places: few outputs make a register
// tile of few rows, but a whole one of columns.
template <class T>
void weights_of_part(const ConvolutionBackward<T>& a, Windows<T> windows, const T* y_gradient,
                     std::int64_t outputs, std::int64_t places, T* to) {
  GemmArguments<T> g = {};
  g.rows = outputs;
  g.columns = windows.down.elements * windows.across.elements * windows.channels;
  g.inner = places;
  g.alpha = T(1);
  g.a = y_gradient + windows.first_row * a.shape.outputs;
  g.a_row_stride = 1;
  g.a_column_stride = a.shape.outputs;
  g.b_windows = &windows;
  g.c = to;
  g.c_row_stride = g.columns;
  level_gemm<T>().multiply(g);
}

template <class T>
void backward_weights_by_tiles(const ConvolutionBackward<T>& a) {
  const ConvolutionShape& s = a.shape;
  const Group group(s);
  for (std::int64_t i = 0; i < s.groups; ++i) {
    const Windows<T> windows = {a.x + i * group.channels, s.batch,   s.down, s.across,
                                group.channels,           s.channels};
    const WinogradGradient<T> g = {
        windows, a.y_gradient + i * group.outputs,       group.outputs, s.outputs, a.workspace,
        a.beta,  a.weights_gradient + i * group.outputs, s.outputs};
    with_window(s.down.elements,
                [&](auto size) { winograd_weights_gradient<T, decltype(size)::value>(g); });
  }
}

template <class T>
void backward_weights(const ConvolutionBackward<T>& a) noexcept {
  const ConvolutionShape& s = a.shape;
  if (winograd_chosen<T>(s)) return backward_weights_by_tiles(a);
  const Group group(s);
  const Parts parts(s, group);
  const std::int64_t places = s.batch * s.down.places * s.across.places;
  const std::int64_t inner = group.inner(), outputs = group.outputs;
  for (std::int64_t i = 0; i < s.groups; ++i) {
    auto part = [&](std::int64_t number) {
      const std::int64_t first = number * parts.rows, left = places - first;
      weights_of_part(
          a,
          {a.x + i * group.channels, s.batch, s.down, s.across, group.channels, s.channels, first},
          a.y_gradient + i * outputs, outputs, left < parts.rows ? left : parts.rows,
          a.workspace + number * inner * outputs);
    };
    parallel_chunks(parts.count, part);
    T* const to = a.weights_gradient + i * outputs;
    for (std::int64_t o = 0; o < outputs; ++o) {
      for (std::int64_t k = 0; k < inner; ++k) {
        T sum = a.beta == T(0) ? T(0) : to[k * s.outputs + o] * a.beta;
        for (std::int64_t p = 0; p < parts.count; ++p) {
          sum += a.workspace[(p * outputs + o) * inner + k];
        }
        to[k * s.outputs + o] = sum;
      }
    }
  }
}

}  // namespace

extern const ConvolutionKernels<float> convolution_float;
extern const ConvolutionKernels<double> convolution_double;
const ConvolutionKernels<float> convolution_float = {
    forward<float>,           backward_data<float>,  backward_weights<float>,
    forward_workspace<float>, data_workspace<float>, weights_workspace<float>,
    winograd_fits<float>};
const ConvolutionKernels<double> convolution_double = {
    forward<double>,           backward_data<double>,  backward_weights<double>,
    forward_workspace<double>, data_workspace<double>, weights_workspace<double>,
    winograd_fits<double>};

}  // namespace ictus::ICTUS_LEVEL
