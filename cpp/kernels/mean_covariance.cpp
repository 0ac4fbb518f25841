// The mean-covariance restricted Boltzmann machine (ictus/mean_covariance.h).
#include "ictus/mean_covariance.h"

#include "kernels/detail/mean_covariance_update.h"

namespace ictus::ICTUS_LEVEL {
namespace {

// Calls body(first, rows) for parts of at most kRowsAtOnce, so that the workspace has a bound.
template <class Body>
void for_parts(std::int64_t rows, const Body& body) {
  for (std::int64_t first = 0; first < rows; first += kRowsAtOnce) {
    body(first, rows - first < kRowsAtOnce ? rows - first : kRowsAtOnce);
  }
}
inline std::int64_t rows_of_part(std::int64_t rows) {
  return rows < kRowsAtOnce ? rows : kRowsAtOnce;
}

// The workspace of a pass over rows: of chains, and of what needs less.
template <class T>
struct PassParts {
  PassParts(const MeanCovarianceModel<T>& m, std::int64_t rows, Parts parts)
      : weights(m, parts),
        states(m, rows_of_part(rows), parts),
        chain(m, rows_of_part(rows), parts),
        bytes(parts.bytes()) {}
  PackedWeights<T> weights;
  States<T> states;
  ChainParts<T> chain;
  std::int64_t bytes;
};

template <class T>
struct GradientParts {
  GradientParts(const MeanCovarianceModel<T>& m, std::int64_t rows, Parts parts)
      : weights(m, parts),
        states(m, rows_of_part(rows), parts),
        statistics(m, parts),
        bytes(parts.bytes()) {}
  PackedWeights<T> weights;
  States<T> states;
  Statistics<T> statistics;
  std::int64_t bytes;
};

template <class T>
void write_evaluation(const EvaluationArguments<T>& a, const EnergyBlock<T>& block, const T* v,
                      std::int64_t first) {
  const MeanCovarianceModel<T>& m = a.model;
  const States<T>& s = block.states();
  const auto copy = [](T* to, const T* from, std::int64_t size) {
    if (to != nullptr && size > 0) {
      __builtin_memcpy(to, from, static_cast<std::size_t>(size) * sizeof(T));
    }
  };
  for (std::int64_t i = 0; i < block.rows(); ++i) {
    const std::int64_t row = first + i;
    if (a.covariance_mean != nullptr) {
      copy(a.covariance_mean + row * m.covariance, s.covariance + i * m.covariance, m.covariance);
    }
    if (a.mean_mean != nullptr) {
      copy(a.mean_mean + row * m.mean, s.inputs + i * (m.factors + m.mean) + m.factors, m.mean);
    }
    if (a.free_energy != nullptr) a.free_energy[row] = static_cast<T>(s.energy[i]);
    if (a.gradient == nullptr) continue;
    for_vectors<T>(0, m.visible, [&](std::int64_t j, auto access) {
      const Vector<T> x = access.read(v + i * a.visible_row_stride + j);
      access.write(a.gradient + row * m.visible + j, -block.force(i, j, x, access));
    });
  }
}

template <class T>
void evaluate(const EvaluationArguments<T>& a) noexcept {
  PassParts<T> p(a.model, a.rows, Parts(a.workspace));
  p.weights.pack();
  for_parts(a.rows, [&](std::int64_t part, std::int64_t part_rows) {
    for_row_blocks(part_rows, [&](std::int64_t first, std::int64_t rows) {
      EnergyBlock<T> block(p.weights, p.states, first, rows);
      const T* const v = a.visible + (part + first) * a.visible_row_stride;
      const bool energy = a.free_energy != nullptr;
      block.evaluate(v, a.visible_row_stride, a.gradient == nullptr ? Depth::means : Depth::force,
                     energy);
      write_evaluation(a, block, v, part + first);
    });
  });
}

template <class T>
void parameter_gradient(const ParameterGradientArguments<T>& a) noexcept {
  const MeanCovarianceModel<T>& m = a.model;
  GradientParts<T> p(m, a.rows, Parts(a.workspace));
  const Statistics<T>& s = p.statistics;
  p.weights.pack();
  for_parts(a.rows, [&](std::int64_t first, std::int64_t rows) {
    const T* const v = a.visible + first * a.visible_row_stride;
    coefficients(p.weights, p.states, v, a.visible_row_stride, rows, false);
    s.add(m, v, a.visible_row_stride, rows, p.states, T(-1) / static_cast<T>(a.rows),
          first == 0 ? T(0) : T(1));
  });
  const auto copy = [](T* to, std::int64_t to_stride, const T* from, std::int64_t from_stride,
                       std::int64_t rows, std::int64_t columns) {
    for (std::int64_t i = 0; columns > 0 && i < rows; ++i) {
      __builtin_memcpy(to + i * to_stride, from + i * from_stride,
                       static_cast<std::size_t>(columns) * sizeof(T));
    }
  };
  const std::int64_t width = m.factors + m.mean;
  copy(a.gradient.filters, m.factors, s.both, width, m.visible, m.factors);
  copy(a.gradient.weights, m.mean, s.both + m.factors, width, m.visible, m.mean);
  copy(a.gradient.visible_bias, 0, s.visible_bias, 0, 1, m.visible);
  copy(a.gradient.covariance_bias, 0, s.covariance_bias, 0, 1, m.covariance);
  copy(a.gradient.mean_bias, 0, s.mean_bias, 0, 1, m.mean);
  if (m.pooling == nullptr) return;
  copy(a.gradient.pooling, 0, s.pooling, 0, 1, m.factors * m.covariance);
}

template <class T>
void leapfrog(const LeapfrogArguments<T>& a) noexcept {
  PassParts<T> p(a.model, a.rows, Parts(a.workspace));
  p.weights.pack();
  for_parts(a.rows, [&](std::int64_t part, std::int64_t part_rows) {
    for_row_blocks(part_rows, [&](std::int64_t first, std::int64_t rows) {
      EnergyBlock<T> block(p.weights, p.states, first, rows);
      const std::int64_t row = part + first, at = row * a.model.visible;
      double before[kBlockRows], potential[kBlockRows], after[kBlockRows];
      leapfrog_block(block, a.visible + at, a.momentum + at, a.steps, a.step_size, before,
                     potential, after);
      for (std::int64_t i = 0; i < rows; ++i) {
        if (a.energy_before != nullptr) a.energy_before[row + i] = static_cast<T>(before[i]);
        if (a.energy_after != nullptr) a.energy_after[row + i] = static_cast<T>(after[i]);
      }
    });
  });
}

template <class T>
void hybrid_monte_carlo(const HybridMonteCarloArguments<T>& a) noexcept {
  PassParts<T> p(a.model, a.rows, Parts(a.workspace));
  p.weights.pack();
  for_parts(a.rows, [&](std::int64_t first, std::int64_t rows) {
    HybridMonteCarloArguments<T> part = a;
    part.rows = rows;
    part.visible = a.visible + first * a.model.visible;
    part.first_row = a.first_row + first;
    if (a.acceptance != nullptr) part.acceptance = a.acceptance + first;
    if (a.free_energy != nullptr) part.free_energy = a.free_energy + first;
    run_chain(part, p.weights, p.states, p.chain);
  });
}

template <class T>
void update(const MeanCovarianceUpdate<T>& a) noexcept {
  MeanCovarianceStep<T>(a).run();
}

template <class T>
std::int64_t pass_workspace(const MeanCovarianceModel<T>& m, std::int64_t rows) noexcept {
  return PassParts<T>(m, rows, Parts(nullptr)).bytes;
}
template <class T>
std::int64_t gradient_workspace(const MeanCovarianceModel<T>& m, std::int64_t rows) noexcept {
  return GradientParts<T>(m, rows, Parts(nullptr)).bytes;
}
template <class T>
std::int64_t update_workspace(const MeanCovarianceUpdate<T>& a) noexcept {
  return UpdateParts<T>(a).bytes;
}

template <class T>
constexpr MeanCovarianceKernels<T> table() {
  return {evaluate<T>, parameter_gradient<T>, leapfrog<T>,           hybrid_monte_carlo<T>,
          update<T>,   pass_workspace<T>,     gradient_workspace<T>, update_workspace<T>};
}

}  // namespace

extern const MeanCovarianceKernels<float> mean_covariance_float;
extern const MeanCovarianceKernels<double> mean_covariance_double;
const MeanCovarianceKernels<float> mean_covariance_float = table<float>();
const MeanCovarianceKernels<double> mean_covariance_double = table<double>();

}  // namespace ictus::ICTUS_LEVEL
