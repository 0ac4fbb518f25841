// Losses from logits z (rows: examples), with gradients, for the matching output functions:
//
//   squared_error          1/2 sum_k (z_k - t_k)^2                      gradient z - t
//   binary_cross_entropy   sum_k softplus(z_k) - t_k z_k                gradient sigmoid(z) - t
//   softmax_cross_entropy  sum_k t_k (log_sum_exp(z) - z_k)             gradient softmax(z) - t
//
// (Bishop, "Pattern recognition and machine learning", 2006, section 5.2.) For softmax the targets
// are distributions that sum to 1, or labels. evaluate returns scale * sum_i weight_i * loss_i,
// summed in double precision in a fixed order, and writes scale * weight_i * gradient_i.
//
// curvature: out_i = scale * weight_i * H_i v_i with the loss's Hessian with respect to the logits:
// the identity, diag(p (1 - p)), diag(p) - p p^T (Martens 2010; Schraudolph 2002).
#pragma once

#include <cstdint>

namespace ictus {

enum class Loss : int { squared_error = 0, binary_cross_entropy = 1, softmax_cross_entropy = 2 };
constexpr int kLosses = 3;

// All matrices have contiguous rows.
template <class T>
struct LossArguments {
  std::int64_t rows, columns;
  const T* logits;
  std::int64_t logits_row_stride;
  const T* targets;  // (rows, columns), or nullptr where labels are given
  std::int64_t targets_row_stride;
  const std::int64_t* labels;  // (rows), each in [0, columns): the target is 1 there, 0 elsewhere
  const T* weights;            // (rows), or nullptr: all 1
  T* gradient;                 // (rows, columns), may be the logits; nullptr: not wanted
  std::int64_t gradient_row_stride;
  double scale;
};

template <class T>
struct CurvatureArguments {
  std::int64_t rows, columns;
  const T* logits;
  std::int64_t logits_row_stride;
  const T* v;
  std::int64_t v_row_stride;
  const T* weights;
  T* out;  // may be v
  std::int64_t out_row_stride;
  double scale;
};

template <class T>
struct LossKernels {
  double (*evaluate)(Loss loss, const LossArguments<T>& arguments) noexcept;
  void (*curvature)(Loss loss, const CurvatureArguments<T>& arguments) noexcept;
};

}  // namespace ictus
