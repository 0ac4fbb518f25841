// Fourier transforms of as many signals as a vector has lanes, side by side.
#pragma once

#include "kernels/detail/simd.h"

namespace ictus::ICTUS_LEVEL {
namespace {

template <class T>
struct Complex {
  Vector<T> re, im;
};

template <class T>
inline Complex<T> operator+(Complex<T> a, Complex<T> b) {
  return {a.re + b.re, a.im + b.im};
}
template <class T>
inline Complex<T> operator-(Complex<T> a, Complex<T> b) {
  return {a.re - b.re, a.im - b.im};
}
// By the unit number twiddle[0] + i twiddle[1].
template <class T>
inline Complex<T> turn(Complex<T> a, const T* twiddle) {
  return {a.re * twiddle[0] - a.im * twiddle[1], a.re * twiddle[1] + a.im * twiddle[0]};
}

// Decimation in frequency by four, in place; bin 4 r + q ends in quarter q, where bin r of the
// quarter's own transform ends. `stride` is the step in the table of twiddles. Depth first: the
// quarters of a quarter are finished while they are in the level-1 cache.
template <class T>
inline void fourier(Complex<T>* z, std::int64_t size, const T* twiddles, std::int64_t stride) {
  if (size == 1) return;
  if (size == 2) {
    const Complex<T> a = z[0], b = z[1];
    z[0] = a + b;
    z[1] = a - b;
    return;
  }
  const std::int64_t quarter = size / 4;
  for (std::int64_t n = 0; n < quarter; ++n) {
    const Complex<T> a = z[n], b = z[n + quarter], c = z[n + 2 * quarter], d = z[n + 3 * quarter];
    const Complex<T> even = a + c, odd = a - c, sum = b + d, difference = b - d;
    const Complex<T> turned = {difference.im, -difference.re};  // times -i
    const T* const w = twiddles + 2 * n * stride;
    z[n] = even + sum;
    z[n + quarter] = turn<T>(odd + turned, w);
    z[n + 2 * quarter] = turn<T>(even - sum, w + 2 * n * stride);
    z[n + 3 * quarter] = turn<T>(odd - turned, w + 4 * n * stride);
  }
  for (int q = 0; q < 4; ++q) fourier(z + q * quarter, quarter, twiddles, 4 * stride);
}

// Squared magnitudes of the bins 0 .. size / 2 of real signals, from the transform z of half the
// size whose real parts are the even samples and whose imaginary parts are the odd ones.
template <class T>
inline void real_power(const Complex<T>* z, std::int64_t size, const T* twiddles,
                       const std::int32_t* positions, Vector<T>* power) {
  const std::int64_t half = size / 2;
  const Complex<T> first = z[0];
  power[0] = (first.re + first.im) * (first.re + first.im);
  power[half] = (first.re - first.im) * (first.re - first.im);
  for (std::int64_t k = 1; k <= half / 2; ++k) {
    const Complex<T> a = z[positions[k]], b = z[positions[half - k]];
    // Twice the transforms of the even and of the odd samples.
    const Complex<T> even = {a.re + b.re, a.im - b.im};
    const Complex<T> odd = turn<T>({a.im + b.im, b.re - a.re}, twiddles + 2 * k);
    const Complex<T> low = even + odd, high = even - odd;
    power[k] = T(0.25) * (low.re * low.re + low.im * low.im);
    power[half - k] = T(0.25) * (high.re * high.re + high.im * high.im);
  }
}

}  // namespace
}  // namespace ictus::ICTUS_LEVEL
