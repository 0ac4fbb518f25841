// Panels of the matrix product, from operands with any strides.
//
// Left panel: up to kTileRows rows by up to kBlockInner<T> inner elements, laid out as
// microkernel.h's LeftLayout says. Right panel: kTileColumns<T> columns; row p at p * kTileColumns,
// padded with zeros up to the next whole vector.
#pragma once

#include <utility>

#include "kernels/detail/microkernel.h"

namespace ictus::ICTUS_LEVEL {
namespace {

template <class T>
inline void copy_run(T* to, const T* from, std::int64_t count) {
  std::int64_t i = 0;
  for (; i + kLanes<T> <= count; i += kLanes<T>) store(to + i, load(from + i));
  if (i < count) {
    const int rest = static_cast<int>(count - i);
    store_partial(to + i, load_partial(from + i, rest), rest);
  }
}

// Asks for a run of memory before it is needed.
template <class T>
inline void fetch_run(const T* from, std::int64_t count) {
  constexpr std::int64_t line = 64 / static_cast<std::int64_t>(sizeof(T));
  for (std::int64_t i = 0; i < count; i += line) __builtin_prefetch(from + i, 0, 2);
}

// A's rows are contiguous: copied to rows of fixed stride.
template <class T>
inline void pack_left_rows(const T* a, std::int64_t row_stride, int rows, std::int64_t inner,
                           T* panel) {
  for (int i = 0; i < rows; ++i) {
    copy_run(panel + i * kPanelStride<T>, a + i * row_stride, inner);
  }
}

// Any other strides: by columns, which is a copy too where A is transposed.
template <class T>
inline void pack_left_columns(const T* a, std::int64_t row_stride, std::int64_t inner_stride,
                              int rows, std::int64_t inner, T* panel) {
  if (row_stride == 1) {
    for (std::int64_t p = 0; p < inner; ++p) {
      copy_run(panel + p * kTileRows, a + p * inner_stride, rows);
    }
    return;
  }
  for (std::int64_t p = 0; p < inner; ++p) {
    for (int i = 0; i < rows; ++i) {
      panel[p * kTileRows + i] = a[i * row_stride + p * inner_stride];
    }
  }
}

// Lanes alternately from a and b: the first (or second) half of each.
template <class T, bool kHigh, int... I>
inline Vector<T> interleave(Vector<T> a, Vector<T> b, std::integer_sequence<int, I...>) {
  constexpr int offset = kHigh ? kLanes<T> / 2 : 0;
  return __builtin_shufflevector(a, b, (offset + I / 2 + (I % 2) * kLanes<T>)...);
}

// Transposes a square of vectors: log2(lanes) rounds of interleaving row i with row i + lanes / 2.
template <class T>
inline void transpose(Vector<T>* v) {
  using Lanes = std::make_integer_sequence<int, kLanes<T>>;
#pragma GCC unroll 4
  for (int round = 1; round < kLanes<T>; round *= 2) {
    Vector<T> next[kLanes<T>];
#pragma GCC unroll 8
    for (int i = 0; i < kLanes<T> / 2; ++i) {
      next[2 * i] = interleave<T, false>(v[i], v[i + kLanes<T> / 2], Lanes{});
      next[2 * i + 1] = interleave<T, true>(v[i], v[i + kLanes<T> / 2], Lanes{});
    }
#pragma GCC unroll 16
    for (int i = 0; i < kLanes<T>; ++i) v[i] = next[i];
  }
}

// One vector's worth of columns of B^T (B's columns are contiguous runs of memory), to rows that
// lie kStride elements apart.
template <class T, std::int64_t kStride>
inline void pack_transposed(const T* b, std::int64_t column_stride, int columns, std::int64_t inner,
                            T* panel) {
  std::int64_t p = 0;
  for (; p + kLanes<T> <= inner; p += kLanes<T>) {
    Vector<T> square[kLanes<T>];
    if (columns == kLanes<T>) {
#pragma GCC unroll 16
      for (int j = 0; j < kLanes<T>; ++j) square[j] = load(b + j * column_stride + p);
    } else {
#pragma GCC unroll 16
      for (int j = 0; j < kLanes<T>; ++j) {
        square[j] = j < columns ? load(b + j * column_stride + p) : Vector<T>{};
      }
    }
    transpose<T>(square);
#pragma GCC unroll 16
    for (int i = 0; i < kLanes<T>; ++i) store(panel + (p + i) * kStride, square[i]);
  }
  for (; p < inner; ++p) {
    for (int j = 0; j < kLanes<T>; ++j) {
      panel[p * kStride + j] = j < columns ? b[j * column_stride + p] : T(0);
    }
  }
}

// One panel (up to kTileColumns columns) of B.
template <class T>
inline void pack_right(const T* b, std::int64_t row_stride, std::int64_t column_stride, int columns,
                       std::int64_t inner, T* panel) {
  constexpr int lanes = kLanes<T>;
  for (int first = 0; first < columns; first += lanes) {
    const int count = columns - first < lanes ? columns - first : lanes;
    const T* const source = b + first * column_stride;
    T* const target = panel + first;
    if (column_stride == 1 && count == lanes) {
      for (std::int64_t p = 0; p < inner; ++p) {
        store(target + p * kTileColumns<T>, load(source + p * row_stride));
      }
    } else if (column_stride == 1) {
      for (std::int64_t p = 0; p < inner; ++p) {
        store(target + p * kTileColumns<T>, load_partial(source + p * row_stride, count));
      }
    } else if (row_stride == 1) {
      pack_transposed<T, kTileColumns<T>>(source, column_stride, count, inner, target);
    } else {
      for (std::int64_t p = 0; p < inner; ++p) {
        for (int j = 0; j < lanes; ++j) {
          target[p * kTileColumns<T> + j] =
              j < count ? source[p * row_stride + j * column_stride] : T(0);
        }
      }
    }
  }
}

}  // namespace
}  // namespace ictus::ICTUS_LEVEL
