// Images turned so that the lanes of a vector are strips of images: where channels and outputs are
// few, nothing else fills a vector, and in this layout every pass works on whole vectors, whatever
// the shape of window and image.
//
// A strip is some rows of places of one image, a group is kLanes strips. What a group sees through
// the window lies in a buffer (rows, positions across, channels, lanes), with all zeros around and
// between pixels.
#pragma once

#include "kernels/detail/pack_windows.h"

namespace ictus::ICTUS_LEVEL {
namespace {

// How images are cut into strips.
struct Strips {
  std::int64_t rows;  // of places in a strip; the last of an image may have fewer
  std::int64_t per_image, count;

  Strips(std::int64_t batch, std::int64_t places, std::int64_t strip_rows)
      : rows(strip_rows),
        per_image((places + strip_rows - 1) / strip_rows),
        count(batch * per_image) {}
  template <class T>
  std::int64_t groups() const {
    return (count + kLanes<T> - 1) / kLanes<T>;
  }
};

// The strips of a group: image, and first row of places; image -1 where there is none.
template <class T>
struct GroupStrips {
  std::int64_t image[kLanes<T>], place[kLanes<T>];

  GroupStrips(const Strips& strips, std::int64_t group) {
    for (int lane = 0; lane < kLanes<T>; ++lane) {
      const std::int64_t strip = group * kLanes<T> + lane;
      image[lane] = strip < strips.count ? strip / strips.per_image : -1;
      place[lane] = strip % strips.per_image * strips.rows;
    }
  }
};

constexpr std::int64_t kMostBufferRows = 256;

// The buffer of a group.
struct LaneBuffer {
  std::int64_t down, across, channels;
  std::uint8_t empty[kMostBufferRows];  // rows that are zero in all lanes, and not written

  // `spare` places more than the image has can be read in each row.
  template <class T>
  LaneBuffer(const Windows<T>& w, const Strips& strips, std::int64_t spare)
      : LaneBuffer(w, strips, positions(w, spare), w.channels) {}
  template <class T>
  LaneBuffer(const Windows<T>& w, const Strips& strips, std::int64_t positions_across,
             std::int64_t vectors_each)
      : down(rows_seen(w, strips.rows)), across(positions_across), channels(vectors_each) {}

  template <class T>
  static std::int64_t rows_seen(const Windows<T>& w, std::int64_t places) {
    return (places - 1) * w.down.stride + (w.down.elements - 1) * w.down.dilation + 1;
  }
  template <class T>
  static std::int64_t positions(const Windows<T>& w, std::int64_t spare) {
    return (w.across.places + spare - 1) * w.across.stride +
           (w.across.elements - 1) * w.across.dilation + 1;
  }
  std::int64_t row_vectors() const { return across * channels; }
};

// The elements [0, count) of kLanes rows, nullptr for zeros, to vectors one after the other.
template <class T>
inline void lanes_in(const T* const* rows, std::int64_t offset, std::int64_t count, T* to) {
  constexpr int lanes = kLanes<T>;
  bool whole = true;
  for (int lane = 0; lane < lanes; ++lane) whole = whole && rows[lane] != nullptr;
  std::int64_t i = 0;
  Vector<T> square[lanes];
  for (; whole && i + lanes <= count; i += lanes) {
#pragma GCC unroll 16
    for (int lane = 0; lane < lanes; ++lane) square[lane] = load(rows[lane] + offset + i);
    transpose<T>(square);
#pragma GCC unroll 16
    for (int lane = 0; lane < lanes; ++lane) store(to + (i + lane) * lanes, square[lane]);
  }
  for (; i < count; i += lanes) {
    const int left = count - i < lanes ? static_cast<int>(count - i) : lanes;
#pragma GCC unroll 16
    for (int lane = 0; lane < lanes; ++lane) {
      square[lane] =
          rows[lane] == nullptr ? Vector<T>{} : load_partial(rows[lane] + offset + i, left);
    }
    transpose<T>(square);
    T* const next = to + i * lanes;
#pragma GCC unroll 16
    for (int lane = 0; lane < lanes; ++lane) {
      if (lane < left) store(next + lane * lanes, square[lane]);
    }
  }
}

// The way back: row = vectors + beta * row, for all rows but nullptr.
template <class T>
inline void lanes_out(const T* from, std::int64_t count, T beta, T* const* rows,
                      std::int64_t offset) {
  constexpr int lanes = kLanes<T>;
  bool whole = beta == T(0);
  for (int lane = 0; lane < lanes; ++lane) whole = whole && rows[lane] != nullptr;
  std::int64_t i = 0;
  Vector<T> square[lanes];
  for (; whole && i + lanes <= count; i += lanes) {
#pragma GCC unroll 16
    for (int lane = 0; lane < lanes; ++lane) square[lane] = load(from + (i + lane) * lanes);
    transpose<T>(square);
#pragma GCC unroll 16
    for (int lane = 0; lane < lanes; ++lane) store(rows[lane] + offset + i, square[lane]);
  }
  for (; i < count; i += lanes) {
    const int left = count - i < lanes ? static_cast<int>(count - i) : lanes;
#pragma GCC unroll 16
    for (int lane = 0; lane < lanes; ++lane) {
      square[lane] = lane < left ? load(from + (i + lane) * lanes) : Vector<T>{};
    }
    transpose<T>(square);
#pragma GCC unroll 16
    for (int lane = 0; lane < lanes; ++lane) {
      if (rows[lane] == nullptr) continue;
      T* const to = rows[lane] + offset + i;
      Vector<T> value = square[lane];
      if (beta != T(0)) value += load_partial(to, left) * beta;
      store_partial(to, value, left);
    }
  }
}

// One row of the buffer. `rows` are the rows of pixels, nullptr outside the image.
template <class T>
inline void lane_row_in(const Windows<T>& w, const T* const* rows, std::int64_t across, T* to) {
  const std::int64_t pixel = w.channels * kLanes<T>;
  const auto inside = [&](std::int64_t at) { return at < 0 ? 0 : at > across ? across : at; };
  if (w.pixel_stride == w.channels) {
    const std::int64_t left = inside(w.across.padding);
    const std::int64_t right = inside(w.across.padding + w.across.size);
    clear_run(to, left * pixel);
    if (left < right) {
      lanes_in(rows, (left - w.across.padding) * w.channels, (right - left) * w.channels,
               to + left * pixel);
    }
    clear_run(to + right * pixel, (across - right) * pixel);
    return;
  }
  for (std::int64_t at = 0; at < across; ++at, to += pixel) {
    const std::int64_t seen = pixel_at(w.across, at - w.across.padding);
    if (seen < 0) {
      clear_run(to, pixel);
    } else {
      lanes_in(rows, seen * w.pixel_stride, w.channels, to);
    }
  }
}

// Rows of a matrix whose rows are (image, place down), for place i of each strip; nullptr: none.
template <class T, class Scalar>
inline void strip_rows(const GroupStrips<T>& strips, std::int64_t i, std::int64_t places,
                       std::int64_t row_size, Scalar* matrix, Scalar** rows) {
  for (int lane = 0; lane < kLanes<T>; ++lane) {
    const std::int64_t place = strips.place[lane] + i;
    rows[lane] = strips.image[lane] < 0 || place >= places
                     ? nullptr
                     : matrix + (strips.image[lane] * places + place) * row_size;
  }
}

// Fills a group's buffer: calls put(rows, to) for each of its rows that is not empty.
template <class T, class Put>
inline void strips_in(const Windows<T>& w, const GroupStrips<T>& strips, LaneBuffer& buffer, T* to,
                      const Put& put) {
  const std::int64_t row_size = w.across.size * w.pixel_stride;
  for (std::int64_t r = 0; r < buffer.down; ++r) {
    const T* rows[kLanes<T>];
    bool empty = true;
    for (int lane = 0; lane < kLanes<T>; ++lane) {
      const std::int64_t down =
          strips.image[lane] < 0
              ? -1
              : pixel_at(w.down, strips.place[lane] * w.down.stride - w.down.padding + r);
      rows[lane] =
          down < 0 ? nullptr : w.images + (strips.image[lane] * w.down.size + down) * row_size;
      empty = empty && down < 0;
    }
    buffer.empty[r] = empty ? 1 : 0;
    if (!empty) put(rows, to + r * buffer.row_vectors() * kLanes<T>);
  }
}
template <class T>
inline void strips_in(const Windows<T>& w, const GroupStrips<T>& strips, LaneBuffer& buffer,
                      T* to) {
  strips_in(w, strips, buffer, to,
            [&](const T* const* rows, T* row) { lane_row_in(w, rows, buffer.across, row); });
}

// How to cut: the strips that fill lanes best and repeat the fewest rows, as far as a group's
// buffer stays in the level-2 cache. `row_work` are multiply-adds of vectors for one row of places,
// `row` vectors of a row of the buffer, `row_buffer` vectors of other buffers for each; a strip has
// a multiple of `unit` rows. rows == 0: no buffer would be small enough.
struct StripChoice {
  std::int64_t rows = 0;
  double cost = 0;  // in cycles, roughly
};

template <class T>
inline StripChoice choose_strips(const Windows<T>& w, double row_work, std::int64_t row,
                                 std::int64_t row_buffer, std::int64_t unit = 1) {
  constexpr std::int64_t kNear = (640 << 10) / kVectorBytes, kMost = (2 << 20) / kVectorBytes;
  StripChoice best;
  for (std::int64_t rows = unit; rows <= w.down.places; rows += unit) {
    const std::int64_t down = LaneBuffer::rows_seen(w, rows);
    const std::int64_t size = down * row + rows * row_buffer;
    if (down > kMostBufferRows || size > (rows == unit ? kMost : kNear)) break;
    const Strips strips(w.batch, w.down.places, rows);
    const double cost =
        static_cast<double>(strips.groups<T>()) *
        (static_cast<double>(rows) * row_work + 4.0 * static_cast<double>(down * row));
    if (best.rows == 0 || cost <= best.cost) best = {rows, cost};
  }
  return best;
}

}  // namespace
}  // namespace ictus::ICTUS_LEVEL
