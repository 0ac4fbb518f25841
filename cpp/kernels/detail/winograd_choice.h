// Which convolutions Winograd's tiles fit, and where they pay.
#pragma once

#include "ictus/convolution.h"
#include "kernels/detail/winograd.h"

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
         s.across.stride == 1 && s.down.dilation == 1 && s.across.dilation == 1 &&
         s.channels / s.groups <= kMost && s.outputs / s.groups <= kMost;
}

// An estimate, in multiply-adds of vectors. A transform of a vector of tiles takes as long as
// kTransform of them: its arithmetic, and the stores to 36 places.
template <class T>
bool winograd_pays(const ConvolutionShape& s) {
  constexpr std::int64_t kTransform = 250;
  const std::int64_t size = s.down.elements;
  const Tiling tiling(s.batch, s.down.places, s.across.places, kTile + 1 - static_cast<int>(size));
  const std::int64_t channels = s.channels / s.groups, outputs = s.outputs / s.groups;
  const std::int64_t ins = (channels + kLanes<T> - 1) / kLanes<T>;
  const std::int64_t outs = (outputs + kLanes<T> - 1) / kLanes<T>;
  const std::int64_t places = s.batch * s.down.places * s.across.places;
  const std::int64_t direct = places * size * size * channels * outs;
  const std::int64_t tiles =
      tiling.count * (kElements * channels * outs + kTransform * (ins + outs));
  return tiles + kTransform * channels * outs < direct;
}

template <class T>
bool winograd_chosen(const ConvolutionShape& s) {
  if (s.algorithm == ConvolutionAlgorithm::direct || !winograd_fits<T>(s)) return false;
  return s.algorithm == ConvolutionAlgorithm::winograd || winograd_pays<T>(s);
}

}  // namespace
}  // namespace ictus::ICTUS_LEVEL
