// Chains between a base-rate model and a restricted Boltzmann machine (ictus/rbm.h): annealed
// importance sampling (Neal 2001; Salakhutdinov & Murray 2008) and parallel tempering (Desjardins,
// Courville, Bengio, Vincent & Delalleau 2010; Cho, Raiko & Ilin 2010).
//
// The base-rate model has no weights, zero hidden biases and visible biases a. At inverse
// temperature beta the energies are mixed, (1 - beta) E_base + beta E, so that with
// x = c + W^T (v / s2) and y = b + W h
//
//     hidden units  given v have inputs beta x
//     visible units given h have inputs (1 - beta) a + beta y
//     log p*(v; beta) = (1 - beta) a.v + beta b.v + sum_j f(beta x_j)
//
// with f(z) = log(1 + exp z) for Bernoulli hidden units and z^2 / 2 for Gaussian ones, constants
// left out; for Gaussian visible units -(v - a)^2 / (2 s2) and -(v - b)^2 / (2 s2) take the places
// of a.v and b.v.
//
// From one step of a chain to the next few states change, so x and y are moved by the changes where
// that is less work than to compute them afresh.
#pragma once

#include <cstdint>

#include "ictus/rbm.h"

namespace ictus {

template <class T>
struct TemperedArguments {
  RbmModel<T> model;   // hidden units bernoulli or gaussian
  const T* base_bias;  // a, (visible)
  std::int64_t rows;
  T* visible;  // (rows, visible), C-contiguous: where the chains are, and where they end
  std::int64_t steps;
  std::uint64_t seed, stream;
  void* workspace;  // tempered_workspace bytes
};

// Step k weighs a chain by p*(v; beta[k + 1]) / p*(v; beta[k]), then moves it at beta[k + 1]:
// hidden units draw from stream + 2 k, visible ones from the stream after it.
template <class T>
struct AnnealingArguments {
  TemperedArguments<T> chains;
  const double* inverse_temperature;  // beta, (steps + 1)
  double* log_weights;                // (rows), added to
};

// Rows are groups of `replicas`, one chain each. A step offers a swap to every other pair of
// neighbouring temperatures of each chain (even pairs where first_step + k is even), then moves
// every replica at its temperature. A swap exchanges temperatures, not states. Streams from
// stream + 3 k: swaps, hidden units, visible units.
template <class T>
struct ParallelTemperingArguments {
  TemperedArguments<T> chains;
  std::int64_t replicas;
  std::int64_t first_step;
  const double* inverse_temperature;  // (replicas), of each temperature
  std::int64_t* temperature;          // (rows): the index of each row's temperature
  std::int64_t* row_at;               // (rows): chain by chain, the row at each temperature
  std::int64_t* swaps;  // (replicas - 1), added to: those accepted between t and t + 1
};

template <class T>
struct TemperingKernels {
  void (*anneal)(const AnnealingArguments<T>& arguments) noexcept;
  void (*parallel_tempering)(const ParallelTemperingArguments<T>& arguments) noexcept;
  std::int64_t (*tempered_workspace)(const RbmModel<T>& model, std::int64_t rows) noexcept;
};

}  // namespace ictus
