// The register tile of the matrix product, and its contract.
//
//     acc (R, V vectors) = sum over p in [0, inner) of  A(i, p) * B(p, j)
//
// B: a panel of V vectors of columns; row p starts at b + p * b_stride, and all V vectors of every
// row can be read (packed panels are padded with zeros). A: element (i, p) is at
// a + i * row_stride + p * inner_stride; for packed panels one of the two strides is a constant of
// the layout, so the addresses need no registers.
// The sum is taken in the order of p, one fused multiply-add a term.
//
// Tile sizes: as many accumulators as the register file holds beside V vectors of B and one
// broadcast element of A.
#pragma once

#include <cstdint>

#include "kernels/detail/simd.h"

namespace ictus::ICTUS_LEVEL {
namespace {

constexpr int kTileVectors = 2;
constexpr int kTileRows = kVectorRegisters == 32 ? 14 : 6;
template <class T>
constexpr int kTileColumns = kTileVectors * kLanes<T>;

// How the rows of A lie in memory.
enum class LeftLayout {
  rows,       // packed by rows: (i, p) at i * kPanelStride + p
  columns,    // packed by columns: (i, p) at p * kTileRows + i
  direct,     // the caller's own rows: (i, p) at i * stride + p
  transposed  // the caller's own columns: (i, p) at p * stride + i
};

// Inner length of a packed block. kPanelStride is odd in cache lines, so that the rows of a panel
// fall into different cache sets.
template <class T>
constexpr std::int64_t kBlockInner = 2048 / static_cast<std::int64_t>(sizeof(T));
template <class T>
constexpr std::int64_t kPanelStride = kBlockInner<T> + 64 / static_cast<std::int64_t>(sizeof(T));

// Where the tile goes: out = alpha * acc + beta * C; with beta == 0, C is not read. `out` is C
// itself, or a small buffer where an epilogue follows.
template <class T>
struct TileTarget {
  const T* c;
  std::int64_t c_stride;
  T* out;
  std::int64_t out_stride;
  T alpha;
  T beta;
  int last_lanes;  // valid lanes of the last vector
  T* packed;       // where kPack writes the panel of B
};

template <class T, int V, bool kLast>
inline void store_row(const TileTarget<T>& t, int row, const Vector<T>* acc) {
#pragma GCC unroll 4
  for (int v = 0; v < V; ++v) {
    const T* const c = t.c + row * t.c_stride + v * kLanes<T>;
    T* const out = t.out + row * t.out_stride + v * kLanes<T>;
    Vector<T> value = acc[v] * t.alpha;
    if (kLast && v == V - 1) {
      if (t.beta != T(0)) value += load_partial<T>(c, t.last_lanes) * t.beta;
      store_partial<T>(out, value, t.last_lanes);
    } else {
      if (t.beta != T(0)) value += load<T>(c) * t.beta;
      store<T>(out, value);
    }
  }
}

// With kPack the rows of B are written to target.packed while they are in registers: the first tile
// that uses a panel packs it for the others, behind its own arithmetic.
template <class T, int R, int V, LeftLayout kLayout, bool kPack>
void tile_product(std::int64_t inner, const T* a, std::int64_t a_stride, const T* b,
                  std::int64_t b_stride, const TileTarget<T>& target) {
  constexpr std::int64_t kAhead = 12;  // rows of B to fetch before they are needed
  Vector<T> acc[R][V] = {};
#pragma GCC unroll 16
  for (int i = 0; i < R; ++i) {  // C is read or written at the end: fetch it meanwhile
    __builtin_prefetch(target.c + i * target.c_stride, 1);
    if (V > 1) __builtin_prefetch(target.c + i * target.c_stride + kLanes<T>, 1);
  }
  for (std::int64_t p = 0; p < inner; ++p) {
    Vector<T> right[V];
#pragma GCC unroll 4
    for (int v = 0; v < V; ++v) {
      right[v] = load(b + v * kLanes<T>);
      if (kPack) {
        store(target.packed + p * kTileColumns<T> + v * kLanes<T>, right[v]);
        __builtin_prefetch(b + kAhead * b_stride + v * kLanes<T>);
      }
    }
    b += b_stride;
#pragma GCC unroll 16
    for (int i = 0; i < R; ++i) {
      T left;
      if constexpr (kLayout == LeftLayout::rows) left = a[i * kPanelStride<T> + p];
      if constexpr (kLayout == LeftLayout::columns) left = a[p * kTileRows + i];
      if constexpr (kLayout == LeftLayout::direct) left = a[i * a_stride + p];
      if constexpr (kLayout == LeftLayout::transposed) left = a[p * a_stride + i];
#pragma GCC unroll 4
      for (int v = 0; v < V; ++v) acc[i][v] += left * right[v];
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
using TileFunction = void (*)(std::int64_t inner, const T* a, std::int64_t a_stride, const T* b,
                              std::int64_t b_stride, const TileTarget<T>& target);

// The tile for 1 .. kTileRows rows and 1 .. kTileVectors vectors.
template <class T, LeftLayout kLayout, int R = kTileRows>
inline TileFunction<T> tile_function(int rows, int vectors) {
  if constexpr (R == 0) {
    return nullptr;
  } else {
    if (rows != R) return tile_function<T, kLayout, R - 1>(rows, vectors);
    return vectors == 1 ? tile_product<T, R, 1, kLayout, false>
                        : tile_product<T, R, 2, kLayout, false>;
  }
}

// The tile that also packs its panel of B, which is whole.
template <class T, LeftLayout kLayout, int R = kTileRows>
inline TileFunction<T> packing_tile_function(int rows) {
  if constexpr (R == 0) {
    return nullptr;
  } else {
    if (rows != R) return packing_tile_function<T, kLayout, R - 1>(rows);
    return tile_product<T, R, kTileVectors, kLayout, true>;
  }
}

}  // namespace
}  // namespace ictus::ICTUS_LEVEL
