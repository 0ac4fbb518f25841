// Matrix product with a fused epilogue. A block computes a tile of C from slices of A and B in
// shared memory; each thread has kEach x kEach elements, or four such squares, in registers. While
// one slice is multiplied, the next is on its way: from memory to registers, then to the other half
// of the shared memory. How large tiles are follows from the shape: small ones where large ones
// would leave multiprocessors without work. Random draws are those of the CPU: they depend on the
// element's place alone (core/philox.h).
#include "ictus/gemm.h"

#include <type_traits>

#include "elements.h"
#include "launch.h"
#include "over_elements.h"

namespace ictus::cuda {
namespace {

constexpr int kEach = 4;  // rows and columns of a square of a thread

// Rows and columns of the tile of a block, length of a slice, squares of a thread in each
// direction.
template <int kTile_, int kSlice_, int kSquares_>
struct Cut {
  static constexpr int kTile = kTile_, kSlice = kSlice_, kSquares = kSquares_;
  static constexpr int kPart = kTile / kSquares;  // what one square of all threads covers
  static constexpr int kSide = kPart / kEach;     // threads in each direction
  static constexpr int kThreads = kSide * kSide;
  static constexpr int kLoads = kTile * kSlice / kThreads;  // elements that a thread fetches
  static constexpr int kStride = kTile + kEach;             // of a row in shared memory
};

template <class T>
struct alignas(kEach * sizeof(T)) Four {
  T value[kEach];
};

// Where a thread's n-th element of a slice lies: along the tile, and along the inner dimension.
// Neighbouring threads take neighbours in memory.
template <class C>
__device__ __forceinline__ void place(int n, bool inner_first, int& along, int& inner) {
  const int e = static_cast<int>(threadIdx.x) + n * C::kThreads;
  along = inner_first ? e / C::kSlice : e % C::kTile;
  inner = inner_first ? e % C::kSlice : e / C::kTile;
}

template <class C, class T>
__device__ __forceinline__ void fetch_slice(const T* from, std::int64_t stride_along,
                                            std::int64_t stride_inner, std::int64_t first_along,
                                            std::int64_t count_along, std::int64_t first_inner,
                                            std::int64_t count_inner, bool inner_first, T* into) {
  for (int n = 0; n < C::kLoads; ++n) {
    int along, inner;
    place<C>(n, inner_first, along, inner);
    const std::int64_t i = first_along + along, p = first_inner + inner;
    into[n] = i < count_along && p < count_inner ? from[i * stride_along + p * stride_inner] : T(0);
  }
}

template <class C, class T>
__device__ __forceinline__ void store_slice(const T* values, bool inner_first,
                                            T (*into)[C::kStride]) {
  for (int n = 0; n < C::kLoads; ++n) {
    int along, inner;
    place<C>(n, inner_first, along, inner);
    into[inner][along] = values[n];
  }
}

template <class C, class T>
__global__ void __launch_bounds__(C::kThreads) product(GemmArguments<T> g, Epilogue<T> e) {
  alignas(32) __shared__ T left[2][C::kSlice][C::kStride];
  alignas(32) __shared__ T right[2][C::kSlice][C::kStride];
  const int tx = threadIdx.x % C::kSide, ty = threadIdx.x / C::kSide;
  const std::int64_t row0 = static_cast<std::int64_t>(blockIdx.y) * C::kTile;
  const std::int64_t column0 = static_cast<std::int64_t>(blockIdx.x) * C::kTile;
  const bool a_inner = g.a_column_stride == 1, b_inner = g.b_row_stride == 1;
  constexpr int kOwn = kEach * C::kSquares;  // rows and columns of a thread
  T sum[kOwn][kOwn] = {};
  T next_a[C::kLoads], next_b[C::kLoads];
  const auto fetch_both = [&](std::int64_t first) {
    fetch_slice<C>(g.a, g.a_row_stride, g.a_column_stride, row0, g.rows, first, g.inner, a_inner,
                   next_a);
    fetch_slice<C>(g.b, g.b_column_stride, g.b_row_stride, column0, g.columns, first, g.inner,
                   b_inner, next_b);
  };
  fetch_both(0);
  for (std::int64_t first = 0, half = 0; first < g.inner; first += C::kSlice, half ^= 1) {
    store_slice<C>(next_a, a_inner, left[half]);
    store_slice<C>(next_b, b_inner, right[half]);
    // One barrier a slice: the half that is written next was read before this one.
    __syncthreads();
    fetch_both(first + C::kSlice);
#pragma unroll 4
    for (int p = 0; p < C::kSlice; ++p) {
      Four<T> a[C::kSquares], b[C::kSquares];
      for (int s = 0; s < C::kSquares; ++s) {
        a[s] = *reinterpret_cast<const Four<T>*>(&left[half][p][s * C::kPart + ty * kEach]);
        b[s] = *reinterpret_cast<const Four<T>*>(&right[half][p][s * C::kPart + tx * kEach]);
      }
      for (int i = 0; i < kOwn; ++i) {
        for (int j = 0; j < kOwn; ++j) {
          sum[i][j] += a[i / kEach].value[i % kEach] * b[j / kEach].value[j % kEach];
        }
      }
    }
  }
  for (int i = 0; i < kOwn; ++i) {
    for (int j = 0; j < kOwn; ++j) {
      const std::int64_t row = row0 + i / kEach * C::kPart + ty * kEach + i % kEach;
      const std::int64_t column = column0 + j / kEach * C::kPart + tx * kEach + j % kEach;
      if (row >= g.rows || column >= g.columns) continue;
      T& c = g.c[row * g.c_row_stride + column];
      T value = g.alpha * sum[i][j];
      if (g.beta != T(0)) value += g.beta * c;
      c = finish(e, value, row, column);
    }
  }
}

template <class C, class T>
void multiply_tiles(const GemmArguments<T>& g, const Epilogue<T>& e) {
  launch(product<C, T>,
         {dim3(blocks(g.columns, C::kTile), blocks(g.rows, C::kTile)), dim3(C::kThreads)}, g, e);
}

template <class T>
void multiply(const GemmArguments<T>& given) noexcept {
  if (given.rows == 0 || given.columns == 0) return;
  GemmArguments<T> g = given;
  if (g.packed_b != nullptr) {
    g.b = g.packed_b;
    g.b_row_stride = g.columns;
    g.b_column_stride = 1;
  }
  if (g.alpha == T(0)) g.inner = 0;
  const Epilogue<T> e = g.epilogue == nullptr ? Epilogue<T>() : *g.epilogue;
  // A tile is worth its size where there are about as many as multiprocessors.
  constexpr std::int64_t kEnough = 96;
  const auto tiles = [&](std::int64_t side) {
    return std::int64_t{blocks(g.rows, side)} * blocks(g.columns, side);
  };
  if constexpr (std::is_same_v<T, float>) {  // doubles of such a tile do not fit the registers
    if (tiles(128) >= kEnough) return multiply_tiles<Cut<128, 8, 2>, T>(g, e);
  }
  if (tiles(64) >= kEnough) {
    multiply_tiles<Cut<64, 16, 1>, T>(g, e);
  } else {
    multiply_tiles<Cut<32, 16, 1>, T>(g, e);
  }
}

// On a GPU a packed matrix is a plain copy, rows without gaps.
std::int64_t packed_b_elements(std::int64_t inner, std::int64_t columns) noexcept {
  return inner * columns;
}

template <class T>
struct Copy {
  const T* from;
  std::int64_t row_stride, column_stride, columns;
  T* to;
  __device__ void operator()(std::int64_t i, std::int64_t j) const {
    to[i * columns + j] = from[i * row_stride + j * column_stride];
  }
};

template <class T>
void pack_b(const T* b, std::int64_t inner, std::int64_t columns, std::int64_t row_stride,
            std::int64_t column_stride, T* packed) noexcept {
  over_elements(inner, columns, Copy<T>{b, row_stride, column_stride, columns, packed});
}

template <class T>
double multiply_adds(std::int64_t, T*) noexcept {
  return 0;  // the limit of a GPU is measured by benchmarks/gpu
}

}  // namespace

extern const GemmKernels<float> gemm_float;
extern const GemmKernels<double> gemm_double;
const GemmKernels<float> gemm_float = {multiply<float>, packed_b_elements, pack_b<float>,
                                       multiply_adds<float>};
const GemmKernels<double> gemm_double = {multiply<double>, packed_b_elements, pack_b<double>,
                                         multiply_adds<double>};

}  // namespace ictus::cuda
