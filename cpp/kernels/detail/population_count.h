// Counting the bits of words, a vector at a time. Conditional code, since each instruction set has
// another way: a count of words (AVX-512 VPOPCNTDQ) or of bytes (NEON), a table of the counts of
// four bits (AVX2, AVX-512 BW), else sums of neighbouring bits. Counts of bytes are kept as bytes
// over as many words as they hold, and then added to the 64 bits of the lane.
#pragma once

#include <cstdint>

#include "kernels/detail/simd.h"

#if defined(__aarch64__)
#include <arm_neon.h>
#endif

namespace ictus::ICTUS_LEVEL {
namespace {

using Words = Vector<std::uint64_t>;
constexpr int kWordLanes = kLanes<std::uint64_t>;

// How many words fit into one count: a byte of eight bits holds 31 times 8.
constexpr int kCountedWords = 31;

#if defined(__AVX512VPOPCNTDQ__)
// The bits of each 64-bit lane, in a form that can be added up to kCountedWords times.
inline Words partial_counts(Words v) { return (Words)_mm512_popcnt_epi64((__m512i)v); }
inline Words add_counts(Words a, Words b) { return a + b; }
// The sums as 64-bit numbers.
inline Words whole_counts(Words counts) { return counts; }
#else
inline Words add_counts(Words a, Words b) {
  using Bytes = Vector<std::uint8_t>;
  return bits_as<Words>(bits_as<Bytes>(a) + bits_as<Bytes>(b));
}
#if ICTUS_VECTOR_BYTES >= 32
#if ICTUS_VECTOR_BYTES == 64
using X86Words = __m512i;
#else
using X86Words = __m256i;
#endif
inline Words partial_counts(Words v) {
  // The counts of 0 .. 15, once for each 128 bits.
  Words table{};
  for (int i = 0; i < kWordLanes; i += 2) {
    table[i] = 0x0302020102010100;
    table[i + 1] = 0x0403030203020201;
  }
  const Words low = broadcast<std::uint64_t>(0x0f0f0f0f0f0f0f0f);
  const auto t = (X86Words)table;
  return add_counts((Words)ICTUS_X86(shuffle_epi8)(t, (X86Words)(v & low)),
                    (Words)ICTUS_X86(shuffle_epi8)(t, (X86Words)((v >> 4) & low)));
}
inline Words whole_counts(Words counts) {
  return (Words)ICTUS_X86(sad_epu8)((X86Words)counts, (X86Words)Words{});
}
#elif defined(__aarch64__)
inline Words partial_counts(Words v) { return (Words)vcntq_u8((uint8x16_t)v); }
inline Words whole_counts(Words counts) {
  return (Words)vpaddlq_u32(vpaddlq_u16(vpaddlq_u8((uint8x16_t)counts)));
}
#else
inline Words partial_counts(Words v) {
  const Words pairs = broadcast<std::uint64_t>(0x5555555555555555);
  const Words fours = broadcast<std::uint64_t>(0x3333333333333333);
  const Words bytes = broadcast<std::uint64_t>(0x0f0f0f0f0f0f0f0f);
  v = v - ((v >> 1) & pairs);
  v = (v & fours) + ((v >> 2) & fours);
  return (v + (v >> 4)) & bytes;
}
inline Words whole_counts(Words counts) {
#if defined(__SSE2__)
  return (Words)_mm_sad_epu8((__m128i)counts, (__m128i)Words{});
#else
  // Neighbours are added at twice the width, three times.
  const Words even = broadcast<std::uint64_t>(0x00ff00ff00ff00ff);
  counts = (counts & even) + ((counts >> 8) & even);
  counts += counts >> 16;
  counts += counts >> 32;
  return counts & broadcast<std::uint64_t>(0xffff);
#endif
}
#endif
#endif

// One bit for each 64-bit lane that is negative, the first lane lowest.
#if ICTUS_VECTOR_BYTES == 64
inline std::uint32_t negative_lanes(Words v) { return _mm512_movepi64_mask((__m512i)v); }
#elif defined(__SSE2__)
inline std::uint32_t negative_lanes(Words v) {
  return static_cast<std::uint32_t>(ICTUS_X86(movemask_pd)((X86Double)v));
}
#else
inline std::uint32_t negative_lanes(Words v) {
  std::uint32_t bits = 0;
  for (int i = 0; i < kWordLanes; ++i) bits |= static_cast<std::uint32_t>(v[i] >> 63) << i;
  return bits;
}
#endif

// The bits of one word.
inline int count_bits(std::uint64_t word) {
#if defined(__POPCNT__)
  return static_cast<int>(_mm_popcnt_u64(word));
#else
  // Without an instruction GCC calls a function that walks over the bytes; this is faster.
  word = word - ((word >> 1) & 0x5555555555555555);
  word = (word & 0x3333333333333333) + ((word >> 2) & 0x3333333333333333);
  word = (word + (word >> 4)) & 0x0f0f0f0f0f0f0f0f;
  return static_cast<int>((word * 0x0101010101010101) >> 56);
#endif
}

}  // namespace
}  // namespace ictus::ICTUS_LEVEL
