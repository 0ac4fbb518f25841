// Leapfrog steps and hybrid Monte Carlo for the rows of a block (ictus/mean_covariance.h): a
// block's whole trajectory runs on one thread, in its cache.
#pragma once

#include "kernels/detail/energy.h"

namespace ictus::ICTUS_LEVEL {
namespace {

// What a chain keeps beside the states.
template <class T>
struct ChainParts {
  T* momentum;        // (rows, visible)
  T* kept;            // (rows, visible): the states before the trajectory
  double* start;      // (rows): H before the trajectory
  double* potential;  // (rows): F before it

  ChainParts(const MeanCovarianceModel<T>& m, std::int64_t rows, Parts& parts) {
    momentum = parts.take<T>(rows * m.visible);
    kept = parts.take<T>(rows * m.visible);
    start = parts.take<double>(rows);
    potential = parts.take<double>(rows);
  }
};

template <class T>
inline double kinetic_energy(const T* momentum, std::int64_t size) {
  Vector<T> sum = {};
  for_vectors<T>(0, size, [&](std::int64_t j, auto access) {
    const Vector<T> p = access.read(momentum + j);
    sum += p * p;
  });
  return static_cast<double>(horizontal_sum<T>(sum)) / 2;
}

// p <- p + kick * force, v <- v + drift * p.
template <class T>
inline void kick_and_drift(const EnergyBlock<T>& block, T* v, T* p, T kick, T drift) {
  const std::int64_t visible = block.model().visible;
  for (std::int64_t i = 0; i < block.rows(); ++i) {
    T* const state = v + i * visible;
    T* const momentum = p + i * visible;
    for_vectors<T>(0, visible, [&](std::int64_t j, auto access) {
      const Vector<T> x = access.read(state + j);
      const Vector<T> q = access.read(momentum + j) + kick * block.force(i, j, x, access);
      access.write(momentum + j, q);
      if (drift != T(0)) access.write(state + j, x + drift * q);
    });
  }
}

// `steps` leapfrog steps (Neal 2011, equations 2.28 to 2.30, the half steps between two whole ones
// joined). H before is left in `before`, H after in `after`, F before in `potential`.
template <class T>
void leapfrog_block(EnergyBlock<T>& block, T* v, T* p, std::int64_t steps, T step_size,
                    double* before, double* potential, double* after) {
  const std::int64_t visible = block.model().visible;
  const double* const energy = block.states().energy;
  block.evaluate(v, visible, Depth::force, true);
  for (std::int64_t i = 0; i < block.rows(); ++i) {
    potential[i] = energy[i];
    before[i] = energy[i] + kinetic_energy(p + i * visible, visible);
  }
  kick_and_drift(block, v, p, step_size / T(2), step_size);
  for (std::int64_t step = 1; step < steps; ++step) {
    block.evaluate(v, visible, Depth::force, false);
    kick_and_drift(block, v, p, step_size, step_size);
  }
  block.evaluate(v, visible, Depth::force, true);
  kick_and_drift(block, v, p, step_size / T(2), T(0));
  for (std::int64_t i = 0; i < block.rows(); ++i) {
    after[i] = energy[i] + kinetic_energy(p + i * visible, visible);
  }
}

inline double scalar_exp(double x) { return exp<double>(broadcast<double>(x))[0]; }

// The block that starts at row `first` of the chain, through all its trajectories.
template <class T>
void chain_block(const HybridMonteCarloArguments<T>& a, EnergyBlock<T>& block,
                 const ChainParts<T>& parts, std::int64_t first) {
  const std::int64_t visible = a.model.visible, rows = block.rows();
  const std::size_t row_bytes = static_cast<std::size_t>(visible) * sizeof(T);
  T* const v = a.visible + first * visible;
  T* const p = parts.momentum + first * visible;
  T* const kept = parts.kept + first * visible;
  double* const start = parts.start + first;
  double* const potential = parts.potential + first;
  double end[kBlockRows], accepted[kBlockRows] = {};
  for (std::int64_t t = 0; t < a.trajectories; ++t) {
    const std::uint64_t stream = a.stream + 2 * static_cast<std::uint64_t>(t);
    const Normal<T> momenta{Source(a.seed, stream)};
    for_draws<T>(
        first + a.first_row, rows, std::int64_t{0}, visible, momenta,
        [&](auto i, auto j, Vector<T> z, auto, auto write) { write(p + i * visible + j, z); });
    __builtin_memcpy(kept, v, static_cast<std::size_t>(rows) * row_bytes);
    leapfrog_block(block, v, p, a.steps, a.step_size, start, potential, end);
    for (std::int64_t i = 0; i < rows; ++i) {
      const double change = end[i] - start[i];
      // A trajectory that left the numbers is refused.
      const double probability = change <= 0 ? 1 : change > 0 ? scalar_exp(-change) : 0;
      const double u =
          static_cast<double>(scalar_uniform<T>(a.seed, stream + 1, first + i + a.first_row, 0));
      accepted[i] += probability;
      if (u < probability) {
        potential[i] = block.states().energy[i];
      } else {
        __builtin_memcpy(v + i * visible, kept + i * visible, row_bytes);
      }
    }
  }
  for (std::int64_t i = 0; i < rows; ++i) {
    if (a.acceptance != nullptr) {
      a.acceptance[first + i] = static_cast<T>(accepted[i] / static_cast<double>(a.trajectories));
    }
    if (a.free_energy != nullptr) a.free_energy[first + i] = static_cast<T>(potential[i]);
  }
}

// The chain, with weights that are packed and states that are there.
template <class T>
void run_chain(const HybridMonteCarloArguments<T>& a, const PackedWeights<T>& weights,
               const States<T>& states, const ChainParts<T>& parts) {
  for_row_blocks(a.rows, [&](std::int64_t first, std::int64_t rows) {
    EnergyBlock<T> block(weights, states, first, rows);
    chain_block(a, block, parts, first);
  });
}

}  // namespace
}  // namespace ictus::ICTUS_LEVEL
