// Convolution and its gradients on a GPU (ictus/convolution.h), as the kernels of the stage with
// pooling use them, too. Each pass is one implicit product over shared memory tiles; nothing is
// unrolled in memory. Groups are the third axis of a grid.
#pragma once

#include "ictus/convolution.h"
#include "over_elements.h"
#include "window_operand.h"

namespace ictus::cuda {

constexpr std::int64_t kPlacesAtOnce = std::int64_t{1} << 30;

// Whether the indices along an axis fit 32 bits with room for their sums.
inline bool fits(const WindowAxis& axis) {
  constexpr std::int64_t kMost = std::int64_t{1} << 29;
  const auto reach = [](std::int64_t count, std::int64_t step) {
    return count <= 1 || (count < kMost && step < kMost && (count - 1) * step < kMost);
  };
  return axis.size < kMost && axis.padding < kMost && axis.padding > -kMost &&
         axis.places < kMost && axis.elements < kMost && reach(axis.places, axis.stride) &&
         reach(axis.elements, axis.dilation);
}

inline bool fits(const ConvolutionShape& s) {
  const bool all = fits(s.down) && fits(s.across) &&
                   s.down.places * s.across.places <= kPlacesAtOnce &&
                   s.down.size * s.across.size <= kPlacesAtOnce &&
                   s.down.elements * s.across.elements < kPlacesAtOnce &&
                   s.channels < kPlacesAtOnce && s.outputs < kPlacesAtOnce &&
                   s.down.elements * s.across.elements * (s.channels + s.outputs) < kPlacesAtOnce;
  if (!all) report("images of more than 2^30 pixels or windows of as many elements");
  return all;
}

// Images that a launch takes: their places are numbered with 31 bits.
inline std::int64_t images_at_once(std::int64_t places) {
  return places <= 1 ? kPlacesAtOnce : kPlacesAtOnce / places;
}

template <class T, bool kElementsAreLines>
WindowOperand<T, kElementsAreLines> window_of(const ConvolutionShape& s, const T* x) {
  const auto axis = [](const WindowAxis& a) {
    // Steps that are never made may be out of range.
    return OperandAxis{static_cast<int>(a.size), a.places <= 1 ? 0 : static_cast<int>(a.stride),
                       static_cast<int>(-a.padding),
                       a.elements <= 1 ? 0 : static_cast<int>(a.dilation)};
  };
  WindowOperand<T, kElementsAreLines> w;
  w.images = x;
  w.down = axis(s.down);
  w.across = axis(s.across);
  w.pixel_stride = s.channels;
  w.places_down = FastDivide(s.down.places);
  w.places_across = FastDivide(s.across.places);
  w.elements_across = FastDivide(s.across.elements);
  w.channels = FastDivide(s.channels / s.groups);
  return w;
}

// --- forward

template <class T>
struct ConvolutionFinish {
  std::int64_t outputs, group;
  const T* bias;
  Activation activation;
  T beta;
  T* y;
  __device__ void operator()(std::int64_t, std::int64_t i, std::int64_t j, const T (&sum)[4],
                             int count) const {
    const std::int64_t column = blockIdx.z * group + j;
    const T b = bias == nullptr ? T(0) : bias[column];
#pragma unroll
    for (int r = 0; r < 4; ++r) {
      if (r >= count) break;
      T& out = y[(i + r) * outputs + column];
      out = activate(activation, (beta == T(0) ? sum[r] : sum[r] + beta * out) + b);
    }
  }
};

// Few channels: the sums are so short that the result's bytes are the limit (3.35 TB/s on an H100,
// 4 numbers a cycle and multiprocessor, for which inner sums below 30 take fewer multiply-adds than
// there are). The weights of 32 outputs and the offsets of the window lie in shared memory; a
// thread has 4 places of 4 outputs, and 8 neighbours write a sector of 32 bytes. Images come from
// the cache, each number read once for 4 outputs by all threads of the place at once.
constexpr int kFewThreads = 256, kFewOutputs = 32, kFewPlaces = 128;

template <class T>
__global__ void __launch_bounds__(kFewThreads)
    few_channels(std::int64_t places, int inner, std::int64_t outputs,
                 WindowOperand<T, false> window, GroupColumns<T> weights,
                 ConvolutionFinish<T> finish) {
  using Element = typename WindowOperand<T, false>::Element;
  using Place = typename WindowOperand<T, false>::Place;
  auto* const elements = shared_memory<Element>();
  T* const w = reinterpret_cast<T*>(elements + inner);
  const std::int64_t column0 = std::int64_t{blockIdx.y} * kFewOutputs;
  for (int i = threadIdx.x; i < inner * kFewOutputs; i += kFewThreads) {
    const std::int64_t j = column0 + i % kFewOutputs;
    w[i] = j < outputs ? weights.at(weights.line(j), weights.inner(i / kFewOutputs)) : T(0);
  }
  for (int p = threadIdx.x; p < inner; p += kFewThreads) elements[p] = window.element(p);
  __syncthreads();
  const int across = threadIdx.x % 8;
  const std::int64_t first = std::int64_t{blockIdx.x} * kFewPlaces + threadIdx.x / 8 * 4;
  if (first >= places) return;
  const int count = places - first < 4 ? static_cast<int>(places - first) : 4;
  Place place[4];
#pragma unroll
  for (int r = 0; r < 4; ++r) place[r] = window.place(first + (r < count ? r : 0));
  T sum[4][4] = {};  // [output][place]
  for (int p = 0; p < inner; ++p) {
    T x[4];
#pragma unroll
    for (int r = 0; r < 4; ++r) x[r] = window.seen(place[r], elements[p]);
#pragma unroll
    for (int q = 0; q < 4; ++q) {
      const T weight = w[p * kFewOutputs + across + 8 * q];
#pragma unroll
      for (int r = 0; r < 4; ++r) sum[q][r] += x[r] * weight;
    }
  }
#pragma unroll
  for (int q = 0; q < 4; ++q) {
    const std::int64_t j = column0 + across + 8 * q;
    if (j < outputs) finish(0, first, j, sum[q], count);
  }
}

template <class T>
void convolve_images(const ConvolutionShape& s, const T* x, const T* weights,
                     const ConvolutionFinish<T>& finish) {
  const std::int64_t channels = s.channels / s.groups, outputs = s.outputs / s.groups;
  const std::int64_t places = s.batch * s.down.places * s.across.places;
  const std::int64_t inner = s.down.elements * s.across.elements * channels;
  const auto window = window_of<T, false>(s, x);
  const GroupColumns<T> columns = {weights, s.outputs, outputs};
  constexpr std::int64_t kElementBytes =
      kFewOutputs * sizeof(T) + sizeof(typename WindowOperand<T, false>::Element);
  constexpr std::int64_t kMostBytes = 48 << 10;
  if (channels <= 4 && inner * kElementBytes <= kMostBytes && outputs <= 65535 * kFewOutputs) {
    launch(few_channels<T>,
           {dim3(blocks(places, kFewPlaces), blocks(outputs, kFewOutputs),
                 static_cast<unsigned>(s.groups)),
            kFewThreads, static_cast<std::size_t>(inner * kElementBytes)},
           places, static_cast<int>(inner), outputs, window, columns, finish);
    return;
  }
  grouped_product<T>(places, outputs, inner, window, columns, finish, 1, s.groups);
}

template <class T>
void convolve(const ConvolutionShape& s, const T* x, const T* weights, T beta, const T* bias,
              Activation activation, T* y) {
  const std::int64_t places = s.down.places * s.across.places;
  if (s.batch * places * s.outputs == 0 || !fits(s)) return;
  const std::int64_t most = images_at_once(places);
  for (std::int64_t first = 0; first < s.batch; first += most) {
    ConvolutionShape part = s;
    part.batch = s.batch - first < most ? s.batch - first : most;
    convolve_images(part, x + first * s.down.size * s.across.size * s.channels, weights,
                    ConvolutionFinish<T>{s.outputs, s.outputs / s.groups, bias, activation, beta,
                                         y + first * places * s.outputs});
  }
}

// --- the gradient of the images

// Of one axis, the pixels `phase`, phase + stride, ..: they are seen by the window's elements
// first, first + step, .. alone, so that no product with a zero between the places is made.
struct GradientPhase {
  std::int64_t phase, pixels;
  std::int64_t first, step, elements;
  OperandAxis axis;  // the pixel's place for its first element, and on to the next
};

inline GradientPhase gradient_phase(const WindowAxis& a, std::int64_t phase) {
  GradientPhase g = {phase, (a.size - phase + a.stride - 1) / a.stride, 0, a.elements, 0, {}};
  std::int64_t common = a.stride, rest = a.dilation;
  while (rest != 0) {
    const std::int64_t next = common % rest;
    common = rest;
    rest = next;
  }
  const std::int64_t at = phase + a.padding;
  while (g.first < a.elements && (at - g.first * a.dilation) % a.stride != 0) ++g.first;
  g.step = a.stride / common;
  if (g.first < a.elements) g.elements = (a.elements - 1 - g.first) / g.step + 1;
  const std::int64_t place = g.elements == 0 ? 0 : (at - g.first * a.dilation) / a.stride;
  g.axis = {static_cast<int>(a.places), 1, static_cast<int>(place),
            g.elements <= 1 ? 0 : static_cast<int>(-a.dilation / common)};
  return g;
}

// weights(element, channel, output) with the elements of a phase, as (channel, (element, output)).
template <class T>
struct PhaseWeights {
  static constexpr bool kLinesTogether = false;
  using Line = std::int64_t;
  using Inner = std::int64_t;
  const T* weights;
  std::int64_t outputs, element;  // numbers of an element
  std::int64_t window_across, first_down, first_across, step_down, step_across;
  FastDivide group_outputs, elements_across;
  __device__ Line line(std::int64_t c) const { return c * outputs; }
  __device__ Inner inner(std::int64_t p) const {
    const auto n = static_cast<std::uint32_t>(p);
    const std::uint32_t pixel = group_outputs(n), a = elements_across(pixel);
    const std::int64_t down = first_down + a * step_down;
    const std::int64_t across = first_across + (pixel - a * elements_across.divisor) * step_across;
    return (down * window_across + across) * element +
           std::int64_t{blockIdx.z} * group_outputs.divisor + (n - pixel * group_outputs.divisor);
  }
  __device__ T at(Line line, Inner inner) const { return weights[line + inner]; }
};

template <class T>
struct PhaseFinish {
  std::int64_t height, width, channels, group;
  std::int64_t phase_down, phase_across, stride_down, stride_across;
  FastDivide pixels_down, pixels_across;
  T beta;
  T* x_gradient;
  __device__ void operator()(std::int64_t, std::int64_t i, std::int64_t j, const T (&sum)[4],
                             int count) const {
#pragma unroll
    for (int r = 0; r < 4; ++r) {
      if (r >= count) break;
      const auto n = static_cast<std::uint32_t>(i + r);
      const std::uint32_t row = pixels_across(n), image = pixels_down(row);
      const std::int64_t y =
          phase_down + std::int64_t{row - image * pixels_down.divisor} * stride_down;
      const std::int64_t x =
          phase_across + std::int64_t{n - row * pixels_across.divisor} * stride_across;
      T& out = x_gradient[((image * height + y) * width + x) * channels + blockIdx.z * group + j];
      out = beta == T(0) ? sum[r] : sum[r] + beta * out;
    }
  }
};

template <class T>
void data_gradient_of_phase(const ConvolutionShape& s, const GradientPhase& down,
                            const GradientPhase& across, const T* y_gradient, const T* weights,
                            T beta, T* x_gradient) {
  const std::int64_t channels = s.channels / s.groups, outputs = s.outputs / s.groups;
  WindowOperand<T, false> window;
  window.images = y_gradient;
  window.down = down.axis;
  window.across = across.axis;
  window.pixel_stride = s.outputs;
  window.places_down = FastDivide(down.pixels);
  window.places_across = FastDivide(across.pixels);
  window.elements_across = FastDivide(across.elements == 0 ? 1 : across.elements);
  window.channels = FastDivide(outputs == 0 ? 1 : outputs);
  const PhaseWeights<T> right = {
      weights,      s.outputs, channels * s.outputs, s.across.elements, down.first,
      across.first, down.step, across.step,          window.channels,   window.elements_across};
  const PhaseFinish<T> finish = {
      s.down.size,        s.across.size,        s.channels,    channels,
      down.phase,         across.phase,         s.down.stride, s.across.stride,
      window.places_down, window.places_across, beta,          x_gradient};
  grouped_product<T>(s.batch * down.pixels * across.pixels, channels,
                     down.elements * across.elements * outputs, window, right, finish, 1, s.groups);
}

template <class T>
void data_gradient(const ConvolutionShape& s, const T* y_gradient, const T* weights, T beta,
                   T* x_gradient) {
  const std::int64_t pixels = s.down.size * s.across.size;
  const std::int64_t places = s.down.places * s.across.places;
  if (s.batch * pixels * s.channels == 0 || !fits(s)) return;
  const std::int64_t most = images_at_once(pixels);
  const auto phases = [](const WindowAxis& a) { return a.stride < a.size ? a.stride : a.size; };
  for (std::int64_t first = 0; first < s.batch; first += most) {
    ConvolutionShape part = s;
    part.batch = s.batch - first < most ? s.batch - first : most;
    for (std::int64_t i = 0; i < phases(s.down); ++i) {
      for (std::int64_t j = 0; j < phases(s.across); ++j) {
        data_gradient_of_phase(part, gradient_phase(s.down, i), gradient_phase(s.across, j),
                               y_gradient + first * places * s.outputs, weights, beta,
                               x_gradient + first * pixels * s.channels);
      }
    }
  }
}

// --- the gradient of the weights

// The sums run over all places: they are cut into parts, so that a few weights fill the device,
// too, and the parts are added in order. Cuts depend on the shape alone.
inline std::int64_t gradient_parts(const ConvolutionShape& s) {
  const std::int64_t inner = s.batch * s.down.places * s.across.places;
  const std::int64_t rows = s.down.elements * s.across.elements * (s.channels / s.groups);
  const std::int64_t tiles = (rows + 63) / 64 * ((s.outputs / s.groups + 63) / 64) * s.groups + 1;
  constexpr std::int64_t kWanted = 528, kShortest = 256;  // 4 blocks a multiprocessor of an H100
  const std::int64_t longest = inner / kShortest;
  const std::int64_t parts = kWanted / tiles < longest ? kWanted / tiles : longest;
  return parts < 1 ? 1 : parts;
}

inline std::int64_t gradient_workspace(const ConvolutionShape& s) {
  return gradient_parts(s) * s.down.elements * s.across.elements * (s.channels / s.groups) *
         s.outputs;
}

template <class T>
struct GradientFinish {
  std::int64_t outputs, group, size;  // numbers of a part
  T beta;                             // where there is one part
  T* out;
  __device__ void operator()(std::int64_t part, std::int64_t i, std::int64_t j, const T (&sum)[4],
                             int count) const {
#pragma unroll
    for (int r = 0; r < 4; ++r) {
      if (r >= count) break;
      T& to = out[part * size + (i + r) * outputs + blockIdx.z * group + j];
      to = beta == T(0) ? sum[r] : sum[r] + beta * to;
    }
  }
};

template <class T>
struct AddParts {
  const T* partial;
  std::int64_t parts, size;
  T beta;
  T* out;
  __device__ void operator()(std::int64_t, std::int64_t j) const {
    T sum = partial[j];
    for (std::int64_t k = 1; k < parts; ++k) sum += partial[k * size + j];
    out[j] = beta == T(0) ? sum : sum + beta * out[j];
  }
};

template <class T>
void weights_gradient(const ConvolutionShape& s, const T* x, const T* y_gradient, T beta, T* out,
                      T* workspace) {
  const std::int64_t channels = s.channels / s.groups, outputs = s.outputs / s.groups;
  const std::int64_t rows = s.down.elements * s.across.elements * channels;
  const std::int64_t places = s.down.places * s.across.places;
  if (rows * s.outputs == 0 || !fits(s)) return;
  const std::int64_t size = rows * s.outputs, most = images_at_once(places);
  for (std::int64_t first = 0; first == 0 || first < s.batch; first += most) {
    ConvolutionShape part = s;
    part.batch = s.batch - first < most ? s.batch - first : most;
    const std::int64_t parts = gradient_parts(part);
    const T keep = first == 0 ? beta : T(1);
    const auto window =
        window_of<T, true>(part, x + first * s.down.size * s.across.size * s.channels);
    const GroupColumns<T> gradient = {y_gradient + first * places * s.outputs, s.outputs, outputs};
    grouped_product<T>(rows, outputs, part.batch * places, window, gradient,
                       GradientFinish<T>{s.outputs, outputs, size, parts == 1 ? keep : T(0),
                                         parts == 1 ? out : workspace},
                       parts, s.groups);
    if (parts > 1) over_elements(1, size, AddParts<T>{workspace, parts, size, keep, out});
  }
}

}  // namespace ictus::cuda
