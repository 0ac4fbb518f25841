// The gradient of a stage of convolution, pooling and activation in the layout of image_lanes.h:
// what comes from above goes through activation and pooling into a buffer of the convolution's
// places, of which weights, biases and data are served while it is near.
#pragma once

#include "kernels/detail/lane_pooling.h"
#include "kernels/detail/lane_weights.h"

namespace ictus::ICTUS_LEVEL {
namespace {

// Where the gradient of the convolution's places lies: alone, or as the window of the data's
// gradient sees it, with zeros around.
template <class T>
struct PlacesBuffer {
  LaneBuffer buffer;
  T* data;
  std::int64_t first_row, left;  // rows and positions before the first place

  T* row(std::int64_t i) const {
    return data + ((first_row + i) * buffer.across + left) * buffer.channels * kLanes<T>;
  }
};

// Row p of the pooling's windows: the gradient before the activation at the maxima, added up to
// `bias_sums`, zeros elsewhere. `vectors` has room for three rows.
template <class T>
inline void unpool_row(const PooledBackward<T>& a, const GroupStrips<T>& pooled, std::int64_t p,
                       const PlacesBuffer<T>& places, T* bias_sums, T* vectors) {
  using I = typename BitsOf<T>::Signed;
  constexpr int lanes = kLanes<T>;
  const ConvolutionShape& s = a.shape.convolution;
  const std::int64_t down = a.shape.pool_down, across = a.shape.pool_across, outputs = s.outputs;
  const std::int64_t windows = s.across.places / across, size = windows * outputs;
  const std::int64_t pixel = outputs * lanes;
  T *const y = vectors, *const gradient = y + size * lanes, *const argmax = gradient + size * lanes;
  const auto bring = [&](const T* from, T* to) {
    const T* rows[lanes];
    strip_rows(pooled, p, s.down.places / down, size, from, rows);
    lanes_in(rows, 0, size, to);
  };
  bring(a.y_gradient, gradient);
  if (a.activation != Activation::identity) {
    bring(a.y, y);
    with_activation(a.activation, [&](auto tag) {
      for (std::int64_t k = 0; k < size * lanes; k += lanes) {
        // Lanes without an image hold zeros in both.
        store(gradient + k,
              load(gradient + k) * derivative_from_output<decltype(tag)::value, T>(load(y + k)));
      }
    });
  }
  for (std::int64_t q = 0; q < windows; ++q) {
    for (std::int64_t k = 0; k < pixel; k += lanes) {
      store(bias_sums + k, load(bias_sums + k) + load(gradient + q * pixel + k));
    }
  }
  for (std::int64_t i = 0; i < down; ++i) {
    T* const row = places.row(p * down + i);
    clear_run(row - places.left * pixel, places.left * pixel);
    const std::int64_t end = s.across.places * pixel;
    clear_run(row + end, (places.buffer.across - places.left) * pixel - end);
  }
  if (down * across == 1) {
    copy_run(places.row(p), gradient, size * lanes);
    return;
  }
  bring(as_scalars<T>(a.argmax), argmax);
  for (std::int64_t i = 0; i < down; ++i) {
    for (std::int64_t j = 0; j < across; ++j) {
      const auto element = broadcast<I>(static_cast<I>(i * across + j));
      T* to = places.row(p * down + i) + j * pixel;
      for (std::int64_t q = 0; q < windows; ++q, to += across * pixel) {
        for (std::int64_t k = 0; k < pixel; k += lanes) {
          const auto largest = bits_as<SignedVector<T>>(load(argmax + q * pixel + k));
          store(to + k, select<T>(largest == element, load(gradient + q * pixel + k), Vector<T>{}));
        }
      }
    }
  }
}

// One pass over images: how they are cut, and what lies where in a thread's scratch.
template <class T>
struct LaneBackward {
  const PooledBackward<T>& a;
  const ConvolutionShape& s;
  Windows<T> x;  // what the window sees
  Windows<T> y;  // the gradient of the places, seen through the data gradient's window
  GemmArguments<T> data = {};  // the data's gradient
  std::int64_t weights, outputs, parts = 0, groups_in_part = 0, strip_rows = 0, spare = 0;

  // `flipped` are the weights of the data's gradient.
  LaneBackward(const PooledBackward<T>& given, bool wants_data, const T* flipped)
      : a(given),
        s(given.shape.convolution),
        x{given.x, s.batch, s.down, s.across, s.channels, s.channels},
        y{given.y_gradient, s.batch, reversed(s.down), reversed(s.across), s.outputs, s.outputs},
        weights(s.down.elements * s.across.elements * s.channels * s.outputs),
        outputs(s.outputs) {
    constexpr std::int64_t kMostSums = (512 << 10) / kVectorBytes, kMost = 40;
    const std::int64_t pooled = s.across.places / a.shape.pool_across * outputs;
    if (s.groups != 1 || outputs < 1 || outputs > kMost || s.channels < 1 || weights > kMostSums ||
        s.batch * s.down.places * s.across.places < 1 || pooled * kVectorBytes > (256 << 10)) {
      return;
    }
    if (!wants_data) {
      const auto alone = [](const WindowAxis& axis) {
        return WindowAxis{axis.places, axis.places, 1, 1, 1, 0};
      };
      y.down = alone(s.down);
      y.across = alone(s.across);
    } else {
      if (s.channels > kMost || y.down.padding < 0 || y.across.padding < 0 || s.down.stride != 1 ||
          s.across.stride != 1 || s.down.elements > kMostRuns || s.across.dilation != 1) {
        return;
      }
      data.rows = s.batch * s.down.size * s.across.size;
      data.inner = s.down.elements * s.across.elements * outputs;
      data.columns = s.channels;
      data.alpha = T(1);
      data.b = flipped;
      data.b_row_stride = s.channels;
      data.b_column_stride = 1;
      data.c = a.x_gradient;
      data.c_row_stride = s.channels;
      data.a_windows = &y;
      spare = LanePass<T>(data, false).spare;
    }
    const double row_work =
        static_cast<double>(s.across.places * weights) * (wants_data ? 1.2 : 0.55);
    const std::int64_t row_buffer = LaneBuffer::positions(y, spare) * outputs;
    StripChoice choice;
    if (wants_data) {
      // A strip of the data's gradient would see more than a strip of the gradient.
      const std::int64_t buffers =
          (LaneBuffer::rows_seen(x, s.down.places) * LaneBuffer::positions(x, 0) * s.channels +
           s.down.places * row_buffer);
      if (buffers * kVectorBytes > (960 << 10) ||
          LaneBuffer::rows_seen(y, s.down.size) * row_buffer * kVectorBytes > (2 << 20) ||
          LanePass<T>(data, false).row_vectors() * kVectorBytes > (1 << 20) ||
          LaneBuffer::rows_seen(x, s.down.places) > kMostBufferRows ||
          LaneBuffer::rows_seen(y, s.down.size) > kMostBufferRows) {
        return;
      }
      choice.rows = s.down.places;
      choice.cost = static_cast<double>(ceil_div(s.batch, kLanes<T>) * s.down.places) * row_work;
    } else {
      choice = choose_strips(x, row_work, LaneBuffer::positions(x, 0) * x.channels, row_buffer,
                             a.shape.pool_down);
    }
    const double other = static_cast<double>(s.batch * s.down.places * s.across.places * weights) *
                         (wants_data ? 5.0 : 3.0) / kLanes<T>;
    if (choice.rows == 0 || choice.cost > other) return;
    strip_rows = choice.rows;
    constexpr std::int64_t kMostParts = 16;
    const std::int64_t groups = Strips(s.batch, s.down.places, strip_rows).template groups<T>();
    groups_in_part = ceil_div(groups, smaller(groups, kMostParts));
    parts = ceil_div(groups, groups_in_part);
  }
  LaneBackward(const LaneBackward&) = delete;
  LaneBackward& operator=(const LaneBackward&) = delete;
  bool pays() const { return parts > 0; }
  bool wants_data() const { return data.a_windows != nullptr; }

  // How the window of the transposed convolution moves over the places, for a stride of 1.
  static WindowAxis reversed(const WindowAxis& axis) {
    return {axis.places, axis.size,     axis.elements,
            1,           axis.dilation, (axis.elements - 1) * axis.dilation - axis.padding};
  }
};

// One group: its sums, and its images' gradients.
template <class T>
void backward_group(const LaneBackward<T>& pass, const Strips& strips, std::int64_t number, T* sums,
                    T* scratch) {
  constexpr int lanes = kLanes<T>;
  const PooledBackward<T>& a = pass.a;
  const ConvolutionShape& s = pass.s;
  const GroupStrips<T> mine(strips, number);
  GroupStrips<T> pooled = mine;
  for (std::int64_t& place : pooled.place) place /= a.shape.pool_down;
  LaneBuffer seen(pass.x, strips, 0);
  T* const x = scratch;
  T* const vectors = x + seen.down * seen.row_vectors() * lanes;
  const std::int64_t pooled_row = s.across.places / a.shape.pool_across * s.outputs;
  // The buffer's rows are those that the data's gradient sees, or those of the strip.
  const Strips rows(s.batch, pass.y.down.places, pass.wants_data() ? s.down.size : strips.rows);
  PlacesBuffer<T> places = {LaneBuffer(pass.y, rows, pass.spare), vectors + 3 * pooled_row * lanes,
                            pass.wants_data() ? pass.y.down.padding : 0,
                            pass.wants_data() ? pass.y.across.padding : 0};
  strips_in(pass.x, mine, seen, x);
  for (std::int64_t p = 0; p < strips.rows / a.shape.pool_down; ++p) {
    unpool_row(a, pooled, p, places, sums + pass.weights * lanes, vectors);
  }
  const std::int64_t y_row = places.buffer.row_vectors() * lanes;
  add_group(pass.x, seen, x, places.row(0), y_row, s.outputs, strips.rows, sums);
  if (!pass.wants_data()) return;
  for (std::int64_t r = 0; r < places.buffer.down; ++r) {
    places.buffer.empty[r] = r < places.first_row || r >= places.first_row + strips.rows ? 1 : 0;
  }
  const LanePass<T> data(pass.data, false);
  const LaneRoom<T> room = {places.buffer, places.data, nullptr, nullptr};
  const GroupStrips<T> whole(rows, number);
  T* const row = places.data + places.buffer.down * y_row;
  for (std::int64_t i = 0; i < s.down.size; ++i) {
    lane_product_row(data, room, i, row);
    finish_lane_row(data, whole, i, row);
  }
}

// The sums of each part to `to` (parts, weights and then biases).
template <class T>
void backward_in_lanes(const LaneBackward<T>& pass, T* to) {
  const Strips strips(pass.s.batch, pass.s.down.places, pass.strip_rows);
  const std::int64_t count = pass.weights + pass.outputs;
  auto part = [&](std::int64_t number) {
    T* const sums = static_cast<T*>(thread_scratch());
    clear_run(sums, count * kLanes<T>);
    const std::int64_t end = smaller((number + 1) * pass.groups_in_part, strips.groups<T>());
    for (std::int64_t group = number * pass.groups_in_part; group < end; ++group) {
      backward_group(pass, strips, group, sums, sums + count * kLanes<T>);
    }
    add_lanes(sums, count, to + number * count);
  };
  parallel_chunks(pass.parts, part);
}

}  // namespace
}  // namespace ictus::ICTUS_LEVEL
