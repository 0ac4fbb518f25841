// Batch normalization, its gradient and its R-operator (ictus/batch_normalization.h) on a GPU. A
// block has 32 channels at a time and sums over all rows, in double and in a fixed order; the
// passes over the elements follow. Backward and tangent share one linear map,
//     scale * r * (v - s / rows - n * t / rows) + b * (x - mean) + c,
// with s = sum v and t = sum v * n over the rows, n = (x - mean) * r.
#include "ictus/batch_normalization.h"

#include "over_elements.h"

namespace ictus::cuda {
namespace {

constexpr int kThreads = 512;
constexpr int kWarps = kThreads / kWarpSize;

// The sum of a number of each warp's lane over the warps, in the lanes of the first warp.
__device__ double sum_over_warps(double value, double (*room)[kWarpSize]) {
  const int lane = threadIdx.x % kWarpSize, warp = threadIdx.x / kWarpSize;
  room[warp][lane] = value;
  __syncthreads();
  double sum = 0;
  for (int w = 0; w < kWarps; ++w) sum += room[w][lane];
  __syncthreads();
  return sum;
}

template <class T>
__device__ T reciprocal_root(T v) {
  return T(1) / static_cast<T>(sqrt(static_cast<double>(v)));
}

template <class T>
__global__ void __launch_bounds__(kThreads) find_statistics(BatchNormalization<T> a) {
  __shared__ double room[kWarps][kWarpSize];
  const int lane = threadIdx.x % kWarpSize, warp = threadIdx.x / kWarpSize;
  const std::int64_t c = std::int64_t{blockIdx.x} * kWarpSize + lane;
  const bool inside = c < a.channels;
  double mean = 0, variance = 0;
  if (a.training) {
    const auto rows = static_cast<double>(a.rows);
    double sum = 0;
    for (std::int64_t i = warp; i < a.rows && inside; i += kWarps) {
      sum += static_cast<double>(a.x[i * a.channels + c]);
    }
    mean = sum_over_warps(sum, room) / rows;
    const T centre = static_cast<T>(mean);
    double squares = 0;
    for (std::int64_t i = warp; i < a.rows && inside; i += kWarps) {
      const T d = a.x[i * a.channels + c] - centre;
      squares += static_cast<double>(d * d);
    }
    const double total = sum_over_warps(squares, room);
    if (warp > 0 || !inside) return;
    variance = total / rows;
    const double unbiased = total / (rows > 1 ? rows - 1 : rows);
    a.running_mean[c] += a.momentum * (static_cast<T>(mean) - a.running_mean[c]);
    a.running_variance[c] += a.momentum * (static_cast<T>(unbiased) - a.running_variance[c]);
  } else {
    if (warp > 0 || !inside) return;
    mean = static_cast<double>(a.running_mean[c]);
    variance = static_cast<double>(a.running_variance[c]);
  }
  a.mean[c] = static_cast<T>(mean);
  a.reciprocal_deviation[c] = reciprocal_root(static_cast<T>(variance) + a.epsilon);
}

template <class T>
struct Normalize {
  BatchNormalization<T> a;
  __device__ void operator()(std::int64_t i, std::int64_t c) const {
    const T factor = a.scale[c] * a.reciprocal_deviation[c];
    const std::int64_t at = i * a.channels + c;
    a.y[at] = activate(a.activation, (a.x[at] - a.mean[c]) * factor + a.shift[c]);
  }
};

template <class T>
void forward(const BatchNormalization<T>& a) noexcept {
  if (a.channels == 0) return;
  launch(find_statistics<T>, {blocks(a.channels, kWarpSize), kThreads}, a);
  over_elements(a.rows, a.channels, Normalize<T>{a});
}

// s and t of the channels into the workspace: sums[c], sums[channels + c].
template <class T>
struct Sums {
  std::int64_t rows, channels;
  const T *v, *x, *mean, *reciprocal_deviation;
  T* sums;
};

template <class T>
__global__ void __launch_bounds__(kThreads) sum_with_normalized(Sums<T> a) {
  __shared__ double room[kWarps][kWarpSize];
  const int lane = threadIdx.x % kWarpSize, warp = threadIdx.x / kWarpSize;
  const std::int64_t c = std::int64_t{blockIdx.x} * kWarpSize + lane;
  double s = 0, t = 0;
  if (c < a.channels) {
    const T mean = a.mean[c], r = a.reciprocal_deviation[c];
    for (std::int64_t i = warp; i < a.rows; i += kWarps) {
      const T v = a.v[i * a.channels + c];
      s += static_cast<double>(v);
      t += static_cast<double>(v * (a.x[i * a.channels + c] - mean) * r);
    }
  }
  s = sum_over_warps(s, room);
  t = sum_over_warps(t, room);
  if (warp > 0 || c >= a.channels) return;
  a.sums[c] = static_cast<T>(s);
  a.sums[a.channels + c] = static_cast<T>(t);
}

template <class T>
void sum_channels(const Sums<T>& a) {
  launch(sum_with_normalized<T>, {blocks(a.channels, kWarpSize), kThreads}, a);
}

template <class T>
struct ParameterGradients {
  BatchNormalizationBackward<T> a;
  __device__ void operator()(std::int64_t, std::int64_t c) const {
    const T shift = a.workspace[c], scale = a.workspace[a.channels + c];
    a.shift_gradient[c] = a.beta == T(0) ? shift : shift + a.beta * a.shift_gradient[c];
    a.scale_gradient[c] = a.beta == T(0) ? scale : scale + a.beta * a.scale_gradient[c];
  }
};

template <class T>
struct DataGradient {
  BatchNormalizationBackward<T> a;
  __device__ void operator()(std::int64_t i, std::int64_t c) const {
    const std::int64_t at = i * a.channels + c;
    const T r = a.reciprocal_deviation[c], factor = a.scale[c] * r;
    const auto rows = static_cast<T>(a.rows);
    const T s = a.training ? a.workspace[c] / rows : T(0);
    const T t = a.training ? a.workspace[a.channels + c] / rows : T(0);
    const T d = a.x[at] - a.mean[c];
    a.x_gradient[at] = d * (-factor * r * t) + (-factor * s) + a.y_gradient[at] * factor;
  }
};

template <class T>
void backward(const BatchNormalizationBackward<T>& a) noexcept {
  if (a.channels == 0) return;
  sum_channels(
      Sums<T>{a.rows, a.channels, a.y_gradient, a.x, a.mean, a.reciprocal_deviation, a.workspace});
  over_elements(1, a.channels, ParameterGradients<T>{a});
  if (a.x_gradient != nullptr) over_elements(a.rows, a.channels, DataGradient<T>{a});
}

template <class T>
struct Tangent {
  BatchNormalizationTangent<T> a;
  bool sums;
  __device__ void operator()(std::int64_t i, std::int64_t c) const {
    const std::int64_t at = i * a.channels + c;
    const T r = a.reciprocal_deviation[c], factor = a.scale[c] * r;
    const auto rows = static_cast<T>(a.rows);
    const T s = sums ? a.workspace[c] / rows : T(0);
    const T t = sums ? a.workspace[a.channels + c] / rows : T(0);
    const T d = a.x[at] - a.mean[c];
    T y = d * (r * (a.scale_dot[c] - factor * t)) + (a.shift_dot[c] - factor * s);
    if (a.x_dot != nullptr) y += a.x_dot[at] * factor;
    a.y_dot[at] = y;
  }
};

template <class T>
void tangent(const BatchNormalizationTangent<T>& a) noexcept {
  if (a.channels == 0) return;
  const bool sums = a.training && a.x_dot != nullptr;
  if (sums) {
    sum_channels(
        Sums<T>{a.rows, a.channels, a.x_dot, a.x, a.mean, a.reciprocal_deviation, a.workspace});
  }
  over_elements(a.rows, a.channels, Tangent<T>{a, sums});
}

template <class T>
struct Multiply {
  ChannelFactors<T> a;
  __device__ void operator()(std::int64_t row, std::int64_t c) const {
    const std::int64_t at = row * a.channels + c;
    a.y[at] = a.x[at] * a.factors[row / a.pixels * a.channels + c];
  }
};

template <class T>
void multiply(const ChannelFactors<T>& a) noexcept {
  over_elements(a.images * a.pixels, a.channels, Multiply<T>{a});
}

// Two sums of each channel.
template <class T>
std::int64_t workspace(std::int64_t, std::int64_t channels) noexcept {
  return 2 * channels;
}

template <class T>
constexpr BatchNormalizationKernels<T> kernels() {
  return {forward<T>, backward<T>, tangent<T>, multiply<T>, workspace<T>};
}

}  // namespace

extern const BatchNormalizationKernels<float> batch_normalization_float;
extern const BatchNormalizationKernels<double> batch_normalization_double;
const BatchNormalizationKernels<float> batch_normalization_float = kernels<float>();
const BatchNormalizationKernels<double> batch_normalization_double = kernels<double>();

}  // namespace ictus::cuda
