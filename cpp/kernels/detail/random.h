// Vectors of random numbers: Philox 4x32-10 (core/philox.h has the paper and how draws are
// numbered) for a vector of columns at once, four rows to a block. The words are the same at every
// level.
#pragma once

#include "core/philox.h"
#include "kernels/detail/blocks.h"
#include "kernels/detail/math.h"
#include "kernels/detail/simd.h"

namespace ictus::ICTUS_LEVEL {
namespace {

// Where draws come from: the keys of the ten rounds, and the stream.
struct Source {
  Source(std::uint64_t seed, std::uint64_t stream)
      : stream_low(stream & 0xffffffffu), stream_high(stream >> 32) {
    std::uint32_t key0 = static_cast<std::uint32_t>(seed);
    std::uint32_t key1 = static_cast<std::uint32_t>(seed >> 32);
    for (int round = 0; round < philox::kRounds; ++round) {
      key[round][0] = key0;
      key[round][1] = key1;
      key0 += philox::kWeyl0;
      key1 += philox::kWeyl1;
    }
  }
  std::uint64_t key[philox::kRounds][2];
  std::uint64_t stream_low;
  std::uint64_t stream_high;
};

// One word in the low half of each 64-bit lane; the high halves hold no information.
struct WideBlock {
  Vector<std::uint64_t> word[4];
};

inline Vector<std::uint64_t> multiply_low(Vector<std::uint64_t> a, std::uint32_t b) {
  return multiply_even(bits_as<Vector<std::uint32_t>>(a),
                       bits_as<Vector<std::uint32_t>>(broadcast<std::uint64_t>(b)));
}

// The blocks of the columns in the lanes of `first`, `first` + 1, ... (N vectors, whose rounds are
// interleaved: each waits for its multiplications), for one group of four rows.
template <int N>
struct WideBlocks {
  WideBlock block[N];
};
template <int N>
inline WideBlocks<N> philox_blocks(const Source& source, Vector<std::uint64_t> first,
                                   std::uint32_t row_group) {
  using Lanes = Vector<std::uint64_t>;
  WideBlocks<N> result;
  for (int k = 0; k < N; ++k) {
    Lanes* c = result.block[k].word;
    c[0] = first + static_cast<std::uint64_t>(k);
    c[1] = broadcast<std::uint64_t>(row_group);
    c[2] = broadcast<std::uint64_t>(source.stream_low);
    c[3] = broadcast<std::uint64_t>(source.stream_high);
  }
  for (int round = 0; round < philox::kRounds; ++round) {
    for (int k = 0; k < N; ++k) {
      Lanes* c = result.block[k].word;
      const Lanes product0 = multiply_low(c[0], philox::kMultiplier0);
      const Lanes product1 = multiply_low(c[2], philox::kMultiplier1);
      c[0] = (product1 >> 32) ^ c[1] ^ broadcast<std::uint64_t>(source.key[round][0]);
      c[1] = product1;
      c[2] = (product0 >> 32) ^ c[3] ^ broadcast<std::uint64_t>(source.key[round][1]);
      c[3] = product0;
    }
  }
  return result;
}

// Uniform numbers in [0, 1) for four rows of a vector of columns.
template <class T>
struct FourRows {
  Vector<T> row[4];
};

template <class T>
inline FourRows<T> uniform_rows(const Source& source, std::int64_t column, std::int64_t row_group);

// 24 bits: every value is a multiple of 2^-24.
template <>
inline FourRows<float> uniform_rows<float>(const Source& source, std::int64_t column,
                                           std::int64_t row_group) {
  const Vector<std::uint64_t> even =
      lane_numbers<std::uint64_t>() * 2 + static_cast<std::uint64_t>(column);
  const WideBlocks<2> w = philox_blocks<2>(source, even, static_cast<std::uint32_t>(row_group));
  FourRows<float> u;
  for (int i = 0; i < 4; ++i) {
    const Vector<std::uint64_t> both =
        (w.block[0].word[i] & 0xffffffffu) | (w.block[1].word[i] << 32);
    const Vector<std::int32_t> top =
        bits_as<Vector<std::int32_t>>(bits_as<Vector<std::uint32_t>>(both) >> 8);
    u.row[i] = __builtin_convertvector(top, Vector<float>) * 0x1p-24f;
  }
  return u;
}

// 32 bits: every value is a multiple of 2^-32.
template <>
inline FourRows<double> uniform_rows<double>(const Source& source, std::int64_t column,
                                             std::int64_t row_group) {
  const Vector<std::uint64_t> columns =
      lane_numbers<std::uint64_t>() + static_cast<std::uint64_t>(column);
  const WideBlocks<1> w = philox_blocks<1>(source, columns, static_cast<std::uint32_t>(row_group));
  const Vector<std::uint64_t> exponent = bits_as<Vector<std::uint64_t>>(broadcast<double>(0x1p+52));
  FourRows<double> u;
  for (int i = 0; i < 4; ++i) {
    const Vector<std::uint64_t> bits =
        (w.block[0].word[i] & 0xffffffffu) | exponent;  // 2^52 + word
    u.row[i] = (bits_as<Vector<double>>(bits) - 0x1p+52) * 0x1p-32;
  }
  return u;
}

// Standard normal numbers (G. E. P. Box & M. E. Muller, 1958): rows 0 and 1 are the cosine and the
// sine of one pair of uniform numbers, rows 2 and 3 of the other.
template <class T>
inline FourRows<T> normal_rows(const Source& source, std::int64_t column, std::int64_t row_group) {
  const FourRows<T> u = uniform_rows<T>(source, column, row_group);
  FourRows<T> z;
  for (int i = 0; i < 4; i += 2) {
    const Vector<T> radius = square_root<T>(log_of_normal<T>(T(1) - u.row[i]) * T(-2));
    const SineCosine<T> angle = sine_cosine_pi<T>(u.row[i + 1] + u.row[i + 1]);
    z.row[i] = radius * angle.cosine;
    z.row[i + 1] = radius * angle.sine;
  }
  return z;
}

// 1 where u < p, else 0; NaN where p is NaN, so that a diverged unit is not hidden by its sample.
template <class T>
inline Vector<T> bernoulli(Vector<T> u, Vector<T> p) {
  return select<T>(u < p, broadcast<T>(T(1)), p - p);
}

// Inverted dropout: keeps an element where u >= rate and multiplies it by 1 / (1 - rate).
template <class T>
struct Dropout {
  explicit Dropout(T rate_) : rate(rate_), scale(T(1) / (T(1) - rate_)) {}
  Vector<T> operator()(Vector<T> u, Vector<T> value) const {
    return select<T>(u >= rate, value * scale, Vector<T>{});
  }
  T rate;
  T scale;
};

// What for_draws draws.
template <class T>
struct Uniform {
  Source source;
  FourRows<T> operator()(std::int64_t column, std::int64_t row_group) const {
    return uniform_rows<T>(source, column, row_group);
  }
};
template <class T>
struct Normal {
  Source source;
  FourRows<T> operator()(std::int64_t column, std::int64_t row_group) const {
    return normal_rows<T>(source, column, row_group);
  }
};

// Calls body(i, j, random, read, write) for each row i and vector of columns j of a tile whose
// top-left element is (row, column); `random` is drawn for (row + i, column + j) and the following
// lanes; read and write keep within the columns (for_column_vectors).
template <class T, class Index, class Draw, class Body>
inline void for_draws(std::int64_t row, Index rows, std::int64_t column, Index columns,
                      const Draw& draw, const Body& body) {
  for (Index first = 0; first < rows;) {
    const std::int64_t group = (row + first) >> 2;
    const int word = static_cast<int>((row + first) & 3);
    const int count = rows - first < 4 - word ? static_cast<int>(rows - first) : 4 - word;
    for_column_vectors<T>(columns, [&](Index j, auto read, auto write) {
      const FourRows<T> random = draw(column + j, group);
      if (count == 4) {
        for (int i = 0; i < 4; ++i) body(first + i, j, random.row[i], read, write);
      } else {
        for (int i = 0; i < count; ++i) body(first + i, j, random.row[word + i], read, write);
      }
    });
    first += count;
  }
}

}  // namespace
}  // namespace ictus::ICTUS_LEVEL
