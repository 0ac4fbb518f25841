// Leapfrog steps and hybrid Monte Carlo of the mean-covariance machine, all rows at once. A step of
// the dynamics happens in the sums of the force's product. Nothing waits for the host: a row
// decides for itself on the device.
#pragma once

#include "mean_covariance_states.h"

namespace ictus::cuda {

// What a chain keeps beside the states.
template <class T>
struct ChainParts {
  T* momentum;        // (rows, visible)
  T* kept;            // (rows, visible): the states before the trajectory
  double* start;      // (rows): H before the trajectory
  double* potential;  // (rows): F before it
  double* accepted;   // (rows): sum of the probabilities

  ChainParts(const MeanCovarianceModel<T>& m, std::int64_t rows, Parts& parts) {
    momentum = parts.take<T>(rows * m.visible);
    kept = parts.take<T>(rows * m.visible);
    start = parts.take<double>(rows);
    potential = parts.take<double>(rows);
    accepted = parts.take<double>(rows);
  }
};

// |p|^2 / 2 of a row, in every thread of its block.
template <class T>
__device__ double kinetic_energy(const T* momentum, std::int64_t size, double* room) {
  T sum = T(0);
  for (std::int64_t j = threadIdx.x; j < size; j += kStateThreads) sum += momentum[j] * momentum[j];
  return block_sum<kStateThreads>(static_cast<double>(sum), room) / 2;
}

// H of each row; F too where it is wanted.
template <class T>
__global__ void __launch_bounds__(kStateThreads)
    measure_energy(std::int64_t visible, const T* momentum, const double* energy, double* total,
                   double* potential, T* out) {
  __shared__ double room[kStateThreads / kWarpSize];
  const std::int64_t i = blockIdx.x;
  const double all = energy[i] + kinetic_energy(momentum + i * visible, visible, room);
  if (threadIdx.x > 0) return;
  if (total != nullptr) total[i] = all;
  if (potential != nullptr) potential[i] = energy[i];
  if (out != nullptr) out[i] = static_cast<T>(all);
}

// `steps` leapfrog steps (Neal 2011, equations 2.28 to 2.30, the half steps between two whole ones
// joined). H and F before are left where they are wanted; F after is in the states.
template <class T>
void leapfrog_rows(const MeanCovarianceModel<T>& m, const States<T>& s, T* v, T* p,
                   std::int64_t rows, std::int64_t steps, T step_size, double* before,
                   double* potential, T* before_out) {
  const auto move = [&](T kick, T drift) {
    apply_force(m, s, rows,
                FinishForce<T>{m.visible, m.visible_bias, s.decay, v, m.visible, nullptr, v, p,
                               kick, drift});
  };
  const auto look = [&] {
    evaluate_states(m, s, static_cast<const T*>(v), m.visible, rows, Depth::coefficients);
  };
  look();
  launch(measure_energy<T>, {static_cast<unsigned>(rows), kStateThreads}, m.visible,
         static_cast<const T*>(p), static_cast<const double*>(s.energy), before, potential,
         before_out);
  move(step_size / T(2), step_size);
  for (std::int64_t step = 1; step < steps; ++step) {
    look();
    move(step_size, step_size);
  }
  look();
  move(step_size / T(2), T(0));
}

template <class T>
struct DrawMomentum {
  std::int64_t columns;
  T* out;
  __device__ void operator()(std::int64_t i, std::int64_t j, const philox::Block& block,
                             int word) const {
    out[i * columns + j] = normal_of<T>(block, word);
  }
};

// Accepts or refuses the trajectory of a row (a block), and after the last one writes what is
// wanted.
template <class T>
__global__ void __launch_bounds__(kStateThreads)
    accept_rows(HybridMonteCarloArguments<T> a, ChainParts<T> c, const double* energy,
                std::uint64_t stream, std::int64_t trajectory) {
  __shared__ double room[kStateThreads / kWarpSize];
  const std::int64_t i = blockIdx.x, visible = a.model.visible;
  const double end = energy[i] + kinetic_energy(c.momentum + i * visible, visible, room);
  const double change = end - c.start[i];
  // A trajectory that left the numbers is refused.
  const double probability = change <= 0 ? 1 : change > 0 ? exp(-change) : 0;
  const bool moves =
      static_cast<double>(uniform<T>(i + a.first_row, 0, stream, a.seed)) < probability;
  if (!moves) {
    for (std::int64_t j = threadIdx.x; j < visible; j += kStateThreads) {
      a.visible[i * visible + j] = c.kept[i * visible + j];
    }
  }
  if (threadIdx.x > 0) return;
  const double accepted = (trajectory == 0 ? 0 : c.accepted[i]) + probability;
  c.accepted[i] = accepted;
  const double potential = moves ? energy[i] : c.potential[i];
  if (trajectory + 1 < a.trajectories) return;
  if (a.acceptance != nullptr) {
    a.acceptance[i] = static_cast<T>(accepted / static_cast<double>(a.trajectories));
  }
  if (a.free_energy != nullptr) a.free_energy[i] = static_cast<T>(potential);
}

template <class T>
void run_chain(const HybridMonteCarloArguments<T>& a, const States<T>& s, const ChainParts<T>& c) {
  const std::int64_t visible = a.model.visible;
  for (std::int64_t t = 0; t < a.trajectories; ++t) {
    const std::uint64_t stream = a.stream + 2 * static_cast<std::uint64_t>(t);
    over_draws(a.first_row, a.rows, visible, a.seed, stream, DrawMomentum<T>{visible, c.momentum});
    check(cudaMemcpyAsync(c.kept, a.visible, static_cast<std::size_t>(a.rows * visible) * sizeof(T),
                          cudaMemcpyDeviceToDevice, call_stream()),
          "copy of the chain");
    leapfrog_rows<T>(a.model, s, a.visible, c.momentum, a.rows, a.steps, a.step_size, c.start,
                     c.potential, nullptr);
    launch(accept_rows<T>, {static_cast<unsigned>(a.rows), kStateThreads}, a, c,
           static_cast<const double*>(s.energy), stream + 1, t);
  }
}

}  // namespace ictus::cuda
