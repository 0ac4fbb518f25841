// Reductions over the columns or rows of a matrix with contiguous rows, each in a fixed order.
//
//   column_sums      out(j) = sum over i of x(i, j)
//   row_sums         out(i) = sum over j of x(i, j)
//   log_sum_exp      out(i) = log of the sum over j of exp x(i, j), shifted by the row's maximum
//   softmax          out(i, j) = exp x(i, j) / sum over k of exp x(i, k); out may be x
//   log_softmax      out(i, j) = x(i, j) - log_sum_exp(x)(i); out may be x
//   sum_of_squares   of a vector, accumulated in double precision
#pragma once

#include <cstdint>

namespace ictus {

template <class T>
struct ReductionArguments {
  std::int64_t rows, columns;
  const T* x;
  std::int64_t x_row_stride;
  T* out;                       // a vector, or a matrix with contiguous rows
  std::int64_t out_row_stride;  // unused for vectors
};

template <class T>
struct ReductionKernels {
  void (*column_sums)(const ReductionArguments<T>& arguments) noexcept;
  void (*row_sums)(const ReductionArguments<T>& arguments) noexcept;
  void (*log_sum_exp)(const ReductionArguments<T>& arguments) noexcept;
  void (*softmax)(const ReductionArguments<T>& arguments) noexcept;
  void (*log_softmax)(const ReductionArguments<T>& arguments) noexcept;
  double (*sum_of_squares)(const T* x, std::int64_t size) noexcept;
};

}  // namespace ictus
