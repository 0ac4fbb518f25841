// The mean-covariance machine on rows of visible states (ictus/mean_covariance.h): hidden means,
// free energy, and the force -dF/dv. The products do the work (their limit is multiply-adds); what
// belongs to an element happens in the products' sums, what belongs to a row in kernels with a
// block a row, whose limit is the bytes they read once.
#pragma once

#include "ictus/mean_covariance.h"
#include "over_elements.h"
#include "parameter_steps.h"
#include "stochastic_units.h"

namespace ictus::cuda {

constexpr int kStateThreads = 128;

// [C W] side by side, as the right operand of v [C W]: columns are lines.
template <class T>
struct SideBySide {
  static constexpr bool kLinesTogether = true;
  struct Line {
    const T* column;
    std::int64_t stride;
  };
  using Inner = std::int64_t;
  const T* filters;
  const T* weights;
  std::int64_t factors, mean;
  __device__ Line line(std::int64_t j) const {
    if (j < factors) return {filters + j, factors};
    return {weights + (j - factors), mean};
  }
  __device__ Inner inner(std::int64_t p) const { return p; }
  __device__ T at(const Line& line, Inner p) const { return line.column[p * line.stride]; }
};

// Its transpose: rows are lines.
template <class T>
struct SideBySideTransposed {
  static constexpr bool kLinesTogether = false;
  using Line = std::int64_t;
  struct Inner {
    const T* column;
    std::int64_t stride;
  };
  SideBySide<T> both;
  __device__ Line line(std::int64_t i) const { return i; }
  __device__ Inner inner(std::int64_t j) const {
    const typename SideBySide<T>::Line l = both.line(j);
    return {l.column, l.stride};
  }
  __device__ T at(Line i, const Inner& inner) const { return inner.column[i * inner.stride]; }
};

// What is computed of rows of states; (rows, ...) each.
template <class T>
struct States {
  T* inputs;        // (factors + mean): u, then u dF/du / n with the sign of a force | means
  T* half_squares;  // (factors): u^2 / 2, where there is a P
  T* covariance;    // (covariance): probabilities
  T* pulls;         // (factors): covariance P^T, where there is a P
  T* inverse_norm;  // 1 / n
  T* decay;         // the force along -v
  double* energy;   // free energy

  States(const MeanCovarianceModel<T>& m, std::int64_t rows, Parts& parts) {
    const std::int64_t pooled = m.pooling == nullptr ? 0 : rows * m.factors;
    inputs = parts.take<T>(rows * (m.factors + m.mean));
    half_squares = parts.take<T>(pooled);
    covariance = parts.take<T>(rows * m.covariance);
    pulls = parts.take<T>(pooled);
    inverse_norm = parts.take<T>(rows);
    decay = parts.take<T>(rows);
    energy = parts.take<double>(rows);
  }
};

enum class Depth { means, coefficients };

template <class T>
__global__ void __launch_bounds__(kStateThreads)
    measure_norms(MeanCovarianceModel<T> m, const T* v, std::int64_t v_row_stride, States<T> s) {
  __shared__ T room[kStateThreads / kWarpSize];
  const std::int64_t i = blockIdx.x;
  T squares = T(0), along_bias = T(0);
  for (std::int64_t j = threadIdx.x; j < m.visible; j += kStateThreads) {
    const T x = v[i * v_row_stride + j];
    squares += x * x;
    along_bias += x * m.visible_bias[j];
  }
  squares = block_sum<kStateThreads>(squares, room);
  along_bias = block_sum<kStateThreads>(along_bias, room);
  if (threadIdx.x > 0) return;
  s.inverse_norm[i] = T(1) / sqrt(squares / static_cast<T>(m.visible) + m.offset);
  s.energy[i] = static_cast<double>(squares) / 2 - static_cast<double>(along_bias);
}

// u and its half square, or the input of a mean unit.
template <class T>
struct FinishInputs {
  MeanCovarianceModel<T> m;
  States<T> s;
  __device__ void operator()(std::int64_t, std::int64_t i, std::int64_t j, const T (&sum)[4],
                             int count) const {
    const std::int64_t width = m.factors + m.mean;
#pragma unroll
    for (int r = 0; r < 4; ++r) {
      if (r >= count) break;
      T x = sum[r];
      if (j < m.factors) {
        x *= s.inverse_norm[i + r];
        if (m.pooling != nullptr) s.half_squares[(i + r) * m.factors + j] = x * x * T(0.5);
      } else {
        x += m.mean_bias[j - m.factors];
      }
      s.inputs[(i + r) * width + j] = x;
    }
  }
};

template <class T>
struct WriteSums {
  std::int64_t columns;
  T* out;
  __device__ void operator()(std::int64_t, std::int64_t i, std::int64_t j, const T (&sum)[4],
                             int count) const {
#pragma unroll
    for (int r = 0; r < 4; ++r) {
      if (r < count) out[(i + r) * columns + j] = sum[r];
    }
  }
};

// Of a row: the hidden means and their terms of the energy; without a P, where unit k sees filter k
// (P = -1), the coefficients too.
template <class T>
__global__ void __launch_bounds__(kStateThreads)
    finish_units_of_rows(MeanCovarianceModel<T> m, States<T> s, bool coefficients, T* mean_mean,
                         T* free_energy) {
  __shared__ double room[kStateThreads / kWarpSize];
  __shared__ T scalar_room[kStateThreads / kWarpSize];
  const std::int64_t i = blockIdx.x;
  T* const u = s.inputs + i * (m.factors + m.mean);
  T* const h = s.covariance + i * m.covariance;
  const T inverse = s.inverse_norm[i];
  T logarithms = T(0), along = T(0);
  for (std::int64_t k = threadIdx.x; k < m.covariance; k += kStateThreads) {
    T x = T(0), t;
    if (m.pooling == nullptr) {
      x = u[k];
      t = m.covariance_bias[k] - x * x * T(0.5);
    } else {
      t = h[k];
    }
    logarithms += softplus(t);
    const T p = sigmoid(t);
    h[k] = p;
    if (m.pooling != nullptr || !coefficients) continue;
    const T pull = -p * x;
    along += pull * x;
    u[k] = pull * inverse;
  }
  for (std::int64_t j = threadIdx.x; j < m.mean; j += kStateThreads) {
    const T t = u[m.factors + j];
    logarithms += softplus(t);
    const T p = sigmoid(t);
    u[m.factors + j] = p;
    if (mean_mean != nullptr) mean_mean[i * m.mean + j] = p;
  }
  const double all = block_sum<kStateThreads>(static_cast<double>(logarithms), room);
  along = block_sum<kStateThreads>(along, scalar_room);
  if (threadIdx.x > 0) return;
  const double energy = s.energy[i] - all;
  s.energy[i] = energy;
  if (free_energy != nullptr) free_energy[i] = static_cast<T>(energy);
  // That of |v|^2 / 2, and of n(v), through which every u shrinks.
  if (m.pooling == nullptr && coefficients) {
    s.decay[i] = T(1) + along * inverse * inverse / static_cast<T>(m.visible);
  }
}

// The coefficients of a row, from the pulls of P.
template <class T>
__global__ void __launch_bounds__(kStateThreads)
    finish_pulls(MeanCovarianceModel<T> m, States<T> s) {
  __shared__ T room[kStateThreads / kWarpSize];
  const std::int64_t i = blockIdx.x;
  T* const u = s.inputs + i * (m.factors + m.mean);
  const T inverse = s.inverse_norm[i];
  T along = T(0);
  for (std::int64_t f = threadIdx.x; f < m.factors; f += kStateThreads) {
    const T x = u[f], pull = s.pulls[i * m.factors + f] * x;
    along += pull * x;
    u[f] = pull * inverse;
  }
  along = block_sum<kStateThreads>(along, room);
  if (threadIdx.x == 0) {
    s.decay[i] = T(1) + along * inverse * inverse / static_cast<T>(m.visible);
  }
}

// Fills the states of the rows from v; with Depth::means the inputs stay u.
template <class T>
void evaluate_states(const MeanCovarianceModel<T>& m, const States<T>& s, const T* v,
                     std::int64_t v_row_stride, std::int64_t rows, Depth depth,
                     T* mean_mean = nullptr, T* free_energy = nullptr) {
  const Launch each_row = {static_cast<unsigned>(rows), kStateThreads};
  launch(measure_norms<T>, each_row, m, v, v_row_stride, s);
  const SideBySide<T> both = {m.filters, m.weights, m.factors, m.mean};
  product<T>(rows, m.factors + m.mean, m.visible, MatrixOperand<T, false>{v, v_row_stride}, both,
             FinishInputs<T>{m, s});
  if (m.pooling != nullptr) {
    product<T>(rows, m.covariance, m.factors, MatrixOperand<T, false>{s.half_squares, m.factors},
               MatrixOperand<T, true>{m.pooling, m.covariance},
               AddBias<T>{m.covariance_bias, m.covariance, s.covariance});
  }
  launch(finish_units_of_rows<T>, each_row, m, s, depth == Depth::coefficients, mean_mean,
         free_energy);
  if (m.pooling == nullptr || depth == Depth::means) return;
  product<T>(rows, m.factors, m.covariance, MatrixOperand<T, false>{s.covariance, m.covariance},
             MatrixOperand<T, false>{m.pooling, m.covariance}, WriteSums<T>{m.factors, s.pulls});
  launch(finish_pulls<T>, each_row, m, s);
}

// With the sums of the force: p <- p + kick * force, v <- v + drift * p; or dF/dv is written.
template <class T>
struct FinishForce {
  std::int64_t visible;
  const T* bias;
  const T* decay;
  const T* v;
  std::int64_t v_row_stride;
  T* gradient;  // nullptr: move v and p
  T* moved;     // v, where it moves
  T* momentum;
  T kick, drift;
  __device__ void operator()(std::int64_t, std::int64_t i, std::int64_t j, const T (&sum)[4],
                             int count) const {
#pragma unroll
    for (int r = 0; r < 4; ++r) {
      if (r >= count) break;
      const std::int64_t at = (i + r) * visible + j;
      const T x = v[(i + r) * v_row_stride + j];
      const T force = sum[r] + bias[j] - x * decay[i + r];
      if (gradient != nullptr) {
        gradient[at] = -force;
        continue;
      }
      const T q = momentum[at] + kick * force;
      momentum[at] = q;
      if (drift != T(0)) moved[at] = x + drift * q;
    }
  }
};

template <class T>
void apply_force(const MeanCovarianceModel<T>& m, const States<T>& s, std::int64_t rows,
                 const FinishForce<T>& finish) {
  const std::int64_t width = m.factors + m.mean;
  const SideBySideTransposed<T> both = {{m.filters, m.weights, m.factors, m.mean}};
  product<T>(rows, m.visible, width, MatrixOperand<T, false>{s.inputs, width}, both, finish);
}

}  // namespace ictus::cuda
