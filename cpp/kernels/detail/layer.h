// One layer of a Boltzmann machine given the other: the product, dense or over what is not zero,
// then means and samples.
#pragma once

#include "ictus/gemm.h"
#include "ictus/rbm.h"
#include "kernels/detail/epilogue.h"
#include "kernels/detail/sparse.h"
#include "kernels/detail/units.h"

namespace ictus::ICTUS_LEVEL {

// The matrix product of this level.
extern const GemmKernels<float> gemm_float;
extern const GemmKernels<double> gemm_double;

namespace {

template <class T>
inline const GemmKernels<T>& gemm_kernels();
template <>
inline const GemmKernels<float>& gemm_kernels<float>() {
  return gemm_float;
}
template <>
inline const GemmKernels<double>& gemm_kernels<double>() {
  return gemm_double;
}

// Rows that one product takes, so that its workspace has a bound.
constexpr std::int64_t kRowsAtOnce = 1024;
// Products below this size are too short to look for zeros. (At this size and a share of 0.2
// skipping them takes 0.55 to 0.9 of the dense product's time.)
constexpr std::int64_t kSparseProducts = 500000;

template <class T>
constexpr std::int64_t aligned_bytes(std::int64_t elements) {
  return (elements * static_cast<std::int64_t>(sizeof(T)) + 63) / 64 * 64;
}

// Whether skipping zeros pays for A (rows, inner) times B (inner, columns), by the first rows.
template <class T>
bool mostly_zero(const T* a, std::int64_t row_stride, std::int64_t rows, std::int64_t inner,
                 std::int64_t columns) {
  constexpr std::int64_t kLookedAt = 32;
  if (rows * inner * columns < kSparseProducts || rows <= 4 || columns <= 4) return false;
  const std::int64_t looked = rows < kLookedAt ? rows : kLookedAt;
  const auto elements = static_cast<double>(looked * inner);
  return static_cast<double>(count_nonzero(a, row_stride, looked, inner)) < kSparseLimit * elements;
}

// A layer seen from the other one: input(i, j) = sum over p of given(i, p) weights(p, j) + bias(j).
template <class T>
struct Side {
  Units units;
  std::int64_t inner, columns, group;
  const T* weights;
  std::int64_t weights_row_stride, weights_column_stride;
  const T* bias;
  const T* given_variance;  // the states given are divided by it; nullptr: 1
  const T* variance;        // of the layer's own units
};

template <class T>
Side<T> hidden_side(const RbmModel<T>& m) {
  return {m.hidden_units, m.visible, m.hidden,      1,          m.weights,
          m.hidden,       1,         m.hidden_bias, m.variance, nullptr};
}
template <class T>
Side<T> visible_side(const RbmModel<T>& m) {
  return {m.visible_units, m.hidden,       m.visible, m.group,   m.weights, 1,
          m.hidden,        m.visible_bias, nullptr,   m.variance};
}

template <class T>
std::int64_t layer_workspace(std::int64_t rows, std::int64_t visible,
                             std::int64_t hidden) noexcept {
  rows = rows < kRowsAtOnce ? rows : kRowsAtOnce;
  const std::int64_t up = SparseRows<T>::bytes(rows, visible) + aligned_bytes<T>(rows * visible);
  const std::int64_t down = SparseRows<T>::bytes(rows, hidden);
  return up > down ? up : down;
}

// out = given / variance, row by row.
template <class T>
void divide_columns(const T* given, std::int64_t given_row_stride, const T* variance,
                    std::int64_t rows, std::int64_t columns, T* out) {
  parallel_blocks(rows, columns, [&](auto row, auto count, auto column, auto width) {
    for (std::int64_t i = row; i < row + count; ++i) {
      for_column_vectors<T>(width, [&](std::int64_t j, auto read, auto write) {
        const T* const from = given + i * given_row_stride + column + j;
        write(out + i * columns + column + j, read(from) / read(variance + column + j));
      });
    }
  });
}

// Where the result of the product goes and what is done to it there.
template <class T>
void product(const LayerArguments<T>& a, const Side<T>& side, const T* given,
             std::int64_t given_row_stride, T* out, const Epilogue<T>& epilogue, void* lists) {
  const T beta = a.row_bias == nullptr ? T(0) : T(1);
  if (a.row_bias != nullptr) {
    __builtin_memcpy(out, a.row_bias, static_cast<std::size_t>(a.rows * side.columns) * sizeof(T));
  }
  if (mostly_zero(given, given_row_stride, a.rows, side.inner, side.columns)) {
    const SparseProduct<T> sparse = {SparseRows<T>::in(lists, a.rows, side.inner),
                                     side.weights,
                                     side.weights_row_stride,
                                     side.weights_column_stride,
                                     beta,
                                     out,
                                     side.columns,
                                     side.columns};
    compress_rows(given, given_row_stride, sparse.a);
    multiply_sparse(sparse, [&](std::int64_t row, std::int64_t rows, std::int64_t column,
                                std::int64_t columns, T* c, std::int64_t stride) {
      apply_epilogue(epilogue, c, stride, row, column, static_cast<int>(rows),
                     static_cast<int>(columns));
    });
    return;
  }
  GemmArguments<T> g = {};
  g.rows = a.rows;
  g.columns = side.columns;
  g.inner = side.inner;
  g.alpha = T(1);
  g.a = given;
  g.a_row_stride = given_row_stride;
  g.a_column_stride = 1;
  g.b = side.weights;
  g.b_row_stride = side.weights_row_stride;
  g.b_column_stride = side.weights_column_stride;
  g.beta = beta;
  g.c = out;
  g.c_row_stride = side.columns;
  g.epilogue = &epilogue;
  gemm_kernels<T>().multiply(g);
}

template <class T>
void layer_part(const LayerArguments<T>& a, const Side<T>& side) {
  const bool plain_bernoulli =
      side.units == Units::bernoulli && a.inverse_temperature == nullptr && a.uniforms == nullptr;
  T* const out = a.mean != nullptr ? a.mean : a.sample;
  Epilogue<T> epilogue;
  epilogue.bias = a.row_bias == nullptr ? side.bias : nullptr;
  epilogue.first_row = a.first_row;
  epilogue.seed = a.seed;
  epilogue.stream = a.stream - 1;  // sampling draws from the stream after it
  if (plain_bernoulli) epilogue.activation = Activation::sigmoid;
  if (plain_bernoulli && a.mean == nullptr) epilogue.sampling = Sampling::bernoulli;

  const T* given = a.given;
  std::int64_t stride = a.given_row_stride;
  char* workspace = static_cast<char*>(a.workspace);
  if (side.given_variance != nullptr) {
    T* const scaled = reinterpret_cast<T*>(workspace);
    divide_columns(given, stride, side.given_variance, a.rows, side.inner, scaled);
    given = scaled;
    stride = side.inner;
    workspace += aligned_bytes<T>(a.rows * side.inner);
  }
  product(a, side, given, stride, out, epilogue, workspace);
  if (plain_bernoulli && a.mean == nullptr) return;
  if (plain_bernoulli && a.sample == nullptr) return;
  if (side.units == Units::gaussian && a.sample == nullptr) return;
  if (plain_bernoulli) {  // the means are there
    const Source source(a.seed, a.stream);
    parallel_blocks(a.rows, side.columns, [&](auto row, auto rows, auto column, auto columns) {
      for_draws<T>(row + a.first_row, rows, column, columns, Uniform<T>{source},
                   [&](auto i, auto j, Vector<T> u, auto read, auto write) {
                     const std::int64_t at = (row + i) * side.columns + column + j;
                     write(a.sample + at, bernoulli<T>(u, read(a.mean + at)));
                   });
    });
    return;
  }
  finish_units<T>({side.units, a.rows, side.columns, side.group, out, a.inverse_temperature,
                   side.variance, a.mean, a.sample, a.uniforms, a.seed, a.stream, a.first_row});
}

template <class T>
void layer(const LayerArguments<T>& all, const Side<T>& side) {
  for (std::int64_t first = 0; first < all.rows; first += kRowsAtOnce) {
    const auto from = [&](auto* p) { return p == nullptr ? p : p + first * side.columns; };
    LayerArguments<T> part = all;
    part.rows = all.rows - first < kRowsAtOnce ? all.rows - first : kRowsAtOnce;
    part.given = all.given + first * all.given_row_stride;
    part.row_bias = from(all.row_bias);
    part.mean = from(all.mean);
    part.sample = from(all.sample);
    part.uniforms = from(all.uniforms);
    part.first_row = all.first_row + first;
    if (all.inverse_temperature != nullptr) {
      part.inverse_temperature = all.inverse_temperature + first;
    }
    layer_part(part, side);
  }
}

}  // namespace
}  // namespace ictus::ICTUS_LEVEL
