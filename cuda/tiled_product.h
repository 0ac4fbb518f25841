// The matrix product of other kernels: operands that are read through functions (a window on an
// image, two stacked matrices, rows that are divided) and never lie in memory as matrices, and a
// function that gets the sums while they are in registers.
//
//     sum(i, j) = left(i, p) right(j, p) summed over p, in the order of p
//
// A block has a tile of 128 x 128 or 64 x 64 sums, a thread 8 x 8 or 4 x 4 of them: each number in
// shared memory is used 8 or 4 times. The large tile is bound by multiply-adds (67 TFLOPS of
// float32 on an H100), the small one, for products that would leave multiprocessors idle, by the
// reads of shared memory (five for 16 multiply-adds: at most 0.8 of that). While a slice is
// multiplied, the next is on its way from memory. The order of sums is that of p in any tile, so a
// tile changes no bits.
#pragma once

#include <type_traits>

#include "elements.h"
#include "launch.h"

namespace ictus::cuda {

constexpr int kProductThreads = 256;
constexpr int kProductSide = 16;  // threads down and across
constexpr int kProductSlice = 8;  // of the inner axis in shared memory at a time

template <int kRowsOfTile, int kColumnsOfTile>
struct ProductTile {
  static constexpr int kRows = kRowsOfTile, kColumns = kColumnsOfTile;
};

// `part` of the inner axis belongs to a block; blocks (.., y) have the part y.
struct ProductExtents {
  std::int64_t rows, columns, inner, part, column_tiles;
};

// An operand as its lines (rows of the left, columns of the right one) and the inner axis. `Line`
// and `Inner` are what is worked out once for a line and for an inner index. kLinesTogether:
// neighbouring lines, else neighbouring inner indices, are neighbours in memory.
template <class T, bool kTogether>
struct MatrixOperand {
  static constexpr bool kLinesTogether = kTogether;
  using Line = std::int64_t;
  using Inner = std::int64_t;
  const T* data;
  std::int64_t stride;  // of the other axis
  __device__ Line line(std::int64_t i) const { return kTogether ? i : i * stride; }
  __device__ Inner inner(std::int64_t p) const { return kTogether ? p * stride : p; }
  __device__ T at(Line line, Inner inner) const { return data[line + inner]; }
};

// Brings a slice of an operand to shared memory. Threads of a warp read along the axis that is
// contiguous: 32 lines, or 4 lines of 8 inner elements (a sector of 32 bytes each). The tile has
// rows of 4 more than its lines, so that the latter do not meet in a bank either.
template <class T, int kLines, class Operand>
struct ProductLoader {
  static constexpr bool kTogether = Operand::kLinesTogether;
  static constexpr int kLoads = kLines * kProductSlice / kProductThreads;
  static constexpr int kOwn = kTogether ? 1 : kLoads;  // lines of a thread
  static constexpr int kStep = kProductThreads / (kTogether ? kLines : kProductSlice);

  typename Operand::Line line[kOwn];
  bool there[kOwn];
  T value[kLoads];
  int line_at, inner_at;

  __device__ __forceinline__ void begin(const Operand& operand, std::int64_t first,
                                        std::int64_t lines) {
    const int thread = threadIdx.x;
    line_at = kTogether ? thread % kLines : thread / kProductSlice;
    inner_at = kTogether ? thread / kLines : thread % kProductSlice;
#pragma unroll
    for (int i = 0; i < kOwn; ++i) {
      const std::int64_t n = first + line_at + i * kStep;
      there[i] = n < lines;
      line[i] = operand.line(there[i] ? n : lines - 1);
    }
  }

  __device__ __forceinline__ void fetch(const Operand& operand, std::int64_t first,
                                        std::int64_t end) {
    if (kTogether) {
#pragma unroll
      for (int i = 0; i < kLoads; ++i) {
        const std::int64_t p = first + inner_at + i * kStep;
        value[i] = there[0] && p < end ? operand.at(line[0], operand.inner(p)) : T(0);
      }
    } else {
      const std::int64_t p = first + inner_at;
      const bool inside = p < end;
      const typename Operand::Inner inner = operand.inner(inside ? p : first);
#pragma unroll
      for (int i = 0; i < kLoads; ++i) {
        value[i] = inside && there[i % kOwn] ? operand.at(line[i % kOwn], inner) : T(0);
      }
    }
  }

  __device__ __forceinline__ void store(T* room, int row_stride) const {
#pragma unroll
    for (int i = 0; i < kLoads; ++i) {
      const int l = line_at + (kTogether ? 0 : i * kStep);
      const int p = inner_at + (kTogether ? i * kStep : 0);
      room[p * row_stride + l] = value[i];
    }
  }
};

template <class T>
struct alignas(16) FourNumbers {
  T number[4];
};

// Whether a function of sums is long (it has a type `Long`): then its code is there once, not once
// for each of a thread's 16 columns, and the sums go through local memory (a few hundred bytes, in
// the cache).
template <class Finish, class = void>
struct IsLong : std::false_type {};
template <class Finish>
struct IsLong<Finish, std::void_t<typename Finish::Long>> : std::true_type {};

// finish(part, i, j, sums, count): the sums of rows i .. i + count - 1, count <= 4, of column j.
// Rows come by fours, as random words do; neighbouring threads have neighbouring columns.
template <class T, class Tile, class Left, class Right, class Finish>
__global__ void __launch_bounds__(kProductThreads)
    tiled_product(ProductExtents e, Left left, Right right, Finish finish) {
  constexpr int kGroups = Tile::kRows / (4 * kProductSide);
  constexpr int kAcross = Tile::kColumns / kProductSide;
  constexpr int kLeftStride = Tile::kRows + 4, kRightStride = Tile::kColumns + 4;
  __shared__ FourNumbers<T> lefts[2][kProductSlice][kLeftStride / 4];
  __shared__ T rights[2][kProductSlice][kRightStride];
  const int across = threadIdx.x % kProductSide, down = threadIdx.x / kProductSide;
  const std::int64_t row_tile = blockIdx.x / e.column_tiles;
  const std::int64_t row0 = row_tile * Tile::kRows;
  const std::int64_t column0 = (blockIdx.x - row_tile * e.column_tiles) * Tile::kColumns;
  const std::int64_t begin = blockIdx.y * e.part;
  const std::int64_t end = begin + e.part < e.inner ? begin + e.part : e.inner;

  ProductLoader<T, Tile::kRows, Left> from_left;
  ProductLoader<T, Tile::kColumns, Right> from_right;
  from_left.begin(left, row0, e.rows);
  from_right.begin(right, column0, e.columns);
  T sum[kGroups][kAcross][4] = {};
  if (begin < end) {
    from_left.fetch(left, begin, end);
    from_right.fetch(right, begin, end);
    from_left.store(lefts[0][0][0].number, kLeftStride);
    from_right.store(rights[0][0], kRightStride);
  }
  __syncthreads();
  int now = 0;
  for (std::int64_t first = begin; first < end; first += kProductSlice) {
    const bool more = first + kProductSlice < end;
    if (more) {
      from_left.fetch(left, first + kProductSlice, end);
      from_right.fetch(right, first + kProductSlice, end);
    }
#pragma unroll
    for (int p = 0; p < kProductSlice; ++p) {
      FourNumbers<T> a[kGroups];
      T b[kAcross];
#pragma unroll
      for (int g = 0; g < kGroups; ++g) a[g] = lefts[now][p][down + g * kProductSide];
#pragma unroll
      for (int j = 0; j < kAcross; ++j) b[j] = rights[now][p][across + j * kProductSide];
#pragma unroll
      for (int g = 0; g < kGroups; ++g) {
#pragma unroll
        for (int j = 0; j < kAcross; ++j) {
#pragma unroll
          for (int r = 0; r < 4; ++r) sum[g][j][r] += a[g].number[r] * b[j];
        }
      }
    }
    now = 1 - now;
    if (more) {
      from_left.store(lefts[now][0][0].number, kLeftStride);
      from_right.store(rights[now][0], kRightStride);
    }
    __syncthreads();
  }
  const auto finish_column = [&](int g, int j, const T(&four)[4]) {
    const std::int64_t i = row0 + 4 * (down + g * kProductSide);
    const std::int64_t column = column0 + across + j * kProductSide;
    const int count = e.rows - i < 4 ? static_cast<int>(e.rows - i) : 4;
    if (count > 0 && column < e.columns) finish(blockIdx.y, i, column, four, count);
  };
  if constexpr (IsLong<Finish>::value) {
    T staged[kGroups * kAcross][4];
#pragma unroll
    for (int n = 0; n < kGroups * kAcross; ++n) {
#pragma unroll
      for (int r = 0; r < 4; ++r) staged[n][r] = sum[n / kAcross][n % kAcross][r];
    }
#pragma unroll 1
    for (int n = 0; n < kGroups * kAcross; ++n) finish_column(n / kAcross, n % kAcross, staged[n]);
  } else {
#pragma unroll
    for (int n = 0; n < kGroups * kAcross; ++n) {
      finish_column(n / kAcross, n % kAcross, sum[n / kAcross][n % kAcross]);
    }
  }
}

// Starts the product. The inner axis is cut into `parts` whose sums come to `finish` apart;
// operands and `finish` find the number of their group in blockIdx.z.
template <class T, class Tile, class Left, class Right, class Finish>
void start_product(std::int64_t rows, std::int64_t columns, std::int64_t inner, const Left& left,
                   const Right& right, const Finish& finish, std::int64_t parts,
                   std::int64_t groups) {
  const std::int64_t column_tiles = blocks(columns, Tile::kColumns);
  const std::int64_t slices = (inner + kProductSlice - 1) / kProductSlice;
  const std::int64_t part = (slices + parts - 1) / parts * kProductSlice;
  launch(tiled_product<T, Tile, Left, Right, Finish>,
         {dim3(static_cast<unsigned>(column_tiles * blocks(rows, Tile::kRows)),
               static_cast<unsigned>(parts), static_cast<unsigned>(groups)),
          kProductThreads},
         ProductExtents{rows, columns, inner, part, column_tiles}, left, right, finish);
}

// The large tile where it fills an H100 (132 multiprocessors of 2 blocks), else the small one;
// double precision, whose sums take twice the registers, has the small one.
template <class T, class Left, class Right, class Finish>
void product(std::int64_t rows, std::int64_t columns, std::int64_t inner, const Left& left,
             const Right& right, const Finish& finish, std::int64_t parts = 1,
             std::int64_t groups = 1) {
  if (rows == 0 || columns == 0 || groups == 0) return;
  constexpr std::int64_t kFills = 200;
  if constexpr (sizeof(T) == 4) {
    if (groups * parts * blocks(rows, 128) * blocks(columns, 128) >= kFills && columns > 64) {
      return start_product<T, ProductTile<128, 128>>(rows, columns, inner, left, right, finish,
                                                     parts, groups);
    }
  }
  start_product<T, ProductTile<64, 64>>(rows, columns, inner, left, right, finish, parts, groups);
}

// The same where groups may have few columns: up to 32 have a tile of 128 x 32.
template <class T, class Left, class Right, class Finish>
void grouped_product(std::int64_t rows, std::int64_t columns, std::int64_t inner, const Left& left,
                     const Right& right, const Finish& finish, std::int64_t parts,
                     std::int64_t groups) {
  if (rows == 0 || columns == 0 || groups == 0) return;
  if (columns > 32) return product<T>(rows, columns, inner, left, right, finish, parts, groups);
  start_product<T, ProductTile<128, 32>>(rows, columns, inner, left, right, finish, parts, groups);
}

}  // namespace ictus::cuda
