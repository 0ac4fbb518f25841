// Losses, gradients and curvature from logits (ictus/loss.h).
#include "ictus/loss.h"

#include "kernels/detail/parallel.h"
#include "kernels/detail/rows.h"

namespace ictus::ICTUS_LEVEL {
namespace {

constexpr std::int64_t kParts = 64;  // partial sums of the value, whatever the threads
constexpr std::int64_t kChunk = 1 << 13;

// One example: its logits, its target, and where its gradient goes (nullptr: nowhere).
template <class T>
struct Example {
  const T* z;
  const T* t;
  std::int64_t label;  // where t is nullptr
  T* gradient;
  std::int64_t columns;
  T factor;  // scale * weight

  // The target's elements j .. j + lanes.
  template <class Access>
  Vector<T> target(std::int64_t j, Access access) const {
    if (t != nullptr) return access.read(t + j);
    using I = typename BitsOf<T>::Signed;
    const auto lane = static_cast<I>(label - j);
    return select<T>(lane_numbers<I>() == broadcast<I>(lane), broadcast<T>(T(1)), Vector<T>{});
  }
};

template <class T>
double squared_error(const Example<T>& e) {
  Vector<T> sum = {};
  for_vectors<T>(0, e.columns, [&](std::int64_t j, auto access) {
    const Vector<T> difference = access.read(e.z + j) - access.keep(e.target(j, access), T(0));
    sum += difference * difference;
    if (e.gradient != nullptr) access.write(e.gradient + j, difference * e.factor);
  });
  return 0.5 * static_cast<double>(horizontal_sum<T>(sum));
}

template <class T>
double binary_cross_entropy(const Example<T>& e) {
  Vector<T> sum = {};
  const Vector<T> zero = {};
  for_vectors<T>(0, e.columns, [&](std::int64_t j, auto access) {
    const Vector<T> z = access.read(e.z + j);
    const Vector<T> t = e.target(j, access);
    // softplus(z) - t z, without the difference of two large numbers.
    const Vector<T> value = softplus<T>(-absolute<T>(z)) + (select<T>(z > zero, z, zero) - z * t);
    sum += access.keep(value, T(0));
    if (e.gradient != nullptr) access.write(e.gradient + j, (sigmoid<T>(z) - t) * e.factor);
  });
  return static_cast<double>(horizontal_sum<T>(sum));
}

template <class T>
double softmax_cross_entropy(const Example<T>& e) {
  const T shift = row_shift(e.z, e.columns);
  Vector<T> total = {};     // of exp(z - shift)
  Vector<T> distance = {};  // of t (shift - z)
  Vector<T> mass = {};      // of t
  for_vectors<T>(0, e.columns, [&](std::int64_t j, auto access) {
    const Vector<T> z = access.read(e.z + j);
    const Vector<T> exponential = exp<T>(z - shift);
    const Vector<T> t = access.keep(e.target(j, access), T(0));
    total += access.keep(exponential, T(0));
    mass += t;
    // A logit of -inf is allowed where its target is zero.
    distance += select<T>(t == Vector<T>{}, Vector<T>{}, t * (shift - z));
    if (e.gradient != nullptr) access.write(e.gradient + j, exponential);
  });
  const T sum = horizontal_sum<T>(total);
  const T target_mass = horizontal_sum<T>(mass);
  if (e.gradient != nullptr) {
    const T scale = target_mass / sum;
    for_vectors<T>(0, e.columns, [&](std::int64_t j, auto access) {
      const Vector<T> p = access.read(e.gradient + j) * scale;
      access.write(e.gradient + j, (p - e.target(j, access)) * e.factor);
    });
  }
  return static_cast<double>(horizontal_sum<T>(distance)) +
         static_cast<double>(target_mass) * static_cast<double>(scalar_log(sum));
}

template <class T>
using ExampleLoss = double (*)(const Example<T>& example);

template <class T>
double evaluate(Loss loss, const LossArguments<T>& a) noexcept {
  const ExampleLoss<T> of_example = loss == Loss::squared_error          ? squared_error<T>
                                    : loss == Loss::binary_cross_entropy ? binary_cross_entropy<T>
                                                                         : softmax_cross_entropy<T>;
  const std::int64_t even = (a.rows + kParts - 1) / kParts;
  const std::int64_t least = 1 + kChunk / (a.columns + 1);
  const std::int64_t part = even < least ? least : even;
  double partial[kParts] = {};
  parallel_ranges(a.rows, part, [&](std::int64_t begin, std::int64_t end) {
    double sum = 0;
    for (std::int64_t i = begin; i < end; ++i) {
      const double weight = a.weights == nullptr ? 1.0 : static_cast<double>(a.weights[i]);
      const Example<T> example = {
          a.logits + i * a.logits_row_stride,
          a.targets == nullptr ? nullptr : a.targets + i * a.targets_row_stride,
          a.labels == nullptr ? -1 : a.labels[i],
          a.gradient == nullptr ? nullptr : a.gradient + i * a.gradient_row_stride,
          a.columns,
          static_cast<T>(a.scale * weight)};
      const double value = of_example(example);
      sum += weight == 0 ? 0 : weight * value;
    }
    partial[begin / part] = sum;
  });
  double total = 0;
  for (std::int64_t p = 0; p < kParts; ++p) total += partial[p];
  return a.scale * total;
}

template <class T>
void curvature_row(Loss loss, const T* z, const T* v, T* out, std::int64_t columns, T factor) {
  if (loss == Loss::softmax_cross_entropy) {
    const T shift = row_shift(z, columns);
    Vector<T> total = {};
    Vector<T> weighted = {};
    for_vectors<T>(0, columns, [&](std::int64_t j, auto access) {
      const Vector<T> e = access.keep(exp<T>(access.read(z + j) - shift), T(0));
      total += e;
      weighted += e * access.read(v + j);
    });
    const T sum = horizontal_sum<T>(total);
    const T mean = horizontal_sum<T>(weighted) / sum;
    for_vectors<T>(0, columns, [&](std::int64_t j, auto access) {
      const Vector<T> p = exp<T>(access.read(z + j) - shift) / sum;
      access.write(out + j, factor * p * (access.read(v + j) - mean));
    });
    return;
  }
  for_vectors<T>(0, columns, [&](std::int64_t j, auto access) {
    Vector<T> h = broadcast<T>(factor);
    if (loss == Loss::binary_cross_entropy) {
      const Vector<T> logit = access.read(z + j);
      h *= sigmoid<T>(logit) * sigmoid<T>(-logit);
    }
    access.write(out + j, h * access.read(v + j));
  });
}

template <class T>
void curvature(Loss loss, const CurvatureArguments<T>& a) noexcept {
  parallel_ranges(a.rows, 1 + kChunk / (a.columns + 1), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const double weight = a.weights == nullptr ? 1.0 : static_cast<double>(a.weights[i]);
      curvature_row(loss, a.logits + i * a.logits_row_stride, a.v + i * a.v_row_stride,
                    a.out + i * a.out_row_stride, a.columns, static_cast<T>(a.scale * weight));
    }
  });
}

}  // namespace

extern const LossKernels<float> loss_float;
extern const LossKernels<double> loss_double;
const LossKernels<float> loss_float = {evaluate<float>, curvature<float>};
const LossKernels<double> loss_double = {evaluate<double>, curvature<double>};

}  // namespace ictus::ICTUS_LEVEL
