// Losses, gradients and curvature from logits (ictus/loss.h) on a GPU: a warp for an example. The
// value is a number on the host, so evaluate waits for it; its sum has a fixed order.
#include "ictus/loss.h"

#include "launch.h"
#include "rows.h"

namespace ictus::cuda {
namespace {

constexpr int kWarps = 8;      // examples of a block at a time
constexpr int kThreads = 256;  // 8 warps
constexpr int kParts = 256;    // blocks, each with a partial sum of the value

template <class T>
__device__ T target(const LossArguments<T>& a, std::int64_t i, std::int64_t j) {
  if (a.targets != nullptr) return a.targets[i * a.targets_row_stride + j];
  return a.labels[i] == j ? T(1) : T(0);
}

template <class T>
__device__ double squared_error(const LossArguments<T>& a, std::int64_t i, int lane, T factor) {
  T sum = T(0);
  for (std::int64_t j = lane; j < a.columns; j += kWarpSize) {
    const T difference = a.logits[i * a.logits_row_stride + j] - target(a, i, j);
    sum += difference * difference;
    if (a.gradient != nullptr) a.gradient[i * a.gradient_row_stride + j] = difference * factor;
  }
  return 0.5 * static_cast<double>(warp_sum(sum));
}

template <class T>
__device__ double binary_cross_entropy(const LossArguments<T>& a, std::int64_t i, int lane,
                                       T factor) {
  T sum = T(0);
  for (std::int64_t j = lane; j < a.columns; j += kWarpSize) {
    const T z = a.logits[i * a.logits_row_stride + j], t = target(a, i, j);
    // softplus(z) - t z, without the difference of two large numbers.
    sum += log1p(exp(z < T(0) ? z : -z)) + ((z < T(0) ? T(0) : z) - z * t);
    if (a.gradient != nullptr) {
      a.gradient[i * a.gradient_row_stride + j] = (sigmoid(z) - t) * factor;
    }
  }
  return static_cast<double>(warp_sum(sum));
}

template <class T>
__device__ double softmax_cross_entropy(const LossArguments<T>& a, std::int64_t i, int lane,
                                        T factor) {
  const T* z = a.logits + i * a.logits_row_stride;
  const T shift = row_shift(z, a.columns, lane);
  T total = T(0), mass = T(0), distance = T(0);
  for (std::int64_t j = lane; j < a.columns; j += kWarpSize) {
    const T t = target(a, i, j);
    total += exp(z[j] - shift);
    mass += t;
    // A logit of -inf is allowed where its target is zero.
    if (t != T(0)) distance += t * (shift - z[j]);
  }
  total = warp_sum(total);
  mass = warp_sum(mass);
  distance = warp_sum(distance);
  if (a.gradient != nullptr) {
    const T scale = mass / total;
    for (std::int64_t j = lane; j < a.columns; j += kWarpSize) {
      const T p = exp(z[j] - shift) * scale;
      a.gradient[i * a.gradient_row_stride + j] = (p - target(a, i, j)) * factor;
    }
  }
  return static_cast<double>(distance) +
         static_cast<double>(mass) * log(static_cast<double>(total));
}

template <class T>
__global__ void __launch_bounds__(kThreads)
    each_example(Loss loss, LossArguments<T> a, double* partial) {
  __shared__ double sums[kWarps];
  const int lane = threadIdx.x % kWarpSize, warp = threadIdx.x / kWarpSize;
  double sum = 0;
  for (std::int64_t i = std::int64_t{blockIdx.x} * kWarps + warp; i < a.rows;
       i += std::int64_t{gridDim.x} * kWarps) {
    const double weight = a.weights == nullptr ? 1.0 : static_cast<double>(a.weights[i]);
    const T factor = static_cast<T>(a.scale * weight);
    const double value = loss == Loss::squared_error ? squared_error(a, i, lane, factor)
                         : loss == Loss::binary_cross_entropy
                             ? binary_cross_entropy(a, i, lane, factor)
                             : softmax_cross_entropy(a, i, lane, factor);
    sum += weight == 0 ? 0 : weight * value;
  }
  if (lane == 0) sums[warp] = sum;
  __syncthreads();
  if (threadIdx.x > 0) return;
  double total = 0;
  for (int w = 0; w < kWarps; ++w) total += sums[w];
  partial[blockIdx.x] = total;
}

template <class T>
double evaluate(Loss loss, const LossArguments<T>& a) noexcept {
  if (a.rows == 0) return 0;
  auto* partial = static_cast<double*>(scratch());
  if (partial == nullptr) return 0;
  const unsigned wanted = blocks(a.rows, kWarps);
  const unsigned parts = wanted < kParts ? wanted : kParts;
  launch(each_example<T>, {parts, kThreads}, loss, a, partial);
  double sums[kParts] = {};
  fetch(sums, partial, parts * sizeof(double));
  double total = 0;
  for (unsigned p = 0; p < parts; ++p) total += sums[p];
  return a.scale * total;
}

template <class T>
__global__ void __launch_bounds__(kThreads) curve(Loss loss, CurvatureArguments<T> a) {
  const int lane = threadIdx.x % kWarpSize, warp = threadIdx.x / kWarpSize;
  const std::int64_t i = std::int64_t{blockIdx.x} * kWarps + warp;
  if (i >= a.rows) return;  // the whole warp
  const T* z = a.logits + i * a.logits_row_stride;
  const T* v = a.v + i * a.v_row_stride;
  T* out = a.out + i * a.out_row_stride;
  const T factor =
      static_cast<T>(a.scale * (a.weights == nullptr ? 1.0 : static_cast<double>(a.weights[i])));
  if (loss == Loss::softmax_cross_entropy) {
    const T shift = row_shift(z, a.columns, lane);
    T total = T(0), weighted = T(0);
    for (std::int64_t j = lane; j < a.columns; j += kWarpSize) {
      const T e = exp(z[j] - shift);
      total += e;
      weighted += e * v[j];
    }
    total = warp_sum(total);
    const T mean = warp_sum(weighted) / total;
    for (std::int64_t j = lane; j < a.columns; j += kWarpSize) {
      out[j] = factor * (exp(z[j] - shift) / total) * (v[j] - mean);
    }
    return;
  }
  for (std::int64_t j = lane; j < a.columns; j += kWarpSize) {
    const T h =
        loss == Loss::binary_cross_entropy ? factor * (sigmoid(z[j]) * sigmoid(-z[j])) : factor;
    out[j] = h * v[j];
  }
}

template <class T>
void curvature(Loss loss, const CurvatureArguments<T>& a) noexcept {
  if (a.rows == 0) return;
  launch(curve<T>, {blocks(a.rows, kWarps), kThreads}, loss, a);
}

}  // namespace

extern const LossKernels<float> loss_float;
extern const LossKernels<double> loss_double;
const LossKernels<float> loss_float = {evaluate<float>, curvature<float>};
const LossKernels<double> loss_double = {evaluate<double>, curvature<double>};

}  // namespace ictus::cuda
