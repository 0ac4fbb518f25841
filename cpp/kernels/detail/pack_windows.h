// Panels of an operand that is seen through a window (ictus/window.h), in the layouts of
// microkernel.h and pack.h.
#pragma once

#include "ictus/window.h"
#include "kernels/detail/pack.h"

namespace ictus::ICTUS_LEVEL {
namespace {

template <class T>
inline void clear_run(T* to, std::int64_t count) {
  std::int64_t i = 0;
  for (; i + kLanes<T> <= count; i += kLanes<T>) store(to + i, Vector<T>{});
  if (i < count) store_partial(to + i, Vector<T>{}, static_cast<int>(count - i));
}

// A place of the window: image, and the corner where its first element would be.
struct WindowPlace {
  std::int64_t image, down, across;
};

template <class T>
inline WindowPlace window_place(const Windows<T>& w, std::int64_t row) {
  const std::int64_t number = row + w.first_row;
  const std::int64_t line = number / w.across.places, across = number % w.across.places;
  return {line / w.down.places, line % w.down.places * w.down.stride - w.down.padding,
          across * w.across.stride - w.across.padding};
}

// The next row: one place further.
template <class T>
inline void advance(const Windows<T>& w, WindowPlace& place) {
  place.across += w.across.stride;
  if (place.across < w.across.places * w.across.stride - w.across.padding) return;
  place.across = -w.across.padding;
  place.down += w.down.stride;
  if (place.down < w.down.places * w.down.stride - w.down.padding) return;
  place.down = -w.down.padding;
  ++place.image;
}

// The position `at` of an image, or -1 outside.
inline std::int64_t pixel_at(const WindowAxis& axis, std::int64_t at) {
  return at < 0 || at >= axis.size ? -1 : at;
}

// The columns [first, first + count) of the window at a place.
template <class T>
inline void copy_window(const Windows<T>& w, const WindowPlace& place, std::int64_t first,
                        std::int64_t count, T* to) {
  const std::int64_t channels = w.channels;
  const std::int64_t line = w.across.elements * channels;  // columns of one row of the window
  // Neighbours in the window are neighbours in the image, all channels of both.
  const bool dense = w.across.dilation == 1 && w.pixel_stride == channels;
  std::int64_t a = first / line, within = first % line;
  while (count > 0) {
    const std::int64_t run = line - within < count ? line - within : count;
    const std::int64_t down = pixel_at(w.down, place.down + a * w.down.dilation);
    if (down < 0) {
      clear_run(to, run);
    } else {
      const T* const row =
          w.images + (place.image * w.down.size + down) * w.across.size * w.pixel_stride;
      if (dense) {
        // Elements of the row, counted from the image's left edge.
        const std::int64_t begin = place.across * channels + within, end = begin + run;
        const std::int64_t limit = w.across.size * channels;
        const std::int64_t left = begin < 0 ? (end < 0 ? run : -begin) : 0;
        const std::int64_t right = end > limit ? (begin > limit ? run : end - limit) : 0;
        clear_run(to, left);
        if (left + right < run) copy_run(to + left, row + begin + left, run - left - right);
        if (left < run) clear_run(to + run - right, right);
      } else {
        std::int64_t b = within / channels, c = within % channels;
        for (std::int64_t done = 0; done < run; ++b, c = 0) {
          const std::int64_t part = channels - c < run - done ? channels - c : run - done;
          const std::int64_t across = pixel_at(w.across, place.across + b * w.across.dilation);
          if (across < 0) {
            clear_run(to + done, part);
          } else {
            copy_run(to + done, row + across * w.pixel_stride + c, part);
          }
          done += part;
        }
      }
    }
    to += run;
    count -= run;
    within = 0;
    ++a;
  }
}

// Rows [row, row + rows), columns [first, first + inner), by rows.
template <class T>
inline void pack_window_rows(const Windows<T>& w, std::int64_t row, int rows, std::int64_t first,
                             std::int64_t inner, T* panel) {
  WindowPlace place = window_place(w, row);
  for (int i = 0; i < rows; ++i, advance(w, place)) {
    copy_window(w, place, first, inner, panel + i * kPanelStride<T>);
  }
}

// A panel of a right operand: columns [column, column + columns) of rows [row, row + inner).
template <class T>
inline void pack_window_right(const Windows<T>& w, std::int64_t row, std::int64_t inner,
                              std::int64_t column, std::int64_t columns, T* panel) {
  const std::int64_t rest = (columns + kLanes<T> - 1) / kLanes<T> * kLanes<T> - columns;
  WindowPlace place = window_place(w, row);
  for (std::int64_t p = 0; p < inner; ++p, advance(w, place)) {
    T* const to = panel + p * kTileColumns<T>;
    copy_window(w, place, column, columns, to);
    if (rest > 0) clear_run(to + columns, rest);
  }
}

}  // namespace
}  // namespace ictus::ICTUS_LEVEL
