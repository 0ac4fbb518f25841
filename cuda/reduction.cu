// Sums, softmax and log-sum-exp over matrices (ictus/reduction.h) on a GPU. A warp has a row; of
// columns, a block has 32 at a time, its warps rows in turn.
#include "ictus/reduction.h"

#include "launch.h"
#include "parts.h"
#include "rows.h"

namespace ictus::cuda {
namespace {

constexpr int kThreads = 256;
constexpr int kWarps = kThreads / kWarpSize;

enum class Row { sum, log_sum_exp, softmax, log_softmax };

template <class T>
__global__ void __launch_bounds__(kThreads) sum_columns(ReductionArguments<T> a) {
  __shared__ T room[kWarps][kWarpSize];
  const int lane = threadIdx.x % kWarpSize, warp = threadIdx.x / kWarpSize;
  const std::int64_t j = std::int64_t{blockIdx.x} * kWarpSize + lane;
  T sum = T(0);
  for (std::int64_t i = warp; i < a.rows && j < a.columns; i += kWarps) {
    sum += a.x[i * a.x_row_stride + j];
  }
  room[warp][lane] = sum;
  __syncthreads();
  if (warp > 0 || j >= a.columns) return;
  for (int w = 1; w < kWarps; ++w) sum += room[w][lane];
  a.out[j] = sum;
}

template <class T>
void column_sums(const ReductionArguments<T>& a) noexcept {
  if (a.columns == 0) return;
  launch(sum_columns<T>, {blocks(a.columns, kWarpSize), kThreads}, a);
}

template <class T>
__global__ void __launch_bounds__(kThreads) each_row(Row what, ReductionArguments<T> a) {
  const int lane = threadIdx.x % kWarpSize;
  const std::int64_t i = std::int64_t{blockIdx.x} * kWarps + threadIdx.x / kWarpSize;
  if (i >= a.rows) return;  // the whole warp
  const T* x = a.x + i * a.x_row_stride;
  if (what == Row::sum) {
    T sum = T(0);
    for (std::int64_t j = lane; j < a.columns; j += kWarpSize) sum += x[j];
    sum = warp_sum(sum);
    if (lane == 0) a.out[i] = sum;
    return;
  }
  const T shift = row_shift(x, a.columns, lane);
  const T sum = sum_of_exponentials(x, a.columns, shift, lane);
  if (what == Row::log_sum_exp) {
    if (lane == 0) a.out[i] = shift + log(sum);
    return;
  }
  T* out = a.out + i * a.out_row_stride;
  const T factor = T(1) / sum, rest = log(sum);
  for (std::int64_t j = lane; j < a.columns; j += kWarpSize) {
    const T z = x[j] - shift;
    out[j] = what == Row::softmax ? exp(z) * factor : z - rest;
  }
}

template <Row kWhat, class T>
void over_rows(const ReductionArguments<T>& a) noexcept {
  if (a.rows == 0) return;
  launch(each_row<T>, {blocks(a.rows, kWarps), kThreads}, kWhat, a);
}

template <class T>
struct Square {
  const T* x;
  __device__ void operator()(std::int64_t i, double* sums) const {
    sums[0] += static_cast<double>(x[i]) * static_cast<double>(x[i]);
  }
};

template <class T>
double sum_of_squares(const T* x, std::int64_t size) noexcept {
  double total = 0;
  sum_parts<1>(size, Square<T>{x}, &total);
  return total;
}

template <class T>
constexpr ReductionKernels<T> kernels() {
  return {column_sums<T>,
          over_rows<Row::sum, T>,
          over_rows<Row::log_sum_exp, T>,
          over_rows<Row::softmax, T>,
          over_rows<Row::log_softmax, T>,
          sum_of_squares<T>};
}

}  // namespace

extern const ReductionKernels<float> reduction_float;
extern const ReductionKernels<double> reduction_double;
const ReductionKernels<float> reduction_float = kernels<float>();
const ReductionKernels<double> reduction_double = kernels<double>();

}  // namespace ictus::cuda
