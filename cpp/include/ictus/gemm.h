// Matrix product with a fused epilogue:
//
//     C = epilogue(alpha * A B + beta * C)
//
// A is (rows, inner), B (inner, columns), C (rows, columns); any strides for A and B, so all
// transpositions are one case; C has contiguous rows. Strides count elements. With beta == 0, C is
// written and never read (it may hold NaN). C overlaps neither A nor B.
//
// The sum over `inner` is taken in blocks of a fixed length, in a fixed order: the result does not
// depend on the number of threads.
#pragma once

#include <cstdint>

#include "ictus/epilogue.h"
#include "ictus/window.h"

namespace ictus {

template <class T>
struct GemmArguments {
  std::int64_t rows, columns, inner;
  T alpha;
  const T* a;
  std::int64_t a_row_stride, a_column_stride;
  const T* b;  // ignored where packed_b is given
  std::int64_t b_row_stride, b_column_stride;
  const T* packed_b;  // made by pack_b at the level in force, or nullptr
  T beta;
  T* c;
  std::int64_t c_row_stride;
  const Epilogue<T>* epilogue;  // nullptr: none
  // A, or B, is what a window sees, and `a`, or `b`, is not read; nullptr: it is not.
  const Windows<T>* a_windows = nullptr;
  const Windows<T>* b_windows = nullptr;
};

template <class T>
struct GemmKernels {
  void (*multiply)(const GemmArguments<T>& arguments) noexcept;
  // Elements that pack_b writes for B of this shape.
  std::int64_t (*packed_b_elements)(std::int64_t inner, std::int64_t columns) noexcept;
  // Lays B out in the panels that multiply reads, once for many products (a layer's weights).
  // `packed` is aligned to kAlignment. The layout is the level's own.
  void (*pack_b)(const T* b, std::int64_t inner, std::int64_t columns, std::int64_t row_stride,
                 std::int64_t column_stride, T* packed) noexcept;
  // Runs `rounds` times as many multiply-adds as the register file has independent places for, and
  // nothing else: the machine's limit, for benchmarks. Returns the number of operations (two each).
  double (*multiply_adds)(std::int64_t rounds, T* sink) noexcept;
};

}  // namespace ictus
