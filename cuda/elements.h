// What kernels do to one element: activation functions and their derivatives, random draws, the
// epilogue of a matrix product; and sums over a warp and a block in a fixed order.
#pragma once

#include <cuda_runtime.h>

#include "core/philox.h"
#include "ictus/epilogue.h"

namespace ictus::cuda {

template <class T>
__device__ __forceinline__ T sigmoid(T z) {
  const T e = exp(z < T(0) ? z : -z);
  return (z < T(0) ? e : T(1)) / (T(1) + e);
}

template <class T>
__device__ __forceinline__ T softplus(T z) {
  return (z > T(0) ? z : z == z ? T(0) : z) + log1p(exp(z > T(0) ? -z : z));
}

template <class T>
__device__ __forceinline__ T activate(Activation activation, T z) {
  switch (activation) {
    case Activation::sigmoid:
      return sigmoid(z);
    case Activation::tanh:
      return tanh(z);
    case Activation::relu:
      return z < T(0) ? T(0) : z;  // NaN passes
    case Activation::softplus:
      return softplus(z);
    case Activation::identity:
      break;
  }
  return z;
}

// f'(z) from y = f(z).
template <class T>
__device__ __forceinline__ T slope(Activation activation, T y) {
  switch (activation) {
    case Activation::sigmoid:
      return y * (T(1) - y);
    case Activation::tanh:
      return T(1) - y * y;
    case Activation::relu:
      return y > T(0) ? T(1) : y == y ? T(0) : y;
    case Activation::softplus:
      return -expm1(-y);
    case Activation::identity:
      break;
  }
  return T(1);
}

__device__ __forceinline__ float as_uniform(std::uint32_t word, float) {
  return static_cast<float>(word >> 8) * 0x1p-24f;
}
__device__ __forceinline__ double as_uniform(std::uint32_t word, double) {
  return static_cast<double>(word) * 0x1p-32;
}

// Box & Muller 1958 from the words of rows 2k and 2k + 1: cosine for the even row, sine for the
// odd.
template <class T>
__device__ __forceinline__ T as_normal(const philox::Block& block, int word) {
  const T first = as_uniform(block.word[word & 2], T()),
          second = as_uniform(block.word[word | 1], T());
  const T radius = sqrt(T(-2) * log(T(1) - first));
  return radius * (word & 1 ? sinpi(T(2) * second) : cospi(T(2) * second));
}

// The four words that an element's row shares with its neighbours; its own is number row mod 4.
__device__ __forceinline__ philox::Block draw(std::int64_t row, std::int64_t column,
                                              std::uint64_t stream, std::uint64_t seed) {
  return philox::rows(static_cast<std::uint32_t>(column), static_cast<std::uint32_t>(row >> 2),
                      stream, seed);
}

template <class T>
__device__ __forceinline__ T uniform(std::int64_t row, std::int64_t column, std::uint64_t stream,
                                     std::uint64_t seed) {
  return as_uniform(draw(row, column, stream, seed).word[row & 3], T());
}

template <class T>
__device__ __forceinline__ T normal(std::int64_t row, std::int64_t column, std::uint64_t stream,
                                    std::uint64_t seed) {
  return as_normal<T>(draw(row, column, stream, seed), static_cast<int>(row & 3));
}

// The epilogue of a product (ictus/epilogue.h) on its element (row, column).
template <class T>
__device__ __forceinline__ T finish(const Epilogue<T>& e, T value, std::int64_t row,
                                    std::int64_t column) {
  if (e.bias != nullptr) value += e.bias[column];
  value = activate(e.activation, value);
  const std::int64_t i = row + e.first_row;
  if (e.dropout_rate > T(0)) {
    const bool kept = uniform<T>(i, column, e.stream, e.seed) >= e.dropout_rate;
    value = kept ? value * (T(1) / (T(1) - e.dropout_rate)) : T(0);
  }
  if (e.sampling == Sampling::bernoulli) {
    const T u = uniform<T>(i, column, e.stream + 1, e.seed);
    value = value == value ? (u < value ? T(1) : T(0)) : value;
  } else if (e.sampling == Sampling::gaussian) {
    value += normal<T>(i, column, e.stream + 1, e.seed);
  }
  return value;
}

constexpr int kWarpSize = 32;
constexpr unsigned kAllLanes = 0xFFFFFFFFu;

// The sum over a warp, in every lane; all lanes must be there.
template <class T>
__device__ __forceinline__ T warp_sum(T value) {
  for (int lanes = kWarpSize / 2; lanes > 0; lanes /= 2) {
    value += __shfl_xor_sync(kAllLanes, value, lanes);
  }
  return value;
}

template <class T>
__device__ __forceinline__ T warp_maximum(T value) {
  for (int lanes = kWarpSize / 2; lanes > 0; lanes /= 2) {
    const T other = __shfl_xor_sync(kAllLanes, value, lanes);
    value = other > value || other != other ? other : value;
  }
  return value;
}

// The sum over a block of kThreads threads (of any shape), in every thread. `room` is shared, and
// free again after the next barrier.
template <int kThreads, class T>
__device__ __forceinline__ T block_sum(T value, T* room) {
  static_assert(kThreads % kWarpSize == 0 && kThreads <= 1024, "whole warps");
  const int thread = (threadIdx.z * blockDim.y + threadIdx.y) * blockDim.x + threadIdx.x;
  value = warp_sum(value);
  if (thread % kWarpSize == 0) room[thread / kWarpSize] = value;
  __syncthreads();
  T sum = T(0);
  for (int i = 0; i < kThreads / kWarpSize; ++i) sum += room[i];
  __syncthreads();
  return sum;
}

}  // namespace ictus::cuda
