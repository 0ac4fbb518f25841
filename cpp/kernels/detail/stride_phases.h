// The gradient of a convolution's data by phases of its stride: the pixels whose number leaves the
// same remainder see the same elements of the window, so each phase is a convolution of stride 1 of
// the outputs' gradient, without the zeros that lie between its places when it is taken as one.
#pragma once

#include <cstdint>

#include "ictus/window.h"
#include "kernels/detail/cuts.h"
#include "kernels/detail/pack.h"
#include "kernels/detail/parallel.h"
#include "kernels/detail/rows.h"

namespace ictus::ICTUS_LEVEL {
namespace {

// Of one axis. Pixel i = stride * q + remainder is seen by place (i + padding - a * dilation) /
// stride through element a where that is whole: a = first + step * k. With k reversed this is a
// window of stride 1 on the places, which moves over q.
struct StridePhase {
  std::int64_t first, step;
  WindowAxis axis;  // `elements` is 0 where no place sees these pixels

  StridePhase(const WindowAxis& w, std::int64_t remainder) {
    std::int64_t divisor = w.dilation, other = w.stride;
    while (other != 0) {
      const std::int64_t rest = divisor % other;
      divisor = other;
      other = rest;
    }
    step = w.stride / divisor;
    const auto at = [&](std::int64_t a) { return remainder + w.padding - a * w.dilation; };
    for (first = 0; first < step && at(first) % w.stride != 0;) ++first;
    std::int64_t elements = 0;
    if (first < step && first < w.elements) elements = (w.elements - first + step - 1) / step;
    const std::int64_t places =
        remainder < w.size ? (w.size - remainder + w.stride - 1) / w.stride : 0;
    const std::int64_t dilation = w.dilation / divisor;
    const std::int64_t before = elements == 0 ? 0 : at(first) / w.stride;
    axis = {w.places, places, elements, 1, dilation, (elements - 1) * dilation - before};
  }
  // The window's element that element k of `axis` is.
  std::int64_t element(std::int64_t k) const { return first + step * (axis.elements - 1 - k); }
};

// The most pixels of one phase.
inline std::int64_t most_of_a_phase(const WindowAxis& w) {
  return (w.size + w.stride - 1) / w.stride;
}

// Two phases of the same convolution, down and across, and which they are.
struct PhasePair {
  StridePhase down, across;
  std::int64_t remainder_down, remainder_across;
  bool empty() const { return down.axis.elements == 0 || across.axis.elements == 0; }
};

// to (columns, rows) = the transpose of from (rows, columns), a square of vectors at a time.
template <class T>
void transpose_matrix(const T* from, std::int64_t row_stride, std::int64_t rows,
                      std::int64_t columns, T* to) {
  for (std::int64_t row = 0; row < rows; row += kLanes<T>) {
    for_vectors<T>(0, columns, [&](std::int64_t column, auto access) {
      const auto high = static_cast<int>(smaller(rows - row, kLanes<T>));
      const auto wide = static_cast<int>(smaller(columns - column, kLanes<T>));
      Vector<T> square[kLanes<T>] = {};
      for (int i = 0; i < high; ++i) {
        square[i] = access.read(from + (row + i) * row_stride + column);
      }
      transpose<T>(square);
      for (int i = 0; i < wide; ++i) {
        T* const line = to + (column + i) * rows + row;
        high == kLanes<T> ? store(line, square[i]) : store_partial(line, square[i], high);
      }
    });
  }
}

// The weights that a phase's window sees, (elements, outputs, channels).
template <class T>
void phase_weights(const PhasePair& phase, const T* weights, std::int64_t elements_across,
                   std::int64_t channels, std::int64_t outputs, std::int64_t row_stride, T* to) {
  const std::int64_t across = phase.across.axis.elements;
  parallel_ranges(phase.down.axis.elements * across, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t e = begin; e < end; ++e) {
      const std::int64_t a = phase.down.element(e / across), b = phase.across.element(e % across);
      const T* const from = weights + (a * elements_across + b) * channels * row_stride;
      transpose_matrix(from, row_stride, channels, outputs, to + e * outputs * channels);
    }
  });
}

// Brings the pixels of a phase, (batch, places of both axes, channels), home, `beta` times what is
// there added; nullptr: zeros.
template <class T>
void scatter_phase(const PhasePair& phase, const T* pixels, std::int64_t batch,
                   const WindowAxis& down, const WindowAxis& across, std::int64_t channels, T beta,
                   T* to, std::int64_t pixel_stride) {
  const std::int64_t lines = phase.down.axis.places, places = phase.across.axis.places;
  parallel_ranges(batch * lines, 4, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t line = begin; line < end; ++line) {
      const std::int64_t row = line % lines * down.stride + phase.remainder_down;
      T* const image_row = to + (line / lines * down.size + row) * across.size * pixel_stride;
      for (std::int64_t j = 0; j < places; ++j) {
        T* const pixel = image_row + (j * across.stride + phase.remainder_across) * pixel_stride;
        for_vectors<T>(0, channels, [&](std::int64_t c, auto access) {
          Vector<T> v = {};
          if (pixels != nullptr) v = access.read(pixels + (line * places + j) * channels + c);
          if (beta != T(0)) v += beta * access.read(pixel + c);
          access.write(pixel + c, v);
        });
      }
    }
  });
}

}  // namespace
}  // namespace ictus::ICTUS_LEVEL
