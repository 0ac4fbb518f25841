// What an update by contrastive divergence makes of its two phases: sums over rows, products of
// transposed states, and the step of a vector of parameters.
#pragma once

#include "kernels/detail/layer.h"

namespace ictus::ICTUS_LEVEL {
namespace {

// out(j) = out_scale * out(j) + scale * the sum over rows of x(i, j).
template <class T>
void add_column_sums(const T* x, std::int64_t row_stride, std::int64_t rows, std::int64_t columns,
                     T scale, T out_scale, T* out) {
  parallel_ranges(columns, 16 * kLanes<T>, [&](std::int64_t begin, std::int64_t end) {
    for_vectors<T>(begin, end, [&](std::int64_t j, auto access) {
      Vector<T> sum = {};
      for (std::int64_t i = 0; i < rows; ++i) sum += access.read(x + i * row_stride + j);
      sum *= scale;
      access.write(out + j, out_scale == T(0) ? sum : sum + out_scale * access.read(out + j));
    });
  });
}

// out(j) = scale * (sum over rows of x(i, j) - ratio * the same of y): where the ratio is 1 and the
// sums are exact, so is their difference.
template <class T>
void subtract_column_sums(const T* x, std::int64_t x_row_stride, std::int64_t x_rows, const T* y,
                          std::int64_t y_rows, std::int64_t columns, T scale, T ratio, T* out) {
  parallel_ranges(columns, 16 * kLanes<T>, [&](std::int64_t begin, std::int64_t end) {
    for_vectors<T>(begin, end, [&](std::int64_t j, auto access) {
      Vector<T> positive = {}, negative = {};
      for (std::int64_t i = 0; i < x_rows; ++i) positive += access.read(x + i * x_row_stride + j);
      for (std::int64_t i = 0; i < y_rows; ++i) negative += access.read(y + i * columns + j);
      access.write(out + j, scale * (positive - ratio * negative));
    });
  });
}

// The step of a vector of parameters.
template <class T, class Access>
inline void step_vector(const RbmRule<T>& rule, T rate, bool penalised, Vector<T> gradient, T* w,
                        T* velocity, Access access) {
  const Vector<T> old = access.read(w);
  if (penalised) {
    const Vector<T> zero = {}, l1 = broadcast<T>(rule.l1);
    gradient -= rule.l2 * old + select<T>(old > zero, l1, select<T>(old < zero, -l1, zero));
  }
  const Vector<T> v = rule.momentum * access.read(velocity) + rate * gradient;
  access.write(velocity, v);
  access.write(w, old + v);
}
template <class T>
void step_parameters(const RbmRule<T>& rule, T rate, bool penalised, const T* gradient, T* w,
                     T* velocity, std::int64_t size) {
  parallel_ranges(size, kElementsPerChunk, [&](std::int64_t begin, std::int64_t end) {
    for_vectors<T>(begin, end, [&](std::int64_t i, auto access) {
      step_vector(rule, rate, penalised, access.read(gradient + i), w + i, velocity + i, access);
    });
  });
}

// C = alpha A^T B + beta C for A (rows, m) and B (rows, n).
template <class T>
void transposed_product(T alpha, const T* a, std::int64_t a_row_stride, std::int64_t m, const T* b,
                        std::int64_t b_row_stride, std::int64_t n, std::int64_t rows, T beta,
                        T* c) {
  GemmArguments<T> g = {};
  g.rows = m;
  g.columns = n;
  g.inner = rows;
  g.alpha = alpha;
  g.a = a;
  g.a_row_stride = 1;
  g.a_column_stride = a_row_stride;
  g.b = b;
  g.b_row_stride = b_row_stride;
  g.b_column_stride = 1;
  g.beta = beta;
  g.c = c;
  g.c_row_stride = n;
  gemm_kernels<T>().multiply(g);
}

}  // namespace
}  // namespace ictus::ICTUS_LEVEL
