// The passes of conjugate gradients over their vectors (ictus/conjugate_gradient.h).
#include "ictus/conjugate_gradient.h"

#include "kernels/detail/parallel.h"

namespace ictus::ICTUS_LEVEL {
namespace {

constexpr std::int64_t kChunk = 1 << 15;  // elements: some 10 us of memory traffic
constexpr std::int64_t kParts = 64;       // a fixed number of partial sums, whatever the threads

// As many doubles at every level, so that the order of a sum is the same.
constexpr std::int64_t kDoubles = 8;
using Doubles __attribute__((vector_size(kDoubles * sizeof(double)))) = double;

// Eight elements, or fewer at a vector's end; those beyond it are zero and not written.
struct Place {
  std::int64_t at, count;

  template <class T>
  Doubles read(const T* p) const {
    using Given __attribute__((vector_size(kDoubles * sizeof(T)))) = T;
    Given given = {};
    if (count == kDoubles) {
      __builtin_memcpy(&given, p + at, sizeof given);
    } else {
      for (std::int64_t i = 0; i < count; ++i) given[i] = p[at + i];
    }
    return __builtin_convertvector(given, Doubles);
  }
  // What reading back would give.
  template <class T>
  Doubles write(T* p, Doubles value) const {
    using Given __attribute__((vector_size(kDoubles * sizeof(T)))) = T;
    const Given given = __builtin_convertvector(value, Given);
    if (count == kDoubles) {
      __builtin_memcpy(p + at, &given, sizeof given);
    } else {
      for (std::int64_t i = 0; i < count; ++i) p[at + i] = given[i];
    }
    return __builtin_convertvector(given, Doubles);
  }
};

template <class Body>
inline void for_places(std::int64_t begin, std::int64_t end, const Body& body) {
  std::int64_t i = begin;
  for (; i + kDoubles <= end; i += kDoubles) body(Place{i, kDoubles});
  if (i < end) body(Place{i, end - i});
}

inline double together(Doubles sum) {
  double total = 0;
  for (int k = 0; k < kDoubles; ++k) total += sum[k];
  return total;
}

inline std::int64_t part_of(std::int64_t size) {
  const std::int64_t even = (size + kParts - 1) / kParts;
  return even < kChunk ? kChunk : even;
}

template <class T>
double damp(const DampArguments<T>& a) noexcept {
  const std::int64_t part = part_of(a.size);
  double partial[kParts] = {};
  parallel_ranges(a.size, part, [&](std::int64_t begin, std::int64_t end) {
    Doubles sum = {};
    const auto run = [&](std::int64_t from, std::int64_t to, double factor) {
      for_places(from, to, [&](Place p) {
        const Doubles v = p.read(a.direction);
        sum += v * p.write(a.product, p.read(a.product) + factor * v);
      });
    };
    std::int64_t at = begin;
    for (std::int64_t s = 0; a.l2 != 0 && s < a.segment_count && at < end; ++s) {
      std::int64_t first = a.segments[2 * s];
      std::int64_t last = a.segments[2 * s + 1];
      if (last <= at || first >= end) continue;
      first = first < at ? at : first;
      last = last > end ? end : last;
      run(at, first, a.damping);
      run(first, last, a.damping + a.l2);
      at = last;
    }
    run(at, end, a.damping);
    partial[begin / part] = together(sum);
  });
  double total = 0;
  for (std::int64_t p = 0; p < kParts; ++p) total += partial[p];
  return total;
}

template <class T>
AdvanceSums advance(const AdvanceArguments<T>& a) noexcept {
  const std::int64_t part = part_of(a.size);
  AdvanceSums partial[kParts] = {};
  parallel_ranges(a.size, part, [&](std::int64_t begin, std::int64_t end) {
    Doubles residual = {}, solution = {};
    for_places(begin, end, [&](Place p) {
      const Doubles x = p.write(a.x, p.read(a.x) + a.alpha * p.read(a.direction));
      const Doubles r = p.write(a.residual, p.read(a.residual) - a.alpha * p.read(a.product));
      residual += a.inverse == nullptr ? r * r : r * r * p.read(a.inverse);
      solution += x * (r - p.read(a.gradient));
    });
    partial[begin / part] = {together(residual), together(solution)};
  });
  AdvanceSums total = {};
  for (std::int64_t p = 0; p < kParts; ++p) {
    total.residual += partial[p].residual;
    total.solution += partial[p].solution;
  }
  return total;
}

template <class T>
void turn(const TurnArguments<T>& a) noexcept {
  parallel_ranges(a.size, kChunk, [&](std::int64_t begin, std::int64_t end) {
    for_places(begin, end, [&](Place p) {
      Doubles y = p.read(a.residual);
      if (a.inverse != nullptr) y *= p.read(a.inverse);
      p.write(a.direction, y + a.beta * p.read(a.direction));
    });
  });
}

}  // namespace

extern const ConjugateGradientKernels<float> conjugate_gradient_float;
extern const ConjugateGradientKernels<double> conjugate_gradient_double;
const ConjugateGradientKernels<float> conjugate_gradient_float = {damp<float>, advance<float>,
                                                                  turn<float>};
const ConjugateGradientKernels<double> conjugate_gradient_double = {damp<double>, advance<double>,
                                                                    turn<double>};

}  // namespace ictus::ICTUS_LEVEL
