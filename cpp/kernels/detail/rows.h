// Walks over rows of a matrix a vector at a time, the tail as a partial vector.
#pragma once

#include "kernels/detail/math.h"
#include "kernels/detail/simd.h"

namespace ictus::ICTUS_LEVEL {
namespace {

// Reads and writes whole or partial vectors by one name. Lanes beyond a partial vector read zero;
// `mask` tells which lanes count.
template <class T>
struct Whole {
  Vector<T> read(const T* p) const { return load<T>(p); }
  void write(T* p, Vector<T> v) const { store<T>(p, v); }
  Vector<T> keep(Vector<T> v, T) const { return v; }
};
template <class T>
struct Partial {
  int count;
  Vector<T> read(const T* p) const { return load_partial<T>(p, count); }
  void write(T* p, Vector<T> v) const { store_partial<T>(p, v, count); }
  // v, with `other` in the lanes that do not count.
  Vector<T> keep(Vector<T> v, T other) const {
    using I = typename BitsOf<T>::Signed;
    return select<T>(lane_numbers<I>() < broadcast<I>(static_cast<I>(count)), v,
                     broadcast<T>(other));
  }
};

template <class T, class Step>
inline void for_vectors(std::int64_t begin, std::int64_t end, const Step& step) {
  std::int64_t i = begin;
  for (; i + kLanes<T> <= end; i += kLanes<T>) step(i, Whole<T>{});
  if (i < end) step(i, Partial<T>{static_cast<int>(end - i)});
}

// The largest element of a row; NaN elements are passed over, they show in what is computed with
// the maximum. -inf for an empty row.
template <class T>
inline T row_maximum(const T* x, std::int64_t columns) {
  const T lowest = -static_cast<T>(__builtin_inf());
  Vector<T> best = broadcast<T>(lowest);
  for_vectors<T>(0, columns, [&](std::int64_t j, auto access) {
    const Vector<T> v = access.keep(access.read(x + j), lowest);
    best = select<T>(v > best, v, best);
  });
  T lane[kLanes<T>];
  __builtin_memcpy(lane, &best, sizeof best);
  T result = lane[0];
  for (int i = 1; i < kLanes<T>; ++i) result = lane[i] > result ? lane[i] : result;
  return result;
}

// The shift under which a row's exponentials cannot overflow: its maximum where that is finite.
template <class T>
inline T row_shift(const T* x, std::int64_t columns) {
  const T top = row_maximum(x, columns);
  return top - top == T(0) ? top : T(0);
}

// Sum over a row of exp(x - shift).
template <class T>
inline T sum_of_exponentials(const T* x, std::int64_t columns, T shift) {
  Vector<T> sum = {};
  for_vectors<T>(0, columns, [&](std::int64_t j, auto access) {
    sum += access.keep(exp<T>(access.read(x + j) - shift), T(0));
  });
  return horizontal_sum<T>(sum);
}

// Natural logarithm of one number, by the same formula as of a vector.
template <class T>
inline T scalar_log(T x) {
  return log<T>(broadcast<T>(x))[0];
}

}  // namespace
}  // namespace ictus::ICTUS_LEVEL
