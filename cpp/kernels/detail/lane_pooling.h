// The maximum over windows side by side, and the way back, in the layout of image_lanes.h.
#pragma once

#include "ictus/pooled_convolution.h"
#include "kernels/detail/lane_product.h"

namespace ictus::ICTUS_LEVEL {
namespace {

// Vectors of element numbers are moved as the scalar's bits.
template <class T>
inline const T* as_scalars(const WindowElement<T>* p) {
  return reinterpret_cast<const T*>(p);
}
template <class T>
inline T* as_scalars(WindowElement<T>* p) {
  return reinterpret_cast<T*>(p);
}

// The larger of what a window saw and its next element; NaN is larger than every number.
template <class T>
inline void take_larger(Vector<T> v, std::int64_t element, Vector<T>& best,
                        SignedVector<T>& argmax) {
  using I = typename BitsOf<T>::Signed;
  const SignedVector<T> better = (v > best) | (v != v);
  best = select<T>(better, v, best);
  argmax = better ? broadcast<I>(static_cast<I>(element)) : argmax;
}

// One row of windows: `elements` vectors, `offsets` elements from the window's corner, for each of
// `outputs` at each of `windows` places `step` elements apart. N: `elements` where the compiler
// shall know them.
template <class T, int N>
inline void pool_row(const T* z, const std::int64_t* offsets, std::int64_t elements,
                     std::int64_t windows, std::int64_t step, std::int64_t outputs, T* best_to,
                     T* argmax_to) {
  constexpr int lanes = kLanes<T>;
  if (N > 0) elements = N;
  for (std::int64_t q = 0; q < windows; ++q, z += step) {
    for (std::int64_t o = 0; o < outputs * lanes;
         o += lanes, best_to += lanes, argmax_to += lanes) {
      Vector<T> best = load(z + o + offsets[0]);
      SignedVector<T> argmax = {};
#pragma GCC unroll 4
      for (std::int64_t e = 1; e < elements; ++e) {
        take_larger<T>(load(z + o + offsets[e]), e, best, argmax);
      }
      store(best_to, best);
      store(argmax_to, bits_as<Vector<T>>(argmax));
    }
  }
}

template <class T>
using PoolRow = void (*)(const T* z, const std::int64_t* offsets, std::int64_t elements,
                         std::int64_t windows, std::int64_t step, std::int64_t outputs, T* best_to,
                         T* argmax_to);
template <class T>
inline PoolRow<T> pool_row_function(std::int64_t elements) {
  return elements == 2   ? pool_row<T, 2>
         : elements == 3 ? pool_row<T, 3>
         : elements == 4 ? pool_row<T, 4>
                         : pool_row<T, 0>;
}

constexpr std::int64_t kMostPooled = 64;  // elements of a pooling window

// A stage forward, a group of strips at a time.
template <class T>
void pool_in_lanes(const PooledForward<T>& a, const LanePass<T>& pass, std::int64_t strip_rows_of) {
  constexpr int lanes = kLanes<T>;
  const ConvolutionShape& s = a.shape.convolution;
  const std::int64_t down = a.shape.pool_down, across = a.shape.pool_across, outputs = s.outputs;
  const std::int64_t windows = s.across.places / across, row = pass.row_vectors() * lanes;
  const Strips strips(s.batch, s.down.places, strip_rows_of);
  std::int64_t offsets[kMostPooled];
  for (std::int64_t e = 0; e < down * across; ++e) {
    offsets[e] = e / across * row + e % across * outputs * lanes;
  }
  const PoolRow<T> pool = pool_row_function<T>(down * across);
  auto group = [&](std::int64_t number) {
    GroupStrips<T> mine(strips, number);
    T* const z = static_cast<T*>(thread_scratch());
    T* const best = z + down * row;
    T* const argmax = best + windows * outputs * lanes;
    const LaneRoom<T> room = fill_room(pass, strips, mine, argmax + windows * outputs * lanes);
    for (std::int64_t& place : mine.place) place /= down;  // from here on, of the pooling
    for (std::int64_t p = 0; p < strips.rows / down; ++p) {
      for (std::int64_t i = 0; i < down; ++i) {
        lane_product_row(pass, room, p * down + i, z + i * row);
      }
      pool(z, offsets, down * across, windows, across * outputs * lanes, outputs, best, argmax);
      activate_lanes(a.activation, windows * outputs, best);
      T* rows[lanes];
      const std::int64_t size = windows * outputs;
      strip_rows(mine, p, s.down.places / down, size, a.y, rows);
      lanes_out(best, size, T(0), rows, 0);
      if (a.argmax == nullptr) continue;
      strip_rows(mine, p, s.down.places / down, size, as_scalars<T>(a.argmax), rows);
      lanes_out(argmax, size, T(0), rows, 0);
    }
  };
  parallel_chunks(strips.groups<T>(), group);
}

}  // namespace
}  // namespace ictus::ICTUS_LEVEL
