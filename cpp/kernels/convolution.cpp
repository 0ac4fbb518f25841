// Convolutions as matrix products whose left operand is packed through a window.
#include "ictus/convolution.h"

#include "kernels/detail/level_gemm.h"
#include "kernels/detail/parallel.h"
#include "kernels/detail/rows.h"

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

// c = windows * b, or the transpose of what is seen.
template <class T>
GemmArguments<T> windowed(const Windows<T>& windows, bool transposed, const T* b,
                          std::int64_t b_row_stride, std::int64_t columns, T beta, T* c,
                          std::int64_t c_row_stride) {
  GemmArguments<T> g = {};
  const std::int64_t rows = windows.batch * windows.down.places * windows.across.places;
  const std::int64_t columns_seen =
      windows.down.elements * windows.across.elements * windows.channels;
  g.rows = transposed ? columns_seen : rows;
  g.inner = transposed ? rows : columns_seen;
  g.columns = columns;
  g.alpha = T(1);
  g.b = b;
  g.b_row_stride = b_row_stride;
  g.b_column_stride = 1;
  g.beta = beta;
  g.c = c;
  g.c_row_stride = c_row_stride;
  g.windows = &windows;
  g.windows_transposed = transposed;
  return g;
}

template <class T>
void forward(const ConvolutionForward<T>& a) noexcept {
  const ConvolutionShape& s = a.shape;
  const Group group(s);
  for (std::int64_t i = 0; i < s.groups; ++i) {
    const Windows<T> windows = {a.x + i * group.channels, s.batch,   s.down, s.across,
                                group.channels,           s.channels};
    GemmArguments<T> g = windowed(windows, false, a.weights + i * group.outputs, s.outputs,
                                  group.outputs, a.beta, a.y + i * group.outputs, s.outputs);
    Epilogue<T> epilogue;
    if (a.epilogue != nullptr) {
      epilogue = *a.epilogue;
      if (epilogue.bias != nullptr) epilogue.bias += i * group.outputs;
      g.epilogue = &epilogue;
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

std::int64_t data_workspace(const ConvolutionShape& s) noexcept {
  const Group group(s);
  return group.elements * group.outputs * group.channels;
}

// The gradient of the data is a convolution of the outputs' gradient: the window's elements in
// reverse order, channels and outputs exchanged.
template <class T>
void backward_data(const ConvolutionBackward<T>& a) noexcept {
  const ConvolutionShape& s = a.shape;
  const Group group(s);
  for (std::int64_t i = 0; i < s.groups; ++i) {
    for (std::int64_t e = 0; e < group.elements; ++e) {
      const T* const from =
          a.weights + (group.elements - 1 - e) * group.channels * s.outputs + i * group.outputs;
      T* const to = a.workspace + e * group.outputs * group.channels;
      for (std::int64_t c = 0; c < group.channels; ++c) {
        for (std::int64_t o = 0; o < group.outputs; ++o) {
          to[o * group.channels + c] = from[c * s.outputs + o];
        }
      }
    }
    const Windows<T> windows = {a.y_gradient + i * group.outputs,
                                s.batch,
                                reversed(s.down),
                                reversed(s.across),
                                group.outputs,
                                s.outputs};
    const T* const weights = a.workspace;
    level_gemm<T>().multiply(windowed(windows, false, weights, group.channels, group.channels,
                                      a.beta, a.x_gradient + i * group.channels, s.channels));
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

std::int64_t weights_workspace(const ConvolutionShape& s) noexcept {
  const Group group(s);
  const Parts parts(s, group);
  return parts.count == 1 ? 0 : parts.count * group.inner() * group.outputs;
}

template <class T>
void backward_weights(const ConvolutionBackward<T>& a) noexcept {
  const ConvolutionShape& s = a.shape;
  const Group group(s);
  const Parts parts(s, group);
  const std::int64_t places = s.batch * s.down.places * s.across.places;
  const std::int64_t inner = group.inner(), outputs = group.outputs;
  for (std::int64_t i = 0; i < s.groups; ++i) {
    Windows<T> windows = {a.x + i * group.channels, s.batch,   s.down, s.across,
                          group.channels,           s.channels};
    T* const to = a.weights_gradient + i * outputs;
    const T* const gradient = a.y_gradient + i * outputs;
    if (parts.count == 1) {
      level_gemm<T>().multiply(
          windowed(windows, true, gradient, s.outputs, outputs, a.beta, to, s.outputs));
      continue;
    }
    auto part = [&](std::int64_t number) {
      Windows<T> own = windows;
      own.first_row = number * parts.rows;
      GemmArguments<T> g = windowed(own, true, gradient + own.first_row * s.outputs, s.outputs,
                                    outputs, T(0), a.workspace + number * inner * outputs, outputs);
      const std::int64_t left = places - own.first_row;
      g.inner = left < parts.rows ? left : parts.rows;
      level_gemm<T>().multiply(g);
    };
    parallel_chunks(parts.count, part);
    for (std::int64_t row = 0; row < inner; ++row) {
      for_vectors<T>(0, outputs, [&](std::int64_t j, auto access) {
        T* const at = to + row * s.outputs + j;
        Vector<T> sum = a.beta == T(0) ? Vector<T>{} : access.read(at) * a.beta;
        for (std::int64_t p = 0; p < parts.count; ++p) {
          sum += access.read(a.workspace + (p * inner + row) * outputs + j);
        }
        access.write(at, sum);
      });
    }
  }
}

}  // namespace

extern const ConvolutionKernels<float> convolution_float;
extern const ConvolutionKernels<double> convolution_double;
const ConvolutionKernels<float> convolution_float = {forward<float>, backward_data<float>,
                                                     backward_weights<float>, data_workspace,
                                                     weights_workspace};
const ConvolutionKernels<double> convolution_double = {forward<double>, backward_data<double>,
                                                       backward_weights<double>, data_workspace,
                                                       weights_workspace};

}  // namespace ictus::ICTUS_LEVEL
