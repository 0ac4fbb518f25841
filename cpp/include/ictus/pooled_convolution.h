// Convolution, bias, maximum over windows side by side, activation: the stage of a convolutional
// network (LeCun et al. 1998) in one pass, and the gradient of such a stage in another.
//
//     z(n, i, j, o)  = bias(o) + convolution(x, weights)(n, i, j, o)      (ictus/convolution.h)
//     y(n, p, q, o)  = f(max over a < pool_down, b < pool_across of
//                          z(n, p * pool_down + a, q * pool_across + b, o))
//     argmax(n, p, q, o) = a * pool_across + b of the first of equal ones
//
// Activation functions do not decrease, so the maximum may be taken before them. Places that fill
// no window of the pooling are left out. NaN is larger than every number.
#pragma once

#include <cstdint>

#include "ictus/convolution.h"
#include "ictus/pooling.h"

namespace ictus {

struct PooledShape {
  ConvolutionShape convolution;  // its places are those that a pooling window sees
  std::int64_t pool_down, pool_across;
};

template <class T>
struct PooledForward {
  PooledShape shape;
  const T* x;
  const T* weights;
  const T* bias;  // (outputs), or nullptr
  Activation activation;
  T* y;  // (batch, down.places / pool_down, across.places / pool_across, outputs)
  WindowElement<T>* argmax;  // like y; nullptr: not wanted
  T* workspace;              // forward_workspace elements
};

template <class T>
struct PooledBackward {
  PooledShape shape;
  const T* x;
  const T* weights;
  const T* y;
  const T* y_gradient;
  const WindowElement<T>* argmax;  // not read where pool_down and pool_across are 1
  Activation activation;
  T beta;  // of what weights_gradient and bias_gradient hold
  T* weights_gradient;
  T* bias_gradient;
  T* x_gradient;  // nullptr: not wanted
  T* workspace;   // backward_workspace elements
};

template <class T>
struct PooledConvolutionKernels {
  void (*forward)(const PooledForward<T>& arguments) noexcept;
  void (*backward)(const PooledBackward<T>& arguments) noexcept;
  std::int64_t (*forward_workspace)(const PooledShape& shape) noexcept;
  std::int64_t (*backward_workspace)(const PooledShape& shape, bool data) noexcept;
};

}  // namespace ictus
