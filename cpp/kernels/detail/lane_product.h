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
  LaneTiles tiles;
  std::int64_t spare;  // places beyond the last that a tile may compute

  explicit LanePass(const GemmArguments<T>& given)
      : g(given),
        w(*given.a_windows),
        tiles(given.columns, given.a_windows->across.places),
        spare(ceil_div(w.across.places, tiles.places) * tiles.places - w.across.places) {}

  double row_work() const {
    return 0.5 * static_cast<double>((w.across.places + spare) * g.columns * g.inner);
  }
  std::int64_t row_vectors() const { return (w.across.places + spare) * g.columns; }
  // How to cut into strips of a multiple of `unit` rows; rows == 0: this way is not possible, or
  // does not pay.
  StripChoice strips(std::int64_t unit = 1) const {
    constexpr std::int64_t kMostColumns = 40;
    const std::int64_t runs = w.down.elements * (w.across.dilation == 1 ? 1 : w.across.elements);
    if (g.columns < 1 || g.columns > kMostColumns || g.rows < 1 || runs > kMostRuns ||
        row_vectors() * unit * kVectorBytes > (1 << 20)) {
      return {};
    }
    const StripChoice choice = choose_strips(w, row_work(), 0, spare, unit);
    // The other way: vectors of columns, and each place's window copied.
    const double other =
        static_cast<double>(g.rows) * static_cast<double>(g.inner) *
        (0.55 * static_cast<double>(ceil_div(g.columns, kLanes<T>)) + 2.0 / kLanes<T> +
         4.0 / static_cast<double>(w.across.elements * w.channels));
    return choice.cost > other ? StripChoice{} : choice;
  }
};

// The runs that the places of row i see: not those of empty rows.
template <class T>
inline std::int64_t lane_runs(const Windows<T>& w, const LaneBuffer& buffer, std::int64_t i,
                              LaneRun* runs) {
  const bool joined = w.across.dilation == 1;
  const std::int64_t pieces = joined ? 1 : w.across.elements;
  std::int64_t count = 0;
  for (std::int64_t a = 0; a < w.down.elements; ++a) {
    const std::int64_t row = i * w.down.stride + a * w.down.dilation;
    if (buffer.empty[row] != 0) continue;
    for (std::int64_t b = 0; b < pieces; ++b) {
      runs[count++] = {(row * buffer.across + b * w.across.dilation) * w.channels * kLanes<T>,
                       (a * w.across.elements + b) * w.channels};
    }
  }
  return count;
}

// Row i of a group's places, to y (places, outputs, lanes).
template <class T>
inline void lane_product_row(const LanePass<T>& pass, const LaneBuffer& buffer, const T* x,
                             std::int64_t i, T* y) {
  const Windows<T>& w = pass.w;
  const GemmArguments<T>& g = pass.g;
  LaneRun runs[kMostRuns];
  LaneTile<T> tile;
  tile.runs = runs;
  tile.run_count = lane_runs(w, buffer, i, runs);
  tile.run_length = (w.across.dilation == 1 ? w.across.elements : 1) * w.channels;
  tile.x_step = w.across.stride * w.channels * kLanes<T>;
  tile.w_stride = g.b_row_stride;
  tile.y_step = g.columns * kLanes<T>;
  const T* const bias = g.epilogue == nullptr ? nullptr : g.epilogue->bias;
  for (std::int64_t o = 0; o < g.columns; o += pass.tiles.outputs) {
    const auto outputs = static_cast<int>(smaller(g.columns - o, pass.tiles.outputs));
    const LaneTileFunction<T> multiply_tile = lane_tile_function<T>(outputs, pass.tiles.places);
    tile.w = g.b + o;
    tile.bias = bias == nullptr ? nullptr : bias + o;
    for (std::int64_t j = 0; j < w.across.places; j += pass.tiles.places) {
      tile.x = x + j * tile.x_step;
      tile.y = y + j * tile.y_step + o * kLanes<T>;
      multiply_tile(tile);
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
    LaneBuffer buffer(pass.w, strips, pass.spare);
    T* const y = static_cast<T*>(thread_scratch());
    T* const x = y + pass.row_vectors() * kLanes<T>;
    strips_in(pass.w, mine, buffer, x);
    for (std::int64_t i = 0; i < strips.rows; ++i) {
      lane_product_row(pass, buffer, x, i, y);
      finish_lane_row(pass, mine, i, y);
    }
  };
  parallel_chunks(strips.groups<T>(), group);
}

// Multiplies where this way pays, and says whether it did.
template <class T>
bool multiply_in_lanes(const GemmArguments<T>& g) {
  const LanePass<T> pass(g);
  const StripChoice strips = pass.strips();
  if (strips.rows == 0) return false;
  lane_product(pass, strips.rows);
  return true;
}

}  // namespace
}  // namespace ictus::ICTUS_LEVEL
