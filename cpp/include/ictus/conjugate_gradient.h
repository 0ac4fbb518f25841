// One step of preconditioned conjugate gradients for A x = -g (Shewchuk 1994, section 10; Martens
// 2010, algorithm 2) apart from the product with A: three passes over the vectors. Sums are in
// double, in an order that the length alone decides.
//
//   damp      product += (damping + l2 inside the segments) * direction;  returns direction .
//   product advance   x += alpha * direction;  r -= alpha * product;
//             returns r . (m r) and x . (r - g): -1/2 of the latter is the quadratic 1/2 x'Ax + g'x
//   turn      direction <- m r + beta * direction
//
// r = -g - A x is the residual, m the inverse of a diagonal preconditioner (nullptr: ones).
#pragma once

#include <cstdint>

namespace ictus {

template <class T>
struct DampArguments {
  std::int64_t size;
  const T* direction;
  T* product;
  double damping, l2;
  const std::int64_t* segments;  // (segment_count, 2): begin and end, ascending, disjoint
  std::int64_t segment_count;
};

template <class T>
struct AdvanceArguments {
  std::int64_t size;
  double alpha;
  const T* direction;
  const T* product;
  const T* inverse;  // m
  const T* gradient;
  T* x;
  T* residual;
};

struct AdvanceSums {
  double residual;  // r . (m r)
  double solution;  // x . (r - g)
};

template <class T>
struct TurnArguments {
  std::int64_t size;
  double beta;
  const T* residual;
  const T* inverse;
  T* direction;
};

template <class T>
struct ConjugateGradientKernels {
  double (*damp)(const DampArguments<T>& arguments) noexcept;
  AdvanceSums (*advance)(const AdvanceArguments<T>& arguments) noexcept;
  void (*turn)(const TurnArguments<T>& arguments) noexcept;
};

}  // namespace ictus
