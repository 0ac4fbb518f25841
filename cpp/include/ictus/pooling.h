// Pooling of images, channels last: one number for what a window sees of a channel.
//
//   maximum            y(n, i, j, c) = the largest x in the window; argmax its element's number,
//                      a * across.elements + b, the first of equal ones
//   maximum_backward   x_gradient(pixel) = sum of y_gradient over the windows whose argmax it is
//   maximum_tangent    y(n, i, j, c) = x at the argmax: the maximum's derivative along x
//   average            y(n, i, j, c) = the mean of the pixels in the window
//   average_backward   its transpose
//
// Pixels outside the image do not count: they are no candidates, and not among those averaged over.
// Each window must see a pixel. NaN is larger than every number.
#pragma once

#include <cstdint>
#include <type_traits>

#include "ictus/window.h"

namespace ictus {

struct PoolingShape {
  std::int64_t batch;
  WindowAxis down, across;
  std::int64_t channels;
};

// Integers as wide as the scalar.
template <class T>
using WindowElement = std::conditional_t<sizeof(T) == 4, std::int32_t, std::int64_t>;

template <class T>
struct Pooling {
  PoolingShape shape;
  const T* x;                // (batch, down.size, across.size, channels)
  T* y;                      // (batch, down.places, across.places, channels)
  WindowElement<T>* argmax;  // like y; maximum: nullptr if not wanted
};

template <class T>
struct PoolingBackward {
  PoolingShape shape;
  const T* y_gradient;
  const WindowElement<T>* argmax;  // average: unused
  T* x_gradient;
};

template <class T>
struct PoolingKernels {
  void (*maximum)(const Pooling<T>& arguments) noexcept;
  void (*maximum_backward)(const PoolingBackward<T>& arguments) noexcept;
  void (*maximum_tangent)(const Pooling<T>& arguments) noexcept;
  void (*average)(const Pooling<T>& arguments) noexcept;
  void (*average_backward)(const PoolingBackward<T>& arguments) noexcept;
};

}  // namespace ictus
