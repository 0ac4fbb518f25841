// Arrays of random numbers (ictus/random.h) on a GPU: the words of the CPU.
#include "ictus/random.h"

#include "over_elements.h"

namespace ictus::cuda {
namespace {

template <class T>
__device__ T value_of(Distribution distribution, const philox::Block& block, int word, const T* p) {
  if (distribution == Distribution::normal) return as_normal<T>(block, word);
  const T u = as_uniform(block.word[word], T());
  if (distribution == Distribution::uniform) return u;
  return u < *p ? T(1) : *p - *p;  // NaN stays
}

template <class T>
struct FillMatrix {
  RandomArguments<T> a;
  __device__ void operator()(std::int64_t i, std::int64_t j, const philox::Block& block,
                             int word) const {
    const T* p = a.p == nullptr ? nullptr : a.p + i * a.p_row_stride + j;
    a.out[i * a.out_row_stride + j] = value_of(a.distribution, block, word, p);
  }
};

template <class T>
void fill_matrix(const RandomArguments<T>& a) noexcept {
  over_draws(a.first_row, a.rows, a.columns, a.seed, a.stream, FillMatrix<T>{a});
}

// 64 elements are four rows of 16 columns (core/philox.h).
template <class T>
struct FillFlat {
  RandomArguments<T> a;
  __device__ void operator()(std::int64_t row, std::int64_t column, const philox::Block& block,
                             int word) const {
    const std::int64_t e = column / 16 * 64 + row * 16 + column % 16;
    if (e >= a.columns) return;
    a.out[e] = value_of(a.distribution, block, word, a.p == nullptr ? nullptr : a.p + e);
  }
};

template <class T>
void fill_flat(const RandomArguments<T>& a) noexcept {
  const std::int64_t columns = (a.columns + 63) / 64 * 16;
  over_draws(0, 4, columns, a.seed, a.stream, FillFlat<T>{a});
}

}  // namespace

extern const RandomKernels<float> random_float;
extern const RandomKernels<double> random_double;
const RandomKernels<float> random_float = {fill_matrix<float>, fill_flat<float>};
const RandomKernels<double> random_double = {fill_matrix<double>, fill_flat<double>};

}  // namespace ictus::cuda
