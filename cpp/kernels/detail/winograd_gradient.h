// The gradient of a convolution's weights by Winograd's tiles (winograd.h): 36 products of
// matrices, one for each point, of (channels, tiles) and (tiles, outputs).
//
// The tiles are cut into parts, by the shape alone; each sums its products for itself, block after
// block of tiles (longer ones than stay in the level-2 cache: the sums are read and written once a
// block), and the sums of the parts are added in their order
// on the way back from the points to the window.
#pragma once

#include "kernels/detail/winograd_convolution.h"

namespace ictus::ICTUS_LEVEL {
namespace {

// Bytes of a block's two operands.
constexpr std::int64_t kGradientTilesBytes = 2 << 20;

template <class T>
struct WinogradGradient {
  Windows<T> windows;  // stride and dilation 1; `first_row` is not used
  const T* y_gradient;
  std::int64_t outputs, y_pixel_stride;
  T* sums;  // of the parts
  T beta;
  T* weights;  // (window, channels, outputs)
  std::int64_t weights_row_stride;
};

// Parts of the tiles.
template <class T, int R>
struct TileParts {
  Tiling tiling;
  std::int64_t count, tiles;  // tiles of one part
  std::int64_t row, sums;     // a row of sums, and those of a part
  TileParts(std::int64_t batch, const WindowAxis& down, const WindowAxis& across,
            std::int64_t channels, std::int64_t outputs)
      : tiling(batch, down.places, across.places, kTile + 1 - R),
        row(row_length<T>(outputs)),
        sums(kElements * channels * row) {
    constexpr std::int64_t kFewestTiles = 128, kMostParts = 8, kMostElements = 8 << 20;
    for (count = 1; count < kMostParts; count *= 2) {
      if (2 * count * kFewestTiles > tiling.count || 2 * count * sums > kMostElements) break;
    }
    tiles = ceil_div(tiling.count, count);
  }
};

// sums (channels, outputs) += left (tiles, channels)^T * right (tiles, outputs)
template <class T>
void multiply_transposed(std::int64_t tiles, std::int64_t channels, std::int64_t outputs,
                         const T* left, std::int64_t left_row, const T* right,
                         std::int64_t right_row, T beta, T* sums) {
  const std::int64_t panel_rows = even_part(channels, kTileRows, 1);
  for (std::int64_t j = 0; j < outputs; j += kTileColumns<T>) {
    const int vectors = outputs - j > kLanes<T> ? 2 : 1;
    for (std::int64_t c = 0; c < channels; c += panel_rows) {
      T* const to = sums + c * right_row + j;
      const TileTarget<T> target = {to, right_row, to, right_row, T(1), beta, kLanes<T>, nullptr};
      const int rows = static_cast<int>(smaller(channels - c, panel_rows));
      tile_function<T, LeftLayout::transposed>(rows, vectors)(tiles, left + c, left_row, right + j,
                                                              right_row, target);
    }
  }
}

template <class T, int R>
void sum_part(const WinogradGradient<T>& g, const TileParts<T, R>& parts, std::int64_t number) {
  constexpr int kResults = kTile + 1 - R;
  const Windows<T>& w = g.windows;
  const std::int64_t begin = number * parts.tiles;
  const std::int64_t end = smaller(parts.tiling.count, begin + parts.tiles);
  const std::int64_t left_row = row_length<T>(w.channels), right_row = parts.row;
  const std::int64_t tile_bytes =
      kElements * (left_row + right_row) * static_cast<std::int64_t>(sizeof(T));
  const std::int64_t block = even_part(end - begin, larger(1, kGradientTilesBytes / tile_bytes), 1);
  const std::int64_t left_stride = matrix_stride<T>(block, left_row);
  const std::int64_t right_stride = matrix_stride<T>(block, right_row);
  T* const left = static_cast<T*>(thread_scratch());
  T* const right = left + kElements * left_stride;
  T* const sums = g.sums + number * parts.sums;
  for (std::int64_t first = begin; first < end; first += block) {
    const std::int64_t tiles = smaller(end - first, block);
    for (std::int64_t t = 0; t < tiles; ++t) {
      const TilePlace place(parts.tiling, first + t);
      const std::int64_t i = place.down * kResults, j = place.across * kResults;
      transform_square<T, kTile, kResults>(
          DataPoints<T>{}, w.images,
          Square(place.image, i - w.down.padding, j - w.across.padding, kTile, w.down.size,
                 w.across.size, w.pixel_stride),
          w.channels, left + t * left_row, left_stride);
      transform_square<T, kResults, kResults>(
          Evaluate<T, kResults>{}, g.y_gradient,
          Square(place.image, i, j, kResults, w.down.places, w.across.places, g.y_pixel_stride),
          g.outputs, right + t * right_row, right_stride);
    }
    for (int e = 0; e < kElements; ++e) {
      multiply_transposed(tiles, w.channels, g.outputs, left + e * left_stride, left_row,
                          right + e * right_stride, right_row, first == begin ? T(0) : T(1),
                          sums + e * w.channels * right_row);
    }
  }
}

template <class T, int R>
void winograd_weights_gradient(const WinogradGradient<T>& g) {
  const Windows<T>& w = g.windows;
  const TileParts<T, R> parts(w.batch, w.down, w.across, w.channels, g.outputs);
  if (parts.tiling.count > 0) {
    auto part = [&](std::int64_t number) { sum_part<T, R>(g, parts, number); };
    parallel_chunks(parts.count, part);
  }
  const std::int64_t used = parts.tiling.count > 0 ? parts.count : 0;
  const std::int64_t point = w.channels * parts.row;
  parallel_ranges(w.channels, 4, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t c = begin; c < end; ++c) {
      for_vectors<T>(0, g.outputs, [&](std::int64_t o, auto access) {
        along_both<T, kTile, R>(
            [](const Vector<T>* v, Vector<T>* p) {
              Vector<T> scaled[kTile];
#pragma GCC unroll 6
              for (int i = 0; i < kTile; ++i) scaled[i] = v[i];
              scale_points<T>(scaled);
              Powers<T, R>{}(scaled, p);
            },
            [&](int i, int j) {
              Vector<T> sum = {};
              const T* from = g.sums + (i * kTile + j) * point + c * parts.row + o;
              for (std::int64_t p = 0; p < used; ++p, from += parts.sums) sum += load(from);
              return sum;
            },
            [&](int i, int j, Vector<T> v) {
              T* const to = g.weights + ((i * R + j) * w.channels + c) * g.weights_row_stride + o;
              if (g.beta != T(0)) v += g.beta * access.read(to);
              access.write(to, v);
            });
      });
    }
  });
}

}  // namespace
}  // namespace ictus::ICTUS_LEVEL
