// A convolution with its pooling (ictus/pooled_convolution.h) on a GPU.
//
// Forward, where the weights of 32 outputs fit shared memory: one kernel, in which a thread has a
// window of the pooling and four outputs, and keeps the maximum in registers. What is in front of
// the pooling is never in memory: the limit is the bytes of x and y. Else the convolution and a
// pass over its result. Backward: the gradient before the pooling is written once (its bytes are
// those of y times the size of a window) and read by the convolution's gradients.
#include "ictus/pooled_convolution.h"

#include "convolution.h"
#include "sums_over_rows.h"

namespace ictus::cuda {
namespace {

// NaN is larger than every number; of equal ones the first is kept.
template <class T>
__device__ __forceinline__ bool is_larger(T value, T best) {
  return value > best || (value != value && best == best);
}

// The windows of the pooling, numbered over images, down, across.
struct PoolWindows {
  std::int64_t count, across;  // all of them, and those of a row
  std::int64_t pool_down, pool_across;
  std::int64_t places_across;
  explicit PoolWindows(const PooledShape& s)
      : count(s.convolution.batch * (s.convolution.down.places / s.pool_down) *
              (s.convolution.across.places / s.pool_across)),
        across(s.convolution.across.places / s.pool_across),
        pool_down(s.pool_down),
        pool_across(s.pool_across),
        places_across(s.convolution.across.places) {}
  // The number of a window's first place; element (a, b) is a * places_across + b further.
  __device__ std::int64_t first_place(std::int64_t window) const {
    const std::int64_t row = window / across;
    return row * pool_down * places_across + (window - row * across) * pool_across;
  }
};

template <class T>
struct PooledResult {
  std::int64_t outputs, group;
  const T* bias;
  Activation activation;
  T* y;
  WindowElement<T>* argmax;
  __device__ void write(std::int64_t window, std::int64_t column, T best, int element) const {
    y[window * outputs + column] = activate(activation, best);
    if (argmax != nullptr) argmax[window * outputs + column] = element;
  }
};

// As few_channels (convolution.h), with the elements of a window in the places of places, four at a
// time.
template <class T>
__global__ void __launch_bounds__(kFewThreads)
    pooled_few(PoolWindows pool, int inner, std::int64_t outputs, WindowOperand<T, false> window,
               GroupColumns<T> weights, PooledResult<T> result) {
  using Element = typename WindowOperand<T, false>::Element;
  using Place = typename WindowOperand<T, false>::Place;
  auto* const elements = shared_memory<Element>();
  T* const w = reinterpret_cast<T*>(elements + inner);
  const std::int64_t column0 = std::int64_t{blockIdx.y} * kFewOutputs;
  for (int i = threadIdx.x; i < inner * kFewOutputs; i += kFewThreads) {
    const std::int64_t j = column0 + i % kFewOutputs;
    w[i] = j < outputs ? weights.at(weights.line(j), weights.inner(i / kFewOutputs)) : T(0);
  }
  for (int p = threadIdx.x; p < inner; p += kFewThreads) elements[p] = window.element(p);
  __syncthreads();
  const int across = threadIdx.x % 8;
  const std::int64_t number = std::int64_t{blockIdx.x} * (kFewThreads / 8) + threadIdx.x / 8;
  if (number >= pool.count) return;
  const std::int64_t first_place = pool.first_place(number);
  const int pooled = static_cast<int>(pool.pool_down * pool.pool_across);
  T best[4], bias[4];
  int argmax[4] = {};
#pragma unroll
  for (int q = 0; q < 4; ++q) {
    const std::int64_t j = column0 + across + 8 * q;
    best[q] = -static_cast<T>(INFINITY);
    bias[q] =
        result.bias != nullptr && j < outputs ? result.bias[blockIdx.z * result.group + j] : T(0);
  }
  for (int first = 0; first < pooled; first += 4) {
    Place place[4];
#pragma unroll
    for (int r = 0; r < 4; ++r) {
      const int e = first + r < pooled ? first + r : first;
      const int a = e / static_cast<int>(pool.pool_across);
      place[r] = window.place(first_place + a * pool.places_across +
                              (e - a * static_cast<int>(pool.pool_across)));
    }
    T sum[4][4] = {};  // [output][element]
    for (int p = 0; p < inner; ++p) {
      T x[4];
#pragma unroll
      for (int r = 0; r < 4; ++r) x[r] = window.seen(place[r], elements[p]);
#pragma unroll
      for (int q = 0; q < 4; ++q) {
        const T weight = w[p * kFewOutputs + across + 8 * q];
#pragma unroll
        for (int r = 0; r < 4; ++r) sum[q][r] += x[r] * weight;
      }
    }
#pragma unroll
    for (int q = 0; q < 4; ++q) {
#pragma unroll
      for (int r = 0; r < 4; ++r) {
        const T value = sum[q][r] + bias[q];
        if (first + r < pooled && (first + r == 0 || is_larger(value, best[q]))) {
          best[q] = value;
          argmax[q] = first + r;
        }
      }
    }
  }
#pragma unroll
  for (int q = 0; q < 4; ++q) {
    const std::int64_t j = column0 + across + 8 * q;
    if (j < outputs) result.write(number, blockIdx.z * result.group + j, best[q], argmax[q]);
  }
}

// The maximum over what the convolution left: neighbouring threads have neighbouring outputs.
template <class T>
struct Pool {
  PoolWindows pool;
  const T* z;
  PooledResult<T> result;
  __device__ void operator()(std::int64_t i, std::int64_t j) const {
    const T* const corner = z + pool.first_place(i) * result.outputs + j;
    T best = *corner;
    int argmax = 0;
    for (std::int64_t a = 0; a < pool.pool_down; ++a) {
      for (std::int64_t b = 0; b < pool.pool_across; ++b) {
        const T value = corner[(a * pool.places_across + b) * result.outputs];
        if (!is_larger(value, best)) continue;
        best = value;
        argmax = static_cast<int>(a * pool.pool_across + b);
      }
    }
    result.write(i, j, best, argmax);
  }
};

template <class T>
std::int64_t few_bytes(const ConvolutionShape& s) {
  return s.down.elements * s.across.elements * (s.channels / s.groups) *
         static_cast<std::int64_t>(kFewOutputs * sizeof(T) +
                                   sizeof(typename WindowOperand<T, false>::Element));
}

template <class T>
bool in_one_kernel(const PooledShape& shape) {
  const ConvolutionShape& s = shape.convolution;
  return few_bytes<T>(s) <= (48 << 10) && s.outputs / s.groups <= 65535 * kFewOutputs &&
         s.batch * s.down.places * s.across.places < kPlacesAtOnce;
}

std::int64_t place_numbers(const PooledShape& shape) {
  const ConvolutionShape& s = shape.convolution;
  return s.batch * s.down.places * s.across.places * s.outputs;
}

template <class T>
std::int64_t forward_workspace(const PooledShape& shape) noexcept {
  return in_one_kernel<T>(shape) ? 0 : place_numbers(shape);
}

template <class T>
void forward(const PooledForward<T>& a) noexcept {
  const ConvolutionShape& s = a.shape.convolution;
  if (place_numbers(a.shape) == 0 || !fits(s)) return;
  const PoolWindows pool(a.shape);
  const std::int64_t outputs = s.outputs / s.groups;
  const PooledResult<T> result = {s.outputs, outputs, a.bias, a.activation, a.y, a.argmax};
  if (in_one_kernel<T>(a.shape)) {
    launch(pooled_few<T>,
           {dim3(blocks(pool.count, kFewThreads / 8), blocks(outputs, kFewOutputs),
                 static_cast<unsigned>(s.groups)),
            kFewThreads, static_cast<std::size_t>(few_bytes<T>(s))},
           pool, static_cast<int>(s.down.elements * s.across.elements * (s.channels / s.groups)),
           outputs, window_of<T, false>(s, a.x), GroupColumns<T>{a.weights, s.outputs, outputs},
           result);
    return;
  }
  convolve(s, a.x, a.weights, T(0), a.bias, Activation::identity, a.workspace);
  over_elements(pool.count, s.outputs, Pool<T>{pool, a.workspace, result});
}

template <class T>
struct Unpool {
  PoolWindows pool;
  std::int64_t outputs;
  const T* y;
  const T* y_gradient;
  const WindowElement<T>* argmax;
  Activation activation;
  T* z_gradient;
  __device__ void operator()(std::int64_t i, std::int64_t j) const {
    const std::int64_t from = i * outputs + j;
    const T gradient = y_gradient[from] * slope(activation, y[from]);
    const std::int64_t chosen = argmax == nullptr ? 0 : argmax[from];
    T* const corner = z_gradient + pool.first_place(i) * outputs + j;
    for (std::int64_t a = 0; a < pool.pool_down; ++a) {
      for (std::int64_t b = 0; b < pool.pool_across; ++b) {
        corner[(a * pool.places_across + b) * outputs] =
            a * pool.pool_across + b == chosen ? gradient : T(0);
      }
    }
  }
};

// The bias's gradient, from the gradients behind the pooling: parts of the windows, then their sum.
constexpr std::int64_t kBiasParts = 256;

template <class T>
__global__ void __launch_bounds__(kSumColumns* kSumRows)
    sum_bias(std::int64_t windows, std::int64_t each, PooledBackward<T> a, std::int64_t outputs,
             T* partial) {
  __shared__ T room[kSumRows][kSumColumns + 1];
  const std::int64_t j = std::int64_t{blockIdx.x} * kSumColumns + threadIdx.x;
  const std::int64_t first = blockIdx.y * each;
  const std::int64_t left = windows - first < each ? windows - first : each;
  const T sum = sum_of_rows<T>(j < outputs && left > 0 ? left : 0, room, [&](std::int64_t i) {
    const std::int64_t at = (first + i) * outputs + j;
    return a.y_gradient[at] * slope(a.activation, a.y[at]);
  });
  if (j < outputs && threadIdx.y == 0) partial[blockIdx.y * outputs + j] = sum;
}

template <class T>
std::int64_t backward_workspace(const PooledShape& shape, bool) noexcept {
  const std::int64_t weights = gradient_workspace(shape.convolution);
  const std::int64_t bias = kBiasParts * shape.convolution.outputs;
  return place_numbers(shape) + (weights > bias ? weights : bias);
}

template <class T>
void backward(const PooledBackward<T>& a) noexcept {
  const ConvolutionShape& s = a.shape.convolution;
  const PoolWindows pool(a.shape);
  if (s.outputs == 0 || !fits(s)) return;
  T* const z_gradient = a.workspace;
  T* const rest = z_gradient + place_numbers(a.shape);
  over_elements(pool.count, s.outputs,
                Unpool<T>{pool, s.outputs, a.y, a.y_gradient,
                          a.shape.pool_down * a.shape.pool_across > 1 ? a.argmax : nullptr,
                          a.activation, z_gradient});
  const std::int64_t most = pool.count / 64 + 1, parts = most < kBiasParts ? most : kBiasParts;
  launch(sum_bias<T>,
         {dim3(blocks(s.outputs, kSumColumns), static_cast<unsigned>(parts)),
          dim3(kSumColumns, kSumRows)},
         pool.count, (pool.count + parts - 1) / parts, a, s.outputs, rest);
  over_elements(1, s.outputs, AddParts<T>{rest, parts, s.outputs, a.beta, a.bias_gradient});
  weights_gradient(s, a.x, static_cast<const T*>(z_gradient), a.beta, a.weights_gradient, rest);
  if (a.x_gradient != nullptr) {
    data_gradient(s, static_cast<const T*>(z_gradient), a.weights, T(0), a.x_gradient);
  }
}

}  // namespace

extern const PooledConvolutionKernels<float> pooled_convolution_float;
extern const PooledConvolutionKernels<double> pooled_convolution_double;
const PooledConvolutionKernels<float> pooled_convolution_float = {
    forward<float>, backward<float>, forward_workspace<float>, backward_workspace<float>};
const PooledConvolutionKernels<double> pooled_convolution_double = {
    forward<double>, backward<double>, forward_workspace<double>, backward_workspace<double>};

}  // namespace ictus::cuda
