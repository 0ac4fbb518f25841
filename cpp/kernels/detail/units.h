// Stochastic units: from a layer's inputs to means and samples (ictus/rbm.h has their definitions).
#pragma once

#include "core/philox.h"
#include "ictus/rbm.h"
#include "kernels/detail/blocks.h"
#include "kernels/detail/random.h"
#include "kernels/detail/rows.h"

namespace ictus::ICTUS_LEVEL {
namespace {

// What one pass over a layer reads and writes. `input` may be `mean` or `sample`.
template <class T>
struct UnitsPass {
  Units units;
  std::int64_t rows, columns, group;
  const T* input;
  const T* inverse_temperature;
  const T* variance;
  T* mean;
  T* sample;
  const T* uniforms;
  std::uint64_t seed, stream;
  std::int64_t first_row;
};

template <class T>
struct BernoulliUnits {
  using Draw = Uniform<T>;
  static Vector<T> mean(Vector<T> x) { return sigmoid<T>(x); }
  static Vector<T> sample(Vector<T>, Vector<T> mean, Vector<T> u, Vector<T>) {
    return bernoulli<T>(u, mean);
  }
};
template <class T>
struct GaussianUnits {
  using Draw = Normal<T>;
  static Vector<T> mean(Vector<T> x) { return x; }
  static Vector<T> sample(Vector<T> x, Vector<T>, Vector<T> z, Vector<T> variance) {
    return x + square_root<T>(variance) * z;
  }
};
template <class T>
struct RectifiedUnits {
  using Draw = Normal<T>;
  static Vector<T> mean(Vector<T> x) { return softplus<T>(x); }
  static Vector<T> sample(Vector<T> x, Vector<T>, Vector<T> z, Vector<T>) {
    return maximum<T>(Vector<T>{}, x + square_root<T>(sigmoid<T>(x)) * z);
  }
};

// The first `units` units of each row.
template <class Kind, class T>
void elementwise_units(const UnitsPass<T>& p, std::int64_t units) {
  const Source source(p.seed, p.stream);
  const typename Kind::Draw draw{source};
  parallel_blocks(p.rows, units, [&](auto row, auto rows, auto column, auto columns) {
    const auto one = [&](auto i, auto j, const auto& random, auto read, auto write) {
      const std::int64_t at = (row + i) * p.columns + column + j;
      Vector<T> x = read(p.input + at);
      if (p.inverse_temperature != nullptr) x *= p.inverse_temperature[row + i];
      const Vector<T> mean = Kind::mean(x);
      if (p.mean != nullptr) write(p.mean + at, mean);
      if (p.sample == nullptr) return;
      const Vector<T> variance =
          p.variance == nullptr ? broadcast<T>(T(1)) : read(p.variance + column + j);
      write(p.sample + at, Kind::sample(x, mean, random(at, read), variance));
    };
    if (p.sample == nullptr || p.uniforms != nullptr) {
      for (std::int64_t i = 0; i < rows; ++i) {
        for_column_vectors<T>(columns, [&](std::int64_t j, auto read, auto write) {
          one(i, j, [&](auto at, auto get) { return get(p.uniforms + at); }, read, write);
        });
      }
      return;
    }
    for_draws<T>(row + p.first_row, rows, column, columns, draw,
                 [&](auto i, auto j, Vector<T> random, auto read, auto write) {
                   one(i, j, [&](auto, auto) { return random; }, read, write);
                 });
  });
}

// The uniform number of (row, column), one at a time.
template <class T>
inline T scalar_uniform(std::uint64_t seed, std::uint64_t stream, std::int64_t row,
                        std::int64_t column) {
  const philox::Block block = philox::rows(static_cast<std::uint32_t>(column),
                                           static_cast<std::uint32_t>(row >> 2), stream, seed);
  const std::uint32_t word = block.word[row & 3];
  return sizeof(T) == 4 ? static_cast<T>(word >> 8) * T(0x1p-24)
                        : static_cast<T>(word) * T(0x1p-32);
}

// One group of a row: probabilities, and a state drawn by inverting their sum at u.
template <class T>
inline void softmax_group(const T* x, std::int64_t size, T scale, T* mean, T* sample, T u) {
  T top = x[0];
  for (std::int64_t j = 1; j < size; ++j) top = x[j] > top ? x[j] : top;
  T* const out = mean != nullptr ? mean : sample;
  Vector<T> sum = {};
  for_vectors<T>(0, size, [&](std::int64_t j, auto access) {
    const Vector<T> e = exp<T>((access.read(x + j) - top) * scale);
    sum += access.keep(e, T(0));
    access.write(out + j, e);
  });
  const T total = horizontal_sum<T>(sum);
  if (sample != nullptr) {
    std::int64_t chosen = 0;
    T below = out[0];
    while (chosen + 1 < size && !(u * total < below)) below += out[++chosen];
    // Rounding may have led past the end: the last state that can be.
    while (chosen > 0 && out[chosen] == T(0)) --chosen;
    if (mean != nullptr) {
      for (std::int64_t j = 0; j < size; ++j) mean[j] /= total;
    }
    // A diverged group shows: its states are NaN.
    for (std::int64_t j = 0; j < size; ++j) sample[j] = total - total;
    sample[chosen] += T(1);
  } else {
    for (std::int64_t j = 0; j < size; ++j) mean[j] /= total;
  }
}

// The groups from the unit `first` of each row on; a group draws by its number after `first`.
template <class T>
void softmax_units(const UnitsPass<T>& p, std::int64_t first) {
  const std::int64_t grain = 1 + 4096 / (p.columns + 1);
  parallel_ranges(p.rows, grain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const T scale = p.inverse_temperature == nullptr ? T(1) : p.inverse_temperature[i];
      for (std::int64_t g = 0; first + g * p.group < p.columns; ++g) {
        const std::int64_t at = i * p.columns + first + g * p.group;
        const T u = p.sample == nullptr
                        ? T(0)
                        : scalar_uniform<T>(p.seed, p.stream, i + p.first_row, first + g);
        softmax_group<T>(p.input + at, p.group, scale, p.mean == nullptr ? nullptr : p.mean + at,
                         p.sample == nullptr ? nullptr : p.sample + at, u);
      }
    }
  });
}

template <class T>
void finish_units(const UnitsPass<T>& p) {
  switch (p.units) {
    case Units::bernoulli:
      return elementwise_units<BernoulliUnits<T>>(p, p.columns);
    case Units::gaussian:
      return elementwise_units<GaussianUnits<T>>(p, p.columns);
    case Units::rectified:
      return elementwise_units<RectifiedUnits<T>>(p, p.columns);
    case Units::softmax:
      return softmax_units(p, 0);
    case Units::labelled:
      elementwise_units<BernoulliUnits<T>>(p, p.columns - p.group);
      return softmax_units(p, p.columns - p.group);
  }
}

}  // namespace
}  // namespace ictus::ICTUS_LEVEL
