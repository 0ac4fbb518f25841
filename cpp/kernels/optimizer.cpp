// One-pass updates (ictus/optimizer.h). A pass is cut into chunks, a chunk into runs that lie
// inside or outside the segments, and each run goes through one loop of vectors.
#include "ictus/optimizer.h"

#include "kernels/detail/parallel.h"
#include "kernels/detail/rows.h"

namespace ictus::ICTUS_LEVEL {
namespace {

constexpr std::int64_t kChunk = 1 << 15;  // elements: some 10 us of memory traffic

// Calls step(i, access, penalised) over the whole vector; `penalised` is a compile-time flag.
template <bool kValue>
struct Flag {
  static constexpr bool value = kValue;
};

template <class T, class Step>
inline void for_parameters(const UpdateArguments<T>& u, bool any_penalty, const Step& step) {
  const auto plain = [&](std::int64_t i, auto access) { step(i, access, Flag<false>{}); };
  const auto penalised = [&](std::int64_t i, auto access) { step(i, access, Flag<true>{}); };
  parallel_ranges(u.size, kChunk, [&](std::int64_t begin, std::int64_t end) {
    std::int64_t at = begin;
    for (std::int64_t s = 0; any_penalty && s < u.segment_count && at < end; ++s) {
      std::int64_t first = u.segments[2 * s];
      std::int64_t last = u.segments[2 * s + 1];
      if (last <= at || first >= end) continue;
      first = first < at ? at : first;
      last = last > end ? end : last;
      for_vectors<T>(at, first, plain);
      for_vectors<T>(first, last, penalised);
      at = last;
    }
    for_vectors<T>(at, end, plain);
  });
}

template <bool kPenalised, class T, class Access>
inline Vector<T> penalised_gradient(const UpdateArguments<T>& u, std::int64_t i, Vector<T> w,
                                    Access access) {
  Vector<T> g = access.read(u.gradient + i) * u.gradient_scale;
  if (kPenalised) {
    const Vector<T> zero = {};
    const Vector<T> l1 = broadcast<T>(u.l1);
    g += u.l2 * w + select<T>(w > zero, l1, select<T>(w < zero, -l1, zero));
  }
  return g;
}

template <class T>
void sgd(const SgdArguments<T>& a) noexcept {
  const UpdateArguments<T>& u = a.update;
  const T rate = a.dampened ? a.learning_rate * (T(1) - a.momentum) : a.learning_rate;
  for_parameters(u, u.l1 != T(0) || u.l2 != T(0), [&](std::int64_t i, auto access, auto flag) {
    const Vector<T> w = access.read(u.parameters + i);
    const Vector<T> change = rate * penalised_gradient<decltype(flag)::value>(u, i, w, access);
    if (a.velocity == nullptr) {
      access.write(u.parameters + i, w - change);
      return;
    }
    const Vector<T> v = a.momentum * access.read(a.velocity + i) - change;
    access.write(a.velocity + i, v);
    access.write(u.parameters + i, a.nesterov ? w + (a.momentum * v - change) : w + v);
  });
}

template <class T>
void rmsprop(const RmspropArguments<T>& a) noexcept {
  const UpdateArguments<T>& u = a.update;
  for_parameters(u, u.l1 != T(0) || u.l2 != T(0), [&](std::int64_t i, auto access, auto flag) {
    const Vector<T> w = access.read(u.parameters + i);
    const Vector<T> g = penalised_gradient<decltype(flag)::value>(u, i, w, access);
    const Vector<T> s = a.decay * access.read(a.mean_square + i) + (T(1) - a.decay) * g * g;
    access.write(a.mean_square + i, s);
    Vector<T> change = -(a.learning_rate * g / (square_root<T>(s) + a.epsilon));
    if (a.velocity != nullptr) {
      change += a.momentum * access.read(a.velocity + i);
      access.write(a.velocity + i, change);
    }
    access.write(u.parameters + i, w + change);
  });
}

template <class T>
void adam(const AdamArguments<T>& a) noexcept {
  const UpdateArguments<T>& u = a.update;
  const bool any = u.l1 != T(0) || u.l2 != T(0) || a.shrinkage != T(0);
  for_parameters(u, any, [&](std::int64_t i, auto access, auto flag) {
    constexpr bool penalised = decltype(flag)::value;
    const Vector<T> w = access.read(u.parameters + i);
    const Vector<T> g = penalised_gradient<penalised>(u, i, w, access);
    const Vector<T> m = a.beta1 * access.read(a.mean + i) + (T(1) - a.beta1) * g;
    const Vector<T> s = a.beta2 * access.read(a.mean_square + i) + (T(1) - a.beta2) * g * g;
    access.write(a.mean + i, m);
    access.write(a.mean_square + i, s);
    Vector<T> next = w - a.step_size * m / (square_root<T>(s) * a.root_correction + a.epsilon);
    if (penalised) next -= a.shrinkage * w;
    access.write(u.parameters + i, next);
  });
}

// The columns of one vector, all rows.
template <class T, class Access>
inline void limit_columns(T* weights, std::int64_t rows, std::int64_t row_stride, T limit,
                          Access access) {
  Vector<T> squares = {};
  for (std::int64_t i = 0; i < rows; ++i) {
    const Vector<T> w = access.read(weights + i * row_stride);
    squares += w * w;
  }
  const Vector<T> one = broadcast<T>(T(1));
  const SignedVector<T> longer = squares > broadcast<T>(limit * limit);
  bool any = false;
  for (int lane = 0; lane < kLanes<T>; ++lane) any = any || longer[lane] != 0;
  if (!any) return;
  const Vector<T> scale =
      select<T>(longer, limit / square_root<T>(select<T>(longer, squares, one)), one);
  for (std::int64_t i = 0; i < rows; ++i) {
    access.write(weights + i * row_stride, access.read(weights + i * row_stride) * scale);
  }
}

template <class T>
void max_norm(T* weights, std::int64_t rows, std::int64_t columns, std::int64_t row_stride,
              T limit) noexcept {
  const std::int64_t vectors = 1 + kChunk / ((rows + 1) * kLanes<T>);
  parallel_ranges(columns, vectors * kLanes<T>, [&](std::int64_t begin, std::int64_t end) {
    for_vectors<T>(begin, end, [&](std::int64_t j, auto access) {
      limit_columns<T>(weights + j, rows, row_stride, limit, access);
    });
  });
}

}  // namespace

extern const OptimizerKernels<float> optimizer_float;
extern const OptimizerKernels<double> optimizer_double;
const OptimizerKernels<float> optimizer_float = {sgd<float>, rmsprop<float>, adam<float>,
                                                 max_norm<float>};
const OptimizerKernels<double> optimizer_double = {sgd<double>, rmsprop<double>, adam<double>,
                                                   max_norm<double>};

}  // namespace ictus::ICTUS_LEVEL
