// The matrix product and the reductions of this level, for families built on them.
#pragma once

#include "ictus/gemm.h"
#include "ictus/reduction.h"
#include "kernels/detail/simd.h"

namespace ictus::ICTUS_LEVEL {

extern const GemmKernels<float> gemm_float;
extern const GemmKernels<double> gemm_double;
extern const ReductionKernels<float> reduction_float;
extern const ReductionKernels<double> reduction_double;

namespace {

template <class T>
inline const GemmKernels<T>& level_gemm();
template <>
inline const GemmKernels<float>& level_gemm<float>() {
  return gemm_float;
}
template <>
inline const GemmKernels<double>& level_gemm<double>() {
  return gemm_double;
}
template <class T>
inline const ReductionKernels<T>& level_reduction();
template <>
inline const ReductionKernels<float>& level_reduction<float>() {
  return reduction_float;
}
template <>
inline const ReductionKernels<double>& level_reduction<double>() {
  return reduction_double;
}

// A matrix in memory, for products.
template <class T>
struct Operand {
  const T* data;
  std::int64_t row_stride, column_stride;
};

// c = a b + beta c + bias, c with contiguous rows.
template <class T>
inline void multiply_into(std::int64_t rows, std::int64_t columns, std::int64_t inner, Operand<T> a,
                          Operand<T> b, T beta, T* c, std::int64_t c_row_stride,
                          const T* bias = nullptr, const T* packed_b = nullptr) {
  Epilogue<T> epilogue;
  epilogue.bias = bias;
  level_gemm<T>().multiply({rows, columns, inner, T(1), a.data, a.row_stride, a.column_stride,
                            b.data, b.row_stride, b.column_stride, packed_b, beta, c, c_row_stride,
                            &epilogue});
}

}  // namespace
}  // namespace ictus::ICTUS_LEVEL
