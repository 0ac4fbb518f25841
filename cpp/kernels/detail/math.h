// Elementary functions on vectors, within 2 ulp of the real function over the whole range of the
// scalar (tests/kernels/test_activation.py measures them at every level; tools/ulp_check.py, all
// floats). NaN stays NaN, infinities have their limits, results underflow gradually. A fused
// multiply-add is used where the level has one and is needed nowhere.
//
// Range reductions after W. J. Cody & W. Waite, "Software manual for the elementary functions"
// (1980); the logarithm's rearrangement f - (f^2/2 - s (f^2/2 + R)) after P. T. P. Tang,
// "Table-driven implementation of the logarithm function" (ACM TOMS 1990) and its table-free form
// in common mathematical libraries. Coefficients: tools/polynomials.py.
#pragma once

#include "kernels/detail/simd.h"

namespace ictus::ICTUS_LEVEL {
namespace {

template <class T>
struct MathConstants;

template <>
struct MathConstants<float> {
  static constexpr float log2_e = 0x1.715476p+0f;
  static constexpr float ln2_high = 0x1.63p-1f;  // n * ln2_high is exact
  static constexpr float ln2_low = -0x1.bd0106p-13f;
  static constexpr float exp_overflow = 89.0f;     // beyond it e^x is infinite
  static constexpr float exp_underflow = -104.0f;  // below it e^x rounds to 0
  static constexpr float expm1_low = -18.0f;       // below it e^x - 1 rounds to -1
  static constexpr float smallest_normal = 0x1p-126f;
  static constexpr float denormal_scale = 0x1p+24f;
  static constexpr float denormal_shift = 24.0f;
  static constexpr std::int32_t half_root_bits = 0x3f3504f3;  // sqrt(1/2)
  static constexpr float pi = 0x1.921fb6p+1f;
  static constexpr float exp[] = {0x1p-1f, 0x1.5554dcp-3f, 0x1.555518p-5f, 0x1.120be2p-7f,
                                  0x1.6d117cp-10f};
  static constexpr float log[] = {0x1.55555cp-1f, 0x1.997b96p-2f, 0x1.2f013ep-2f};
  static constexpr float log1p[] = {0x1.555556p-1f, 0x1.9999a0p-2f, 0x1.248f58p-2f,
                                    0x1.c7fb36p-3f, 0x1.65ad56p-3f, 0x1.a9bafcp-3f};
  static constexpr float tanh[] = {-0x1.555552p-2f, 0x1.110e1cp-3f, -0x1.b9258ap-5f, 0x1.58048ep-6f,
                                   -0x1.8f8de4p-8f};
  static constexpr float sine[] = {-0x1.4abbccp+2f, 0x1.4665e8p+1f, -0x1.2ee7bcp-1f};
  static constexpr float cosine[] = {-0x1.3bd3ccp+2f, 0x1.03c1eap+2f, -0x1.55cb98p+0f,
                                     0x1.db6492p-3f};
};

template <>
struct MathConstants<double> {
  static constexpr double log2_e = 0x1.71547652b82fep+0;
  static constexpr double ln2_high = 0x1.62e42feep-1;  // n * ln2_high is exact
  static constexpr double ln2_low = 0x1.a39ef35793c76p-33;
  static constexpr double exp_overflow = 710.0;
  static constexpr double exp_underflow = -746.0;
  static constexpr double expm1_low = -38.0;
  static constexpr double smallest_normal = 0x1p-1022;
  static constexpr double denormal_scale = 0x1p+54;
  static constexpr double denormal_shift = 54.0;
  static constexpr std::int64_t half_root_bits = 0x3fe6a09e667f3bcd;
  static constexpr double pi = 0x1.921fb54442d18p+1;
  static constexpr double exp[] = {
      0x1.0000000000001p-1,  0x1.5555555555556p-3,  0x1.5555555553d37p-5,  0x1.11111111109a6p-7,
      0x1.6c16c1789d1d7p-10, 0x1.a01a01a7cebcdp-13, 0x1.a019b8ca26fcfp-16, 0x1.71de0d85293b8p-19,
      0x1.2891d4ffbb0f9p-22, 0x1.af390ba7e6f47p-26};
  static constexpr double log[] = {0x1.5555555555558p-1, 0x1.9999999994e76p-2, 0x1.2492492e6dfddp-2,
                                   0x1.c71c6247410e3p-3, 0x1.7462e17b4cdd0p-3, 0x1.39f8963ccbdc2p-3,
                                   0x1.2b9f7fb3de73fp-3};
  static constexpr double log1p[] = {
      0x1.5555555555555p-1, 0x1.999999999999ap-2, 0x1.2492492492491p-2, 0x1.c71c71c71ca1dp-3,
      0x1.745d1745bafd2p-3, 0x1.3b13b1415cc9ap-3, 0x1.11110fedff7ecp-3, 0x1.e1e2292bfd01dp-4,
      0x1.af225bc679ebbp-4, 0x1.8674e45c1d0c9p-4, 0x1.60558e67dbae1p-4, 0x1.63553ca44fd47p-4,
      0x1.610015dacf8a8p-5, 0x1.2dbf0bcbc0f89p-3};
  static constexpr double tanh[] = {
      -0x1.5555555555555p-2,  0x1.1111111111111p-3,  -0x1.ba1ba1ba1b99bp-5,  0x1.664f4882bcedap-6,
      -0x1.226e355d4fe31p-7,  0x1.d6d3d085a77dap-9,  -0x1.7da35ab78fb03p-10, 0x1.355774fd6397bp-11,
      -0x1.f56beacd843e6p-13, 0x1.95dea8c30df35p-14, -0x1.45784f033d4b9p-15, 0x1.f1b59ea7fc191p-17,
      -0x1.402a50ae5478dp-18, 0x1.ec64d0ae70e69p-21};
  static constexpr double sine[] = {-0x1.4abbce625be52p+2, 0x1.466bc6775a476p+1,
                                    -0x1.32d2cce500387p-1, 0x1.50783208843ebp-4,
                                    -0x1.e3027dea82bd7p-8, 0x1.e4a9d9166f052p-12};
  static constexpr double cosine[] = {
      -0x1.3bd3cc9be45dep+2, 0x1.03c1f081b5ac0p+2,  -0x1.55d3c7e3cb241p+0, 0x1.e1f5068688d5bp-3,
      -0x1.a6d1eef479be1p-6, 0x1.f9ce245cada0bp-10, -0x1.b2f3eb054afcdp-14};
};

// c[0] + c[1] x + c[2] x^2 + ...
template <class T, int N>
inline Vector<T> horner(Vector<T> x, const T (&c)[N]) {
  Vector<T> sum = broadcast<T>(c[N - 1]);
  for (int k = N - 2; k >= 0; --k) sum = sum * x + c[k];
  return sum;
}

// x = n ln 2 + r with |r| <= ln 2 / 2 and n whole.
template <class T>
struct ReducedExponent {
  Vector<T> n;
  Vector<T> r;
};
template <class T>
inline ReducedExponent<T> reduce_exponent(Vector<T> x) {
  using K = MathConstants<T>;
  const Vector<T> n = (x * K::log2_e + kRounder<T>)-kRounder<T>;
  return {n, (x - n * K::ln2_high) - n * K::ln2_low};
}

// e^x.
template <class T>
inline Vector<T> exp(Vector<T> x) {
  using K = MathConstants<T>;
  x = minimum<T>(broadcast<T>(K::exp_overflow), x);
  x = maximum<T>(broadcast<T>(K::exp_underflow), x);
  const ReducedExponent<T> e = reduce_exponent<T>(x);
  const Vector<T> fraction = e.r * e.r * horner<T>(e.r, K::exp) + e.r;
  return scale_by_power_of_two<T>(fraction + T(1), e.n);
}

// e^x - 1, without cancellation near 0.
template <class T>
inline Vector<T> expm1(Vector<T> x) {
  using K = MathConstants<T>;
  using U = UnsignedVector<T>;
  x = minimum<T>(broadcast<T>(K::exp_overflow), x);
  x = maximum<T>(broadcast<T>(K::expm1_low), x);
  const ReducedExponent<T> e = reduce_exponent<T>(x);
  const Vector<T> fraction = e.r * e.r * horner<T>(e.r, K::exp) + e.r;
  const U exponent = bits_as<U>(e.n + (kRounder<T> + T(Format<T>::bias - 1)))
                     << Format<T>::fraction_bits;
  const Vector<T> half = bits_as<Vector<T>>(exponent);  // 2^(n - 1): 2^n may overflow
  const Vector<T> sum = half * fraction + (half - T(0.5));
  return sum + sum;
}

// log(x 2^-shift) for normal, positive, finite x and a whole, small shift.
template <class T>
inline Vector<T> log_of_normal(Vector<T> x, Vector<T> shift = Vector<T>{}) {
  using K = MathConstants<T>;
  using U = typename BitsOf<T>::Unsigned;
  constexpr int width = Format<T>::fraction_bits;
  constexpr U one_bits = static_cast<U>(Format<T>::bias) << width;
  constexpr U root_bits = static_cast<U>(K::half_root_bits);
  // x = 2^n (1 + f) with sqrt(1/2) <= 1 + f < sqrt(2).
  const Vector<U> bits = bits_as<Vector<U>>(x) + (one_bits - root_bits);
  constexpr T two_power = T(std::uint64_t{1} << width);
  const Vector<T> n =
      bits_as<Vector<T>>((bits >> width) | bits_as<Vector<U>>(broadcast(two_power))) -
      (two_power + T(Format<T>::bias)) - shift;
  const Vector<T> f = bits_as<Vector<T>>((bits & ((U{1} << width) - 1)) + root_bits) - T(1);
  const Vector<T> s = f / (f + T(2));
  const Vector<T> z = s * s;
  const Vector<T> half_square = f * f * T(0.5);
  const Vector<T> rest = z * horner<T>(z, K::log) + half_square;
  return n * K::ln2_high - ((half_square - (s * rest + n * K::ln2_low)) - f);
}

// log x; -infinity at 0, NaN below it.
template <class T>
inline Vector<T> log(Vector<T> x) {
  using K = MathConstants<T>;
  constexpr T infinity = T(__builtin_inf());
  const SignedVector<T> tiny = x < K::smallest_normal;
  const Vector<T> scaled = select<T>(tiny, x * K::denormal_scale, x);
  const Vector<T> shift = select<T>(tiny, broadcast<T>(K::denormal_shift), Vector<T>{});
  Vector<T> y = log_of_normal<T>(scaled, shift);
  y = select<T>(x < infinity, y, x);  // infinity and NaN are their own logarithms
  const Vector<T> outside =
      select<T>(x == T(0), broadcast<T>(-infinity), broadcast<T>(T(__builtin_nan(""))));
  return select<T>(x <= T(0), outside, y);
}

// log(1 + e) for 0 <= e <= 1, accurate near 0: with s = e / (2 + e) it is e - s (e - R(s^2)).
template <class T>
inline Vector<T> log1p_of_fraction(Vector<T> e) {
  const Vector<T> s = e / (e + T(2));
  const Vector<T> z = s * s;
  return e - s * (e - z * horner<T>(z, MathConstants<T>::log1p));
}

// 1 / (1 + e^-x). With e = e^-|x| and s = e / (1 + e) it is 1 - s, and below 0 s = e - e s: this
// form keeps what the sum 1 + e rounds away.
template <class T>
inline Vector<T> sigmoid(Vector<T> x) {
  const Vector<T> e = exp<T>(-absolute<T>(x));
  const Vector<T> s = e / (e + T(1));
  const Vector<T> first = select<T>(x < T(0), e, broadcast<T>(T(1)));
  return first - first * s;
}

// tanh x: a polynomial near 0, else 1 - 2 / (e^(2 |x|) + 1) with the sign of x.
template <class T>
inline Vector<T> tanh(Vector<T> x) {
  using U = UnsignedVector<T>;
  const Vector<T> magnitude = absolute<T>(x);
  const Vector<T> z = x * x;
  const Vector<T> near = x + x * z * horner<T>(z, MathConstants<T>::tanh);
  const Vector<T> far = T(1) - T(2) / (exp<T>(magnitude + magnitude) + T(1));
  const Vector<T> y = select<T>(magnitude < T(0.625), near, far);
  return bits_as<Vector<T>>(bits_as<U>(y) | (bits_as<U>(x) ^ bits_as<U>(magnitude)));
}

// log(1 + e^x) = max(x, 0) + log(1 + e^-|x|).
template <class T>
inline Vector<T> softplus(Vector<T> x) {
  return maximum<T>(Vector<T>{}, x) + log1p_of_fraction<T>(exp<T>(-absolute<T>(x)));
}

// sin(pi x) and cos(pi x), for |x| < 2^(fraction_bits - 2).
template <class T>
struct SineCosine {
  Vector<T> sine;
  Vector<T> cosine;
};
template <class T>
inline SineCosine<T> sine_cosine_pi(Vector<T> x) {
  using K = MathConstants<T>;
  using U = typename BitsOf<T>::Unsigned;
  constexpr int sign_shift = static_cast<int>(sizeof(T)) * 8 - 1;
  // x = q / 2 + f, |f| <= 1/4; the low bits of the rounded sum hold q.
  const Vector<T> rounded = x + x + kRounder<T>;
  const Vector<U> q = bits_as<Vector<U>>(rounded);
  const Vector<T> f = x - (rounded - kRounder<T>)*T(0.5);
  const Vector<T> z = f * f;
  const Vector<T> sine = f * z * horner<T>(z, K::sine) + f * K::pi;
  const Vector<T> cosine = z * horner<T>(z, K::cosine) + T(1);
  const SignedVector<T> odd = bits_as<SignedVector<T>>(q & U{1}) != 0;
  const Vector<U> sine_sign = (q >> 1) << sign_shift;
  const Vector<U> cosine_sign = ((q + U{1}) >> 1) << sign_shift;
  return {bits_as<Vector<T>>(bits_as<Vector<U>>(select<T>(odd, cosine, sine)) ^ sine_sign),
          bits_as<Vector<T>>(bits_as<Vector<U>>(select<T>(odd, sine, cosine)) ^ cosine_sign)};
}

}  // namespace
}  // namespace ictus::ICTUS_LEVEL
