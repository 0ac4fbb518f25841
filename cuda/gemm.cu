// Matrix product with a fused epilogue: one block computes a tile of 64 x 64 from slices of A and B
// in shared memory, each thread 4 x 4 elements in registers. Random draws are those of the CPU:
// they depend on the element's place alone (core/philox.h).
#include "gemm.h"

#include "core/philox.h"
#include "launch.h"

namespace ictus::cuda {
namespace {

constexpr int kTile = 64;   // rows and columns of C a block computes
constexpr int kSlice = 16;  // inner elements in shared memory at a time
constexpr int kEach = 4;    // rows and columns of a thread
constexpr int kSide = kTile / kEach;

template <class T>
__device__ T activate(Activation activation, T z) {
  switch (activation) {
    case Activation::sigmoid:
      return T(1) / (T(1) + exp(-z));
    case Activation::tanh:
      return tanh(z);
    case Activation::relu:
      return z < T(0) ? T(0) : z;  // NaN passes
    case Activation::softplus:
      return (z > T(0) ? z : T(0)) + log1p(exp(z > T(0) ? -z : z));
    case Activation::identity:
      break;
  }
  return z;
}

__device__ float as_uniform(std::uint32_t word, float) {
  return static_cast<float>(word >> 8) * 0x1p-24f;
}
__device__ double as_uniform(std::uint32_t word, double) {
  return static_cast<double>(word) * 0x1p-32;
}

// Box & Muller 1958 from the words of rows 2k and 2k + 1: cosine for the even row, sine for the
// odd.
template <class T>
__device__ T as_normal(const philox::Block& block, int word) {
  const T first = as_uniform(block.word[word & 2], T()),
          second = as_uniform(block.word[word | 1], T());
  const T radius = sqrt(T(-2) * log(T(1) - first));
  return radius * (word & 1 ? sinpi(T(2) * second) : cospi(T(2) * second));
}

template <class T>
__device__ T finish(const Epilogue<T>& e, T value, std::int64_t row, std::int64_t column) {
  if (e.bias != nullptr) value += e.bias[column];
  value = activate(e.activation, value);
  const std::int64_t i = row + e.first_row;
  const auto group = static_cast<std::uint32_t>(i >> 2);
  const int word = static_cast<int>(i & 3);
  const auto draw = [&](std::uint64_t stream) {
    return philox::rows(static_cast<std::uint32_t>(column), group, stream, e.seed);
  };
  if (e.dropout_rate > T(0)) {
    const T u = as_uniform(draw(e.stream).word[word], T());
    value = u >= e.dropout_rate ? value / (T(1) - e.dropout_rate) : T(0);
  }
  if (e.sampling == Sampling::bernoulli) {
    const T u = as_uniform(draw(e.stream + 1).word[word], T());
    value = value == value ? (u < value ? T(1) : T(0)) : value;
  } else if (e.sampling == Sampling::gaussian) {
    value += as_normal<T>(draw(e.stream + 1), word);
  }
  return value;
}

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

}  // namespace

template <class T>
void multiply(const GemmArguments<T>& g, const Epilogue<T>& e, cudaStream_t stream) {
  if (g.rows == 0 || g.columns == 0) return;
  const dim3 grid(blocks(g.columns, kTile), blocks(g.rows, kTile));
  product<T><<<grid, dim3(kSide, kSide), 0, stream>>>(g, e);
  check(cudaGetLastError(), "gemm");
}

template void multiply(const GemmArguments<float>&, const Epilogue<float>&, cudaStream_t);
template void multiply(const GemmArguments<double>&, const Epilogue<double>&, cudaStream_t);

}  // namespace ictus::cuda
