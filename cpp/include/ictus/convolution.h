// Convolution of images, channels last (LeCun et al. 1998; in truth a correlation, as everywhere):
//
//     y(n, i, j, o) = sum over a, b, c of
//         x(n, i * stride + a * dilation - padding, .., c) * w(a, b, c, o)
//
// in `groups` groups: outputs [g * outputs / groups, ..) see the channels [g * channels / groups,
// ..). Sequences are images of one row. Each pass is a matrix product whose left operand is seen
// through a window (ictus/window.h).
#pragma once

#include <cstdint>

#include "ictus/epilogue.h"
#include "ictus/window.h"

namespace ictus {

struct ConvolutionShape {
  std::int64_t batch;
  WindowAxis down, across;  // with spread 1
  std::int64_t channels, outputs, groups;
};

template <class T>
struct ConvolutionForward {
  ConvolutionShape shape;
  const T* x;                   // (batch, down.size, across.size, channels)
  const T* weights;             // (down.elements, across.elements, channels / groups, outputs)
  T beta;                       // of what y holds
  T* y;                         // (batch, down.places, across.places, outputs)
  const Epilogue<T>* epilogue;  // nullptr: none; its rows are places
};

template <class T>
struct ConvolutionBackward {
  ConvolutionShape shape;
  const T* x;
  const T* weights;
  const T* y_gradient;
  T beta;               // of what the result holds
  T* x_gradient;        // of data
  T* weights_gradient;  // of weights
  T* workspace;         // data_workspace or weights_workspace elements
};

template <class T>
struct ConvolutionKernels {
  void (*forward)(const ConvolutionForward<T>& arguments) noexcept;
  void (*backward_data)(const ConvolutionBackward<T>& arguments) noexcept;
  void (*backward_weights)(const ConvolutionBackward<T>& arguments) noexcept;
  std::int64_t (*data_workspace)(const ConvolutionShape& shape) noexcept;
  std::int64_t (*weights_workspace)(const ConvolutionShape& shape) noexcept;
};

}  // namespace ictus
