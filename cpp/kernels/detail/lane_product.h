// The product of what a window sees with few columns, in the layout of image_lanes.h: a vector is
// one channel at one position of kLanes strips, so a weight is one broadcast scalar, and nothing is
// packed but the images, once.
//
//     y(i, j, o) = bias(o) + sum over a, b, c of  buffer(i * stride + a * dilation, .., c) * w(a,
//     b, c, o)
#pragma once

#include "ictus/gemm.h"
#include "kernels/detail/cuts.h"
#include "kernels/detail/epilogue.h"
#include "kernels/detail/image_lanes.h"
#include "kernels/detail/lane_pairs.h"
#include "kernels/detail/parallel.h"

namespace ictus::ICTUS_LEVEL {
namespace {

// A stretch of the sum that is contiguous in the buffer and in the weights' rows.
struct LaneRun {
  std::int64_t x;  // elements from the place's corner
  std::int64_t w;  // row of the weights
};
constexpr std::int64_t kMostRuns = 128;

constexpr int kLaneOutputs = kVectorRegisters == 32 ? 14 : 6;
constexpr int kLanePlaces = 6;
// Places of a register tile of some outputs: accumulators beside a vector for each place and a
// weight.
constexpr int lane_places(int outputs) {
  const int fit = (kVectorRegisters - 1) / (outputs + 1);
  return fit < kLanePlaces ? fit : kLanePlaces;
}

template <class T>
struct LaneTile {
  const LaneRun* runs;
  std::int64_t run_count, run_length;
  const T* x;           // the first place's corner
  std::int64_t x_step;  // elements from place to place
  const T* w;
  std::int64_t w_stride;
  const T* bias;  // nullptr: none
  T* y;
  std::int64_t y_step;
};

// O outputs at V neighbouring places.
template <class T, int O, int V>
void lane_tile(const LaneTile<T>& t) {
  constexpr int lanes = kLanes<T>;
  Vector<T> acc[O][V];
#pragma GCC unroll 16
  for (int o = 0; o < O; ++o) {
    const Vector<T> bias = t.bias == nullptr ? Vector<T>{} : broadcast<T>(t.bias[o]);
#pragma GCC unroll 8
    for (int v = 0; v < V; ++v) acc[o][v] = bias;
  }
  for (std::int64_t r = 0; r < t.run_count; ++r) {
    const T* x = t.x + t.runs[r].x;
    const T* w = t.w + t.runs[r].w * t.w_stride;
    for (std::int64_t k = 0; k < t.run_length; ++k, x += lanes, w += t.w_stride) {
      Vector<T> seen[V];
#pragma GCC unroll 8
      for (int v = 0; v < V; ++v) seen[v] = load(x + v * t.x_step);
#pragma GCC unroll 16
      for (int o = 0; o < O; ++o) {
        const T weight = w[o];
#pragma GCC unroll 8
        for (int v = 0; v < V; ++v) acc[o][v] += weight * seen[v];
      }
    }
  }
#pragma GCC unroll 8
  for (int v = 0; v < V; ++v) {
#pragma GCC unroll 16
    for (int o = 0; o < O; ++o) store(t.y + v * t.y_step + o * lanes, acc[o][v]);
  }
}

template <class T>
using LaneTileFunction = void (*)(const LaneTile<T>& tile);

template <class T, int O = kLaneOutputs, int V = lane_places(O)>
inline LaneTileFunction<T> lane_tile_function(int outputs, int places) {
  if constexpr (O == 0) {
    return nullptr;
  } else if constexpr (V == 0) {
    return nullptr;
  } else {
    if (outputs != O) return lane_tile_function<T, O - 1>(outputs, places);
    if (places != V) return lane_tile_function<T, O, V - 1>(outputs, places);
    return lane_tile<T, O, V>;
  }
}

// How outputs and places are cut into register tiles.
struct LaneTiles {
  int outputs, places;

  LaneTiles(std::int64_t all_outputs, std::int64_t all_places) {
    outputs = static_cast<int>(even_part(all_outputs, kLaneOutputs, 1));
    places = 1;
    double best = 0;
    for (int v = 1; v <= lane_places(outputs); ++v) {
      // Fewer than eight accumulators wait for each other.
      const int work = outputs * v < 8 ? 8 : outputs * v;
      const double cost = static_cast<double>((all_places + v - 1) / v) * (work + 2);
      if (v == 1 || cost <= best) {
        best = cost;
        places = v;
      }
    }
  }
};

// One pass over images.
template <class T>
struct LanePass {
  const GemmArguments<T>& g;
  const Windows<T>& w;
  bool paired;  // two neighbouring places at a time, by lane_pairs.h
  LaneTiles tiles;
  std::int64_t spare;  // places beyond the last that a tile may compute

  // `pairs`: whether pairs are taken.
  LanePass(const GemmArguments<T>& given, bool pairs)
      : g(given),
        w(*given.a_windows),
        paired(pairs),
        tiles(g.columns, paired ? (w.across.places + 1) / 2 : w.across.places) {
    const std::int64_t step = tiles.places * (paired ? 2 : 1);
    spare = ceil_div(w.across.places, step) * step - w.across.places;
  }

  // Places of the tiles of a row.
  std::int64_t places() const { return w.across.places + spare; }
  // The buffer's positions across, and vectors of each.
  std::int64_t across() const { return paired ? places() / 2 : LaneBuffer::positions(w, spare); }
  std::int64_t vectors() const { return paired ? 4 * w.channels : w.channels; }
  double row_work() const {
    const auto products = static_cast<double>(places() * g.columns * g.inner);
    return paired ? products / 3.0 + 4.0 * static_cast<double>(row_vectors()) : products / 2.0;
  }
  std::int64_t row_vectors() const { return places() * g.columns; }
  // How to cut into strips of a multiple of `unit` rows; rows == 0: this way is not possible, or
  // does not pay.
  StripChoice strips(std::int64_t unit = 1) const {
    constexpr std::int64_t kMostColumns = 40;
    const std::int64_t runs = w.down.elements * (w.across.dilation == 1 ? 1 : w.across.elements);
    if (g.columns < 1 || g.columns > kMostColumns || g.rows < 1 || runs > kMostRuns ||
        row_vectors() * unit * kVectorBytes > (1 << 20) || g.inner * g.columns > (1 << 16)) {
      return {};
    }
    const StripChoice choice = choose_strips(w, row_work(), across() * vectors(), 0, unit);
    // The other way: vectors of columns, and each place's window copied.
    const double other =
        static_cast<double>(g.rows) * static_cast<double>(g.inner) *
        (0.55 * static_cast<double>(ceil_div(g.columns, kLanes<T>)) + 2.0 / kLanes<T> +
         4.0 / static_cast<double>(w.across.elements * w.channels));
    return choice.cost > other ? StripChoice{} : choice;
  }
};

// The cheaper of the ways to pass over images in lanes, and how to cut; strips.rows == 0: neither.
template <class T>
struct LaneChoice {
  LanePass<T> pass;
  StripChoice strips;

  LaneChoice(const GemmArguments<T>& g, bool pairs, std::int64_t unit = 1)
      : pass(g, false), strips(pass.strips(unit)) {
    constexpr double kGain = 0.9;  // their buffers are twice as large
    if (!pairs || strips.rows == 0 || !can_be_paired(pass.w)) return;
    const LanePass<T> other(g, true);
    const StripChoice cut = other.strips(unit);
    if (cut.rows == 0 || cut.cost > kGain * strips.cost) return;
    pass.paired = true;
    pass.tiles = other.tiles;
    pass.spare = other.spare;
    strips = cut;
  }
};

// What the rows of a group's places are made of.
template <class T>
struct LaneRoom {
  LaneBuffer buffer;
  T* x;         // the buffer
  T* weights;   // transformed, where places are paired
  T* products;  // of a tile of pairs
};

template <class T>
inline std::int64_t whole_vectors(std::int64_t elements) {
  return ceil_div(elements, kLanes<T>) * kLanes<T>;
}

// Lays a group's buffer out in `scratch`.
template <class T>
inline LaneRoom<T> fill_room(const LanePass<T>& pass, const Strips& strips,
                             const GroupStrips<T>& mine, T* scratch) {
  const Windows<T>& w = pass.w;
  const GemmArguments<T>& g = pass.g;
  LaneRoom<T> room = {LaneBuffer(w, strips, pass.across(), pass.vectors()), scratch, nullptr,
                      nullptr};
  if (!pass.paired) {
    strips_in(w, mine, room.buffer, room.x);
    return room;
  }
  room.weights = scratch;
  room.products = room.weights + whole_vectors<T>(4 * (g.inner / 3) * g.columns);
  T* const row = room.products + 4 * pass.tiles.places * pass.tiles.outputs * kLanes<T>;
  room.x = row + (pass.places() + 2) * w.channels * kLanes<T>;
  pair_weights(g.b, g.b_row_stride, w.down.elements, w.channels, g.columns, room.weights);
  strips_in(w, mine, room.buffer, room.x, [&](const T* const* rows, T* to) {
    lane_row_in(w, rows, pass.places() + 2, row);
    pair_row(row, pass.places() / 2, w.channels, to);
  });
  return room;
}

// The runs that the places of row i see: not those of empty rows.
template <class T>
inline std::int64_t lane_runs(const LanePass<T>& pass, const LaneBuffer& buffer, std::int64_t i,
                              LaneRun* runs) {
  const Windows<T>& w = pass.w;
  const std::int64_t pieces = w.across.dilation == 1 ? 1 : w.across.elements;
  const std::int64_t elements = pass.paired ? 1 : w.across.elements;
  std::int64_t count = 0;
  for (std::int64_t a = 0; a < w.down.elements; ++a) {
    const std::int64_t row = i * w.down.stride + a * w.down.dilation;
    if (buffer.empty[row] != 0) continue;
    for (std::int64_t b = 0; b < pieces; ++b) {
      const std::int64_t at = row * buffer.row_vectors() + b * w.across.dilation * w.channels;
      runs[count++] = {at * kLanes<T>, (a * elements + b) * w.channels};
    }
  }
  return count;
}

// Row i of a group's places, to y (places, outputs, lanes).
template <class T>
inline void lane_product_row(const LanePass<T>& pass, const LaneRoom<T>& room, std::int64_t i,
                             T* y) {
  constexpr int lanes = kLanes<T>;
  const Windows<T>& w = pass.w;
  const GemmArguments<T>& g = pass.g;
  LaneRun runs[kMostRuns];
  LaneTile<T> tile;
  tile.runs = runs;
  tile.run_count = lane_runs(pass, room.buffer, i, runs);
  const bool joined = w.across.dilation == 1 && !pass.paired;
  tile.run_length = (joined ? w.across.elements : 1) * w.channels;
  const std::int64_t y_step = g.columns * lanes;
  const T* const bias = g.epilogue == nullptr ? nullptr : g.epilogue->bias;
  const std::int64_t tiles = pass.places() / (pass.tiles.places * (pass.paired ? 2 : 1));
  for (std::int64_t o = 0; o < g.columns; o += pass.tiles.outputs) {
    const auto outputs = static_cast<int>(smaller(g.columns - o, pass.tiles.outputs));
    const LaneTileFunction<T> multiply_tile = lane_tile_function<T>(outputs, pass.tiles.places);
    const T* const bias_here = bias == nullptr ? nullptr : bias + o;
    for (std::int64_t j = 0; j < tiles; ++j) {
      const std::int64_t place = j * pass.tiles.places;
      if (!pass.paired) {
        tile.x_step = w.across.stride * w.channels * lanes;
        tile.x = room.x + place * tile.x_step;
        tile.w = g.b + o;
        tile.w_stride = g.b_row_stride;
        tile.bias = bias_here;
        tile.y = y + place * y_step + o * lanes;
        tile.y_step = y_step;
        multiply_tile(tile);
        continue;
      }
      tile.x_step = 4 * w.channels * lanes;
      tile.w_stride = g.columns;
      tile.bias = nullptr;
      tile.y_step = outputs * lanes;
      for (std::int64_t e = 0; e < 4; ++e) {
        tile.x = room.x + (place * 4 + e) * w.channels * lanes;
        tile.w = room.weights + e * (g.inner / 3) * g.columns + o;
        tile.y = room.products + e * pass.tiles.places * tile.y_step;
        multiply_tile(tile);
      }
      join_pairs(room.products, pass.tiles.places, outputs, bias_here,
                 y + 2 * place * y_step + o * lanes, y_step);
    }
  }
}

template <class T>
inline void activate_lanes(Activation activation, std::int64_t vectors, T* y) {
  if (activation == Activation::identity) return;
  with_activation(activation, [&](auto tag) {
    for (std::int64_t k = 0; k < vectors * kLanes<T>; k += kLanes<T>) {
      store(y + k, activate<decltype(tag)::value, T>(load(y + k)));
    }
  });
}

// Activates a row's vectors and brings it home.
template <class T>
inline void finish_lane_row(const LanePass<T>& pass, const GroupStrips<T>& strips, std::int64_t i,
                            T* y) {
  const GemmArguments<T>& g = pass.g;
  const std::int64_t places = pass.w.across.places, down = pass.w.down.places;
  Epilogue<T> rest;  // what is not done in lanes
  if (g.epilogue != nullptr) rest = *g.epilogue;
  rest.bias = nullptr;
  if (g.beta == T(0)) {
    activate_lanes(rest.activation, places * g.columns, y);
    rest.activation = Activation::identity;
  }
  T* rows[kLanes<T>];
  strip_rows(strips, i, down, places * g.c_row_stride, g.c, rows);
  if (g.c_row_stride == g.columns) {
    lanes_out(y, places * g.columns, g.beta, rows, 0);
  } else {
    for (std::int64_t j = 0; j < places; ++j) {
      lanes_out(y + j * g.columns * kLanes<T>, g.columns, g.beta, rows, j * g.c_row_stride);
    }
  }
  if (rest.activation == Activation::identity && rest.dropout_rate == T(0) &&
      rest.sampling == Sampling::none) {
    return;
  }
  for (int lane = 0; lane < kLanes<T>; ++lane) {
    if (rows[lane] == nullptr) continue;
    apply_epilogue(rest, rows[lane], g.c_row_stride, (rows[lane] - g.c) / g.c_row_stride, 0,
                   static_cast<int>(places), static_cast<int>(g.columns));
  }
}

// c = epilogue(windows b + beta c).
template <class T>
void lane_product(const LanePass<T>& pass, std::int64_t strip_rows) {
  const Strips strips(pass.w.batch, pass.w.down.places, strip_rows);
  auto group = [&](std::int64_t number) {
    const GroupStrips<T> mine(strips, number);
    T* const y = static_cast<T*>(thread_scratch());
    const LaneRoom<T> room = fill_room(pass, strips, mine, y + pass.row_vectors() * kLanes<T>);
    for (std::int64_t i = 0; i < strips.rows; ++i) {
      lane_product_row(pass, room, i, y);
      finish_lane_row(pass, mine, i, y);
    }
  };
  parallel_chunks(strips.groups<T>(), group);
}

// Multiplies where this way pays, and says whether it did. `pairs`: whether places may be paired.
template <class T>
bool multiply_in_lanes(const GemmArguments<T>& g, bool pairs) {
  const LaneChoice<T> lanes(g, pairs);
  if (lanes.strips.rows == 0) return false;
  lane_product(lanes.pass, lanes.strips.rows);
  return true;
}

}  // namespace
}  // namespace ictus::ICTUS_LEVEL
