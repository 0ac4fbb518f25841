// The gradient of few weights, in the layout of image_lanes.h: for each weight a vector of sums,
// one of each strip, whose lanes are added at the end.
//
//     sums(a, b, c, o, lane) += sum over i, j of  x(i * stride + a * dilation, .., c) * gradient(i,
//     j, o)
#pragma once

#include "kernels/detail/lane_product.h"

namespace ictus::ICTUS_LEVEL {
namespace {

// Accumulators of a register tile beside a vector of each output and one of the image.
constexpr int kSumTerms = kVectorRegisters == 32 ? 6 : 4;
constexpr int kSumOutputs = kVectorRegisters == 32 ? 5 : 3;
constexpr int sum_terms(int outputs) {
  const int fit = (kVectorRegisters - 1) / outputs - 1;
  return fit < kSumTerms ? fit : kSumTerms;
}

template <class T>
struct SumTile {
  std::int64_t rows, places;  // of the gradient
  const T* x;
  std::int64_t x_row, x_step;  // elements from row to row of places, from place to place
  const T* y;
  std::int64_t y_row, y_step;
  T* sums;
  std::int64_t sum_stride;
};

// K neighbouring channels (of neighbouring positions) by O outputs.
template <class T, int K, int O>
void sum_tile(const SumTile<T>& t) {
  constexpr int lanes = kLanes<T>;
  Vector<T> acc[K][O];
#pragma GCC unroll 8
  for (int k = 0; k < K; ++k) {
#pragma GCC unroll 8
    for (int o = 0; o < O; ++o) acc[k][o] = load(t.sums + k * t.sum_stride + o * lanes);
  }
  for (std::int64_t i = 0; i < t.rows; ++i) {
    const T* x = t.x + i * t.x_row;
    const T* y = t.y + i * t.y_row;
    for (std::int64_t j = 0; j < t.places; ++j, x += t.x_step, y += t.y_step) {
      Vector<T> gradient[O];
#pragma GCC unroll 8
      for (int o = 0; o < O; ++o) gradient[o] = load(y + o * lanes);
#pragma GCC unroll 8
      for (int k = 0; k < K; ++k) {
        const Vector<T> seen = load(x + k * lanes);
#pragma GCC unroll 8
        for (int o = 0; o < O; ++o) acc[k][o] += seen * gradient[o];
      }
    }
  }
#pragma GCC unroll 8
  for (int k = 0; k < K; ++k) {
#pragma GCC unroll 8
    for (int o = 0; o < O; ++o) store(t.sums + k * t.sum_stride + o * lanes, acc[k][o]);
  }
}

template <class T>
using SumTileFunction = void (*)(const SumTile<T>& tile);

template <class T, int O = kSumOutputs, int K = kSumTerms>
inline SumTileFunction<T> sum_tile_function(int terms, int outputs) {
  if constexpr (K == 0 || O == 0) {
    return nullptr;
  } else {
    if (outputs != O) return sum_tile_function<T, O - 1, K>(terms, outputs);
    if (terms != K) return sum_tile_function<T, O, K - 1>(terms, outputs);
    return sum_tile<T, K, O>;
  }
}

// What element a of the window's rows sees from some rows of places, added to the sums.
template <class T>
inline void add_row_of_window(const Windows<T>& w, const LaneBuffer& buffer, const T* x, const T* y,
                              std::int64_t y_row, std::int64_t outputs, std::int64_t begin,
                              std::int64_t rows, std::int64_t a, T* sums) {
  constexpr int lanes = kLanes<T>;
  const bool joined = w.across.dilation == 1;
  const std::int64_t pieces = joined ? 1 : w.across.elements;
  const std::int64_t terms = (joined ? w.across.elements : 1) * w.channels;
  const std::int64_t output_step = even_part(outputs, kSumOutputs, 1);
  const std::int64_t term_step = even_part(terms, sum_terms(static_cast<int>(output_step)), 1);
  SumTile<T> tile;
  tile.rows = rows;
  tile.places = w.across.places;
  tile.x_step = w.across.stride * w.channels * lanes;
  tile.x_row = w.down.stride * buffer.row_vectors() * lanes;
  tile.y_step = outputs * lanes;
  tile.y_row = y_row;
  tile.sum_stride = tile.y_step;
  x += (begin * w.down.stride + a * w.down.dilation) * buffer.row_vectors() * lanes;
  y += begin * tile.y_row;
  for (std::int64_t piece = 0; piece < pieces; ++piece) {
    for (std::int64_t k = 0; k < terms; k += term_step) {
      tile.x = x + (piece * w.across.dilation * w.channels + k) * lanes;
      const std::int64_t term = (a * w.across.elements + piece) * w.channels + k;
      for (std::int64_t o = 0; o < outputs; o += output_step) {
        tile.y = y + o * lanes;
        tile.sums = sums + (term * outputs + o) * lanes;
        sum_tile_function<T>(static_cast<int>(smaller(terms - k, term_step)),
                             static_cast<int>(smaller(outputs - o, output_step)))(tile);
      }
    }
  }
}

// All places of a group, added to the sums; `y_row` elements from row to row of the gradient.
template <class T>
inline void add_group(const Windows<T>& w, const LaneBuffer& buffer, const T* x, const T* y,
                      std::int64_t y_row, std::int64_t outputs, std::int64_t rows, T* sums) {
  // Rows of both that stay in the level-1 cache together.
  constexpr std::int64_t kNear = (28 << 10) / kVectorBytes;
  const std::int64_t row = buffer.row_vectors() + w.across.places * smaller(outputs, kSumOutputs);
  const std::int64_t block = larger(1, kNear / larger(1, row));
  for (std::int64_t first = 0; first < rows; first += block) {
    const std::int64_t last = smaller(rows, first + block);
    for (std::int64_t a = 0; a < w.down.elements; ++a) {
      for (std::int64_t i = first; i < last;) {
        const auto empty = [&](std::int64_t at) {
          return buffer.empty[at * w.down.stride + a * w.down.dilation] != 0;
        };
        std::int64_t end = i + 1;
        while (end < last && empty(end) == empty(i)) ++end;
        if (!empty(i)) add_row_of_window(w, buffer, x, y, y_row, outputs, i, end - i, a, sums);
        i = end;
      }
    }
  }
}

// One pass over images and gradients of outputs.
template <class T>
struct LaneWeights {
  Windows<T> x;  // what the window sees
  Windows<T> y;  // the gradient, as a window of one element sees it
  StripChoice choice;
  std::int64_t parts = 0, groups_in_part = 0;  // parts that threads sum up for themselves

  LaneWeights(const Windows<T>& images, const T* y_gradient, std::int64_t outputs,
              std::int64_t y_stride)
      : x(images) {
    const auto axis = [](const WindowAxis& a) {
      return WindowAxis{a.places, a.places, 1, 1, 1, 0};
    };
    y = {y_gradient, x.batch, axis(x.down), axis(x.across), outputs, y_stride};
    constexpr std::int64_t kMostOutputs = 40, kMostSums = (512 << 10) / kVectorBytes;
    const std::int64_t terms = x.down.elements * x.across.elements * x.channels;
    const std::int64_t places = x.batch * x.down.places * x.across.places;
    if (places < 1 || outputs < 1 || outputs > kMostOutputs || terms * outputs > kMostSums) return;
    const double products = static_cast<double>(terms * outputs);
    choice = choose_strips(x, 0.55 * static_cast<double>(x.across.places) * products,
                           LaneBuffer::positions(x, 0) * x.channels, x.across.places * outputs);
    if (choice.rows == 0) return;
    const double other = static_cast<double>(places) *
                         (2.0 * static_cast<double>(ceil_div(terms, kLanes<T>) * outputs) +
                          4.0 * static_cast<double>(x.down.elements));
    if (choice.cost > other) return;
    constexpr std::int64_t kMostParts = 16;
    const std::int64_t groups = Strips(x.batch, x.down.places, choice.rows).template groups<T>();
    groups_in_part = ceil_div(groups, smaller(groups, kMostParts));
    parts = ceil_div(groups, groups_in_part);
  }
  bool pays() const { return parts > 0; }
};

// The sum of the lanes of each vector: halves first, as many vectors at a time as have lanes.
template <class T>
inline void add_lanes(const T* sums, std::int64_t count, T* to) {
  constexpr int lanes = kLanes<T>;
  for (std::int64_t i = 0; i < count; i += lanes) {
    const int left = count - i < lanes ? static_cast<int>(count - i) : lanes;
    Vector<T> square[lanes];
#pragma GCC unroll 16
    for (int v = 0; v < lanes; ++v) {
      square[v] = v < left ? load(sums + (i + v) * lanes) : Vector<T>{};
    }
    transpose<T>(square);
#pragma GCC unroll 4
    for (int width = lanes / 2; width > 0; width /= 2) {
#pragma GCC unroll 8
      for (int v = 0; v < width; ++v) square[v] += square[v + width];
    }
    store_partial(to + i, square[0], left);
  }
}

// The sums of each part to `to` (parts, terms, outputs).
template <class T>
void sum_in_lanes(const LaneWeights<T>& pass, T* to) {
  const std::int64_t outputs = pass.y.channels;
  const std::int64_t weights =
      pass.x.down.elements * pass.x.across.elements * pass.x.channels * outputs;
  const Strips strips(pass.x.batch, pass.x.down.places, pass.choice.rows);
  auto part = [&](std::int64_t number) {
    T* const sums = static_cast<T*>(thread_scratch());
    clear_run(sums, weights * kLanes<T>);
    const std::int64_t end = smaller((number + 1) * pass.groups_in_part, strips.groups<T>());
    for (std::int64_t group = number * pass.groups_in_part; group < end; ++group) {
      const GroupStrips<T> mine(strips, group);
      LaneBuffer seen(pass.x, strips, 0), gradient(pass.y, strips, 0);
      T* const x = sums + weights * kLanes<T>;
      T* const y = x + seen.down * seen.row_vectors() * kLanes<T>;
      strips_in(pass.x, mine, seen, x);
      strips_in(pass.y, mine, gradient, y);
      std::int64_t rows = strips.rows;  // beyond the images there may be rows of no lane
      while (rows > 0 && gradient.empty[rows - 1] != 0) --rows;
      add_group(pass.x, seen, x, y, gradient.row_vectors() * kLanes<T>, outputs, rows, sums);
    }
    add_lanes(sums, weights, to + number * weights);
  };
  parallel_chunks(pass.parts, part);
}

}  // namespace
}  // namespace ictus::ICTUS_LEVEL
