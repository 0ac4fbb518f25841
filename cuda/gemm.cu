// Matrix product with a fused epilogue: one block computes a tile of 64 x 64 from slices of A and B
// in shared memory, each thread 4 x 4 elements in registers. Random draws are those of the CPU:
// they depend on the element's place alone (core/philox.h).
#include "ictus/gemm.h"

#include "elements.h"
#include "launch.h"
#include "over_elements.h"

namespace ictus::cuda {
namespace {

constexpr int kTile = 64;   // rows and columns of C a block computes
constexpr int kSlice = 16;  // inner elements in shared memory at a time
constexpr int kEach = 4;    // rows and columns of a thread
constexpr int kSide = kTile / kEach;

template <class T>
__global__ void __launch_bounds__(kSide* kSide) product(GemmArguments<T> g, Epilogue<T> e) {
  __shared__ T left[kSlice][kTile + 1];
  __shared__ T right[kSlice][kTile + 1];
  const int thread = threadIdx.y * kSide + threadIdx.x;
  const std::int64_t row0 = static_cast<std::int64_t>(blockIdx.y) * kTile;
  const std::int64_t column0 = static_cast<std::int64_t>(blockIdx.x) * kTile;
  T sum[kEach][kEach] = {};
  for (std::int64_t first = 0; first < g.inner; first += kSlice) {
    for (int i = thread; i < kTile * kSlice; i += kSide * kSide) {
      const std::int64_t row = row0 + i / kSlice, p = first + i % kSlice;
      left[i % kSlice][i / kSlice] =
          row < g.rows && p < g.inner ? g.a[row * g.a_row_stride + p * g.a_column_stride] : T(0);
      const std::int64_t q = first + i / kTile, column = column0 + i % kTile;
      right[i / kTile][i % kTile] = q < g.inner && column < g.columns
                                        ? g.b[q * g.b_row_stride + column * g.b_column_stride]
                                        : T(0);
    }
    __syncthreads();
#pragma unroll 4
    for (int p = 0; p < kSlice; ++p) {
      T a[kEach], b[kEach];
      for (int i = 0; i < kEach; ++i) a[i] = left[p][threadIdx.y + i * kSide];
      for (int j = 0; j < kEach; ++j) b[j] = right[p][threadIdx.x + j * kSide];
      for (int i = 0; i < kEach; ++i) {
        for (int j = 0; j < kEach; ++j) sum[i][j] += a[i] * b[j];
      }
    }
    __syncthreads();
  }
  for (int i = 0; i < kEach; ++i) {
    for (int j = 0; j < kEach; ++j) {
      const std::int64_t row = row0 + threadIdx.y + i * kSide;
      const std::int64_t column = column0 + threadIdx.x + j * kSide;
      if (row >= g.rows || column >= g.columns) continue;
      T& c = g.c[row * g.c_row_stride + column];
      T value = g.alpha * sum[i][j];
      if (g.beta != T(0)) value += g.beta * c;
      c = finish(e, value, row, column);
    }
  }
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
  launch(product<T>, {dim3(blocks(g.columns, kTile), blocks(g.rows, kTile)), dim3(kSide, kSide)}, g,
         e);
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
