// Elementwise functions, activation derivatives, dropout, and the contractive penalty
// (ictus/activation.h) on a GPU.
#include "ictus/activation.h"

#include "over_elements.h"

namespace ictus::cuda {
namespace {

template <class T>
struct Map {
  Elementwise function;
  MapArguments<T> a;
  __device__ void operator()(std::int64_t i, std::int64_t j) const {
    const T x = a.x[i * a.x_row_stride + j];
    a.out[i * a.out_row_stride + j] = function == Elementwise::exp ? exp(x)
                                      : function == Elementwise::log
                                          ? log(x)
                                          : activate(static_cast<Activation>(function), x);
  }
};

template <class T>
void map(Elementwise function, const MapArguments<T>& a) noexcept {
  const bool gapless = a.x_row_stride == a.columns && a.out_row_stride == a.columns;
  over_elements(gapless, a.rows, a.columns, Map<T>{function, a});
}

template <class T>
struct Drop {
  T rate, scale;
  MapArguments<T> a;
  __device__ void operator()(std::int64_t i, std::int64_t j, const philox::Block& block,
                             int word) const {
    const bool kept = as_uniform(block.word[word], T()) >= rate;
    a.out[i * a.out_row_stride + j] = kept ? a.x[i * a.x_row_stride + j] * scale : T(0);
  }
};

template <class T>
void dropout(const DropoutArguments<T>& d, const MapArguments<T>& a) noexcept {
  over_draws(d.first_row, a.rows, a.columns, d.seed, d.stream,
             Drop<T>{d.rate, T(1) / (T(1) - d.rate), a});
}

// Without dropout, and where an output of 0 tells that the gradient is 0 too (sigmoid, relu,
// softplus): nothing is drawn again.
template <class T>
struct TimesSlope {
  Activation activation;
  ActivationBackwardArguments<T> a;
  T kept, scale;
  __device__ void operator()(std::int64_t i, std::int64_t j) const {
    const T y = a.y[i * a.y_row_stride + j], grad = a.grad[i * a.grad_row_stride + j];
    const bool dropped = kept < T(1) && y == T(0);
    a.out[i * a.out_row_stride + j] =
        dropped ? grad * T(0) : grad * (slope(activation, y * kept) * scale);
  }
};

template <class T>
struct TimesSlopeAndMask {
  Activation activation;
  ActivationBackwardArguments<T> a;
  T kept, scale;
  __device__ void operator()(std::int64_t i, std::int64_t j, const philox::Block& block,
                             int word) const {
    const T y = a.y[i * a.y_row_stride + j] * kept, grad = a.grad[i * a.grad_row_stride + j];
    const bool keep = as_uniform(block.word[word], T()) >= a.dropout.rate;
    a.out[i * a.out_row_stride + j] = keep ? grad * slope(activation, y) * scale : T(0);
  }
};

template <class T>
void backward(Activation activation, const ActivationBackwardArguments<T>& a) noexcept {
  const T kept = T(1) - a.dropout.rate, scale = T(1) / kept;
  const bool draws = a.dropout.rate > T(0) &&
                     (activation == Activation::identity || activation == Activation::tanh);
  if (draws) {
    return over_draws(a.dropout.first_row, a.rows, a.columns, a.dropout.seed, a.dropout.stream,
                      TimesSlopeAndMask<T>{activation, a, kept, scale});
  }
  const bool gapless = a.grad_row_stride == a.columns && a.y_row_stride == a.columns &&
                       a.out_row_stride == a.columns;
  over_elements(gapless, a.rows, a.columns, TimesSlope<T>{activation, a, kept, scale});
}

// Each column is summed by one thread, over the rows in order: neighbours read neighbours.
template <class T>
__global__ void sum_slopes(Activation activation, ContractionArguments<T> a) {
  const std::int64_t j = std::int64_t{blockIdx.x} * kElementThreads + threadIdx.x;
  if (j >= a.columns) return;
  T sum = T(0);
  for (std::int64_t i = 0; i < a.rows; ++i) {
    const T each = slope(activation, a.y[i * a.y_row_stride + j]);
    sum += each * each;
  }
  a.out[j] = sum;
}

template <class T>
void squared_slopes(Activation activation, const ContractionArguments<T>& a) noexcept {
  if (a.columns == 0) return;
  launch(sum_slopes<T>, {blocks(a.columns, kElementThreads), kElementThreads}, activation, a);
}

// f''(z) from y = f(z) and f'(z).
template <class T>
__device__ T curvature(Activation activation, T y, T first) {
  switch (activation) {
    case Activation::sigmoid:
      return first * (T(1) - T(2) * y);
    case Activation::tanh:
      return T(-2) * y * first;
    case Activation::softplus:
      return first * (T(1) - first);
    default:
      return T(0);
  }
}

template <class T>
struct Contract {
  Activation activation;
  ContractionArguments<T> a;
  __device__ void operator()(std::int64_t i, std::int64_t j) const {
    const T y = a.y[i * a.y_row_stride + j];
    const T first = slope(activation, y);
    a.out[i * a.out_row_stride + j] +=
        T(2) * a.factors[j] * (first * curvature(activation, y, first));
  }
};

template <class T>
void add_contraction(Activation activation, const ContractionArguments<T>& a) noexcept {
  over_elements(a.rows, a.columns, Contract<T>{activation, a});
}

}  // namespace

extern const ActivationKernels<float> activation_float;
extern const ActivationKernels<double> activation_double;
const ActivationKernels<float> activation_float = {map<float>, backward<float>, dropout<float>,
                                                   squared_slopes<float>, add_contraction<float>};
const ActivationKernels<double> activation_double = {map<double>, backward<double>, dropout<double>,
                                                     squared_slopes<double>,
                                                     add_contraction<double>};

}  // namespace ictus::cuda
