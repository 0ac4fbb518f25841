// What a window sees times a matrix, for lines of some places: a chunk copies the image's lines
// that it needs once, with the zeros around them, and register tiles read their rows of A from
// there, wherever the window is. (gemm copies each pixel once for each element of the window.)
//
// A tile's rows are places side by side, so one distance leads from row to row. Elements of the
// window are runs of A: one each, or all of a line of the window where they touch.
#pragma once

#include "core/memory.h"
#include "ictus/gemm.h"
#include "kernels/detail/cache_rows.h"
#include "kernels/detail/cuts.h"
#include "kernels/detail/epilogue.h"
#include "kernels/detail/pack_windows.h"
#include "kernels/detail/parallel.h"
#include "kernels/detail/rows.h"

namespace ictus::ICTUS_LEVEL {
namespace {

constexpr std::int64_t kMostLineRuns = 128, kShortestLineRun = 8;
// Scratch: a chunk's lines, and behind them the packed block of B.
constexpr std::int64_t kLinesBytes = 192 << 10, kLinesRoom = 2 << 20;
constexpr std::int64_t kLinesBlockBytes = 3 << 20;
static_assert(kLinesRoom + kLinesBlockBytes <= static_cast<std::int64_t>(kScratchBytes));

// The runs of A: where they begin, seen from a tile's first place.
struct LineRuns {
  std::int64_t count, length;
  std::int64_t at[kMostLineRuns];
};

// acc (R, V vectors) = the sum over runs r and p of A(i, r, p) * B(r * length + p, j), with A at
// a + i * a_stride + at[r] + p and packed B.
template <class T, int R, int V>
void line_tile(const LineRuns& runs, const T* a, std::int64_t a_stride, const T* b,
               const TileTarget<T>& target) {
  Vector<T> acc[R][V] = {};
  for (std::int64_t r = 0; r < runs.count; ++r) {
    const T* const left = a + runs.at[r];
    for (std::int64_t p = 0; p < runs.length; ++p, b += kTileColumns<T>) {
      Vector<T> right[V];
#pragma GCC unroll 4
      for (int v = 0; v < V; ++v) right[v] = load(b + v * kLanes<T>);
#pragma GCC unroll 16
      for (int i = 0; i < R; ++i) {
        const T value = left[i * a_stride + p];
#pragma GCC unroll 4
        for (int v = 0; v < V; ++v) acc[i][v] += value * right[v];
      }
    }
  }
  if (target.last_lanes == kLanes<T>) {
#pragma GCC unroll 16
    for (int i = 0; i < R; ++i) store_row<T, V, false>(target, i, acc[i]);
  } else {
#pragma GCC unroll 16
    for (int i = 0; i < R; ++i) store_row<T, V, true>(target, i, acc[i]);
  }
}

template <class T>
using LineTile = void (*)(const LineRuns& runs, const T* a, std::int64_t a_stride, const T* b,
                          const TileTarget<T>& target);
template <class T, int R = kTileRows>
inline LineTile<T> line_tile_function(int rows, int vectors) {
  if constexpr (R == 0) {
    return nullptr;
  } else {
    if (rows != R) return line_tile_function<T, R - 1>(rows, vectors);
    return vectors == 1 ? line_tile<T, R, 1> : line_tile<T, R, 2>;
  }
}

// How the places of a window are cut: a chunk is some lines of places of one image, or, where those
// are long, some places of one.
template <class T>
struct LineCuts {
  std::int64_t panel;           // places of a tile
  std::int64_t lines, segment;  // places of a chunk, down and across
  std::int64_t line_groups, segments;
  std::int64_t seen_down, seen_across, pixel;  // pixels of a chunk's buffer, and their distance

  // A chunk has at most `most` places, or one line of a segment.
  explicit LineCuts(const Windows<T>& w, std::int64_t most) {
    constexpr std::int64_t kFewestChunks = 16;
    // Pixels touch, unless they would be a power of two apart and share few cache sets.
    const bool apart = w.channels * static_cast<std::int64_t>(sizeof(T)) % 2048 == 0;
    pixel = larger(1, apart ? row_length<T>(w.channels) : w.channels);
    panel = even_part(w.across.places, kTileRows, 1);
    const std::int64_t pixel_bytes = pixel * static_cast<std::int64_t>(sizeof(T));
    const std::int64_t fitting =
        larger(1, smaller(most, kLinesBytes / 4 / (pixel_bytes * w.across.stride)));
    segment = even_part(w.across.places, larger(1, fitting / panel) * panel, panel);
    segments = ceil_div(w.across.places, segment);
    seen_across = (segment - 1) * w.across.stride + reach(w.across);
    const std::int64_t rows = kLinesBytes / (pixel_bytes * seen_across) - reach(w.down);
    const std::int64_t share = ceil_div(w.batch * w.down.places * segments, kFewestChunks);
    lines = smaller(smaller(rows / w.down.stride + 1, share), most / segment);
    lines = even_part(w.down.places, larger(1, lines), 1);
    line_groups = ceil_div(w.down.places, lines);
    seen_down = (lines - 1) * w.down.stride + reach(w.down);
  }
  static std::int64_t reach(const WindowAxis& axis) {
    return (axis.elements - 1) * axis.dilation + 1;
  }
  std::int64_t buffer() const { return seen_down * seen_across * pixel; }
};

template <class T>
LineRuns line_runs(const Windows<T>& w, const LineCuts<T>& cuts) {
  const bool touching = w.across.dilation == 1 && cuts.pixel == w.channels;
  const std::int64_t across = touching ? 1 : w.across.elements;
  LineRuns runs;
  runs.count = w.down.elements * across;
  runs.length = touching ? w.across.elements * w.channels : w.channels;
  for (std::int64_t r = 0; r < runs.count && r < kMostLineRuns; ++r) {
    const std::int64_t down = r / across * w.down.dilation, right = r % across * w.across.dilation;
    runs.at[r] = (down * cuts.seen_across + right) * cuts.pixel;
  }
  return runs;
}

// Copies the pixels that the places [line, ..) x [place, ..) of an image see.
template <class T>
void copy_lines(const Windows<T>& w, const LineCuts<T>& cuts, std::int64_t image, std::int64_t line,
                std::int64_t place, T* buffer) {
  const std::int64_t left = place * w.across.stride - w.across.padding;
  const std::int64_t begin = left < 0 ? smaller(-left, cuts.seen_across) : 0;
  const std::int64_t end = larger(begin, smaller(cuts.seen_across, w.across.size - left));
  for (std::int64_t i = 0; i < cuts.seen_down; ++i, buffer += cuts.seen_across * cuts.pixel) {
    const std::int64_t row = line * w.down.stride - w.down.padding + i;
    if (row < 0 || row >= w.down.size) {
      clear_run(buffer, cuts.seen_across * cuts.pixel);
      continue;
    }
    clear_run(buffer, begin * cuts.pixel);
    const T* const from =
        w.images + ((image * w.down.size + row) * w.across.size + left) * w.pixel_stride;
    if (cuts.pixel == w.channels && w.pixel_stride == w.channels) {
      copy_run(buffer + begin * cuts.pixel, from + begin * cuts.pixel, (end - begin) * cuts.pixel);
    } else {
      for (std::int64_t j = begin; j < end; ++j) {
        copy_run(buffer + j * cuts.pixel, from + j * w.pixel_stride, w.channels);
      }
    }
    clear_run(buffer + end * cuts.pixel, (cuts.seen_across - end) * cuts.pixel);
  }
}

// The columns [column, column + columns) of the product, of the places of one chunk.
template <class T>
void multiply_lines(const GemmArguments<T>& g, const LineCuts<T>& cuts, const LineRuns& runs,
                    std::int64_t chunk, std::int64_t column, std::int64_t columns,
                    const T* packed) {
  constexpr std::int64_t tile = kTileColumns<T>;
  const Windows<T>& w = *g.a_windows;
  T* const buffer = static_cast<T*>(thread_scratch());
  const std::int64_t place = chunk % cuts.segments * cuts.segment, group = chunk / cuts.segments;
  const std::int64_t image = group / cuts.line_groups, line = group % cuts.line_groups * cuts.lines;
  const std::int64_t line_end = smaller(line + cuts.lines, w.down.places);
  const std::int64_t place_end = smaller(place + cuts.segment, w.across.places);
  copy_lines(w, cuts, image, line, place, buffer);
  for (std::int64_t j = 0; j < columns; j += tile) {
    const int width = static_cast<int>(smaller(columns - j, tile));
    const int vectors = width > kLanes<T> ? 2 : 1;
    for (std::int64_t i = line; i < line_end; ++i) {
      const T* const seen = buffer + (i - line) * w.down.stride * cuts.seen_across * cuts.pixel;
      for (std::int64_t p = place; p < place_end; p += cuts.panel) {
        const int rows = static_cast<int>(smaller(place_end - p, cuts.panel));
        const std::int64_t row = (image * w.down.places + i) * w.across.places + p;
        T* const c = g.c + row * g.c_row_stride + column + j;
        line_tile_function<T>(rows, vectors)(runs,
                                             seen + (p - place) * w.across.stride * cuts.pixel,
                                             w.across.stride * cuts.pixel, packed + j * g.inner,
                                             {c, g.c_row_stride, c, g.c_row_stride, T(1), g.beta,
                                              width - (vectors - 1) * kLanes<T>, nullptr});
        if (g.epilogue != nullptr) {
          apply_epilogue(*g.epilogue, c, g.c_row_stride, row, column + j, rows, width);
        }
      }
    }
  }
}

// Multiplies where this way pays, and says whether it did. B has contiguous rows.
template <class T>
bool multiply_in_lines(const GemmArguments<T>& g) {
  constexpr std::int64_t tile = kTileColumns<T>, size = static_cast<std::int64_t>(sizeof(T));
  constexpr std::int64_t kFewestPlaces = 6;
  const Windows<T>& w = *g.a_windows;
  if (g.rows < 1 || g.columns < kLanes<T> || g.inner < 1) return false;
  if (w.across.places < kFewestPlaces) return false;
  const LineCuts<T> cuts(w, g.rows);
  const LineRuns runs = line_runs(w, cuts);
  const std::int64_t block = kLinesBlockBytes / size / g.inner / tile * tile;
  if (runs.length < kShortestLineRun || runs.count > kMostLineRuns || block < tile ||
      cuts.buffer() * size > kLinesRoom)
    return false;
  T* const packed = static_cast<T*>(thread_scratch()) + kLinesRoom / size;
  for (std::int64_t column = 0; column < g.columns; column += block) {
    const std::int64_t columns = smaller(g.columns - column, block);
    parallel_ranges(ceil_div(columns, tile), 1, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t j = begin * tile; j < smaller(end * tile, columns); j += tile) {
        pack_right(g.b + column + j, g.b_row_stride, 1,
                   static_cast<int>(smaller(columns - j, tile)), g.inner, packed + j * g.inner);
      }
    });
    auto chunk = [&](std::int64_t number) {
      multiply_lines(g, cuts, runs, number, column, columns, packed);
    };
    parallel_chunks(w.batch * cuts.line_groups * cuts.segments, chunk);
  }
  return true;
}

}  // namespace
}  // namespace ictus::ICTUS_LEVEL
