// Probabilistic max-pooling (ictus/probabilistic_pooling.h) on a GPU. A thread has the four blocks
// of a map that share their random words; neighbours have neighbouring maps, so a warp reads and
// writes whole lines. The limit is the bytes: x is read and the means are written; between the two
// the exponentials are computed again from x, which the cache still has.
#include "ictus/probabilistic_pooling.h"

#include "over_elements.h"

namespace ictus::cuda {
namespace {

template <class T>
struct PoolBlock {
  ProbabilisticPoolingArguments<T> a;
  std::int64_t blocks_down, blocks_across;

  // The block `number` of the map `map`, with its draw u.
  __device__ void pool(std::int64_t number, std::int64_t map, T u) const {
    const std::int64_t row_of_blocks = number / blocks_across;
    const std::int64_t image = row_of_blocks / blocks_down;
    const std::int64_t row = (row_of_blocks - image * blocks_down) * a.down;
    const std::int64_t column = (number - row_of_blocks * blocks_across) * a.across;
    const std::int64_t rows = a.height - row < a.down ? a.height - row : a.down;
    const std::int64_t columns = a.width - column < a.across ? a.width - column : a.across;
    const std::int64_t first = ((image * a.height + row) * a.width + column) * a.maps + map;
    const auto for_units = [&](const auto& body) {
      for (std::int64_t i = 0; i < rows; ++i) {
        for (std::int64_t j = 0; j < columns; ++j) body(first + (i * a.width + j) * a.maps);
      }
    };
    T largest = T(0);  // the input of "none" is 0; NaN comes in by the sum
    for_units([&](std::int64_t at) { largest = a.x[at] > largest ? a.x[at] : largest; });
    T on = T(0);
    for_units([&](std::int64_t at) { on += exp(a.x[at] - largest); });
    const T all = on + exp(-largest);
    const T scale = T(1) / all;
    T sum = T(0);
    bool before = false;  // whether a unit before is on
    for_units([&](std::int64_t at) {
      const T p = exp(a.x[at] - largest) * scale;
      a.mean[at] = p;
      sum += p;
      const bool reached = u < sum;
      if (a.sample != nullptr) a.sample[at] = reached && !before ? T(1) : p - p;
      before = reached;
    });
    const std::int64_t to = number * a.maps + map;
    if (a.pooled_mean != nullptr) a.pooled_mean[to] = on * scale;
    if (a.pooled_sample != nullptr) a.pooled_sample[to] = before ? T(1) : sum - sum;
    if (a.log_sum != nullptr) a.log_sum[to] = largest + log(all);
  }
  __device__ void operator()(std::int64_t i, std::int64_t j) const { pool(i, j, T(0)); }
  __device__ void operator()(std::int64_t i, std::int64_t j, const philox::Block& block,
                             int word) const {
    pool(i, j, as_uniform(block.word[word], T()));
  }
};

template <class T>
void forward(const ProbabilisticPoolingArguments<T>& a) noexcept {
  const std::int64_t down = (a.height + a.down - 1) / a.down;
  const std::int64_t across = (a.width + a.across - 1) / a.across;
  const PoolBlock<T> each = {a, down, across};
  if (a.sample == nullptr && a.pooled_sample == nullptr) {
    over_elements(a.batch * down * across, a.maps, each);
  } else {
    over_draws(a.first_row, a.batch * down * across, a.maps, a.seed, a.stream, each);
  }
}

}  // namespace

extern const ProbabilisticPoolingKernels<float> probabilistic_pooling_float;
extern const ProbabilisticPoolingKernels<double> probabilistic_pooling_double;
const ProbabilisticPoolingKernels<float> probabilistic_pooling_float = {forward<float>};
const ProbabilisticPoolingKernels<double> probabilistic_pooling_double = {forward<double>};

}  // namespace ictus::cuda
