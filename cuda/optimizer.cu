// One-pass updates of a flat vector (ictus/optimizer.h) on a GPU: bound by memory, so each number
// is read and written once.
#include "ictus/optimizer.h"

#include "over_elements.h"
#include "segments.h"

namespace ictus::cuda {
namespace {

// The gradient with its penalties, where the element lies in a segment.
template <class T>
__device__ T penalised_gradient(const UpdateArguments<T>& u, std::int64_t i, T w, bool penalised) {
  T g = u.gradient[i] * u.gradient_scale;
  if (penalised) g += u.l2 * w + (w > T(0) ? u.l1 : w < T(0) ? -u.l1 : T(0));
  return g;
}

template <class T>
struct Sgd {
  SgdArguments<T> a;
  T rate;
  Segments segments;
  std::int64_t begin;
  __device__ void operator()(std::int64_t, std::int64_t j) const {
    const std::int64_t i = begin + j;
    const T w = a.update.parameters[i];
    const T change = rate * penalised_gradient(a.update, i, w, segments.contain(i));
    if (a.velocity == nullptr) {
      a.update.parameters[i] = w - change;
      return;
    }
    const T v = a.momentum * a.velocity[i] - change;
    a.velocity[i] = v;
    a.update.parameters[i] = a.nesterov ? w + (a.momentum * v - change) : w + v;
  }
};

template <class T>
struct Rmsprop {
  RmspropArguments<T> a;
  Segments segments;
  std::int64_t begin;
  __device__ void operator()(std::int64_t, std::int64_t j) const {
    const std::int64_t i = begin + j;
    const T w = a.update.parameters[i];
    const T g = penalised_gradient(a.update, i, w, segments.contain(i));
    const T s = a.decay * a.mean_square[i] + (T(1) - a.decay) * g * g;
    a.mean_square[i] = s;
    T change = -(a.learning_rate * g / (sqrt(s) + a.epsilon));
    if (a.velocity != nullptr) {
      change += a.momentum * a.velocity[i];
      a.velocity[i] = change;
    }
    a.update.parameters[i] = w + change;
  }
};

template <class T>
struct Adam {
  AdamArguments<T> a;
  Segments segments;
  std::int64_t begin;
  __device__ void operator()(std::int64_t, std::int64_t j) const {
    const std::int64_t i = begin + j;
    const bool penalised = segments.contain(i);
    const T w = a.update.parameters[i];
    const T g = penalised_gradient(a.update, i, w, penalised);
    const T m = a.beta1 * a.mean[i] + (T(1) - a.beta1) * g;
    const T s = a.beta2 * a.mean_square[i] + (T(1) - a.beta2) * g * g;
    a.mean[i] = m;
    a.mean_square[i] = s;
    T next = w - a.step_size * m / (sqrt(s) * a.root_correction + a.epsilon);
    if (penalised) next -= a.shrinkage * w;
    a.update.parameters[i] = next;
  }
};

template <class T, class Make>
void update(const UpdateArguments<T>& u, bool any_penalty, const Make& make) {
  for_segments(u.size, u.segments, any_penalty ? u.segment_count : 0,
               [&](std::int64_t begin, std::int64_t end, const Segments& segments) {
                 over_elements(1, end - begin, make(segments, begin));
               });
}

template <class T>
void sgd(const SgdArguments<T>& a) noexcept {
  const T rate = a.dampened ? a.learning_rate * (T(1) - a.momentum) : a.learning_rate;
  update(a.update, a.update.l1 != T(0) || a.update.l2 != T(0),
         [&](const Segments& s, std::int64_t begin) { return Sgd<T>{a, rate, s, begin}; });
}

template <class T>
void rmsprop(const RmspropArguments<T>& a) noexcept {
  update(a.update, a.update.l1 != T(0) || a.update.l2 != T(0),
         [&](const Segments& s, std::int64_t begin) { return Rmsprop<T>{a, s, begin}; });
}

template <class T>
void adam(const AdamArguments<T>& a) noexcept {
  update(a.update, a.update.l1 != T(0) || a.update.l2 != T(0) || a.shrinkage != T(0),
         [&](const Segments& s, std::int64_t begin) { return Adam<T>{a, s, begin}; });
}

// A thread has a column, so that neighbours read neighbours.
template <class T>
__global__ void __launch_bounds__(kElementThreads)
    limit_columns(T* weights, std::int64_t rows, std::int64_t columns, std::int64_t row_stride,
                  T limit) {
  const std::int64_t j = std::int64_t{blockIdx.x} * kElementThreads + threadIdx.x;
  if (j >= columns) return;
  T squares = T(0);
  for (std::int64_t i = 0; i < rows; ++i) {
    const T w = weights[i * row_stride + j];
    squares += w * w;
  }
  if (!(squares > limit * limit)) return;
  const T scale = limit / sqrt(squares);
  for (std::int64_t i = 0; i < rows; ++i) weights[i * row_stride + j] *= scale;
}

template <class T>
void max_norm(T* weights, std::int64_t rows, std::int64_t columns, std::int64_t row_stride,
              T limit) noexcept {
  if (rows == 0 || columns == 0) return;
  launch(limit_columns<T>, {blocks(columns, kElementThreads), kElementThreads}, weights, rows,
         columns, row_stride, limit);
}

}  // namespace

extern const OptimizerKernels<float> optimizer_float;
extern const OptimizerKernels<double> optimizer_double;
const OptimizerKernels<float> optimizer_float = {sgd<float>, rmsprop<float>, adam<float>,
                                                 max_norm<float>};
const OptimizerKernels<double> optimizer_double = {sgd<double>, rmsprop<double>, adam<double>,
                                                   max_norm<double>};

}  // namespace ictus::cuda
