// What happens to the elements of a matrix product before they leave the kernel, and the activation
// functions, by their textbook names.
#pragma once

#include <cstdint>

namespace ictus {

enum class Activation : int { identity = 0, sigmoid = 1, tanh = 2, relu = 3, softplus = 4 };
constexpr int kActivations = 5;

// After the activation, the unit's value y can be replaced by a draw from the distribution whose
// parameter it is: bernoulli gives 1 with probability y, else 0; gaussian gives y plus a standard
// normal number.
enum class Sampling : int { none = 0, bernoulli = 1, gaussian = 2 };

// value = sample(dropout(activation(product + bias))). Dropout is inverted: an element is kept with
// probability 1 - rate and then divided by it (Hinton et al. 2012; Srivastava et al. 2014).
// A random draw depends on (seed, stream, row + first_row, column) alone; see core/philox.h.
// Dropout draws from `stream`, sampling from `stream + 1`.
template <class T>
struct Epilogue {
  const T* bias = nullptr;  // (columns), contiguous; nullptr: none
  Activation activation = Activation::identity;
  T dropout_rate = T(0);  // 0 <= rate < 1
  Sampling sampling = Sampling::none;
  std::uint64_t seed = 0;
  std::uint64_t stream = 0;
  std::int64_t first_row = 0;  // the row number of the first row, for draws
};

}  // namespace ictus
