// Sums over the rows of a matrix, column by column, bound by the bytes of the matrix: a block has
// 32 columns, so that a warp reads 128 bytes of a row, and 16 threads share the rows of a column.
// The order of a sum depends on the number of rows alone.
#pragma once

#include "elements.h"
#include "launch.h"

namespace ictus::cuda {

constexpr int kSumColumns = 32, kSumRows = 16;

// The sum of value(i) over `rows`, in the threads with threadIdx.y == 0. All threads of a block of
// (kSumColumns, kSumRows) must be there; `room` is free again after the next barrier.
template <class S, class Value>
__device__ __forceinline__ S sum_of_rows(std::int64_t rows, S (*room)[kSumColumns + 1],
                                         const Value& value) {
  S sum = S(0);
  for (std::int64_t i = threadIdx.y; i < rows; i += kSumRows) sum += value(i);
  __syncthreads();
  room[threadIdx.y][threadIdx.x] = sum;
  __syncthreads();
  if (threadIdx.y > 0) return S(0);
  for (int i = 1; i < kSumRows; ++i) sum += room[i][threadIdx.x];
  return sum;
}

// finish(j, first sum, second sum) for every column j of two matrices; the second may have no rows.
template <class T, class Finish>
__global__ void __launch_bounds__(kSumColumns* kSumRows)
    column_sums(std::int64_t columns, const T* x, std::int64_t x_row_stride, std::int64_t x_rows,
                const T* y, std::int64_t y_row_stride, std::int64_t y_rows, Finish finish) {
  __shared__ T room[kSumRows][kSumColumns + 1];
  const std::int64_t j = std::int64_t{blockIdx.x} * kSumColumns + threadIdx.x;
  const bool inside = j < columns;
  const T first = sum_of_rows<T>(inside ? x_rows : 0, room,
                                 [&](std::int64_t i) { return x[i * x_row_stride + j]; });
  const T second = sum_of_rows<T>(inside ? y_rows : 0, room,
                                  [&](std::int64_t i) { return y[i * y_row_stride + j]; });
  if (inside && threadIdx.y == 0) finish(j, first, second);
}

template <class T, class Finish>
void sum_columns(std::int64_t columns, const T* x, std::int64_t x_row_stride, std::int64_t x_rows,
                 const T* y, std::int64_t y_row_stride, std::int64_t y_rows, const Finish& finish) {
  if (columns == 0) return;
  launch(column_sums<T, Finish>, {blocks(columns, kSumColumns), dim3(kSumColumns, kSumRows)},
         columns, x, x_row_stride, x_rows, y, y_row_stride, y_rows, finish);
}

}  // namespace ictus::cuda
