// The passes of conjugate gradients over their vectors (ictus/conjugate_gradient.h) on a GPU.
#include "ictus/conjugate_gradient.h"

#include "over_elements.h"
#include "parts.h"
#include "segments.h"

namespace ictus::cuda {
namespace {

template <class T>
struct Damp {
  DampArguments<T> a;
  Segments segments;
  std::int64_t begin;
  __device__ void operator()(std::int64_t j, double* sums) const {
    const std::int64_t i = begin + j;
    const double factor = segments.contain(i) ? a.damping + a.l2 : a.damping;
    const double v = static_cast<double>(a.direction[i]);
    const T product = static_cast<T>(static_cast<double>(a.product[i]) + factor * v);
    a.product[i] = product;
    sums[0] += v * static_cast<double>(product);
  }
};

template <class T>
double damp(const DampArguments<T>& a) noexcept {
  double total = 0;
  for_segments(a.size, a.segments, a.l2 != 0 ? a.segment_count : 0,
               [&](std::int64_t begin, std::int64_t end, const Segments& segments) {
                 double sum = 0;
                 sum_parts<1>(end - begin, Damp<T>{a, segments, begin}, &sum);
                 total += sum;
               });
  return total;
}

template <class T>
struct Advance {
  AdvanceArguments<T> a;
  __device__ void operator()(std::int64_t i, double* sums) const {
    const auto wide = [](T value) { return static_cast<double>(value); };
    const T x = static_cast<T>(wide(a.x[i]) + a.alpha * wide(a.direction[i]));
    const T r = static_cast<T>(wide(a.residual[i]) - a.alpha * wide(a.product[i]));
    a.x[i] = x;
    a.residual[i] = r;
    sums[0] += wide(r) * wide(r) * (a.inverse == nullptr ? 1.0 : wide(a.inverse[i]));
    sums[1] += wide(x) * (wide(r) - wide(a.gradient[i]));
  }
};

template <class T>
AdvanceSums advance(const AdvanceArguments<T>& a) noexcept {
  double sums[2] = {};
  sum_parts<2>(a.size, Advance<T>{a}, sums);
  return {sums[0], sums[1]};
}

template <class T>
struct Turn {
  TurnArguments<T> a;
  __device__ void operator()(std::int64_t, std::int64_t i) const {
    double y = static_cast<double>(a.residual[i]);
    if (a.inverse != nullptr) y *= static_cast<double>(a.inverse[i]);
    a.direction[i] = static_cast<T>(y + a.beta * static_cast<double>(a.direction[i]));
  }
};

template <class T>
void turn(const TurnArguments<T>& a) noexcept {
  over_elements(1, a.size, Turn<T>{a});
}

}  // namespace

extern const ConjugateGradientKernels<float> conjugate_gradient_float;
extern const ConjugateGradientKernels<double> conjugate_gradient_double;
const ConjugateGradientKernels<float> conjugate_gradient_float = {damp<float>, advance<float>,
                                                                  turn<float>};
const ConjugateGradientKernels<double> conjugate_gradient_double = {damp<double>, advance<double>,
                                                                    turn<double>};

}  // namespace ictus::cuda
