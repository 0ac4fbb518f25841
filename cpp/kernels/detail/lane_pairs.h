// Two neighbouring places of a window three wide by four multiplications instead of six (Winograd's
// minimal filtering F(2, 3): Winograd 1980; Lavin & Gray 2016), across images in lanes:
//
//     y0 = p0 + p1 + p2,  y1 = p1 - p2 - p3,  with
//     p0 = (x0 - x2) w0,              p1 = (x1 + x2) (w0 + w1 + w2) / 2,
//     p3 = (x1 - x3) w2,              p2 = (x2 - x1) (w0 - w1 + w2) / 2
//
// The products are sums over channels and rows of the window, so images and weights are transformed
// once for many of them. All factors are 1 and 1/2: the error is about that of the direct sum.
#pragma once

#include "kernels/detail/image_lanes.h"

namespace ictus::ICTUS_LEVEL {
namespace {

// Whether pairs can be taken, and are worth their transforms.
template <class T>
inline bool can_be_paired(const Windows<T>& w) {
  return w.across.elements == 3 && w.across.stride == 1 && w.across.dilation == 1 &&
         w.across.places >= 4 && w.down.elements * w.channels >= 9;
}

// A row (2 pairs + 2 positions, channels) to (pairs, 4, channels).
template <class T>
inline void pair_row(const T* x, std::int64_t pairs, std::int64_t channels, T* to) {
  const std::int64_t step = channels * kLanes<T>;
  for (std::int64_t t = 0; t < pairs; ++t, x += 2 * step, to += 4 * step) {
    for (std::int64_t c = 0; c < step; c += kLanes<T>) {
      const Vector<T> x0 = load(x + c), x1 = load(x + step + c);
      const Vector<T> x2 = load(x + 2 * step + c), x3 = load(x + 3 * step + c);
      store(to + c, x0 - x2);
      store(to + step + c, x1 + x2);
      store(to + 2 * step + c, x2 - x1);
      store(to + 3 * step + c, x1 - x3);
    }
  }
}

// Weights (rows, 3, channels, outputs) to (4, rows, channels, outputs).
template <class T>
inline void pair_weights(const T* w, std::int64_t stride, std::int64_t rows, std::int64_t channels,
                         std::int64_t outputs, T* to) {
  const std::int64_t size = rows * channels * outputs;
  for (std::int64_t k = 0; k < rows * channels; ++k) {
    const T* const at = w + (k / channels * 3 * channels + k % channels) * stride;
    for (std::int64_t o = 0; o < outputs; ++o) {
      const T w0 = at[o], w1 = at[channels * stride + o], w2 = at[2 * channels * stride + o];
      T* const out = to + k * outputs + o;
      out[0] = w0;
      out[size] = (w0 + w2 + w1) * T(0.5);
      out[2 * size] = (w0 + w2 - w1) * T(0.5);
      out[3 * size] = w2;
    }
  }
}

// Products (4, pairs, outputs) to y (2 pairs, outputs).
template <class T>
inline void join_pairs(const T* p, std::int64_t pairs, std::int64_t outputs, const T* bias, T* y,
                       std::int64_t y_step) {
  constexpr int lanes = kLanes<T>;
  const std::int64_t size = pairs * outputs * lanes;
  for (std::int64_t t = 0; t < pairs; ++t, p += outputs * lanes, y += 2 * y_step) {
    for (std::int64_t o = 0; o < outputs; ++o) {
      const T* const at = p + o * lanes;
      const Vector<T> p1 = load(at + size), p2 = load(at + 2 * size);
      Vector<T> even = load(at) + (p1 + p2), odd = (p1 - p2) - load(at + 3 * size);
      if (bias != nullptr) {
        even += bias[o];
        odd += bias[o];
      }
      store(y + o * lanes, even);
      store(y + y_step + o * lanes, odd);
    }
  }
}

}  // namespace
}  // namespace ictus::ICTUS_LEVEL
