// Winograd's minimal filtering with tiles of 6 x 6 (Winograd, "Arithmetic complexity of
// computations", 1980; Lavin & Gray, "Fast algorithms for convolutional neural networks", 2016).
//
// A tile of the data and a window of R x R elements are taken as polynomials and evaluated at six
// points; the products of their values are those of the convolution, from which M x M results,
// M = 7 - R, are read off:
//
//     y = A^T [(D G w G^T D) * (B^T d B)] A        summed over channels between [ ]
//
// 36 products make 16 results of a window of 3 x 3 (144 directly), or 4 of one of 5 x 5 (100).
// G evaluates polynomials at the points, D is diagonal, A^T is the transpose of G for M rows. The
// gradient of the weights has the transposes of the other two operands:
//
//     w' = G^T D [(B^T d B) * (A y' A^T)] D G      summed over tiles between [ ]
//
// The points 0, 5/8, -5/8, 3/2, -3/2 and infinity are chosen for accuracy: of the pairs (a, b) of
// short binary fractions tried, this has the smallest mean square error, half that of the usual
// 1 and 2. All constants of B^T and A^T are exact.
#pragma once

#include <cstdint>

#include "ictus/window.h"
#include "kernels/detail/cache_rows.h"
#include "kernels/detail/rows.h"
#include "kernels/detail/simd.h"

namespace ictus::ICTUS_LEVEL {
namespace {

constexpr int kTile = 6;                  // points of one axis
constexpr int kElements = kTile * kTile;  // and of both

template <class T>
struct Points {
  static constexpr T a = T(0.625), b = T(1.5);
  static constexpr T a2 = a * a, a3 = a2 * a, a4 = a2 * a2;
  static constexpr T b2 = b * b, b3 = b2 * b, b4 = b2 * b2;
  static constexpr T sum = a2 + b2, product = a2 * b2;
  // D: one over the products of the differences of a point and the others.
  static constexpr T at_zero = T(1) / product;
  static constexpr T at_a = T(1) / (T(2) * a2 * (a2 - b2)), at_b = T(1) / (T(2) * b2 * (b2 - a2));
};

// B^T: the data's side. (The transforms are types, not functions: those would not be inlined.)
template <class T>
struct DataPoints {
  void operator()(const Vector<T>* d, Vector<T>* v) const {
    using P = Points<T>;
    const Vector<T> even_a = d[4] - P::b2 * d[2], odd_a = P::a * (d[3] - P::b2 * d[1]);
    const Vector<T> even_b = d[4] - P::a2 * d[2], odd_b = P::b * (d[3] - P::a2 * d[1]);
    v[0] = d[4] - P::sum * d[2] + P::product * d[0];
    v[1] = even_a + odd_a;
    v[2] = even_a - odd_a;
    v[3] = even_b + odd_b;
    v[4] = even_b - odd_b;
    v[5] = d[5] - P::sum * d[3] + P::product * d[1];
  }
};

// G for N rows: the values of a polynomial of N coefficients, at infinity its last.
template <class T, int N>
struct Evaluate {
  void operator()(const Vector<T>* p, Vector<T>* v) const {
    using P = Points<T>;
    Vector<T> even_a = p[0], even_b = p[0], odd_a = P::a * p[1], odd_b = P::b * p[1];
    if (N > 2) even_a += P::a2 * p[2], even_b += P::b2 * p[2];
    if (N > 3) odd_a += P::a3 * p[3], odd_b += P::b3 * p[3];
    if (N > 4) even_a += P::a4 * p[4], even_b += P::b4 * p[4];
    v[0] = p[0];
    v[1] = even_a + odd_a;
    v[2] = even_a - odd_a;
    v[3] = even_b + odd_b;
    v[4] = even_b - odd_b;
    v[5] = p[N - 1];
  }
};

// G^T for N rows.
template <class T, int N>
struct Powers {
  void operator()(const Vector<T>* v, Vector<T>* p) const {
    using P = Points<T>;
    const Vector<T> even_a = v[1] + v[2], odd_a = v[1] - v[2];
    const Vector<T> even_b = v[3] + v[4], odd_b = v[3] - v[4];
    p[0] = v[0] + (even_a + even_b);
    p[1] = P::a * odd_a + P::b * odd_b;
    if (N > 2) p[2] = P::a2 * even_a + P::b2 * even_b;
    if (N > 3) p[3] = P::a3 * odd_a + P::b3 * odd_b;
    if (N > 4) p[4] = P::a4 * even_a + P::b4 * even_b;
    p[N - 1] += v[5];
  }
};

template <class T>
inline void scale_points(Vector<T>* v) {
  using P = Points<T>;
  v[0] *= P::at_zero;
  v[1] *= P::at_a;
  v[2] *= P::at_a;
  v[3] *= P::at_b;
  v[4] *= P::at_b;
}

// A transform of From numbers to To along both axes of what read(i, j) gives, to write(i, j, v).
template <class T, int From, int To, class Transform, class Read, class Write>
inline void along_both(const Transform& transform, const Read& read, const Write& write) {
  Vector<T> between[To][From];
#pragma GCC unroll 6
  for (int j = 0; j < From; ++j) {
    Vector<T> column[From], changed[To];
#pragma GCC unroll 6
    for (int i = 0; i < From; ++i) column[i] = read(i, j);
    transform(column, changed);
#pragma GCC unroll 6
    for (int i = 0; i < To; ++i) between[i][j] = changed[i];
  }
#pragma GCC unroll 6
  for (int i = 0; i < To; ++i) {
    Vector<T> changed[To];
    transform(between[i], changed);
#pragma GCC unroll 6
    for (int j = 0; j < To; ++j) write(i, j, changed[j]);
  }
}

// How the results of one pass over images are cut into tiles of M x M.
struct Tiling {
  std::int64_t down, across, count;
  Tiling(std::int64_t batch, std::int64_t places_down, std::int64_t places_across, int results)
      : down((places_down + results - 1) / results),
        across((places_across + results - 1) / results),
        count(batch * down * across) {}
};
struct TilePlace {
  std::int64_t image, down, across;  // the last two: tiles
  TilePlace(const Tiling& tiling, std::int64_t number)
      : image(number / (tiling.down * tiling.across)),
        down(number / tiling.across % tiling.down),
        across(number % tiling.across) {}
};

// A square of pixels of an image, which may reach beyond it: zeros are there.
struct Square {
  std::int64_t corner;  // offset of its first element, of which it may have none
  std::int64_t line, pixel;
  std::int64_t up, low, left, right;  // [up, low) x [left, right) is in the image
  Square(std::int64_t image, std::int64_t i, std::int64_t j, int size, std::int64_t height,
         std::int64_t width, std::int64_t pixel_stride)
      : corner(((image * height + i) * width + j) * pixel_stride),
        line(width * pixel_stride),
        pixel(pixel_stride),
        up(i < 0 ? -i : 0),
        low(height - i < size ? height - i : size),
        left(j < 0 ? -j : 0),
        right(width - j < size ? width - j : size) {}
  bool whole(int size) const { return up == 0 && left == 0 && low == size && right == size; }
  bool has(int i, int j) const { return i >= up && i < low && j >= left && j < right; }
};

// Transforms a square of Size x Size pixels, all channels, to points that lie `stride` apart. The
// pixels of the next square, `Step` further across, are fetched meanwhile.
template <class T, int Size, int Step, class Transform>
inline void transform_square(const Transform& transform, const T* images, const Square& square,
                             std::int64_t channels, T* to, std::int64_t stride) {
  const bool whole = square.whole(Size);
  Vector<T> pixels[Size * Size];  // where some are outside: those stay zero
  if (!whole) {
    for (Vector<T>& pixel : pixels) pixel = Vector<T>{};
  }
  for_vectors<T>(0, channels, [&](std::int64_t c, auto access) {
    const T* const corner = images + c;
    const auto at = [&](std::int64_t i, std::int64_t j) {
      return corner + (square.corner + i * square.line + j * square.pixel);
    };
    const auto write = [&](int i, int j, Vector<T> v) {
      store(to + (i * kTile + j) * stride + c, v);
    };
    const auto read = [&](int i, int j) {
      if (j >= Size - Step) __builtin_prefetch(at(i, j + Step));
      return access.read(at(i, j));
    };
    if (whole) return along_both<T, Size, kTile>(transform, read, write);
    for (std::int64_t i = square.up; i < square.low; ++i) {
      for (std::int64_t j = square.left; j < square.right; ++j) {
        pixels[i * Size + j] = read(static_cast<int>(i), static_cast<int>(j));
      }
    }
    along_both<T, Size, kTile>(
        transform, [&](int i, int j) { return pixels[i * Size + j]; }, write);
  });
}

}  // namespace
}  // namespace ictus::ICTUS_LEVEL
