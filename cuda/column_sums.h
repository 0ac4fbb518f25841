// Sums over the columns of a matrix without gaps, for gradients of biases: a block sums a band of
// rows for 32 columns, then a thread for a column sums the bands. Bound by the bytes read.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

#include "launch.h"

namespace ictus::cuda {

constexpr std::int64_t kMostBands = 64;
constexpr int kSumColumns = 32, kSumRows = 8;

// Elements of workspace for a matrix of so many columns.
inline std::int64_t column_sums_room(std::int64_t columns) { return kMostBands * columns; }

template <class T>
__global__ void __launch_bounds__(kSumColumns* kSumRows)
    sum_bands(std::int64_t rows, std::int64_t columns, const T* x, T* partial) {
  __shared__ T sums[kSumRows][kSumColumns];
  const std::int64_t j = std::int64_t{blockIdx.x} * kSumColumns + threadIdx.x;
  const std::int64_t begin = rows * blockIdx.y / gridDim.y,
                     end = rows * (blockIdx.y + 1) / gridDim.y;
  T sum = T(0);
  if (j < columns) {
    for (std::int64_t i = begin + threadIdx.y; i < end; i += kSumRows) sum += x[i * columns + j];
  }
  sums[threadIdx.y][threadIdx.x] = sum;
  __syncthreads();
  if (threadIdx.y > 0 || j >= columns) return;
  for (int i = 1; i < kSumRows; ++i) sum += sums[i][threadIdx.x];
  partial[blockIdx.y * columns + j] = sum;
}

template <class T>
__global__ void __launch_bounds__(256)
    add_bands(int bands, std::int64_t columns, const T* partial, bool accumulate, T* out) {
  const std::int64_t j = std::int64_t{blockIdx.x} * 256 + threadIdx.x;
  if (j >= columns) return;
  T sum = T(0);
  for (int b = 0; b < bands; ++b) sum += partial[b * columns + j];
  out[j] = accumulate ? out[j] + sum : sum;
}

// out = the columns' sums, or added to it; `partial` has column_sums_room elements.
template <class T>
void column_sums(std::int64_t rows, std::int64_t columns, const T* x, bool accumulate, T* out,
                 T* partial) {
  const std::int64_t wanted = (rows + 255) / 256;
  const auto bands = static_cast<unsigned>(wanted < 1            ? 1
                                           : wanted < kMostBands ? wanted
                                                                 : kMostBands);
  launch(sum_bands<T>, {dim3(blocks(columns, kSumColumns), bands), dim3(kSumColumns, kSumRows)},
         rows, columns, x, partial);
  launch(add_bands<T>, {blocks(columns, 256), 256}, static_cast<int>(bands), columns,
         static_cast<const T*>(partial), accumulate, out);
}

}  // namespace ictus::cuda
