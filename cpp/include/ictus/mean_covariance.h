// The mean-covariance restricted Boltzmann machine of M. Ranzato & G. E. Hinton, "Modeling pixel
// means and covariances using factorized third-order Boltzmann machines" (CVPR 2010): free energy,
// its gradients, hybrid Monte Carlo, and one update of contrastive divergence in a single call.
//
// Real visible states v (D units), covariance hidden units that see squared outputs of F filters,
// and mean hidden units:
//
//     F(v) = - sum_k log(1 + exp(c_k + 1/2 sum_f P_fk u_f^2)) - sum_j log(1 + exp(b_j + (v W)_j))
//            + |v|^2 / 2 - a.v
//     u    = v C / n(v),   n(v) = sqrt(|v|^2 / D + s)
//
// P has no positive element, so that exp(-F) can be normalised. The paper divides by |v| and by the
// lengths of the columns of C; this is the form of the authors' program, which keeps the filters at
// a common length instead and bounds n(v) from below (s = 1/2 there).
//
// Matrices are C-contiguous. Draws depend on (seed, stream, row + first_row, column) alone
// (core/philox.h); a row's result depends on no other row.
#pragma once

#include <cstdint>

namespace ictus {

template <class T>
struct MeanCovarianceModel {
  std::int64_t visible, factors, covariance, mean;  // units; mean may be 0
  const T* filters;                                 // C (visible, factors)
  const T* pooling;          // P (factors, covariance); nullptr: -1 times the identity
  const T* weights;          // W (visible, mean)
  const T* visible_bias;     // a
  const T* covariance_bias;  // c
  const T* mean_bias;        // b
  T offset;                  // s > 0
};

// What the model makes of visible states; nullptr: not wanted.
template <class T>
struct EvaluationArguments {
  MeanCovarianceModel<T> model;
  std::int64_t rows;
  const T* visible;  // contiguous rows
  std::int64_t visible_row_stride;
  T* covariance_mean;  // (rows, covariance): probabilities of the covariance units
  T* mean_mean;        // (rows, mean): probabilities of the mean units
  T* free_energy;      // (rows)
  T* gradient;         // (rows, visible): dF / dv
  void* workspace;     // pass_workspace bytes
};

// One array for each parameter, of its shape.
template <class T>
struct MeanCovarianceArrays {
  T* filters;
  T* pooling;  // nullptr where the model has none
  T* weights;
  T* visible_bias;
  T* covariance_bias;
  T* mean_bias;
};

// dF / dparameter, averaged over the rows.
template <class T>
struct ParameterGradientArguments {
  MeanCovarianceModel<T> model;
  std::int64_t rows;  // > 0
  const T* visible;   // contiguous rows
  std::int64_t visible_row_stride;
  MeanCovarianceArrays<T> gradient;
  void* workspace;  // gradient_workspace bytes
};

// Leapfrog steps of the dynamics of H(v, p) = F(v) + |p|^2 / 2 (R. M. Neal, "MCMC using Hamiltonian
// dynamics", 2011, section 2.3).
template <class T>
struct LeapfrogArguments {
  MeanCovarianceModel<T> model;
  std::int64_t rows;
  T* visible;   // (rows, visible), C-contiguous: moved
  T* momentum;  // likewise
  std::int64_t steps;
  T step_size;
  T* energy_before;  // (rows): H; nullptr: not wanted
  T* energy_after;
  void* workspace;  // pass_workspace bytes
};

// Trajectories of hybrid Monte Carlo (S. Duane et al. 1987): new momenta, leapfrog steps, and each
// row for itself keeps its new state with probability min(1, exp(H before - H after)). Trajectory t
// draws momenta from stream + 2 t and decides by stream + 2 t + 1.
template <class T>
struct HybridMonteCarloArguments {
  MeanCovarianceModel<T> model;
  std::int64_t rows;
  T* visible;  // (rows, visible), C-contiguous: moved
  std::int64_t trajectories, steps;
  T step_size;
  std::uint64_t seed, stream;
  std::int64_t first_row;
  T* acceptance;    // (rows): mean probability of acceptance; nullptr: not wanted
  T* free_energy;   // (rows): of the last states; nullptr: not wanted
  void* workspace;  // pass_workspace bytes
};

// velocity <- momentum * velocity + rate * (gradient - l2 w - l1 sign w), w <- w + velocity. Biases
// have no penalty.
template <class T>
struct MeanCovarianceRule {
  T filters_rate, pooling_rate, weights_rate, visible_bias_rate, covariance_bias_rate,
      mean_bias_rate, momentum, l1, l2;
};

// One update of contrastive divergence. Afterwards the columns of C have a common length, the mean
// of their lengths smoothed over updates, and the columns of P are non-positive and sum to -1.
template <class T>
struct MeanCovarianceUpdate {
  MeanCovarianceModel<T> model;  // its pointers are those below
  MeanCovarianceArrays<T> parameters;
  MeanCovarianceArrays<T> velocity;
  MeanCovarianceRule<T> rule;
  T* filter_length;       // one number, the smoothed mean length; nullptr: lengths are free
  T length_decay;         // of its smoothing
  const T* pooling_mask;  // (factors, covariance): P is multiplied by it; nullptr: none

  std::int64_t rows;  // > 0
  const T* data;      // contiguous rows
  std::int64_t data_row_stride;

  T* particles;  // (particle_rows, visible): persistent chains; nullptr: chains start at the data
  std::int64_t particle_rows;
  std::int64_t trajectories, steps;
  T step_size;
  std::uint64_t seed, stream;
  T* acceptance;    // (particle_rows, or rows): as in HybridMonteCarloArguments
  T* data_energy;   // (rows): free energy of the data before the update; nullptr: not wanted
  T* chain_energy;  // (particle_rows, or rows): likewise of the last states of the chains
  void* workspace;  // update_workspace bytes
};

template <class T>
struct MeanCovarianceKernels {
  void (*evaluate)(const EvaluationArguments<T>& arguments) noexcept;
  void (*parameter_gradient)(const ParameterGradientArguments<T>& arguments) noexcept;
  void (*leapfrog)(const LeapfrogArguments<T>& arguments) noexcept;
  void (*hybrid_monte_carlo)(const HybridMonteCarloArguments<T>& arguments) noexcept;
  void (*update)(const MeanCovarianceUpdate<T>& arguments) noexcept;
  std::int64_t (*pass_workspace)(const MeanCovarianceModel<T>& model, std::int64_t rows) noexcept;
  std::int64_t (*gradient_workspace)(const MeanCovarianceModel<T>& model,
                                     std::int64_t rows) noexcept;
  std::int64_t (*update_workspace)(const MeanCovarianceUpdate<T>& arguments) noexcept;
};

}  // namespace ictus
