// The matrix product where one side is a handful of rows or columns: each element of C is a dot
// product of a contiguous row of A and a contiguous column of B, and vectors run along the inner
// dimension. Matrix-vector products are the narrowest case; both operands are read once, so the
// speed is that of memory.
#pragma once

#include "ictus/gemm.h"
#include "kernels/detail/simd.h"

namespace ictus::ICTUS_LEVEL {
namespace {

// How few rows or columns make a product narrow.
constexpr std::int64_t kNarrow = 4;

template <class T, int R, int S>
inline void dot_tile(const GemmArguments<T>& g, std::int64_t row, std::int64_t column) {
  const T* a[R];
  const T* b[S];
  for (int i = 0; i < R; ++i) a[i] = g.a + (row + i) * g.a_row_stride;
  for (int j = 0; j < S; ++j) b[j] = g.b + (column + j) * g.b_column_stride;
  Vector<T> acc[R][S] = {};
  auto step = [&](std::int64_t p, int count) {
    const bool whole = count == kLanes<T>;
    Vector<T> right[S];
    for (int j = 0; j < S; ++j) right[j] = whole ? load(b[j] + p) : load_partial(b[j] + p, count);
    for (int i = 0; i < R; ++i) {
      const Vector<T> left = whole ? load(a[i] + p) : load_partial(a[i] + p, count);
      for (int j = 0; j < S; ++j) acc[i][j] += left * right[j];
    }
  };
  std::int64_t p = 0;
  for (; p + kLanes<T> <= g.inner; p += kLanes<T>) step(p, kLanes<T>);
  if (p < g.inner) step(p, static_cast<int>(g.inner - p));
  for (int i = 0; i < R; ++i) {
    for (int j = 0; j < S; ++j) {
      T& c = g.c[(row + i) * g.c_row_stride + column + j];
      const T value = g.alpha * horizontal_sum<T>(acc[i][j]);
      c = g.beta == T(0) ? value : value + g.beta * c;
    }
  }
}

template <class T, int R>
inline void dot_columns(const GemmArguments<T>& g, std::int64_t row, std::int64_t begin,
                        std::int64_t end) {
  std::int64_t j = begin;
  for (; j + 4 <= end; j += 4) dot_tile<T, R, 4>(g, row, j);
  for (; j < end; ++j) dot_tile<T, R, 1>(g, row, j);
}

// Rows [row_begin, row_end) by columns [column_begin, column_end), without the epilogue.
template <class T>
void dot_block(const GemmArguments<T>& g, std::int64_t row_begin, std::int64_t row_end,
               std::int64_t column_begin, std::int64_t column_end) {
  std::int64_t row = row_begin;
  for (; row + 4 <= row_end; row += 4) dot_columns<T, 4>(g, row, column_begin, column_end);
  for (; row < row_end; ++row) dot_columns<T, 1>(g, row, column_begin, column_end);
}

}  // namespace
}  // namespace ictus::ICTUS_LEVEL
