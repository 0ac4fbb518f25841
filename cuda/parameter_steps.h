// What the updates of machines trained by sampling share: the statistics of two phases as one
// product, steps of weights and biases while the sums are in registers, and the parts of a
// workspace.
#pragma once

#include "ictus/rbm.h"
#include "over_elements.h"
#include "sums_over_rows.h"
#include "tiled_product.h"

namespace ictus::cuda {

// Parts of a workspace, each aligned to 256 bytes.
class Parts {
 public:
  explicit Parts(void* workspace) : start_(static_cast<char*>(workspace)) {}
  template <class T>
  T* take(std::int64_t elements) {
    T* const part = reinterpret_cast<T*>(start_ + bytes_);
    bytes_ += (elements * static_cast<std::int64_t>(sizeof(T)) + 255) / 256 * 256;
    return part;
  }
  std::int64_t bytes() const { return bytes_; }

 private:
  char* start_;
  std::int64_t bytes_ = 0;
};

template <class T>
__device__ __forceinline__ void step_parameter(const RbmRule<T>& rule, T rate, bool penalised,
                                               T gradient, T& w, T& velocity) {
  const T old = w;
  if (penalised) {
    gradient -= rule.l2 * old + (old > T(0) ? rule.l1 : old < T(0) ? -rule.l1 : T(0));
  }
  velocity = rule.momentum * velocity + rate * gradient;
  w = old + velocity;
}

// Two matrices one above the other, each multiplied by a number; inner indices are their rows.
template <class T>
struct StackedOperand {
  static constexpr bool kLinesTogether = true;
  using Line = std::int64_t;
  struct Inner {
    const T* row;
    T scale;
  };
  const T* first;
  std::int64_t first_stride, first_rows;
  T first_scale;
  const T* second;
  std::int64_t second_stride;
  T second_scale;
  __device__ Line line(std::int64_t i) const { return i; }
  __device__ Inner inner(std::int64_t p) const {
    if (p < first_rows) return {first + p * first_stride, first_scale};
    return {second + (p - first_rows) * second_stride, second_scale};
  }
  __device__ T at(Line line, const Inner& inner) const { return inner.scale * inner.row[line]; }
};

// The step of a matrix of weights from its gradient, element by element.
template <class T>
struct StepWeights {
  RbmRule<T> rule;
  std::int64_t columns;
  T* weights;
  T* velocity;
  const T* row_variance;     // the gradient is divided by it
  const T* column_variance;  // likewise
  T* fast_weights;
  T fast_rate, fast_decay;
  T* products;  // gradient times weight, before the step; nullptr: not wanted
  __device__ void operator()(std::int64_t, std::int64_t i, std::int64_t j, const T (&sum)[4],
                             int count) const {
#pragma unroll
    for (int r = 0; r < 4; ++r) {
      if (r >= count) break;
      const std::int64_t at = (i + r) * columns + j;
      T g = sum[r];
      if (products != nullptr) products[at] = g * weights[at];
      if (row_variance != nullptr) g *= T(1) / row_variance[i + r];
      if (column_variance != nullptr) g /= column_variance[j];
      if (fast_weights != nullptr) {
        fast_weights[at] = fast_decay * fast_weights[at] + fast_rate * g;
      }
      step_parameter(rule, rule.weight_rate, true, g, weights[at], velocity[at]);
    }
  }
};

// A bias from the sums of both phases: where the ratio is 1 and the sums are exact, so is their
// difference.
template <class T>
struct StepBias {
  RbmRule<T> rule;
  T scale, ratio;
  const T* variance;
  T* bias;
  T* velocity;
  __device__ void operator()(std::int64_t j, T first, T second) const {
    T g = scale * (first - ratio * second);
    if (variance != nullptr) g /= variance[j];
    step_parameter(rule, rule.bias_rate, false, g, bias[j], velocity[j]);
  }
};

template <class T>
struct DecayedMean {
  T scale, keep;
  T* mean;
  __device__ void operator()(std::int64_t j, T sum, T) const {
    mean[j] = scale * sum + keep * mean[j];
  }
};

template <class T>
struct DrawToTarget {
  T* mean;
  std::int64_t columns;
  const T* activity;
  T target, cost;
  __device__ void operator()(std::int64_t i, std::int64_t j) const {
    mean[i * columns + j] -= cost * (activity[j] - target);
  }
};

template <class T>
struct SumOf {
  const T* a;
  const T* b;
  T* out;
  __device__ void operator()(std::int64_t, std::int64_t j) const { out[j] = a[j] + b[j]; }
};

template <class T>
struct AddBias {
  const T* bias;
  std::int64_t columns;
  T* out;
  __device__ void operator()(std::int64_t, std::int64_t i, std::int64_t j, const T (&sum)[4],
                             int count) const {
#pragma unroll
    for (int r = 0; r < 4; ++r) {
      if (r < count) out[(i + r) * columns + j] = sum[r] + bias[j];
    }
  }
};

}  // namespace ictus::cuda
