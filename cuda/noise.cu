// Corruption of matrices (ictus/noise.h) on a GPU.
#include "ictus/noise.h"

#include "over_elements.h"

namespace ictus::cuda {
namespace {

template <class T>
struct Corrupt {
  NoiseArguments<T> a;
  __device__ void operator()(std::int64_t i, std::int64_t j, const philox::Block& block,
                             int word) const {
    const T x = a.x[i * a.x_row_stride + j];
    T& out = a.out[i * a.out_row_stride + j];
    if (a.corruption == Corruption::gaussian) {
      out = x + a.level * as_normal<T>(block, word);
      return;
    }
    const T u = as_uniform(block.word[word], T());
    if (a.corruption == Corruption::masking) {
      out = u < a.level ? T(0) : x;
    } else {
      out = u < a.level ? (u < a.level / 2 ? a.low : a.high) : x;
    }
  }
};

template <class T>
void corrupt(const NoiseArguments<T>& a) noexcept {
  over_draws(a.first_row, a.rows, a.columns, a.seed, a.stream, Corrupt<T>{a});
}

}  // namespace

extern const NoiseKernels<float> noise_float;
extern const NoiseKernels<double> noise_double;
const NoiseKernels<float> noise_float = {corrupt<float>};
const NoiseKernels<double> noise_double = {corrupt<double>};

}  // namespace ictus::cuda
