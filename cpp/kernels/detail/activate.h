// The activation functions on vectors, chosen at compile time or by one switch outside the loops.
#pragma once

#include "ictus/epilogue.h"
#include "kernels/detail/math.h"
#include "kernels/detail/simd.h"

namespace ictus::ICTUS_LEVEL {
namespace {

template <Activation A>
struct ActivationTag {
  static constexpr Activation value = A;
};

template <Activation A, class T>
inline Vector<T> activate(Vector<T> z) {
  if constexpr (A == Activation::sigmoid) {
    return sigmoid<T>(z);
  } else if constexpr (A == Activation::tanh) {
    return tanh<T>(z);
  } else if constexpr (A == Activation::relu) {
    return maximum<T>(Vector<T>{}, z);  // NaN stays
  } else if constexpr (A == Activation::softplus) {
    return softplus<T>(z);
  } else {
    return z;
  }
}

// f'(z) from y = f(z).
template <Activation A, class T>
inline Vector<T> derivative_from_output(Vector<T> y) {
  if constexpr (A == Activation::sigmoid) {
    return y * (T(1) - y);
  } else if constexpr (A == Activation::tanh) {
    return (T(1) - y) * (T(1) + y);
  } else if constexpr (A == Activation::relu) {
    return select<T>(y > T(0), broadcast<T>(T(1)), y - y);  // y - y: 0, and NaN where y is
  } else if constexpr (A == Activation::softplus) {
    return -expm1<T>(-y);
  } else {
    return broadcast<T>(T(1));
  }
}

// f''(z) from y = f(z) and its slope f'(z).
template <Activation A, class T>
inline Vector<T> curvature_from_output(Vector<T> y, Vector<T> slope) {
  if constexpr (A == Activation::sigmoid) {
    return slope * (T(1) - y - y);
  } else if constexpr (A == Activation::tanh) {
    return T(-2) * y * slope;
  } else if constexpr (A == Activation::softplus) {
    return slope * (T(1) - slope);
  } else {
    return slope - slope;  // 0, and NaN where y is
  }
}

// Calls body(ActivationTag<A>{}) for the A that equals `activation`.
template <class Body>
inline void with_activation(Activation activation, const Body& body) {
  switch (activation) {
    case Activation::identity:
      return body(ActivationTag<Activation::identity>{});
    case Activation::sigmoid:
      return body(ActivationTag<Activation::sigmoid>{});
    case Activation::tanh:
      return body(ActivationTag<Activation::tanh>{});
    case Activation::relu:
      return body(ActivationTag<Activation::relu>{});
    case Activation::softplus:
      return body(ActivationTag<Activation::softplus>{});
  }
}

}  // namespace
}  // namespace ictus::ICTUS_LEVEL
