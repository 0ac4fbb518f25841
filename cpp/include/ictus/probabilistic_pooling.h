// Probabilistic max-pooling (Lee, Grosse, Ranganath & Ng, "Convolutional deep belief networks for
// scalable unsupervised learning of hierarchical representations", ICML 2009, section 3.3).
//
// Maps of detection units are cut into blocks of `down` x `across` places, smaller ones at the
// lower and right edges where these do not divide. In each block of each map at most one unit is
// on; the pooling unit of the block is on where one is. With the inputs x of a block's units
//
//     p(unit i is on)       = exp(x_i) / (1 + sum over j of exp(x_j))
//     p(pooling unit is on) = 1 - 1 / (1 + sum over j of exp(x_j))
//     log_sum               = log(1 + sum over j of exp(x_j))
//
// A block draws one number u, that of random.h for (seed, stream) at (first_row + block, map),
// blocks counted over images, down, across; the unit that is on is the first, row by row, whose
// probability and those before it exceed u in sum. NaN in a block makes all its results NaN, so
// that a diverged unit is not hidden by its sample.
#pragma once

#include <cstdint>

namespace ictus {

template <class T>
struct ProbabilisticPoolingArguments {
  std::int64_t batch, height, width, maps;
  std::int64_t down, across;  // of a block
  const T* x;                 // (batch, height, width, maps)
  T* mean;                    // like x, and may be x
  T* sample;                  // like x; nullptr: not wanted, as the following
  T* pooled_mean;             // (batch, ceil(height / down), ceil(width / across), maps)
  T* pooled_sample;           // like pooled_mean
  T* log_sum;                 // like pooled_mean
  std::uint64_t seed, stream;
  std::int64_t first_row;
};

template <class T>
struct ProbabilisticPoolingKernels {
  void (*forward)(const ProbabilisticPoolingArguments<T>& arguments) noexcept;
};

}  // namespace ictus
