// The gradient of a convolution's weights from lines of places (line_product.h): for each element
// of the window the product of (channels, places) and (places, outputs). A chunk's pixels and
// gradients are copied once; every tile then sums over all places of the chunk in registers.
//
// Chunks are cut into parts, by the shape alone; each sums for itself, chunk after chunk.
#pragma once

#include "kernels/detail/line_product.h"

namespace ictus::ICTUS_LEVEL {
namespace {

// acc (R, V vectors) = the sum over places of A(i) * B(j): lines of places, A at a + line * a_line
// + place * a_place + i, B packed, one place after the other.
template <class T, int R, int V>
void line_sums(std::int64_t lines, std::int64_t places, const T* a, std::int64_t a_line,
               std::int64_t a_place, const T* b, const TileTarget<T>& target) {
  Vector<T> acc[R][V] = {};
  for (std::int64_t line = 0; line < lines; ++line, a += a_line) {
    const T* left = a;
    for (std::int64_t p = 0; p < places; ++p, left += a_place, b += kTileColumns<T>) {
      Vector<T> right[V];
#pragma GCC unroll 4
      for (int v = 0; v < V; ++v) right[v] = load(b + v * kLanes<T>);
#pragma GCC unroll 16
      for (int i = 0; i < R; ++i) {
        const T value = left[i];
#pragma GCC unroll 4
        for (int v = 0; v < V; ++v) acc[i][v] += value * right[v];
      }
    }
  }
#pragma GCC unroll 16
  for (int i = 0; i < R; ++i) store_row<T, V, false>(target, i, acc[i]);
}

template <class T>
using LineSums = void (*)(std::int64_t lines, std::int64_t places, const T* a, std::int64_t a_line,
                          std::int64_t a_place, const T* b, const TileTarget<T>& target);
template <class T, int R = kTileRows>
inline LineSums<T> line_sums_function(int rows, int vectors) {
  if constexpr (R == 0) {
    return nullptr;
  } else {
    if (rows != R) return line_sums_function<T, R - 1>(rows, vectors);
    return vectors == 1 ? line_sums<T, R, 1> : line_sums<T, R, 2>;
  }
}

template <class T>
struct LineGradient {
  Windows<T> windows;
  const T* y_gradient;
  std::int64_t outputs, y_pixel_stride;
  LineCuts<T> cuts;
  std::int64_t chunks, parts, chunks_in_part;
  std::int64_t inner, row, sums;  // rows of a part's sums, their length, elements of the sums

  LineGradient(const Windows<T>& w, const T* y, std::int64_t columns, std::int64_t y_stride)
      : windows(w),
        y_gradient(y),
        outputs(columns),
        y_pixel_stride(y_stride),
        cuts(w, kMostPlaces),
        chunks(w.batch * cuts.line_groups * cuts.segments),
        inner(w.down.elements * w.across.elements * w.channels),
        row(row_length<T>(columns)),
        sums(inner * row) {
    constexpr std::int64_t kMostParts = 16, kMostElements = 8 << 20;
    for (parts = 1; parts < kMostParts && 4 * parts <= chunks;) {
      if (2 * parts * sums > kMostElements) break;
      parts *= 2;
    }
    chunks_in_part = ceil_div(larger(1, chunks), parts);
  }
  // Places of a chunk: so many that a panel of their gradients stays in the level-1 cache.
  static constexpr std::int64_t kMostPlaces = 256;

  bool pays() const {
    constexpr std::int64_t kFewestPlaces = 6, kMostOutputs = 2048;
    const std::int64_t bytes = cuts.buffer() * static_cast<std::int64_t>(sizeof(T));
    const LineRuns runs = line_runs(windows, cuts);
    return chunks > 0 && windows.across.places >= kFewestPlaces && outputs >= kLanes<T> &&
           outputs <= kMostOutputs && bytes <= kLinesRoom && runs.length >= kShortestLineRun &&
           runs.count <= kMostLineRuns;
  }
};

// Adds what one chunk of places gives, or begins with it.
template <class T>
void sum_chunk(const LineGradient<T>& g, const LineRuns& runs, std::int64_t chunk, T beta,
               T* sums) {
  constexpr std::int64_t tile = kTileColumns<T>;
  const Windows<T>& w = g.windows;
  const LineCuts<T>& cuts = g.cuts;
  T* const buffer = static_cast<T*>(thread_scratch());
  T* const right = buffer + kLinesRoom / static_cast<std::int64_t>(sizeof(T));
  const std::int64_t place = chunk % cuts.segments * cuts.segment, group = chunk / cuts.segments;
  const std::int64_t image = group / cuts.line_groups, line = group % cuts.line_groups * cuts.lines;
  const std::int64_t lines = smaller(cuts.lines, w.down.places - line);
  const std::int64_t places = smaller(cuts.segment, w.across.places - place);
  copy_lines(w, cuts, image, line, place, buffer);
  for (std::int64_t j = 0; j < g.outputs; j += tile) {
    for (std::int64_t i = 0; i < lines; ++i) {
      const std::int64_t at = (image * w.down.places + line + i) * w.across.places + place;
      pack_right(g.y_gradient + at * g.y_pixel_stride + j, g.y_pixel_stride, 1,
                 static_cast<int>(smaller(g.outputs - j, tile)), places, right + i * places * tile);
    }
    const int vectors = g.outputs - j > kLanes<T> ? 2 : 1;
    const std::int64_t panel = even_part(runs.length, kTileRows, 1);
    for (std::int64_t r = 0; r < runs.count; ++r) {
      for (std::int64_t c = 0; c < runs.length; c += panel) {
        T* const to = sums + (r * runs.length + c) * g.row + j;
        line_sums_function<T>(static_cast<int>(smaller(runs.length - c, panel)), vectors)(
            lines, places, buffer + runs.at[r] + c, w.down.stride * cuts.seen_across * cuts.pixel,
            w.across.stride * cuts.pixel, right,
            {to, g.row, to, g.row, T(1), beta, kLanes<T>, nullptr});
      }
    }
  }
}

// weights (inner, outputs) = the sum, `beta` times what is there added. `sums`: of all parts.
template <class T>
void sum_lines(const LineGradient<T>& g, T* sums, T beta, T* weights, std::int64_t row_stride) {
  const LineRuns runs = line_runs(g.windows, g.cuts);
  auto part = [&](std::int64_t number) {
    const std::int64_t begin = number * g.chunks_in_part;
    const std::int64_t end = smaller(g.chunks, begin + g.chunks_in_part);
    for (std::int64_t chunk = begin; chunk < end; ++chunk) {
      sum_chunk(g, runs, chunk, chunk == begin ? T(0) : T(1), sums + number * g.sums);
    }
  };
  const std::int64_t used = ceil_div(g.chunks, g.chunks_in_part);
  parallel_chunks(used, part);
  parallel_ranges(g.inner, 32, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t k = begin; k < end; ++k) {
      for_vectors<T>(0, g.outputs, [&](std::int64_t o, auto access) {
        Vector<T> sum = {};
        for (std::int64_t p = 0; p < used; ++p) sum += load(sums + p * g.sums + k * g.row + o);
        T* const to = weights + k * row_stride + o;
        if (beta != T(0)) sum += beta * access.read(to);
        access.write(to, sum);
      });
    }
  });
}

}  // namespace
}  // namespace ictus::ICTUS_LEVEL
