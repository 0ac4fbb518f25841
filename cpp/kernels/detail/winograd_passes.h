// The passes of a convolution by Winograd's tiles, group after group, and where they are chosen.
#pragma once

#include "ictus/convolution.h"
#include "kernels/detail/winograd_gradient.h"

namespace ictus::ICTUS_LEVEL {
namespace {

// A size of the window as a type.
template <int R>
struct WindowSize {
  static constexpr int value = R;
};
template <class Body>
inline void with_window(std::int64_t elements, const Body& body) {
  elements == 3 ? body(WindowSize<3>{}) : body(WindowSize<5>{});
}

template <class T>
bool winograd_fits(const ConvolutionShape& s) noexcept {
  constexpr std::int64_t kMost = 8192 / static_cast<std::int64_t>(sizeof(T));
  const std::int64_t size = s.down.elements;
  return (size == 3 || size == 5) && s.across.elements == size && s.down.stride == 1 &&
         s.across.stride == 1 && s.down.dilation == 1 && s.across.dilation == 1 && s.channels > 0 &&
         s.outputs > 0 && s.channels / s.groups <= kMost && s.outputs / s.groups <= kMost;
}

// How long what happens once for each channel and vector of outputs takes, in multiply-adds of
// vectors: weights are transformed before a pass, or sums are transformed back to weights.
constexpr std::int64_t kWeightsThere = 1400, kWeightsBack = 500;

// An estimate, in multiply-adds of vectors, measured beside lines of places (line_product.h). A
// transform of a vector of tiles takes as long as kTransform of them: above all for memory.
template <class T>
bool winograd_pays(const ConvolutionShape& s, std::int64_t weights) {
  constexpr std::int64_t kTransform = 500, kFewest = 16;
  const std::int64_t channels = s.channels / s.groups, outputs = s.outputs / s.groups;
  if (channels < kFewest || outputs < kFewest) return false;
  const std::int64_t size = s.down.elements;
  const Tiling tiling(s.batch, s.down.places, s.across.places, kTile + 1 - static_cast<int>(size));
  const std::int64_t ins = ceil_div(channels, kLanes<T>), outs = ceil_div(outputs, kLanes<T>);
  const std::int64_t direct =
      s.batch * s.down.places * s.across.places * size * size * channels * outs;
  const std::int64_t tiles =
      tiling.count * (kElements * channels * outs + kTransform * (ins + outs));
  return tiles + weights * channels * outs < direct;
}

// `weights`: kWeightsThere, or kWeightsBack for the gradient of the weights.
template <class T>
bool winograd_chosen(const ConvolutionShape& s, std::int64_t weights) {
  if (s.algorithm == ConvolutionAlgorithm::direct || !winograd_fits<T>(s)) return false;
  return s.algorithm == ConvolutionAlgorithm::winograd || winograd_pays<T>(s, weights);
}

// One group. Element e of the window has its (channels, outputs) at w + e * element_stride and the
// two other strides.
template <class T>
void by_tiles(const WinogradPass<T>& given, const T* w, std::int64_t element_stride,
              std::int64_t channel_stride, std::int64_t output_stride, T* workspace) {
  WinogradPass<T> pass = given;
  pass.weights = workspace;
  with_window(pass.windows.down.elements, [&](auto size) {
    constexpr int R = decltype(size)::value;
    transform_weights<T, R>(w, element_stride, channel_stride, output_stride, pass.windows.channels,
                            pass.outputs, workspace);
    winograd_convolution<T, R>(pass);
  });
}

template <class T>
void forward_by_tiles(const ConvolutionForward<T>& a) {
  const ConvolutionShape& s = a.shape;
  const std::int64_t channels = s.channels / s.groups, outputs = s.outputs / s.groups;
  for (std::int64_t i = 0; i < s.groups; ++i) {
    Epilogue<T> epilogue;
    if (a.epilogue != nullptr) epilogue = *a.epilogue;
    if (epilogue.bias != nullptr) epilogue.bias += i * outputs;
    by_tiles<T>({{a.x + i * channels, s.batch, s.down, s.across, channels, s.channels},
                 nullptr,
                 outputs,
                 a.beta,
                 a.y + i * outputs,
                 s.outputs,
                 a.epilogue != nullptr ? &epilogue : nullptr},
                a.weights + i * outputs, channels * s.outputs, s.outputs, 1, a.workspace);
  }
}

// A convolution of the outputs' gradient whose window is `down` by `across` reversed: the weights'
// elements in reverse order, channels and outputs exchanged.
template <class T>
void backward_data_by_tiles(const ConvolutionBackward<T>& a, const WindowAxis& down,
                            const WindowAxis& across) {
  const ConvolutionShape& s = a.shape;
  const std::int64_t channels = s.channels / s.groups, outputs = s.outputs / s.groups;
  const std::int64_t element = channels * s.outputs, last = down.elements * across.elements - 1;
  for (std::int64_t i = 0; i < s.groups; ++i) {
    by_tiles<T>({{a.y_gradient + i * outputs, s.batch, down, across, outputs, s.outputs},
                 nullptr,
                 channels,
                 a.beta,
                 a.x_gradient + i * channels,
                 s.channels,
                 nullptr},
                a.weights + i * outputs + last * element, -element, 1, s.outputs, a.workspace);
  }
}

template <class T>
void backward_weights_by_tiles(const ConvolutionBackward<T>& a) {
  const ConvolutionShape& s = a.shape;
  const std::int64_t channels = s.channels / s.groups, outputs = s.outputs / s.groups;
  for (std::int64_t i = 0; i < s.groups; ++i) {
    const WinogradGradient<T> g = {
        {a.x + i * channels, s.batch, s.down, s.across, channels, s.channels},
        a.y_gradient + i * outputs,
        outputs,
        s.outputs,
        a.workspace,
        a.beta,
        a.weights_gradient + i * outputs,
        s.outputs};
    with_window(s.down.elements,
                [&](auto size) { winograd_weights_gradient<T, decltype(size)::value>(g); });
  }
}

template <class T>
std::int64_t weights_by_tiles_workspace(const ConvolutionShape& s) {
  std::int64_t elements = 0;
  with_window(s.down.elements, [&](auto size) {
    const TileParts<T, decltype(size)::value> parts(s.batch, s.down, s.across,
                                                    s.channels / s.groups, s.outputs / s.groups);
    elements = parts.count * parts.sums;
  });
  return elements;
}

}  // namespace
}  // namespace ictus::ICTUS_LEVEL
