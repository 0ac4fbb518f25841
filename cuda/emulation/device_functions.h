// The device functions that are no C++ of the host, with the meaning the CUDA manual gives them.
// One thread runs at a time, so an atomic operation is the plain one.
#pragma once

#include <math.h>

#include <cstdint>
#include <cstring>

using std::size_t;

template <class T>
T __ldg(const T* address) {
  return *address;
}
template <class T>
T __ldcs(const T* address) {
  return *address;
}
template <class T>
void __stcs(T* address, T value) {
  *address = value;
}

template <class T>
T atomicAdd(T* address, T value) {
  const T before = *address;
  *address = before + value;
  return before;
}
template <class T>
T atomicMax(T* address, T value) {
  const T before = *address;
  if (value > before) *address = value;
  return before;
}
template <class T>
T atomicMin(T* address, T value) {
  const T before = *address;
  if (value < before) *address = value;
  return before;
}
template <class T>
T atomicExch(T* address, T value) {
  const T before = *address;
  *address = value;
  return before;
}
template <class T>
T atomicCAS(T* address, T expected, T value) {
  const T before = *address;
  if (before == expected) *address = value;
  return before;
}
template <class T>
T atomicOr(T* address, T value) {
  const T before = *address;
  *address = before | value;
  return before;
}

inline void __threadfence() {}
inline void __threadfence_block() {}

inline int __popc(unsigned x) { return __builtin_popcount(x); }
inline int __popcll(unsigned long long x) { return __builtin_popcountll(x); }
inline int __clz(int x) { return x == 0 ? 32 : __builtin_clz(static_cast<unsigned>(x)); }
inline int __clzll(long long x) {
  return x == 0 ? 64 : __builtin_clzll(static_cast<unsigned long long>(x));
}
inline int __ffs(int x) { return __builtin_ffs(x); }
inline unsigned __umulhi(unsigned a, unsigned b) {
  return static_cast<unsigned>((std::uint64_t{a} * b) >> 32);
}
template <class To, class From>
To ictus_bits_as(From value) {
  static_assert(sizeof(To) == sizeof(From), "the same number of bits");
  To result;
  std::memcpy(&result, &value, sizeof(To));
  return result;
}
inline int __float_as_int(float x) { return ictus_bits_as<int>(x); }
inline unsigned __float_as_uint(float x) { return ictus_bits_as<unsigned>(x); }
inline float __int_as_float(int x) { return ictus_bits_as<float>(x); }
inline float __uint_as_float(unsigned x) { return ictus_bits_as<float>(x); }
inline long long __double_as_longlong(double x) { return ictus_bits_as<long long>(x); }
inline double __longlong_as_double(long long x) { return ictus_bits_as<double>(x); }

// Where the C library keeps less than CUDA's manual promises: tanh within 2 units in the last
// place, and NaN without a sign.
namespace ictus::cuda {
inline float tanh(float x) { return static_cast<float>(::tanh(static_cast<double>(x))); }
inline double tanh(double x) { return static_cast<double>(::tanhl(static_cast<long double>(x))); }
inline float log(float x) { return x < 0 ? NAN : ::logf(x); }
inline double log(double x) { return x < 0 ? static_cast<double>(NAN) : ::log(x); }
}  // namespace ictus::cuda

inline float rsqrt(float x) { return 1.0f / sqrtf(x); }
inline double rsqrt(double x) { return 1.0 / ::sqrt(x); }
inline float rsqrtf(float x) { return 1.0f / sqrtf(x); }
inline float __expf(float x) { return expf(x); }
inline float __logf(float x) { return logf(x); }
inline float __fdividef(float a, float b) { return a / b; }
inline double sinpi(double x) { return ::sin(3.14159265358979323846 * x); }
inline double cospi(double x) { return ::cos(3.14159265358979323846 * x); }
inline float sinpi(float x) { return static_cast<float>(sinpi(static_cast<double>(x))); }
inline float cospi(float x) { return static_cast<float>(cospi(static_cast<double>(x))); }
template <class T>
T min(T a, T b) {
  return b < a ? b : a;
}
template <class T>
T max(T a, T b) {
  return a < b ? b : a;
}
