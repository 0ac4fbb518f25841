// Elementwise functions, the derivatives of activation functions, and dropout, on matrices whose
// rows are contiguous (strides count elements). An output may be exactly the array of an input.
//
//   map       out = f(x)
//   backward  out = grad * mask * f'(z), with f' expressed by the output y = mask * f(z) of the
//   layer dropout   out = mask * x: the same linear map forward, backward and in a directional
//   derivative
//   squared_slopes  out_j = sum_i f'(z_ij)^2, by rows in order
//   add_contraction  grad_ij += 2 factor_j f'(z_ij) f''(z_ij), the gradient with respect to z of
//   sum_ij factor_j f'(z_ij)^2: of the contractive penalty of Rifai et al. (ICML 2011) where
//   factor_j is its weight times the squared length of unit j's weights
//
// mask is 1 / (1 - rate) where an element is kept and 0 elsewhere (inverted dropout: Srivastava et
// al. 2014); it is drawn again from (seed, stream, first_row) wherever it is needed and never
// stored, or read off y where y = 0 tells that the unit was dropped or has no slope (sigmoid, relu,
// softplus). It is the mask that the epilogue of a product draws (ictus/epilogue.h).
#pragma once

#include <cstdint>

#include "ictus/epilogue.h"

namespace ictus {

// The first five are the activation functions, with the same numbers.
enum class Elementwise : int {
  identity = 0,
  sigmoid = 1,
  tanh = 2,
  relu = 3,
  softplus = 4,
  exp = 5,
  log = 6
};
constexpr int kElementwiseFunctions = 7;

template <class T>
struct MapArguments {
  std::int64_t rows, columns;
  const T* x;
  std::int64_t x_row_stride;
  T* out;
  std::int64_t out_row_stride;
};

template <class T>
struct DropoutArguments {
  T rate;  // 0 <= rate < 1
  std::uint64_t seed, stream;
  std::int64_t first_row;
};

template <class T>
struct ActivationBackwardArguments {
  std::int64_t rows, columns;
  const T* grad;
  std::int64_t grad_row_stride;
  const T* y;
  std::int64_t y_row_stride;
  T* out;
  std::int64_t out_row_stride;
  DropoutArguments<T> dropout;  // rate 0: none
};

// f' and f'' are expressed by y = f(z); no dropout.
template <class T>
struct ContractionArguments {
  std::int64_t rows, columns;
  const T* y;
  std::int64_t y_row_stride;
  const T* factors;  // columns; of add_contraction
  T* out;            // columns sums, or the gradient
  std::int64_t out_row_stride;
};

template <class T>
struct ActivationKernels {
  void (*map)(Elementwise function, const MapArguments<T>& arguments) noexcept;
  void (*backward)(Activation activation, const ActivationBackwardArguments<T>& arguments) noexcept;
  void (*dropout)(const DropoutArguments<T>& dropout, const MapArguments<T>& arguments) noexcept;
  void (*squared_slopes)(Activation activation, const ContractionArguments<T>& a) noexcept;
  void (*add_contraction)(Activation activation, const ContractionArguments<T>& a) noexcept;
};

}  // namespace ictus
