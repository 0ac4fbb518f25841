// First-order updates of a flat parameter vector, each in one pass over it.
//
// With g = gradient_scale * gradient + l2 * w + l1 * sign(w), the penalties only inside the
// segments (weights, not biases), and rate = learning_rate * (dampened ? 1 - momentum : 1):
//
//   sgd       v <- momentum * v - rate * g;  w <- w + v
//             Nesterov (Sutskever et al. 2013, with w at the looked-ahead point):
//             w <- w + momentum * v - rate * g, with the new v
//   rmsprop   s <- decay * s + (1 - decay) * g^2;  v <- momentum * v - learning_rate * g / (sqrt(s)
//             + epsilon);  w <- w + v                        (Tieleman & Hinton 2012)
//   adam      m <- beta1 * m + (1 - beta1) * g;  s <- beta2 * s + (1 - beta2) * g^2;
//             w <- w - step_size * m / (sqrt(s) * root_correction + epsilon) - shrinkage * w
//             (Kingma & Ba 2015; shrinkage: decoupled decay of Loshchilov & Hutter 2019, in
//             segments)
//   max_norm  columns of a matrix longer than `limit` are scaled to that length: the incoming
//             weights of a unit (Hinton et al. 2012; Srivastava et al. 2014)
#pragma once

#include <cstdint>

namespace ictus {

// The vectors have `size` elements and do not overlap.
template <class T>
struct UpdateArguments {
  std::int64_t size;
  T* parameters;
  const T* gradient;
  T gradient_scale;
  T l1, l2;
  const std::int64_t* segments;  // (segment_count, 2): begin and end, ascending, disjoint
  std::int64_t segment_count;
};

template <class T>
struct SgdArguments {
  UpdateArguments<T> update;
  T* velocity;  // nullptr where momentum is 0 and none is kept
  T learning_rate, momentum;
  bool nesterov, dampened;
};

template <class T>
struct RmspropArguments {
  UpdateArguments<T> update;
  T* mean_square;
  T* velocity;  // nullptr: no momentum
  T learning_rate, decay, epsilon, momentum;
};

template <class T>
struct AdamArguments {
  UpdateArguments<T> update;
  T* mean;
  T* mean_square;
  T beta1, beta2, epsilon;
  T step_size;        // learning_rate / (1 - beta1^t)
  T root_correction;  // 1 / sqrt(1 - beta2^t)
  T shrinkage;        // learning_rate * decoupled decay
};

template <class T>
struct OptimizerKernels {
  void (*sgd)(const SgdArguments<T>& arguments) noexcept;
  void (*rmsprop)(const RmspropArguments<T>& arguments) noexcept;
  void (*adam)(const AdamArguments<T>& arguments) noexcept;
  // weights (rows, columns), contiguous rows; limit > 0.
  void (*max_norm)(T* weights, std::int64_t rows, std::int64_t columns, std::int64_t row_stride,
                   T limit) noexcept;
};

}  // namespace ictus
