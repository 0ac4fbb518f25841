// A convolution of stride 1 by Winograd's tiles (winograd.h): 36 products of matrices, one for each
// point, of (tiles, channels) and (channels, outputs).
//
// The weights are transformed once a call. A block of tiles is a chunk for a thread: its tiles are
// transformed, multiplied and transformed back while they stay in the level-2 cache. The product of
// a point is written where the operand of the point before it was.
#pragma once

#include "core/memory.h"
#include "kernels/detail/cuts.h"
#include "kernels/detail/epilogue.h"
#include "kernels/detail/pack.h"
#include "kernels/detail/parallel.h"
#include "kernels/detail/winograd.h"

namespace ictus::ICTUS_LEVEL {
namespace {

// Bytes of a block's operands.
constexpr std::int64_t kTilesBytes = 512 << 10;

template <class T>
struct WinogradPass {
  Windows<T> windows;  // stride and dilation 1; `first_row` is not used
  const T* weights;    // transformed
  std::int64_t outputs;
  T beta;
  T* y;
  std::int64_t y_pixel_stride;
  const Epilogue<T>* epilogue;  // or nullptr
};

// Elements of transformed weights.
template <class T>
inline std::int64_t winograd_weights(std::int64_t channels, std::int64_t outputs) {
  constexpr std::int64_t tile = kTileColumns<T>;
  return kElements * channels * (ceil_div(outputs, tile) * tile);
}

// Transforms weights: element e of the window has its (channels, outputs) at w + e * element_stride
// and the two other strides. The result is one right operand for each point, in panels.
template <class T, int R>
void transform_weights(const T* w, std::int64_t element_stride, std::int64_t channel_stride,
                       std::int64_t output_stride, std::int64_t channels, std::int64_t outputs,
                       T* transformed) {
  constexpr std::int64_t tile = kTileColumns<T>, kChannels = 64;
  const std::int64_t panels = ceil_div(outputs, tile), parts = ceil_div(channels, kChannels);
  const std::int64_t point = channels * panels * tile;
  auto chunk = [&](std::int64_t index) {
    const std::int64_t first = index % parts * kChannels, output = index / parts * tile;
    const std::int64_t some = smaller(channels - first, kChannels);
    const std::int64_t columns = smaller(outputs - output, tile);
    T* const packed = static_cast<T*>(thread_scratch());
    for (int e = 0; e < R * R; ++e) {
      pack_right(w + e * element_stride + first * channel_stride + output * output_stride,
                 channel_stride, output_stride, static_cast<int>(columns), some,
                 packed + e * kChannels * tile);
    }
    T* const to = transformed + output * channels + first * tile;
    for (std::int64_t c = 0; c < some; ++c) {
      for (std::int64_t o = 0; o < columns; o += kLanes<T>) {
        along_both<T, R, kTile>(
            [](const Vector<T>* p, Vector<T>* v) {
              Evaluate<T, R>{}(p, v);
              scale_points<T>(v);
            },
            [&](int i, int j) { return load(packed + ((i * R + j) * kChannels + c) * tile + o); },
            [&](int i, int j, Vector<T> v) {
              store(to + (i * kTile + j) * point + c * tile + o, v);
            });
      }
    }
  };
  parallel_chunks(panels * parts, chunk);
}

// out (tiles, outputs) = left (tiles, channels) * panels.
template <class T>
void multiply_point(std::int64_t tiles, std::int64_t channels, std::int64_t outputs, const T* left,
                    std::int64_t left_row, const T* panels, T* out, std::int64_t out_row) {
  constexpr std::int64_t tile = kTileColumns<T>;
  const std::int64_t panel_rows = even_part(tiles, kTileRows, 1);
  const std::int64_t inner = even_part(channels, kBlockInner<T>, 1);
  for (std::int64_t j = 0; j < outputs; j += tile) {
    const int vectors = outputs - j > kLanes<T> ? 2 : 1;
    for (std::int64_t k = 0; k < channels; k += inner) {
      for (std::int64_t row = 0; row < tiles; row += panel_rows) {
        T* const c = out + row * out_row + j;
        const TileTarget<T> target = {c,         out_row, c, out_row, T(1), k == 0 ? T(0) : T(1),
                                      kLanes<T>, nullptr};
        const int rows = static_cast<int>(smaller(tiles - row, panel_rows));
        tile_function<T, LeftLayout::direct>(rows, vectors)(
            smaller(channels - k, inner), left + row * left_row + k, left_row,
            panels + j * channels + k * tile, tile, target);
      }
    }
  }
}

// The block of tiles [first, first + tiles): what lies where.
template <class T, int R>
struct WinogradBlock {
  static constexpr int kResults = kTile + 1 - R;
  const WinogradPass<T>& pass;
  const Tiling& tiling;
  std::int64_t first, tiles;
  std::int64_t left_row, out_row, stride;  // rows of the operands, and from point to point
  T* memory;

  void transform() const {
    const Windows<T>& w = pass.windows;
    for (std::int64_t t = 0; t < tiles; ++t) {
      const TilePlace place(tiling, first + t);
      const Square square(place.image, place.down * kResults - w.down.padding,
                          place.across * kResults - w.across.padding, kTile, w.down.size,
                          w.across.size, w.pixel_stride);
      transform_square<T, kTile, kResults>(DataPoints<T>{}, w.images, square, w.channels,
                                           memory + stride + t * left_row, stride);
    }
  }

  void multiply() const {
    const std::int64_t point = winograd_weights<T>(pass.windows.channels, pass.outputs) / kElements;
    for (int e = 0; e < kElements; ++e) {
      multiply_point(tiles, pass.windows.channels, pass.outputs, memory + (e + 1) * stride,
                     left_row, pass.weights + e * point, memory + e * stride, out_row);
    }
  }

  void transform_back() const {
    const Windows<T>& w = pass.windows;
    for (std::int64_t t = 0; t < tiles; ++t) {
      const TilePlace place(tiling, first + t);
      const Square square(place.image, place.down * kResults, place.across * kResults, kResults,
                          w.down.places, w.across.places, pass.y_pixel_stride);
      const T* const from = memory + t * out_row;
      const bool whole = square.whole(kResults);
      for_vectors<T>(0, pass.outputs, [&](std::int64_t o, auto access) {
        T* const corner = pass.y + square.corner + o;
        const auto write = [&](int i, int j, Vector<T> v) {
          if (!whole && !square.has(i, j)) return;
          T* const to = corner + (i * square.line + j * square.pixel);
          __builtin_prefetch(to + kResults * square.pixel, 1);
          if (pass.beta != T(0)) v += pass.beta * access.read(to);
          access.write(to, v);
        };
        along_both<T, kTile, kResults>(
            Powers<T, kResults>{},
            [&](int i, int j) { return load(from + (i * kTile + j) * stride + o); }, write);
      });
    }
  }

  // The epilogue of the lines of results that tiles side by side make.
  void finish() const {
    const WindowAxis &down = pass.windows.down, &across = pass.windows.across;
    for (std::int64_t t = 0; t < tiles;) {
      const TilePlace place(tiling, first + t);
      const std::int64_t side = smaller(tiling.across - place.across, tiles - t);
      const std::int64_t j = place.across * kResults;
      const std::int64_t rows = smaller(across.places - j, side * kResults);
      const std::int64_t end = smaller(down.places, (place.down + 1) * kResults);
      for (std::int64_t i = place.down * kResults; i < end; ++i) {
        const std::int64_t row = (place.image * down.places + i) * across.places + j;
        apply_epilogue(*pass.epilogue, pass.y + row * pass.y_pixel_stride, pass.y_pixel_stride, row,
                       0, static_cast<int>(rows), static_cast<int>(pass.outputs));
      }
      t += side;
    }
  }
};

template <class T, int R>
void winograd_convolution(const WinogradPass<T>& pass) {
  const Windows<T>& w = pass.windows;
  const Tiling tiling(w.batch, w.down.places, w.across.places, kTile + 1 - R);
  if (tiling.count == 0) return;
  const std::int64_t left_row = row_length<T>(w.channels), out_row = row_length<T>(pass.outputs);
  const std::int64_t row = larger(left_row, out_row);
  const std::int64_t fitting =
      kTilesBytes / ((kElements + 1) * row * static_cast<std::int64_t>(sizeof(T)));
  const std::int64_t most = larger(1, fitting / kTileRows) * kTileRows;
  // At least some blocks for threads to share.
  const std::int64_t block =
      even_part(tiling.count, smaller(most, larger(kTileRows, ceil_div(tiling.count, 4))), 1);
  const std::int64_t stride = matrix_stride<T>(block, row);
  auto chunk = [&](std::int64_t index) {
    const std::int64_t first = index * block;
    const WinogradBlock<T, R> b = {pass,     tiling,  first,  smaller(tiling.count - first, block),
                                   left_row, out_row, stride, static_cast<T*>(thread_scratch())};
    b.transform();
    b.multiply();
    b.transform_back();
    if (pass.epilogue != nullptr) b.finish();
  };
  parallel_chunks(ceil_div(tiling.count, block), chunk);
}

}  // namespace
}  // namespace ictus::ICTUS_LEVEL
