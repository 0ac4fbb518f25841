// The mean-covariance machine on some rows of visible states (ictus/mean_covariance.h): hidden
// means, free energy, and the force -dF/dv. Rows are cut into blocks whose states stay in the
// level-2 cache; a block's products use weights that were packed once for the whole call.
#pragma once

#include "ictus/mean_covariance.h"
#include "kernels/detail/layer.h"
#include "kernels/detail/rows.h"

namespace ictus::ICTUS_LEVEL {
namespace {

// Rows of a block: whole register tiles at every level, and work for several threads in a
// minibatch.
constexpr std::int64_t kBlockRows = 32;

// Hands out the parts of a workspace one after another; without one it counts the bytes.
class Parts {
 public:
  explicit Parts(void* workspace)
      : start_(reinterpret_cast<std::uintptr_t>(workspace)), at_(start_) {}
  template <class T>
  T* take(std::int64_t elements) {
    T* const part = reinterpret_cast<T*>(at_);
    at_ += static_cast<std::uintptr_t>(aligned_bytes<T>(elements));
    return part;
  }
  std::int64_t bytes() const { return static_cast<std::int64_t>(at_ - start_); }

 private:
  std::uintptr_t start_, at_;
};

// [C W] side by side, as both directions of the products read them; P likewise.
template <class T>
struct PackedWeights {
  const MeanCovarianceModel<T>& model;
  std::int64_t width;  // columns of [C W]
  T* both;
  T* up;      // [C W]
  T* down;    // its transpose
  T* pool;    // P
  T* spread;  // its transpose

  PackedWeights(const MeanCovarianceModel<T>& m, Parts& parts) : model(m) {
    const auto size = gemm_kernels<T>().packed_b_elements;
    width = m.factors + m.mean;
    both = parts.take<T>(m.visible * width);
    up = parts.take<T>(size(m.visible, width));
    down = parts.take<T>(size(width, m.visible));
    const bool pooled = m.pooling != nullptr;
    pool = parts.take<T>(pooled ? size(m.factors, m.covariance) : 0);
    spread = parts.take<T>(pooled ? size(m.covariance, m.factors) : 0);
  }

  void pack() {
    const MeanCovarianceModel<T>& m = model;
    parallel_ranges(m.visible, 1 + kElementsPerChunk / width, [&](auto begin, auto end) {
      for (std::int64_t i = begin; i < end; ++i) {
        __builtin_memcpy(both + i * width, m.filters + i * m.factors,
                         static_cast<std::size_t>(m.factors) * sizeof(T));
        if (m.mean == 0) continue;
        __builtin_memcpy(both + i * width + m.factors, m.weights + i * m.mean,
                         static_cast<std::size_t>(m.mean) * sizeof(T));
      }
    });
    const auto pack_b = gemm_kernels<T>().pack_b;
    pack_b(both, m.visible, width, width, 1, up);
    pack_b(both, width, m.visible, 1, width, down);
    if (m.pooling == nullptr) return;
    pack_b(m.pooling, m.factors, m.covariance, m.covariance, 1, pool);
    pack_b(m.pooling, m.covariance, m.factors, 1, m.covariance, spread);
  }
};

// What is computed of rows of states; (rows, ...) each.
template <class T>
struct States {
  T* inputs;        // (width): u, then u dF/du / n with the sign of a force | v W + b, then means
  T* half_squares;  // (factors): u^2 / 2, where there is a P
  T* covariance;    // (covariance): probabilities
  T* pulls;         // (factors): covariance P^T, where there is a P
  T* force;         // (visible): without its part along v and a
  T* inverse_norm;  // 1 / n
  T* decay;         // the force along -v
  double* energy;   // free energy

  States(const MeanCovarianceModel<T>& m, std::int64_t rows, Parts& parts) {
    const std::int64_t pooled = m.pooling == nullptr ? 0 : rows * m.factors;
    inputs = parts.take<T>(rows * (m.factors + m.mean));
    half_squares = parts.take<T>(pooled);
    covariance = parts.take<T>(rows * m.covariance);
    pulls = parts.take<T>(pooled);
    force = parts.take<T>(rows * m.visible);
    inverse_norm = parts.take<T>(rows);
    decay = parts.take<T>(rows);
    energy = parts.take<double>(rows);
  }
};

enum class Depth { means, coefficients, force };

// The computation for rows [first, first + rows) of the states.
template <class T>
class EnergyBlock {
 public:
  EnergyBlock(const PackedWeights<T>& weights, const States<T>& states, std::int64_t first,
              std::int64_t rows)
      : m(weights.model), w(weights), s(states), rows_(rows) {
    s.inputs += first * w.width;
    s.covariance += first * m.covariance;
    s.force += first * m.visible;
    if (m.pooling != nullptr) {
      s.half_squares += first * m.factors;
      s.pulls += first * m.factors;
    }
    s.inverse_norm += first;
    s.decay += first;
    s.energy += first;
  }

  std::int64_t rows() const { return rows_; }
  const States<T>& states() const { return s; }
  const MeanCovarianceModel<T>& model() const { return m; }

  // Fills the states from v as far as `depth` says; the energy only where it is wanted.
  void evaluate(const T* v, std::int64_t v_row_stride, Depth depth, bool energy) {
    norms(v, v_row_stride, energy);
    product(v, v_row_stride, m.visible, w.up, w.width, s.inputs);
    for (std::int64_t i = 0; i < rows_; ++i) {
      if (m.pooling == nullptr) {
        unpooled(i, depth, energy);
      } else {
        square(i);
      }
      mean_units(i, energy);
    }
    if (m.pooling != nullptr) pooled(depth, energy);
    if (depth == Depth::force) product(s.inputs, w.width, w.width, w.down, m.visible, s.force);
  }

  // Element j of the force -dF/dv of row i, where v is the state.
  template <class Access>
  Vector<T> force(std::int64_t i, std::int64_t j, Vector<T> v, Access access) const {
    return access.read(s.force + i * m.visible + j) + access.read(m.visible_bias + j) -
           v * s.decay[i];
  }

 private:
  void product(const T* a, std::int64_t a_row_stride, std::int64_t inner, const T* packed,
               std::int64_t columns, T* c, const Epilogue<T>* epilogue = nullptr) {
    GemmArguments<T> g = {};
    g.rows = rows_;
    g.columns = columns;
    g.inner = inner;
    g.alpha = T(1);
    g.a = a;
    g.a_row_stride = a_row_stride;
    g.a_column_stride = 1;
    g.packed_b = packed;
    g.c = c;
    g.c_row_stride = columns;
    g.epilogue = epilogue;
    gemm_kernels<T>().multiply(g);
  }

  void norms(const T* v, std::int64_t v_row_stride, bool energy) {
    for (std::int64_t i = 0; i < rows_; ++i) {
      Vector<T> squares = {}, along_bias = {};
      for_vectors<T>(0, m.visible, [&](std::int64_t j, auto access) {
        const Vector<T> x = access.read(v + i * v_row_stride + j);
        squares += x * x;
        if (energy) along_bias += x * access.read(m.visible_bias + j);
      });
      const T square = horizontal_sum<T>(squares);
      s.inverse_norm[i] =
          T(1) / square_root<T>(broadcast<T>(square / static_cast<T>(m.visible) + m.offset))[0];
      if (!energy) continue;
      s.energy[i] =
          static_cast<double>(square) / 2 - static_cast<double>(horizontal_sum<T>(along_bias));
    }
  }

  // The force along -v: that of |v|^2 / 2, and of n(v), through which every u shrinks.
  void set_decay(std::int64_t i, T along) {
    const T inverse = s.inverse_norm[i];
    s.decay[i] = T(1) + along * inverse * inverse / static_cast<T>(m.visible);
  }

  void square(std::int64_t i) {
    const T inverse = s.inverse_norm[i];
    T* const u = s.inputs + i * w.width;
    for_vectors<T>(0, m.factors, [&](std::int64_t f, auto access) {
      const Vector<T> x = access.read(u + f) * inverse;
      access.write(u + f, x);
      access.write(s.half_squares + i * m.factors + f, x * x * T(0.5));
    });
  }

  // P = -1: unit k sees filter k.
  void unpooled(std::int64_t i, Depth depth, bool energy) {
    const T inverse = s.inverse_norm[i];
    T* const u = s.inputs + i * w.width;
    T* const h = s.covariance + i * m.covariance;
    Vector<T> along = {}, logarithms = {};
    for_vectors<T>(0, m.factors, [&](std::int64_t f, auto access) {
      const Vector<T> x = access.read(u + f) * inverse;
      const Vector<T> t = access.read(m.covariance_bias + f) - x * x * T(0.5);
      if (energy) logarithms += access.keep(softplus<T>(t), T(0));
      const Vector<T> p = sigmoid<T>(t);
      access.write(h + f, p);
      if (depth == Depth::means) return;
      const Vector<T> pull = -p * x;
      along += pull * x;
      access.write(u + f, pull * inverse);
    });
    if (energy) s.energy[i] -= static_cast<double>(horizontal_sum<T>(logarithms));
    if (depth != Depth::means) set_decay(i, horizontal_sum<T>(along));
  }

  void mean_units(std::int64_t i, bool energy) {
    T* const x = s.inputs + i * w.width + m.factors;
    Vector<T> logarithms = {};
    for_vectors<T>(0, m.mean, [&](std::int64_t j, auto access) {
      const Vector<T> t = access.read(x + j) + access.read(m.mean_bias + j);
      if (energy) logarithms += access.keep(softplus<T>(t), T(0));
      access.write(x + j, sigmoid<T>(t));
    });
    if (energy) s.energy[i] -= static_cast<double>(horizontal_sum<T>(logarithms));
  }

  void pooled(Depth depth, bool energy) {
    Epilogue<T> epilogue;
    epilogue.bias = m.covariance_bias;
    if (!energy) epilogue.activation = Activation::sigmoid;
    product(s.half_squares, m.factors, m.factors, w.pool, m.covariance, s.covariance, &epilogue);
    for (std::int64_t i = 0; energy && i < rows_; ++i) {
      T* const h = s.covariance + i * m.covariance;
      Vector<T> logarithms = {};
      for_vectors<T>(0, m.covariance, [&](std::int64_t k, auto access) {
        const Vector<T> t = access.read(h + k);
        logarithms += access.keep(softplus<T>(t), T(0));
        access.write(h + k, sigmoid<T>(t));
      });
      s.energy[i] -= static_cast<double>(horizontal_sum<T>(logarithms));
    }
    if (depth == Depth::means) return;
    product(s.covariance, m.covariance, m.covariance, w.spread, m.factors, s.pulls);
    for (std::int64_t i = 0; i < rows_; ++i) {
      const T inverse = s.inverse_norm[i];
      T* const u = s.inputs + i * w.width;
      Vector<T> along = {};
      for_vectors<T>(0, m.factors, [&](std::int64_t f, auto access) {
        const Vector<T> x = access.read(u + f);
        const Vector<T> pull = access.read(s.pulls + i * m.factors + f) * x;
        along += pull * x;
        access.write(u + f, pull * inverse);
      });
      set_decay(i, horizontal_sum<T>(along));
    }
  }

  const MeanCovarianceModel<T>& m;
  const PackedWeights<T>& w;
  States<T> s;
  const std::int64_t rows_;
};

// Calls body(first, rows) for blocks of nearly equal size.
template <class Body>
void for_row_blocks(std::int64_t rows, const Body& body) {
  const std::int64_t blocks = (rows + kBlockRows - 1) / kBlockRows;
  const std::int64_t height = blocks == 0 ? 1 : (rows + blocks - 1) / blocks;
  parallel_ranges(blocks, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t b = begin; b < end; ++b) {
      const std::int64_t first = b * height;
      const std::int64_t left = rows - first;
      if (left > 0) body(first, left < height ? left : height);
    }
  });
}

}  // namespace
}  // namespace ictus::ICTUS_LEVEL
