// Restricted Boltzmann machines: a layer given the other, free energy, one update of contrastive
// divergence (Hinton 2002) or persistent contrastive divergence (Tieleman 2008) in a single call,
// and one of the delta rule for a layer of a directed net (wake-sleep, Hinton et al. 1995).
//
// Energy of visible states v (visible units) and hidden states h (hidden units):
//
//     E(v, h) = -b.v - c.h - v.W h                 bernoulli, softmax and labelled visible units
//     E(v, h) = sum (v - b)^2 / (2 s2) - c.h - (v / s2).W h  gaussian, variance s2 (Cho, Ilin &
//                                                            Raiko 2011)
//     + |h|^2 / 2                                            gaussian hidden units
//
// softmax: groups of `group` visible units of which one is 1. labelled: Bernoulli units, the last
// `group` of which are one softmax group, the label (Hinton, Osindero & Teh 2006). rectified hidden
// units are noisy rectified linear units (Nair & Hinton 2010): max(0, x + N(0, sigmoid(x))) stands
// for a sum of Bernoulli units with biases x - 1/2, x - 3/2, ..., whose mean is log(1 + exp x).
//
// W is (visible, hidden), C-contiguous. A layer's draws depend on (seed, stream, row + first_row,
// unit) alone (core/philox.h); where the states given are mostly zero, the zeros are skipped.
#pragma once

#include <cstdint>

namespace ictus {

enum class Units : int { bernoulli = 0, gaussian = 1, softmax = 2, rectified = 3, labelled = 4 };

template <class T>
struct RbmModel {
  std::int64_t visible, hidden;
  Units visible_units;  // bernoulli, gaussian, softmax, labelled
  Units hidden_units;   // bernoulli, gaussian, rectified
  std::int64_t group;   // visible units in a softmax group or of the label, else 1
  const T* weights;
  const T* visible_bias;
  const T* hidden_bias;
  const T* variance;  // of gaussian visible units, (visible); nullptr: 1
};

// The means and samples of one layer given the states of the other.
template <class T>
struct LayerArguments {
  RbmModel<T> model;
  std::int64_t rows;
  const T* given;  // contiguous rows
  std::int64_t given_row_stride;
  const T* row_bias;             // (rows, units): takes the place of the bias; nullptr: none
  const T* inverse_temperature;  // (rows), not gaussian or rectified units; nullptr: 1
  T* mean;                       // (rows, units), C-contiguous; nullptr: not wanted
  T* sample;                     // likewise
  const T* uniforms;             // (rows, units): what bernoulli units compare; nullptr: Philox
  std::uint64_t seed, stream;
  std::int64_t first_row;
  void* workspace;  // layer_workspace bytes
};

template <class T>
struct FreeEnergyArguments {
  RbmModel<T> model;  // hidden units bernoulli or gaussian
  std::int64_t rows;
  const T* visible;
  std::int64_t visible_row_stride;
  const T* inverse_temperature;  // (rows); nullptr: 1
  T* out;                        // (rows)
  void* workspace;               // free_energy_workspace bytes
};

// F(v, y) of each row of states of the units that are no label units, and each label y, with the
// hidden units summed out: the label's share of the work is a pass over its weights.
template <class T>
struct LabelEnergyArguments {
  RbmModel<T> model;  // labelled; hidden units bernoulli or gaussian
  std::int64_t rows;
  const T* visible;  // (rows, visible - group), contiguous rows
  std::int64_t visible_row_stride;
  T* out;           // (rows, group), C-contiguous
  void* workspace;  // free_energy_workspace bytes
};

// How a parameter moves: velocity <- momentum * velocity + rate * (gradient - l2 w - l1 sign w),
// w <- w + velocity. Biases have no penalty.
template <class T>
struct RbmRule {
  T weight_rate, bias_rate, momentum, l1, l2;
};

template <class T>
struct DivergenceArguments {
  RbmModel<T> model;  // its weights, biases and variance are those below
  T* weights;
  T* visible_bias;
  T* hidden_bias;
  T* weights_velocity;
  T* visible_velocity;
  T* hidden_velocity;
  RbmRule<T> rule;

  std::int64_t rows;
  const T* data;  // (rows, visible), contiguous rows
  std::int64_t data_row_stride;
  std::int64_t steps;  // k >= 1

  // Persistent chains: hidden states, moved on by `steps`. nullptr: the chain starts at the data.
  T* particles;  // (particle_rows, hidden), C-contiguous
  std::int64_t particle_rows;
  T negative_scale;           // of the sum over particles; 0: 1 / particle_rows
  const T* visible_uniforms;  // (particle_rows, visible) and (particle_rows, hidden), for steps = 1
  const T* hidden_uniforms;   // and particles; nullptr: Philox

  // Fast weights (Tieleman & Hinton 2009): the chain sees weights + fast_weights. nullptr: none.
  T* fast_weights;
  T fast_rate, fast_decay;

  // A conditional RBM: biases b + context A and c + context B, A (context_size, visible), B
  // (context_size, hidden). nullptr: none. Not with particles.
  const T* context;
  std::int64_t context_size, context_row_stride;
  T* visible_context;
  T* hidden_context;
  T* visible_context_velocity;
  T* hidden_context_velocity;

  // Gaussian visible units: the logarithm of their variance is learned. nullptr: it is fixed.
  T* log_variance;
  T* log_variance_velocity;
  T* variance;
  T variance_rate, lowest_log_variance, highest_log_variance;

  // The decayed mean of each hidden unit's activity is drawn towards a target (Hinton 2010,
  // section 11); cost 0: not.
  T* activity;  // (hidden)
  T sparsity_target, sparsity_cost, sparsity_decay;

  T* chain_visible;  // (rows of the chain, visible): its visible states at its end; nullptr: no

  std::uint64_t seed, stream;  // draws from streams stream .. stream + 2 steps
  void* workspace;             // divergence_workspace bytes
};

// The delta rule: one layer, given the states of the other, learns to predict states of its own.
// With d = target - mean of the layer's units, averaged over rows, divided by the variance of the
// visible units, the gradient of the weights is d given^T, that of the layer's bias d.
template <class T>
struct DeltaArguments {
  RbmModel<T> model;  // its weights and bias are those below
  bool hidden;        // whether the hidden units learn, given visible ones
  T* weights;         // (visible, hidden)
  T* bias;            // of the layer that learns
  T* weights_velocity;
  T* bias_velocity;
  RbmRule<T> rule;
  std::int64_t rows;
  const T* given;  // contiguous rows, like target
  std::int64_t given_row_stride;
  const T* target;
  std::int64_t target_row_stride;
  void* workspace;  // delta_workspace bytes
};

template <class T>
struct RbmKernels {
  void (*hidden_layer)(const LayerArguments<T>& arguments) noexcept;
  void (*visible_layer)(const LayerArguments<T>& arguments) noexcept;
  void (*free_energy)(const FreeEnergyArguments<T>& arguments) noexcept;
  void (*label_energies)(const LabelEnergyArguments<T>& arguments) noexcept;
  void (*contrastive_divergence)(const DivergenceArguments<T>& arguments) noexcept;
  void (*delta_rule)(const DeltaArguments<T>& arguments) noexcept;
  std::int64_t (*layer_workspace)(std::int64_t rows, std::int64_t visible,
                                  std::int64_t hidden) noexcept;
  std::int64_t (*free_energy_workspace)(std::int64_t rows, std::int64_t visible,
                                        std::int64_t hidden) noexcept;
  std::int64_t (*divergence_workspace)(const DivergenceArguments<T>& arguments) noexcept;
  std::int64_t (*delta_workspace)(const DeltaArguments<T>& arguments) noexcept;
};

}  // namespace ictus
