// One update of the mean-covariance machine by contrastive divergence: statistics of the data and
// of the chains, the step of every parameter, and the projections of C and P.
#pragma once

#include "kernels/detail/divergence.h"
#include "kernels/detail/hybrid_monte_carlo.h"

namespace ictus::ICTUS_LEVEL {
namespace {

// Sums over rows of -dF/dparameter.
template <class T>
struct Statistics {
  T* both;             // (visible, factors + mean): C and W side by side
  T* pooling;          // (factors, covariance)
  T* visible_bias;     // (visible)
  T* covariance_bias;  // (covariance)
  T* mean_bias;        // (mean)

  Statistics(const MeanCovarianceModel<T>& m, Parts& parts) {
    both = parts.take<T>(m.visible * (m.factors + m.mean));
    pooling = parts.take<T>(m.pooling == nullptr ? 0 : m.factors * m.covariance);
    visible_bias = parts.take<T>(m.visible);
    covariance_bias = parts.take<T>(m.covariance);
    mean_bias = parts.take<T>(m.mean);
  }

  // this = kept * this + scale * the sums over v, of which the states hold the coefficients.
  void add(const MeanCovarianceModel<T>& m, const T* v, std::int64_t v_row_stride,
           std::int64_t rows, const States<T>& s, T scale, T kept) const {
    const std::int64_t width = m.factors + m.mean;
    transposed_product(scale, v, v_row_stride, m.visible, s.inputs, width, width, rows, kept, both);
    if (m.pooling != nullptr) {
      transposed_product(scale, s.half_squares, m.factors, m.factors, s.covariance, m.covariance,
                         m.covariance, rows, kept, pooling);
    }
    add_column_sums(v, v_row_stride, rows, m.visible, scale, kept, visible_bias);
    add_column_sums(s.covariance, m.covariance, rows, m.covariance, scale, kept, covariance_bias);
    add_column_sums(s.inputs + m.factors, width, rows, m.mean, scale, kept, mean_bias);
  }
};

// The states of all rows, down to the coefficients.
template <class T>
void coefficients(const PackedWeights<T>& weights, const States<T>& states, const T* v,
                  std::int64_t v_row_stride, std::int64_t rows, bool energy) {
  for_row_blocks(rows, [&](std::int64_t first, std::int64_t count) {
    EnergyBlock<T> block(weights, states, first, count);
    block.evaluate(v + first * v_row_stride, v_row_stride, Depth::coefficients, energy);
  });
}

template <class T>
struct UpdateParts {
  std::int64_t chains;
  PackedWeights<T> weights;
  States<T> states;
  ChainParts<T> chain;
  Statistics<T> statistics;
  T* negative;  // (rows, visible): chains that start at the data
  std::int64_t bytes;

  explicit UpdateParts(const MeanCovarianceUpdate<T>& a) : UpdateParts(a, Parts(a.workspace)) {}

 private:
  UpdateParts(const MeanCovarianceUpdate<T>& a, Parts parts)
      : chains(a.particles == nullptr ? a.rows : a.particle_rows),
        weights(a.model, parts),
        states(a.model, a.rows > chains ? a.rows : chains, parts),
        chain(a.model, chains, parts),
        statistics(a.model, parts) {
    negative = parts.take<T>(a.particles == nullptr ? a.rows * a.model.visible : 0);
    bytes = parts.bytes();
  }
};

template <class T>
class MeanCovarianceStep {
 public:
  explicit MeanCovarianceStep(const MeanCovarianceUpdate<T>& arguments)
      : a(arguments), m(arguments.model), p(arguments) {}

  void run() {
    p.weights.pack();
    positive_phase();
    negative_phase();
    step_filters_and_weights();
    if (a.filter_length != nullptr) equalise_filters();
    if (m.pooling != nullptr) step_pooling();
    const auto step = [&](T rate, const T* gradient, T* bias, T* velocity, std::int64_t size) {
      step_parameters<T>(penalties(), rate, false, gradient, bias, velocity, size);
    };
    step(a.rule.visible_bias_rate, p.statistics.visible_bias, a.parameters.visible_bias,
         a.velocity.visible_bias, m.visible);
    step(a.rule.covariance_bias_rate, p.statistics.covariance_bias, a.parameters.covariance_bias,
         a.velocity.covariance_bias, m.covariance);
    step(a.rule.mean_bias_rate, p.statistics.mean_bias, a.parameters.mean_bias,
         a.velocity.mean_bias, m.mean);
  }

 private:
  RbmRule<T> penalties() const { return {T(0), T(0), a.rule.momentum, a.rule.l1, a.rule.l2}; }

  void positive_phase() {
    coefficients(p.weights, p.states, a.data, a.data_row_stride, a.rows, a.data_energy != nullptr);
    p.statistics.add(m, a.data, a.data_row_stride, a.rows, p.states, T(1) / static_cast<T>(a.rows),
                     T(0));
    for (std::int64_t i = 0; a.data_energy != nullptr && i < a.rows; ++i) {
      a.data_energy[i] = static_cast<T>(p.states.energy[i]);
    }
  }

  void negative_phase() {
    T* const v = a.particles == nullptr ? p.negative : a.particles;
    for (std::int64_t i = 0; a.particles == nullptr && i < a.rows; ++i) {
      __builtin_memcpy(v + i * m.visible, a.data + i * a.data_row_stride,
                       static_cast<std::size_t>(m.visible) * sizeof(T));
    }
    run_chain<T>({m, p.chains, v, a.trajectories, a.steps, a.step_size, a.seed, a.stream, 0,
                  a.acceptance, a.chain_energy, nullptr},
                 p.weights, p.states, p.chain);
    coefficients(p.weights, p.states, v, m.visible, p.chains, false);
    p.statistics.add(m, v, m.visible, p.chains, p.states, T(-1) / static_cast<T>(p.chains), T(1));
  }

  void step_filters_and_weights() {
    const std::int64_t width = m.factors + m.mean;
    const RbmRule<T> rule = penalties();
    parallel_ranges(m.visible, 1 + kElementsPerChunk / width, [&](auto begin, auto end) {
      for (std::int64_t i = begin; i < end; ++i) {
        const T* const gradient = p.statistics.both + i * width;
        const auto row = [&](T rate, const T* g, T* x, T* velocity, std::int64_t columns) {
          for_vectors<T>(0, columns, [&](std::int64_t j, auto access) {
            step_vector(rule, rate, true, access.read(g + j), x + i * columns + j,
                        velocity + i * columns + j, access);
          });
        };
        row(a.rule.filters_rate, gradient, a.parameters.filters, a.velocity.filters, m.factors);
        row(a.rule.weights_rate, gradient + m.factors, a.parameters.weights, a.velocity.weights,
            m.mean);
      }
    });
  }

  // Columns of C get one length: the smoothed mean of their lengths.
  void equalise_filters() {
    T* const lengths = p.statistics.both;
    T* const c = a.parameters.filters;
    const std::int64_t factors = m.factors;
    parallel_ranges(factors, 16 * kLanes<T>, [&](std::int64_t begin, std::int64_t end) {
      for_vectors<T>(begin, end, [&](std::int64_t f, auto access) {
        Vector<T> sum = {};
        for (std::int64_t i = 0; i < m.visible; ++i) {
          const Vector<T> x = access.read(c + i * factors + f);
          sum += x * x;
        }
        access.write(lengths + f, square_root<T>(sum));
      });
    });
    double mean = 0;
    for (std::int64_t f = 0; f < factors; ++f) mean += static_cast<double>(lengths[f]);
    mean /= static_cast<double>(factors);
    const T length =
        a.length_decay * *a.filter_length + (T(1) - a.length_decay) * static_cast<T>(mean);
    *a.filter_length = length;
    parallel_ranges(m.visible, 1 + kElementsPerChunk / factors, [&](auto begin, auto end) {
      for (std::int64_t i = begin; i < end; ++i) {
        for_vectors<T>(0, factors, [&](std::int64_t f, auto access) {
          const Vector<T> l = access.read(lengths + f);
          const Vector<T> scale =
              select<T>(l == Vector<T>{}, Vector<T>{}, broadcast<T>(length) / access.keep(l, T(1)));
          T* const at = c + i * factors + f;
          access.write(at, access.read(at) * scale);
        });
      }
    });
  }

  // A step of P, back to columns that are not positive and sum to -1.
  void step_pooling() {
    if (a.rule.pooling_rate == T(0)) return;
    T* const pooling = a.parameters.pooling;
    const std::int64_t covariance = m.covariance;
    step_parameters<T>(penalties(), a.rule.pooling_rate, true, p.statistics.pooling, pooling,
                       a.velocity.pooling, m.factors * covariance);
    parallel_ranges(covariance, 16 * kLanes<T>, [&](std::int64_t begin, std::int64_t end) {
      for_vectors<T>(begin, end, [&](std::int64_t k, auto access) {
        Vector<T> sum = {};
        for (std::int64_t f = 0; f < m.factors; ++f) {
          T* const at = pooling + f * covariance + k;
          Vector<T> x = access.read(at);
          x = select<T>(x > Vector<T>{}, Vector<T>{}, x);  // NaN stays
          if (a.pooling_mask != nullptr) x *= access.read(a.pooling_mask + f * covariance + k);
          sum -= x;
          access.write(at, x);
        }
        const Vector<T> scale =
            T(1) / access.keep(select<T>(sum == Vector<T>{}, broadcast<T>(T(1)), sum), T(1));
        for (std::int64_t f = 0; f < m.factors; ++f) {
          T* const at = pooling + f * covariance + k;
          access.write(at, access.read(at) * scale);
        }
      });
    });
  }

  const MeanCovarianceUpdate<T>& a;
  const MeanCovarianceModel<T>& m;
  UpdateParts<T> p;
};

}  // namespace
}  // namespace ictus::ICTUS_LEVEL
