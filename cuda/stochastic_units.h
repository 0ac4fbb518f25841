// One layer of a Boltzmann machine given the other (ictus/rbm.h): a product whose sums become means
// and samples before they leave the registers. Draws are the CPU's: a thread has four rows of a
// column, which share their random words.
#pragma once

#include "ictus/rbm.h"
#include "tiled_product.h"

namespace ictus::cuda {

// Word k of a block by selection: an index that is not known would put the block into memory.
__device__ __forceinline__ std::uint32_t word_of(const philox::Block& block, int k) {
  const std::uint32_t low = k & 1 ? block.word[1] : block.word[0];
  const std::uint32_t high = k & 1 ? block.word[3] : block.word[2];
  return k & 2 ? high : low;
}

template <class T>
__device__ __forceinline__ T normal_of(const philox::Block& block, int k) {
  const T first = as_uniform(k & 2 ? block.word[2] : block.word[0], T());
  const T second = as_uniform(k & 2 ? block.word[3] : block.word[1], T());
  const T radius = sqrt(T(-2) * log(T(1) - first));
  return radius * (k & 1 ? sinpi(T(2) * second) : cospi(T(2) * second));
}

// 1 where u is below the mean; NaN stays.
template <class T>
__device__ __forceinline__ T bernoulli(T u, T mean) {
  return mean == mean ? (u < mean ? T(1) : T(0)) : mean;
}

// What a layer does to its inputs. Units of a softmax group get their input as "mean".
template <class T>
struct UnitsFinish {
  using Long = void;
  Units units;
  std::int64_t columns, grouped_from;  // units from there on are in softmax groups
  const T* bias;                       // nullptr: none
  const T* row_bias;
  const T* inverse_temperature;
  const T* variance;
  T* mean;
  T* sample;
  const T* uniforms;
  std::uint64_t seed, stream;
  std::int64_t first_row;

  __device__ void operator()(std::int64_t, std::int64_t i, std::int64_t j, const T (&sum)[4],
                             int count) const {
    const bool grouped = j >= grouped_from;
    const bool draws = sample != nullptr && uniforms == nullptr && !grouped;
    const T own_bias = row_bias == nullptr && bias != nullptr ? bias[j] : T(0);
    const T deviation = variance == nullptr ? T(1) : sqrt(variance[j]);
    philox::Block words = {};
    std::int64_t group = -1;
#pragma unroll
    for (int r = 0; r < 4; ++r) {
      if (r >= count) break;
      const std::int64_t at = (i + r) * columns + j, row = i + r + first_row;
      T x = sum[r] + (row_bias == nullptr ? own_bias : row_bias[at]);
      if (grouped) {  // finish_groups does the rest
        (mean != nullptr ? mean : sample)[at] = x;
        continue;
      }
      if (draws && row >> 2 != group) {
        group = row >> 2;
        words = draw(row, j, stream, seed);
      }
      const int k = static_cast<int>(row & 3);
      if (inverse_temperature != nullptr) x *= inverse_temperature[i + r];
      if (units == Units::gaussian) {
        if (mean != nullptr) mean[at] = x;
        if (sample != nullptr) sample[at] = x + deviation * normal_of<T>(words, k);
      } else if (units == Units::rectified) {
        if (mean != nullptr) mean[at] = softplus(x);
        if (sample != nullptr) {
          const T y = x + sqrt(sigmoid(x)) * normal_of<T>(words, k);
          sample[at] = y < T(0) ? T(0) : y;
        }
      } else {
        const T p = sigmoid(x);
        if (mean != nullptr) mean[at] = p;
        if (sample != nullptr) {
          sample[at] =
              bernoulli(uniforms == nullptr ? as_uniform(word_of(words, k), T()) : uniforms[at], p);
        }
      }
    }
  }
};

// Probabilities of a softmax group and a state drawn by inverting their sum, a thread for a group.
// The groups are read from the cache: the product before has just written them.
template <class T>
__global__ void __launch_bounds__(128)
    finish_groups(UnitsFinish<T> p, std::int64_t rows, std::int64_t size) {
  const std::int64_t groups = (p.columns - p.grouped_from) / size;
  const std::int64_t n = std::int64_t{blockIdx.x} * 128 + threadIdx.x;
  if (n >= rows * groups) return;
  const std::int64_t i = n / groups, g = n - i * groups;
  const std::int64_t at = i * p.columns + p.grouped_from + g * size;
  T* const out = (p.mean != nullptr ? p.mean : p.sample) + at;
  const T scale = p.inverse_temperature == nullptr ? T(1) : p.inverse_temperature[i];
  T top = out[0];
  for (std::int64_t j = 1; j < size; ++j) top = out[j] > top ? out[j] : top;
  T total = T(0);
  for (std::int64_t j = 0; j < size; ++j) {
    const T e = exp((out[j] - top) * scale);
    out[j] = e;
    total += e;
  }
  if (p.sample != nullptr) {
    const T limit = uniform<T>(i + p.first_row, p.grouped_from + g, p.stream, p.seed) * total;
    std::int64_t chosen = 0;
    T below = out[0];
    while (chosen + 1 < size && !(limit < below)) below += out[++chosen];
    // Rounding may have led past the end: the last state that can be.
    while (chosen > 0 && out[chosen] == T(0)) --chosen;
    // A diverged group shows: its states are NaN.
    T* const sample = p.sample + at;
    if (p.mean == nullptr) {
      for (std::int64_t j = 0; j < size; ++j) sample[j] = total - total + (j == chosen ? 1 : 0);
      return;
    }
    for (std::int64_t j = 0; j < size; ++j) sample[j] = total - total + (j == chosen ? 1 : 0);
  }
  for (std::int64_t j = 0; j < size; ++j) out[j] /= total;
}

template <class T>
void finish_groups_of(const UnitsFinish<T>& finish, std::int64_t rows, std::int64_t size) {
  if (finish.grouped_from >= finish.columns) return;
  const std::int64_t groups = rows * ((finish.columns - finish.grouped_from) / size);
  launch(finish_groups<T>, {blocks(groups, 128), 128}, finish, rows, size);
}

// Rows that are divided, element by element, by a variance.
template <class T>
struct DividedRows {
  static constexpr bool kLinesTogether = false;
  using Line = const T*;
  struct Inner {
    std::int64_t at;
    T variance;
  };
  const T* data;
  std::int64_t stride;
  const T* variance;
  __device__ Line line(std::int64_t i) const { return data + i * stride; }
  __device__ Inner inner(std::int64_t p) const { return {p, variance[p]}; }
  __device__ T at(Line line, const Inner& inner) const { return line[inner.at] / inner.variance; }
};

// The layer `hidden` or visible, from the states of the other.
template <class T>
void layer(const LayerArguments<T>& a, bool hidden) {
  const RbmModel<T>& m = a.model;
  const std::int64_t columns = hidden ? m.hidden : m.visible;
  UnitsFinish<T> finish = {hidden ? m.hidden_units : m.visible_units,
                           columns,
                           columns,
                           hidden ? m.hidden_bias : m.visible_bias,
                           a.row_bias,
                           a.inverse_temperature,
                           hidden ? nullptr : m.variance,
                           a.mean,
                           a.sample,
                           a.uniforms,
                           a.seed,
                           a.stream,
                           a.first_row};
  if (finish.units == Units::softmax) finish.grouped_from = 0;
  if (finish.units == Units::labelled) finish.grouped_from = columns - m.group;
  const MatrixOperand<T, false> given = {a.given, a.given_row_stride};
  if (!hidden) {
    product<T>(a.rows, columns, m.hidden, given, MatrixOperand<T, false>{m.weights, m.hidden},
               finish);
  } else if (m.variance == nullptr) {
    product<T>(a.rows, columns, m.visible, given, MatrixOperand<T, true>{m.weights, m.hidden},
               finish);
  } else {
    product<T>(a.rows, columns, m.visible, DividedRows<T>{a.given, a.given_row_stride, m.variance},
               MatrixOperand<T, true>{m.weights, m.hidden}, finish);
  }
  finish_groups_of(finish, a.rows, m.group);
}

}  // namespace ictus::cuda
