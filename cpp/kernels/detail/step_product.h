// The product of one time step: the states of a few sequences times a matrix that is packed once
// for a whole pass. Small enough to be called every 100 ns, near the machine's peak for large
// layers.
//
// B (inner, columns) is packed in panels of kStepVectors vectors of columns; row k of panel p lies
// at (p * inner + k) * kStepColumns. Groups of columns (the gates) each begin at a whole vector, so
// what the product stores is what the gates load. out(i, j) lies at i * padded columns + j.
#pragma once

#include "kernels/detail/pack.h"
#include "kernels/detail/simd.h"

namespace ictus::ICTUS_LEVEL {
namespace {

constexpr int kStepVectors = 4;
constexpr int kStepRows = kVectorRegisters == 32 ? 6 : 3;
template <class T>
constexpr std::int64_t kStepColumns = kStepVectors * kLanes<T>;

// The whole vectors of n elements, in elements.
template <class T>
inline std::int64_t whole_vectors(std::int64_t n) {
  return (n + kLanes<T> - 1) / kLanes<T> * kLanes<T>;
}

template <class T>
struct StepMatrix {
  const T* panels;
  std::int64_t inner;
  std::int64_t columns;  // padded: whole vectors
};

template <class T>
inline std::int64_t step_matrix_elements(std::int64_t inner, std::int64_t groups,
                                         std::int64_t group) {
  const std::int64_t columns = groups * whole_vectors<T>(group);
  return (columns + kStepColumns<T> - 1) / kStepColumns<T> * kStepColumns<T> * inner;
}

// Packs B(k, j) = b[k * row_stride + j * column_stride], `groups` groups of `group` columns.
template <class T>
StepMatrix<T> pack_step_matrix(const T* b, std::int64_t row_stride, std::int64_t column_stride,
                               std::int64_t inner, std::int64_t groups, std::int64_t group,
                               T* panels) {
  std::int64_t column = 0;  // of the padded matrix
  for (std::int64_t g = 0; g < groups; ++g) {
    for (std::int64_t j = 0; j < group; j += kLanes<T>, column += kLanes<T>) {
      const int lanes = static_cast<int>(group - j < kLanes<T> ? group - j : kLanes<T>);
      const T* const source = b + (g * group + j) * column_stride;
      T* const target =
          panels + column / kStepColumns<T> * kStepColumns<T> * inner + column % kStepColumns<T>;
      if (column_stride == 1) {
        for (std::int64_t k = 0; k < inner; ++k) {
          store(target + k * kStepColumns<T>, load_partial(source + k * row_stride, lanes));
        }
      } else {
        pack_transposed<T, kStepColumns<T>>(source, column_stride, lanes, inner, target);
      }
    }
  }
  return {panels, inner, column};
}

// R rows by V vectors; a single row is summed in S parts, so that the multiply-adds need not wait
// for one another. `ahead` is fetched, a line for each k: the next panel, on its way to the cache.
template <class T, int R, int V, int S>
inline void step_tile(std::int64_t inner, const T* a, std::int64_t a_stride, const T* b, T* out,
                      std::int64_t out_stride, const T* ahead) {
  Vector<T> acc[S][R][V] = {};
  const auto one = [&](std::int64_t k, int s) {
    Vector<T> right[V];
#pragma GCC unroll 4
    for (int v = 0; v < V; ++v) right[v] = load(b + k * kStepColumns<T> + v * kLanes<T>);
#pragma GCC unroll 6
    for (int i = 0; i < R; ++i) {
      const T left = a[i * a_stride + k];
#pragma GCC unroll 4
      for (int v = 0; v < V; ++v) acc[s][i][v] += left * right[v];
    }
  };
  std::int64_t k = 0;
  if constexpr (S > 1) {
    for (; k + S <= inner; k += S) {
#pragma GCC unroll 4
      for (int s = 0; s < S; ++s) one(k + s, s);
    }
    for (; k < inner; ++k) one(k, 0);
#pragma GCC unroll 4
    for (int s = 1; s < S; ++s) {
#pragma GCC unroll 4
      for (int v = 0; v < V; ++v) acc[0][0][v] += acc[s][0][v];
    }
  } else {
    for (; k < inner; ++k) {
      if (ahead != nullptr) __builtin_prefetch(ahead + k * (64 / sizeof(T)), 0, 2);
      one(k, 0);
    }
  }
#pragma GCC unroll 6
  for (int i = 0; i < R; ++i) {
#pragma GCC unroll 4
    for (int v = 0; v < V; ++v) store(out + i * out_stride + v * kLanes<T>, acc[0][i][v]);
  }
}

// 0 rows stands for a single one whose sums have parts: about eight independent sums in all.
template <class T, int V, int R = kStepRows>
inline void step_rows(int rows, std::int64_t inner, const T* a, std::int64_t a_stride, const T* b,
                      T* out, std::int64_t out_stride, const T* ahead) {
  if constexpr (R == 0) {
    step_tile<T, 1, V, V >= 3 ? 2 : 4>(inner, a, a_stride, b, out, out_stride, ahead);
  } else {
    if (rows == R) return step_tile<T, R, V, 1>(inner, a, a_stride, b, out, out_stride, ahead);
    step_rows<T, V, R - 1>(rows, inner, a, a_stride, b, out, out_stride, ahead);
  }
}

// out = A B for `rows` rows of A, a_stride apart; rows of out are matrix.columns apart. `alone`: of
// a batch of one sequence, whose sums have parts. In another batch a row that is alone in its tile
// is summed as in company, so that no result depends on how the batch was cut.
template <class T>
inline void step_product(const StepMatrix<T>& matrix, std::int64_t rows, bool alone, const T* a,
                         std::int64_t a_stride, T* out) {
  if (rows == 0) return;
  constexpr std::int64_t kFar = (128 << 10) / sizeof(T);  // beyond it the panels are fetched early
  const std::int64_t tiles = (rows + kStepRows - 1) / kStepRows;
  // Divisions of 64 bits take as long as a small product.
  const std::int64_t height = tiles == 1 ? rows : (rows + tiles - 1) / tiles;
  const std::int64_t panel = matrix.inner * kStepColumns<T>;
  const bool far = matrix.inner * matrix.columns > kFar;
  for (std::int64_t column = 0; column < matrix.columns; column += kStepColumns<T>) {
    const T* const b = matrix.panels + column * matrix.inner;
    const std::int64_t vectors = (matrix.columns - column) / kLanes<T>;
    const T* ahead = far && vectors > kStepVectors ? b + panel : nullptr;
    const T* const ahead_end = b + 2 * panel;
    for (std::int64_t i = 0; i < rows; i += height) {
      const int count = alone ? 0 : static_cast<int>(rows - i < height ? rows - i : height);
      T* const target = out + i * matrix.columns + column;
      const T* const left = a + i * a_stride;
      if (vectors >= 4) {
        step_rows<T, 4>(count, matrix.inner, left, a_stride, b, target, matrix.columns, ahead);
      } else if (vectors == 3) {
        step_rows<T, 3>(count, matrix.inner, left, a_stride, b, target, matrix.columns, nullptr);
      } else if (vectors == 2) {
        step_rows<T, 2>(count, matrix.inner, left, a_stride, b, target, matrix.columns, nullptr);
      } else {
        step_rows<T, 1>(count, matrix.inner, left, a_stride, b, target, matrix.columns, nullptr);
      }
      if (ahead != nullptr) {
        ahead += matrix.inner * static_cast<std::int64_t>(64 / sizeof(T));
        if (ahead >= ahead_end) ahead = nullptr;
      }
    }
  }
}

}  // namespace
}  // namespace ictus::ICTUS_LEVEL
