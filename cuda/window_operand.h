// A convolution as a product whose operand is read through a window on images (ictus/window.h), for
// tiled_product.h. Places and window elements are taken apart by multiplications, once for a line
// or an inner index of a tile; 32 bits are enough for what the launchers let through.
#pragma once

#include <type_traits>

#include "tiled_product.h"

namespace ictus::cuda {

// n / divisor for n < 2^31 by a multiplication (T. Granlund & P. L. Montgomery, "Division by
// invariant integers using multiplication", 1994).
struct FastDivide {
  std::uint32_t divisor = 1, multiplier = 1;
  int shift = 0;

  FastDivide() = default;
  explicit FastDivide(std::int64_t d) : divisor(d < 1 ? 1 : static_cast<std::uint32_t>(d)) {
    while ((std::uint64_t{1} << shift) < divisor) ++shift;
    const std::uint64_t above = (std::uint64_t{1} << shift) - divisor;
    multiplier = static_cast<std::uint32_t>((above << 32) / divisor + 1);
  }
  __device__ std::uint32_t operator()(std::uint32_t n) const {
    return (__umulhi(n, multiplier) + n) >> shift;
  }
};

// One axis: element k of a window at place i is at the pixel i * step + first + k * element_step.
struct OperandAxis {
  int size;  // of the image
  int step, first, element_step;
};

// The images' number for (place, window element); zero outside the image. Element p of the window
// is channel p mod channels of the pixel (a, b) that follows from p / channels.
template <class T, bool kElementsAreLines>
struct WindowOperand {
  static constexpr bool kLinesTogether = kElementsAreLines;
  struct Place {
    std::int64_t at;
    int top, left;
  };
  struct Element {
    std::int64_t at;
    int down, across;
  };
  using Line = std::conditional_t<kElementsAreLines, Element, Place>;
  using Inner = std::conditional_t<kElementsAreLines, Place, Element>;

  const T* images;
  OperandAxis down, across;
  std::int64_t pixel_stride;
  FastDivide places_down, places_across, elements_across, channels;  // of a group

  __device__ const T* group_images() const {
    return images + std::int64_t{blockIdx.z} * channels.divisor;
  }
  __device__ Place place(std::int64_t number) const {
    const auto n = static_cast<std::uint32_t>(number);
    const std::uint32_t row = places_across(n), image = places_down(row);
    const int top = static_cast<int>(row - image * places_down.divisor) * down.step + down.first;
    const int left = static_cast<int>(n - row * places_across.divisor) * across.step + across.first;
    return {((std::int64_t{image} * down.size + top) * across.size + left) * pixel_stride, top,
            left};
  }
  __device__ Element element(std::int64_t number) const {
    const auto n = static_cast<std::uint32_t>(number);
    const std::uint32_t pixel = channels(n), a = elements_across(pixel);
    const int d = static_cast<int>(a) * down.element_step;
    const int c = static_cast<int>(pixel - a * elements_across.divisor) * across.element_step;
    return {(std::int64_t{d} * across.size + c) * pixel_stride + (n - pixel * channels.divisor), d,
            c};
  }
  __device__ Line line(std::int64_t i) const {
    if constexpr (kElementsAreLines) {
      return element(i);
    } else {
      return place(i);
    }
  }
  __device__ Inner inner(std::int64_t p) const {
    if constexpr (kElementsAreLines) {
      return place(p);
    } else {
      return element(p);
    }
  }
  template <class A, class B>
  __device__ T at(const A& a, const B& b) const {
    if constexpr (kElementsAreLines) {
      return seen(b, a);
    } else {
      return seen(a, b);
    }
  }
  __device__ T seen(const Place& place, const Element& element) const {
    const auto y = static_cast<unsigned>(place.top + element.down);
    const auto x = static_cast<unsigned>(place.left + element.across);
    return y < static_cast<unsigned>(down.size) && x < static_cast<unsigned>(across.size)
               ? group_images()[place.at + element.at]
               : T(0);
  }
};

// Rows without gaps of which each group has its own columns.
template <class T>
struct GroupColumns {
  static constexpr bool kLinesTogether = true;
  using Line = std::int64_t;
  using Inner = std::int64_t;
  const T* data;
  std::int64_t stride, group;
  __device__ Line line(std::int64_t j) const { return blockIdx.z * group + j; }
  __device__ Inner inner(std::int64_t p) const { return p * stride; }
  __device__ T at(Line line, Inner inner) const { return data[line + inner]; }
};

}  // namespace ictus::cuda
