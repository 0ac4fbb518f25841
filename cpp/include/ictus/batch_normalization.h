// Batch normalization (Ioffe & Szegedy 2015) of the columns of a matrix (rows, channels): rows are
// examples, or all pixels of all images.
//
//   forward    y = f(scale * (x - mean) * r + shift),  r = 1 / sqrt(variance + epsilon)
//   backward   of a gradient with respect to what f is of
//   tangent    the derivative of what f is of along x, scale and shift
//   multiply   y(image, pixel, c) = x(image, pixel, c) * factors(image, c): dropout of whole maps
//
// In training, mean and variance are those of the rows, and the running ones move towards them:
// running += momentum * (new - running), with the variance divided by rows - 1. Else they are the
// running ones. Backward and tangent take what forward wrote: mean, r, and whether it was training.
// With mean 0, variance 1 and epsilon 0 it is a factor and a shift of each channel.
#pragma once

#include <cstdint>

#include "ictus/epilogue.h"

namespace ictus {

template <class T>
struct BatchNormalization {
  std::int64_t rows, channels;
  const T* x;
  const T* scale;
  const T* shift;
  T epsilon, momentum;
  bool training;
  T* running_mean;
  T* running_variance;
  T* mean;  // gets what x was normalised by
  T* reciprocal_deviation;
  Activation activation;
  T* y;
  T* workspace;  // workspace elements
};

template <class T>
struct BatchNormalizationBackward {
  std::int64_t rows, channels;
  const T* x;
  const T* y_gradient;
  const T* mean;
  const T* reciprocal_deviation;
  const T* scale;
  bool training;
  T beta;  // of what the parameters' gradients hold
  T* scale_gradient;
  T* shift_gradient;
  T* x_gradient;  // nullptr: not wanted; may be y_gradient
  T* workspace;
};

template <class T>
struct BatchNormalizationTangent {
  std::int64_t rows, channels;
  const T* x;
  const T* x_dot;  // nullptr: zero
  const T* mean;
  const T* reciprocal_deviation;
  const T* scale;
  const T* scale_dot;
  const T* shift_dot;
  bool training;
  T* y_dot;
  T* workspace;
};

template <class T>
struct ChannelFactors {
  std::int64_t images, pixels, channels;
  const T* x;
  const T* factors;
  T* y;  // not x
};

template <class T>
struct BatchNormalizationKernels {
  void (*forward)(const BatchNormalization<T>& arguments) noexcept;
  void (*backward)(const BatchNormalizationBackward<T>& arguments) noexcept;
  void (*tangent)(const BatchNormalizationTangent<T>& arguments) noexcept;
  void (*multiply)(const ChannelFactors<T>& arguments) noexcept;
  std::int64_t (*workspace)(std::int64_t rows, std::int64_t channels) noexcept;
};

}  // namespace ictus
