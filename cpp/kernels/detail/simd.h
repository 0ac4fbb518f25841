// Vectors of the level's native width, and the few operations that need the instruction set's own
// names. Conditional code is here and in population_count.h. Wider vectors would be split by the
// compiler and are several times slower, so the width is a property of the level.
#pragma once

#include <cstdint>
#include <cstring>

#if ICTUS_VECTOR_BYTES >= 32
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wuninitialized"  // in GCC 12's own headers
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#include <immintrin.h>
#pragma GCC diagnostic pop
#else
#include <immintrin.h>
#endif
#elif defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace ictus::ICTUS_LEVEL {
namespace {

constexpr int kVectorBytes = ICTUS_VECTOR_BYTES;
#if ICTUS_VECTOR_BYTES == 64 || defined(__aarch64__)
constexpr int kVectorRegisters = 32;
#else
constexpr int kVectorRegisters = 16;
#endif

template <class T>
struct VectorOf {
  typedef T type __attribute__((vector_size(ICTUS_VECTOR_BYTES)));
  // The same vector where only the scalar's alignment is known; it may also alias other types.
  typedef T unaligned
      __attribute__((vector_size(ICTUS_VECTOR_BYTES), aligned(alignof(T)), may_alias));
};
template <class T>
using Vector = typename VectorOf<T>::type;

template <class T>
constexpr int kLanes = kVectorBytes / static_cast<int>(sizeof(T));

// The integers of the scalar's width: bit patterns, and what comparisons give (-1 or 0 a lane).
template <class T>
struct BitsOf;
template <>
struct BitsOf<float> {
  using Signed = std::int32_t;
  using Unsigned = std::uint32_t;
};
template <>
struct BitsOf<double> {
  using Signed = std::int64_t;
  using Unsigned = std::uint64_t;
};
template <class T>
using SignedVector = Vector<typename BitsOf<T>::Signed>;
template <class T>
using UnsignedVector = Vector<typename BitsOf<T>::Unsigned>;

template <class T>
inline Vector<T> load(const T* p) {
  return *reinterpret_cast<const typename VectorOf<T>::unaligned*>(p);
}

template <class T>
inline void store(T* p, Vector<T> v) {
  *reinterpret_cast<typename VectorOf<T>::unaligned*>(p) = v;
}

template <class T>
inline Vector<T> broadcast(T x) {
  return x - Vector<T>{};  // x - 0 is x for every x, -0 and NaN included
}

// The bits of v as lanes of another type of the same width.
template <class To, class From>
inline To bits_as(From v) {
  static_assert(sizeof(To) == sizeof(From));
  return (To)v;
}

template <class T>
inline Vector<T> select(SignedVector<T> mask, Vector<T> yes, Vector<T> no) {
  return mask ? yes : no;
}

// The second operand where either is NaN, as the x86 instructions have it (compilers do not find
// them in the plain form).
template <class T>
inline Vector<T> maximum(Vector<T> a, Vector<T> b) {
  return a > b ? a : b;
}
template <class T>
inline Vector<T> minimum(Vector<T> a, Vector<T> b) {
  return a < b ? a : b;
}
#if defined(__SSE2__)
#if ICTUS_VECTOR_BYTES == 64
#define ICTUS_X86(name) _mm512_##name
using X86Float = __m512;
using X86Double = __m512d;
#elif ICTUS_VECTOR_BYTES == 32
#define ICTUS_X86(name) _mm256_##name
using X86Float = __m256;
using X86Double = __m256d;
#else
#define ICTUS_X86(name) _mm_##name
using X86Float = __m128;
using X86Double = __m128d;
#endif
template <>
inline Vector<float> maximum<float>(Vector<float> a, Vector<float> b) {
  return (Vector<float>)ICTUS_X86(max_ps)((X86Float)a, (X86Float)b);
}
template <>
inline Vector<double> maximum<double>(Vector<double> a, Vector<double> b) {
  return (Vector<double>)ICTUS_X86(max_pd)((X86Double)a, (X86Double)b);
}
template <>
inline Vector<float> minimum<float>(Vector<float> a, Vector<float> b) {
  return (Vector<float>)ICTUS_X86(min_ps)((X86Float)a, (X86Float)b);
}
template <>
inline Vector<double> minimum<double>(Vector<double> a, Vector<double> b) {
  return (Vector<double>)ICTUS_X86(min_pd)((X86Double)a, (X86Double)b);
}
#endif

template <class T>
inline Vector<T> absolute(Vector<T> v) {
  using U = typename BitsOf<T>::Unsigned;
  const U sign = U{1} << (sizeof(T) * 8 - 1);
  return bits_as<Vector<T>>(bits_as<UnsignedVector<T>>(v) & ~broadcast<U>(sign));
}

// Lane numbers 0, 1, 2, ...
template <class I>
inline Vector<I> lane_numbers() {
  Vector<I> v{};
  for (int i = 0; i < kLanes<I>; ++i) v[i] = static_cast<I>(i);
  return v;
}

// The first `count` lanes (1 .. kLanes) of p, the others zero; memory beyond is not touched.
template <class T>
inline Vector<T> load_partial(const T* p, int count);
// Writes the first `count` lanes and touches nothing else.
template <class T>
inline void store_partial(T* p, Vector<T> v, int count);

#if ICTUS_VECTOR_BYTES == 64
template <>
inline Vector<float> load_partial(const float* p, int count) {
  return (Vector<float>)_mm512_maskz_loadu_ps(static_cast<__mmask16>((1u << count) - 1), p);
}
template <>
inline Vector<double> load_partial(const double* p, int count) {
  return (Vector<double>)_mm512_maskz_loadu_pd(static_cast<__mmask8>((1u << count) - 1), p);
}
template <>
inline void store_partial(float* p, Vector<float> v, int count) {
  _mm512_mask_storeu_ps(p, static_cast<__mmask16>((1u << count) - 1), (__m512)v);
}
template <>
inline void store_partial(double* p, Vector<double> v, int count) {
  _mm512_mask_storeu_pd(p, static_cast<__mmask8>((1u << count) - 1), (__m512d)v);
}
#elif ICTUS_VECTOR_BYTES == 32
template <class T>
inline SignedVector<T> first_lanes(int count) {
  return lane_numbers<typename BitsOf<T>::Signed>() <
         broadcast<typename BitsOf<T>::Signed>(static_cast<typename BitsOf<T>::Signed>(count));
}
template <>
inline Vector<float> load_partial(const float* p, int count) {
  return (Vector<float>)_mm256_maskload_ps(p, (__m256i)first_lanes<float>(count));
}
template <>
inline Vector<double> load_partial(const double* p, int count) {
  return (Vector<double>)_mm256_maskload_pd(p, (__m256i)first_lanes<double>(count));
}
template <>
inline void store_partial(float* p, Vector<float> v, int count) {
  _mm256_maskstore_ps(p, (__m256i)first_lanes<float>(count), (__m256)v);
}
template <>
inline void store_partial(double* p, Vector<double> v, int count) {
  _mm256_maskstore_pd(p, (__m256i)first_lanes<double>(count), (__m256d)v);
}
#else
template <class T>
inline Vector<T> load_partial(const T* p, int count) {
  Vector<T> v{};
  std::memcpy(&v, p, static_cast<std::size_t>(count) * sizeof(T));
  return v;
}
template <class T>
inline void store_partial(T* p, Vector<T> v, int count) {
  std::memcpy(p, &v, static_cast<std::size_t>(count) * sizeof(T));
}
#endif

// One bit a lane, the first lane lowest: 1 where the lane is not zero (NaN is not).
template <class T>
inline std::uint32_t nonzero_lanes(Vector<T> v);
#if ICTUS_VECTOR_BYTES == 64
template <>
inline std::uint32_t nonzero_lanes<float>(Vector<float> v) {
  return _mm512_cmp_ps_mask((__m512)v, _mm512_setzero_ps(), _CMP_NEQ_UQ);
}
template <>
inline std::uint32_t nonzero_lanes<double>(Vector<double> v) {
  return _mm512_cmp_pd_mask((__m512d)v, _mm512_setzero_pd(), _CMP_NEQ_UQ);
}
#elif defined(__SSE2__)
template <>
inline std::uint32_t nonzero_lanes<float>(Vector<float> v) {
  return static_cast<std::uint32_t>(ICTUS_X86(movemask_ps)((X86Float)(v != Vector<float>{})));
}
template <>
inline std::uint32_t nonzero_lanes<double>(Vector<double> v) {
  return static_cast<std::uint32_t>(ICTUS_X86(movemask_pd)((X86Double)(v != Vector<double>{})));
}
#else
template <class T>
inline std::uint32_t nonzero_lanes(Vector<T> v) {
  std::uint32_t bits = 0;
  for (int i = 0; i < kLanes<T>; ++i) bits |= static_cast<std::uint32_t>(v[i] != T(0)) << i;
  return bits;
}
#endif

// Writes the lanes of v that are not zero one after the other to `value`, and their numbers,
// counted from `first`, to `place`; returns how many they are. May write a whole vector of values
// and as many places.
template <class T>
inline int store_nonzero_lanes(Vector<T> v, int first, std::uint8_t* place, T* value) {
  int count = 0;
  for (std::uint32_t bits = nonzero_lanes<T>(v); bits != 0; bits &= bits - 1) {
    const int lane = __builtin_ctz(bits);
    place[count] = static_cast<std::uint8_t>(first + lane);
    value[count++] = v[lane];
  }
  return count;
}
#if ICTUS_VECTOR_BYTES == 64
template <>
inline int store_nonzero_lanes<float>(Vector<float> v, int first, std::uint8_t* place,
                                      float* value) {
  const std::uint32_t bits = nonzero_lanes<float>(v);
  const auto mask = static_cast<__mmask16>(bits);
  store(value, (Vector<float>)_mm512_maskz_compress_ps(mask, (__m512)v));
  const __m512i lanes = (__m512i)(lane_numbers<std::int32_t>() + first);
  const __m128i bytes = _mm512_cvtepi32_epi8(_mm512_maskz_compress_epi32(mask, lanes));
  std::memcpy(place, &bytes, sizeof bytes);
  return __builtin_popcount(bits);
}
#endif

// The 64-bit products of the even 32-bit lanes (0, 2, 4, ...) of a and b.
inline Vector<std::uint64_t> multiply_even(Vector<std::uint32_t> a, Vector<std::uint32_t> b) {
#if ICTUS_VECTOR_BYTES == 64
  return (Vector<std::uint64_t>)_mm512_mul_epu32((__m512i)a, (__m512i)b);
#elif ICTUS_VECTOR_BYTES == 32
  return (Vector<std::uint64_t>)_mm256_mul_epu32((__m256i)a, (__m256i)b);
#elif defined(__SSE2__)
  typedef long long Pair __attribute__((vector_size(16)));
  typedef int Quad __attribute__((vector_size(16)));
  return (Vector<std::uint64_t>)(Pair)__builtin_ia32_pmuludq128((Quad)a, (Quad)b);
#else
  const Vector<std::uint64_t> low = Vector<std::uint64_t>{} + 0xffffffffu;
  return (bits_as<Vector<std::uint64_t>>(a) & low) * (bits_as<Vector<std::uint64_t>>(b) & low);
#endif
}

// The square root of each lane, correctly rounded.
template <class T>
inline Vector<T> square_root(Vector<T> v);
#if defined(__SSE2__)
template <>
inline Vector<float> square_root<float>(Vector<float> v) {
  return (Vector<float>)ICTUS_X86(sqrt_ps)((X86Float)v);
}
template <>
inline Vector<double> square_root<double>(Vector<double> v) {
  return (Vector<double>)ICTUS_X86(sqrt_pd)((X86Double)v);
}
#else
template <class T>
inline Vector<T> square_root(Vector<T> v) {
  for (int i = 0; i < kLanes<T>; ++i) v[i] = static_cast<T>(__builtin_sqrt(v[i]));
  return v;
}
#endif

// The layout of the scalar's bits.
template <class T>
struct Format;
template <>
struct Format<float> {
  static constexpr int fraction_bits = 23;
  static constexpr std::int32_t bias = 127;
};
template <>
struct Format<double> {
  static constexpr int fraction_bits = 52;
  static constexpr std::int64_t bias = 1023;
};

// Adding 1.5 * 2^fraction_bits leaves an integer in the low bits of the sum, rounded to nearest.
template <class T>
constexpr T kRounder = T(3) * T(std::uint64_t{1} << (Format<T>::fraction_bits - 1));

// v * 2^n for whole numbers n, |n| < 2 * bias: overflows to infinity and underflows gradually.
template <class T>
inline Vector<T> scale_by_power_of_two(Vector<T> v, Vector<T> n);
#if ICTUS_VECTOR_BYTES == 64
template <>
inline Vector<float> scale_by_power_of_two<float>(Vector<float> v, Vector<float> n) {
  return (Vector<float>)_mm512_scalef_ps((__m512)v, (__m512)n);
}
template <>
inline Vector<double> scale_by_power_of_two<double>(Vector<double> v, Vector<double> n) {
  return (Vector<double>)_mm512_scalef_pd((__m512d)v, (__m512d)n);
}
#else
template <class T>
inline Vector<T> scale_by_power_of_two(Vector<T> v, Vector<T> n) {
  using I = typename BitsOf<T>::Signed;
  using U = UnsignedVector<T>;
  // n + 2 bias > 0, cut in two halves that are biased exponents: 2^n itself may not exist.
  const Vector<I> whole = bits_as<Vector<I>>(n + kRounder<T>) -
                          bits_as<Vector<I>>(broadcast<T>(kRounder<T>)) + 2 * Format<T>::bias;
  const U first = bits_as<U>(whole) >> 1;
  const U second = bits_as<U>(whole) - first;
  return v * bits_as<Vector<T>>(first << Format<T>::fraction_bits) *
         bits_as<Vector<T>>(second << Format<T>::fraction_bits);
}
#endif

// The sum of the lanes, halves first: a fixed order.
template <class T>
inline T horizontal_sum(Vector<T> v) {
  T lane[kLanes<T>];
  std::memcpy(lane, &v, sizeof v);
  for (int width = kLanes<T> / 2; width > 0; width /= 2) {
    for (int i = 0; i < width; ++i) lane[i] += lane[i + width];
  }
  return lane[0];
}

}  // namespace
}  // namespace ictus::ICTUS_LEVEL
