// Nonlinearities of gates: sigmoid and tanh from one power of two and one division, with an
// absolute error of about the unit roundoff. (math.h has functions with a small relative error
// everywhere; a gate multiplies by its value, so the absolute error is what counts, and the
// argument needs no reduction in extended precision: x sigmoid'(x) is never above 0.23.)
//
// All functions work on N vectors at a time, stage by stage: one vector's chain of operations takes
// some 60 cycles, and a processor looks ahead too little to overlap chains that follow one another.
#pragma once

#include "kernels/detail/math.h"

namespace ictus::ICTUS_LEVEL {
namespace {

// 2^f = 1 + f Q(f) for |f| <= 1/2 (tools/polynomials.py).
template <class T>
struct PowerOfTwo;
template <>
struct PowerOfTwo<float> {
  static constexpr float q[] = {0x1.62e430p-1f, 0x1.ebfa4cp-3f, 0x1.c6afeep-5f, 0x1.3cbf60p-7f,
                                0x1.5ec866p-10f};
};
template <>
struct PowerOfTwo<double> {
  static constexpr double q[] = {
      0x1.62e42fefa39efp-1,  0x1.ebfbdff82c598p-3,  0x1.c6b08d704a0c2p-5,  0x1.3b2ab6fba1ddap-7,
      0x1.5d87fe78a5276p-10, 0x1.430913096fd9fp-13, 0x1.ffcbfc670dcd4p-17, 0x1.62bfd47773353p-20,
      0x1.b524fae627834p-24, 0x1.e6063f7217bc6p-28, 0x1.e9d3fe3952179p-32};
};

#define ICTUS_EACH _Pragma("GCC unroll 8") for (int k = 0; k < N; ++k)

// x <- 2^x, x clipped to +-limit.
template <class T, int N>
inline void powers_of_two(Vector<T> (&x)[N], T limit = T(Format<T>::bias - 1)) {
  constexpr T shifter = kRounder<T> + T(Format<T>::bias);
  constexpr const auto& q = PowerOfTwo<T>::q;
  constexpr int degree = static_cast<int>(sizeof q / sizeof q[0]) - 1;
  Vector<T> power[N], sum[N];
  ICTUS_EACH x[k] = minimum<T>(broadcast<T>(limit), x[k]);
  ICTUS_EACH x[k] = maximum<T>(broadcast<T>(-limit), x[k]);
  // The low bits of the shifted sum are the biased exponent of the whole part.
  ICTUS_EACH power[k] = x[k] + shifter;
  ICTUS_EACH x[k] = x[k] - (power[k] - shifter);
  ICTUS_EACH power[k] =
      bits_as<Vector<T>>(bits_as<UnsignedVector<T>>(power[k]) << Format<T>::fraction_bits);
  ICTUS_EACH sum[k] = x[k] * q[degree] + q[degree - 1];
#pragma GCC unroll 16
  for (int i = degree - 2; i >= 0; --i) ICTUS_EACH sum[k] = sum[k] * x[k] + q[i];
  ICTUS_EACH sum[k] = sum[k] * x[k] + T(1);
  ICTUS_EACH x[k] = sum[k] * power[k];
}

// Where only products of gates are wanted, their divisions are done as one: with e from here,
// sigmoid(x) = 1 / (1 + e), tanh(x) = (1 - e) / (1 + e). No e is above a limit that leaves room for
// the product of three and is far enough for a sigmoid of less than the unit roundoff.
template <class T>
constexpr T kGateLimit = sizeof(T) == 4 ? T(40) : T(100);

// x <- exp(-x) for the first S vectors, exp(-2 x) for the others.
template <class T, int S, int N>
inline void gate_exponentials(Vector<T> (&x)[N], T limit = kGateLimit<T>) {
  constexpr T log2_e = MathConstants<T>::log2_e;
  ICTUS_EACH x[k] *= k < S ? -log2_e : -2 * log2_e;
  powers_of_two<T>(x, limit);
}

// sigmoid(f) * before + sigmoid(i) * tanh(g), from exponentials.
template <class T>
inline Vector<T> gated_sum(Vector<T> before, Vector<T> i, Vector<T> f, Vector<T> g) {
  const Vector<T> added = (i + T(1)) * (g + T(1)), kept = f + T(1);
  return (before * added + (T(1) - g) * kept) / (added * kept);
}

// sigmoid(o) * tanh(c), from the exponential of c and one plus that of o.
template <class T>
inline Vector<T> gated_tanh(Vector<T> c, Vector<T> one_plus_o) {
  return (T(1) - c) / ((T(1) + c) * one_plus_o);
}

// x <- sigmoid(x) for the first S vectors, tanh(x) for the others.
template <class T, int S, int N>
inline void gate_values(Vector<T> (&x)[N]) {
  gate_exponentials<T, S>(x, T(Format<T>::bias - 1));
  ICTUS_EACH x[k] += T(1);
  ICTUS_EACH x[k] = (k < S ? T(1) : T(2)) / x[k];
  ICTUS_EACH {
    if (k >= S) x[k] -= T(1);
  }
}

#undef ICTUS_EACH

template <class T>
inline Vector<T> gate_sigmoid(Vector<T> x) {
  Vector<T> one[] = {x};
  gate_values<T, 1>(one);
  return one[0];
}

template <class T>
inline Vector<T> gate_tanh(Vector<T> x) {
  Vector<T> one[] = {x};
  gate_values<T, 0>(one);
  return one[0];
}

// The derivatives, from the values.
template <class T>
inline Vector<T> sigmoid_slope(Vector<T> y) {
  return y - y * y;
}
template <class T>
inline Vector<T> tanh_slope(Vector<T> y) {
  return T(1) - y * y;
}

}  // namespace
}  // namespace ictus::ICTUS_LEVEL
