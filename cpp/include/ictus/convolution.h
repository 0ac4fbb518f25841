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

// How a convolution is computed. Winograd's tiles (Lavin & Gray 2016) take 4 times fewer
// multiplications for a window of 3 x 3, 2.8 times fewer for one of 5 x 5; the rounding errors are
// 1.3 to 6 times the direct sum's. They fit a window of one of these sizes with stride and
// dilation 1, and at most 2048 channels and outputs a group (1024 in double precision).
// `automatic` takes them where they fit and are estimated to be faster.
enum class ConvolutionAlgorithm : int { automatic = 0, direct = 1, winograd = 2 };
constexpr int kConvolutionAlgorithms = 3;

struct ConvolutionShape {
  std::int64_t batch;
  WindowAxis down, across;
  std::int64_t channels, outputs, groups;
  ConvolutionAlgorithm algorithm = ConvolutionAlgorithm::automatic;
};

template <class T>
struct ConvolutionForward {
  ConvolutionShape shape;
  const T* x;                   // (batch, down.size, across.size, channels)
  const T* weights;             // (down.elements, across.elements, channels / groups, outputs)
  T beta;                       // of what y holds
  T* y;                         // (batch, down.places, across.places, outputs)
  const Epilogue<T>* epilogue;  // nullptr: none; its rows are places
  T* workspace;                 // forward_workspace elements
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
  std::int64_t (*forward_workspace)(const ConvolutionShape& shape) noexcept;
  std::int64_t (*data_workspace)(const ConvolutionShape& shape) noexcept;
  std::int64_t (*weights_workspace)(const ConvolutionShape& shape) noexcept;
  // Whether a shape's algorithm can be winograd.
  bool (*winograd_fits)(const ConvolutionShape& shape) noexcept;
};

}  // namespace ictus
