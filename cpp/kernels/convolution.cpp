// Convolutions as matrix products of which one operand is packed through a window. Shapes that
// have a quicker way take it: Winograd's tiles, lanes for few channels or outputs, lines of places.
#include "ictus/convolution.h"

#include "kernels/detail/lane_product.h"
#include "kernels/detail/lane_weights.h"
#include "kernels/detail/level_gemm.h"
#include "kernels/detail/line_gradient.h"
#include "kernels/detail/parallel.h"
#include "kernels/detail/stride_phases.h"
#include "kernels/detail/winograd_passes.h"

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

// A window as large as the image along an axis sees all of it, at one place: its elements are
// channels. Where that holds for both axes the convolution is a dense layer.
ConvolutionShape folded(ConvolutionShape s) {
  const auto covers = [](const WindowAxis& a) {
    return a.elements == a.size && a.places == 1 && a.padding == 0 &&
           (a.dilation == 1 || a.elements == 1);
  };
  const WindowAxis one = {1, 1, 1, 1, 1, 0};
  if (s.groups != 1 || !covers(s.across)) return s;
  s.channels *= s.across.size;
  s.across = one;
  if (!covers(s.down)) return s;
  s.channels *= s.down.size;
  s.down = one;
  return s;
}

// Whether the window is one pixel, and moves over all: no more than a product of matrices.
bool is_dense(const ConvolutionShape& s) {
  const auto all = [](const WindowAxis& a) {
    return a.elements == 1 && a.places == a.size && a.padding == 0 && a.stride == 1;
  };
  return s.groups == 1 && all(s.down) && all(s.across);
}

template <class T>
GemmArguments<T> dense(std::int64_t rows, std::int64_t inner, std::int64_t columns, Operand<T> a,
                       Operand<T> b, T beta, T* c) {
  GemmArguments<T> g = {};
  g.rows = rows;
  g.inner = inner;
  g.columns = columns;
  g.alpha = T(1);
  g.a = a.data;
  g.a_row_stride = a.row_stride;
  g.a_column_stride = a.column_stride;
  g.b = b.data;
  g.b_row_stride = b.row_stride;
  g.b_column_stride = b.column_stride;
  g.beta = beta;
  g.c = c;
  g.c_row_stride = columns;
  return g;
}

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

// The axis along which the window moves where all that it sees at a place lies in one piece: the
// other axis has one position, and there are no zeros. nullptr: it does not.
template <class T>
const WindowAxis* only_axis(const Windows<T>& w) {
  const auto one = [](const WindowAxis& a) {
    return a.size == 1 && a.places == 1 && a.elements == 1 && a.padding == 0;
  };
  const WindowAxis& axis = one(w.across) ? w.down : w.across;
  const bool found = (one(w.across) || one(w.down)) && axis.padding == 0 && axis.dilation == 1 &&
                     w.pixel_stride == w.channels &&
                     (axis.places - 1) * axis.stride + axis.elements <= axis.size;
  return found ? &axis : nullptr;
}

template <class T>
void multiply_windows(const GemmArguments<T>& g, ConvolutionAlgorithm algorithm) {
  constexpr std::int64_t kFewestPlaces = 128;
  if (multiply_in_lanes(g, algorithm == ConvolutionAlgorithm::automatic)) return;
  const Windows<T>& w = *g.a_windows;
  const WindowAxis* const axis = only_axis(w);
  if (axis == nullptr || (w.batch > 1 && axis->places < kFewestPlaces)) {
    if (!multiply_in_lines(g)) level_gemm<T>().multiply(g);
    return;
  }
  // Neighbouring windows are overlapping rows of a matrix that is there already.
  for (std::int64_t n = 0; n < w.batch; ++n) {
    GemmArguments<T> rows = g;
    Epilogue<T> epilogue;
    if (g.epilogue != nullptr) epilogue = *g.epilogue;
    epilogue.first_row += n * axis->places;
    rows.epilogue = &epilogue;
    rows.a_windows = nullptr;
    rows.rows = axis->places;
    rows.a = w.images + n * axis->size * w.channels;
    rows.a_row_stride = axis->stride * w.channels;
    rows.a_column_stride = 1;
    rows.c = g.c + n * axis->places * g.c_row_stride;
    level_gemm<T>().multiply(rows);
  }
}

template <class T>
std::int64_t forward_workspace(const ConvolutionShape& s) noexcept {
  const Group group(s);
  return winograd_chosen<T>(s, kWeightsThere) ? winograd_weights<T>(group.channels, group.outputs)
                                              : 0;
}

template <class T>
void forward(const ConvolutionForward<T>& a) noexcept {
  if (winograd_chosen<T>(a.shape, kWeightsThere)) return forward_by_tiles(a);
  const ConvolutionShape s = folded(a.shape);
  const Group group(s);
  if (is_dense(s)) {
    const std::int64_t rows = s.batch * s.down.size * s.across.size;
    GemmArguments<T> g = dense<T>(rows, s.channels, s.outputs, {a.x, s.channels, 1},
                                  {a.weights, s.outputs, 1}, a.beta, a.y);
    g.epilogue = a.epilogue;
    return level_gemm<T>().multiply(g);
  }
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
    multiply_windows(g, s.algorithm);
  }
}

template <class T>
std::int64_t data_workspace(const ConvolutionShape& s) noexcept {
  const Group group(s);
  if (winograd_chosen<T>(s, kWeightsThere))
    return winograd_weights<T>(group.outputs, group.channels);
  const bool strided = s.down.stride > 1 || s.across.stride > 1;
  const std::int64_t pixels = s.batch * most_of_a_phase(s.down) * most_of_a_phase(s.across);
  return group.elements * group.outputs * group.channels + (strided ? pixels * group.channels : 0);
}

// One phase of one group: a convolution of the outputs' gradient, channels and outputs exchanged.
template <class T>
void backward_data_of_phase(const ConvolutionBackward<T>& a, const ConvolutionShape& s,
                            const PhasePair& phase, std::int64_t i) {
  const Group group(s);
  const WindowAxis &down = phase.down.axis, &across = phase.across.axis;
  T* const x_gradient = a.x_gradient + i * group.channels;
  T* const weights = a.workspace;
  T* const pixels = weights + group.elements * group.outputs * group.channels;
  const bool strided = s.down.stride > 1 || s.across.stride > 1;
  const auto scatter = [&](const T* from) {
    scatter_phase(phase, from, s.batch, s.down, s.across, group.channels, a.beta, x_gradient,
                  s.channels);
  };
  if (phase.empty()) return scatter(nullptr);
  phase_weights(phase, a.weights + i * group.outputs, s.across.elements, group.channels,
                group.outputs, s.outputs, weights);
  const Windows<T> windows = {
      a.y_gradient + i * group.outputs, s.batch, down, across, group.outputs, s.outputs};
  const T* const b = weights;
  if (!strided) {
    return multiply_windows(
        windowed(windows, b, group.channels, group.channels, a.beta, x_gradient, s.channels),
        s.algorithm);
  }
  multiply_windows(
      windowed(windows, b, group.channels, group.channels, T(0), pixels, group.channels),
      s.algorithm);
  scatter(pixels);
}

template <class T>
void backward_data(const ConvolutionBackward<T>& a) noexcept {
  if (winograd_chosen<T>(a.shape, kWeightsThere)) {
    return backward_data_by_tiles(a, StridePhase(a.shape.down, 0).axis,
                                  StridePhase(a.shape.across, 0).axis);
  }
  const ConvolutionShape s = folded(a.shape);
  const Group group(s);
  if (is_dense(s)) {
    const std::int64_t rows = s.batch * s.down.size * s.across.size;
    return level_gemm<T>().multiply(dense<T>(rows, s.outputs, s.channels,
                                             {a.y_gradient, s.outputs, 1},
                                             {a.weights, 1, s.outputs}, a.beta, a.x_gradient));
  }
  for (std::int64_t i = 0; i < s.groups; ++i) {
    for (std::int64_t d = 0; d < smaller(s.down.stride, s.down.size); ++d) {
      for (std::int64_t c = 0; c < smaller(s.across.stride, s.across.size); ++c) {
        backward_data_of_phase(a, s, {{s.down, d}, {s.across, c}, d, c}, i);
      }
    }
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

// What group i makes of x and of the outputs' gradient: one of two ways to sum them.
template <class Way, class T>
Way weights_way(const ConvolutionShape& s, const ConvolutionBackward<T>& a, std::int64_t i) {
  const Group group(s);
  const Windows<T> windows = {a.x + i * group.channels, s.batch,   s.down, s.across,
                              group.channels,           s.channels};
  return {windows, a.y_gradient + i * group.outputs, group.outputs, s.outputs};
}

template <class T>
std::int64_t weights_workspace(const ConvolutionShape& shape) noexcept {
  if (winograd_chosen<T>(shape, kWeightsBack)) return weights_by_tiles_workspace<T>(shape);
  const ConvolutionShape s = folded(shape);
  const Group group(s);
  const ConvolutionBackward<T> a = {};
  const std::int64_t sums = group.inner() * group.outputs;
  const auto lines = weights_way<LineGradient<T>>(s, a, 0);
  const std::int64_t parts =
      larger(weights_way<LaneWeights<T>>(s, a, 0).parts, Parts(s, group).count);
  return larger(lines.pays() ? lines.parts * lines.sums : 0, parts * sums);
}

// The transpose of the weights' gradient, of one part of the places: few outputs make a register
// tile of few rows, but a whole one of columns.
template <class T>
void weights_of_part(Windows<T> windows, const T* y_gradient, std::int64_t y_stride,
                     std::int64_t outputs, std::int64_t places, T* to) {
  GemmArguments<T> g = {};
  g.rows = outputs;
  g.columns = windows.down.elements * windows.across.elements * windows.channels;
  g.inner = places;
  g.alpha = T(1);
  g.a = y_gradient + windows.first_row * y_stride;
  g.a_row_stride = 1;
  g.a_column_stride = y_stride;
  g.b_windows = &windows;
  g.c = to;
  g.c_row_stride = g.columns;
  level_gemm<T>().multiply(g);
}

template <class T>
void backward_weights(const ConvolutionBackward<T>& a) noexcept {
  if (winograd_chosen<T>(a.shape, kWeightsBack)) return backward_weights_by_tiles(a);
  const ConvolutionShape s = folded(a.shape);
  const Group group(s);
  const Parts parts(s, group);
  const std::int64_t places = s.batch * s.down.places * s.across.places;
  const std::int64_t inner = group.inner(), outputs = group.outputs;
  for (std::int64_t i = 0; i < s.groups; ++i) {
    T* const to = a.weights_gradient + i * outputs;
    const auto lanes = weights_way<LaneWeights<T>>(s, a, i);
    const auto lines = weights_way<LineGradient<T>>(s, a, i);
    if (lanes.pays()) {
      sum_in_lanes(lanes, a.workspace);
      for (std::int64_t k = 0; k < inner; ++k) {
        for (std::int64_t o = 0; o < outputs; ++o) {
          T sum = a.beta == T(0) ? T(0) : to[k * s.outputs + o] * a.beta;
          for (std::int64_t p = 0; p < lanes.parts; ++p) {
            sum += a.workspace[(p * inner + k) * outputs + o];
          }
          to[k * s.outputs + o] = sum;
        }
      }
      continue;
    }
    if (lines.pays()) {
      sum_lines(lines, a.workspace, a.beta, to, s.outputs);
      continue;
    }
    auto part = [&](std::int64_t number) {
      const std::int64_t first = number * parts.rows, left = places - first;
      weights_of_part(
          {a.x + i * group.channels, s.batch, s.down, s.across, group.channels, s.channels, first},
          a.y_gradient + i * outputs, s.outputs, outputs, left < parts.rows ? left : parts.rows,
          a.workspace + number * inner * outputs);
    };
    parallel_chunks(parts.count, part);
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
