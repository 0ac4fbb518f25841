// What a warp does with a row of a matrix.
#pragma once

#include "elements.h"

namespace ictus::cuda {

// The largest number of a row, in every lane; 0 where it is not finite, so that the exponentials
// are what they are.
template <class T>
__device__ __forceinline__ T row_shift(const T* z, std::int64_t columns, int lane) {
  T top = -static_cast<T>(INFINITY);
  for (std::int64_t j = lane; j < columns; j += kWarpSize) top = z[j] > top ? z[j] : top;
  top = warp_maximum(top);
  return top - top == T(0) ? top : T(0);
}

// The sum of exp(z - shift) over a row, in every lane.
template <class T>
__device__ __forceinline__ T sum_of_exponentials(const T* z, std::int64_t columns, T shift,
                                                 int lane) {
  T sum = T(0);
  for (std::int64_t j = lane; j < columns; j += kWarpSize) sum += exp(z[j] - shift);
  return warp_sum(sum);
}

}  // namespace ictus::cuda
