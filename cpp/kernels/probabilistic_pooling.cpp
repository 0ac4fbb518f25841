// Probabilistic max-pooling: a softmax over each block's units and "none", and draws of it.
#include "ictus/probabilistic_pooling.h"

#include "kernels/detail/blocks.h"
#include "kernels/detail/random.h"

namespace ictus::ICTUS_LEVEL {
namespace {

// The places of a block: `rows` x `columns` pixels, the first at `first` (elements from the start).
struct Block {
  std::int64_t first, rows, columns;
};

template <class T>
Block block_at(const ProbabilisticPoolingArguments<T>& a, std::int64_t number,
               std::int64_t blocks_down, std::int64_t blocks_across) {
  const std::int64_t row = number / blocks_across % blocks_down * a.down;
  const std::int64_t column = number % blocks_across * a.across;
  const std::int64_t image = number / blocks_across / blocks_down;
  const std::int64_t rows = a.height - row < a.down ? a.height - row : a.down;
  const std::int64_t columns = a.width - column < a.across ? a.width - column : a.across;
  return {((image * a.height + row) * a.width + column) * a.maps, rows, columns};
}

// Calls body(offset) for each unit of a block, row by row.
template <class T, class Body>
inline void for_units(const ProbabilisticPoolingArguments<T>& a, const Block& block,
                      const Body& body) {
  for (std::int64_t i = 0; i < block.rows; ++i) {
    std::int64_t at = block.first + i * a.width * a.maps;
    for (std::int64_t j = 0; j < block.columns; ++j, at += a.maps) body(at);
  }
}

// One vector of maps of one block; `at` is the block's place among the pooled, `u` its draw.
template <class T, class Read, class Write>
inline void pool(const ProbabilisticPoolingArguments<T>& a, const Block& block, std::int64_t map,
                 std::int64_t at, Vector<T> u, const Read& read, const Write& write) {
  using V = Vector<T>;
  V largest{};  // the input of "none" is 0; NaN comes in by the sum
  for_units(a, block, [&](std::int64_t i) { largest = maximum<T>(read(a.x + i + map), largest); });
  V on{};
  for_units(a, block, [&](std::int64_t i) {
    const V e = exp<T>(read(a.x + i + map) - largest);
    write(a.mean + i + map, e);
    on += e;
  });
  const V all = on + exp<T>(-largest);
  const V scale = broadcast<T>(T(1)) / all;
  V sum{};
  SignedVector<T> before = sum > sum;  // whether a unit before is on
  for_units(a, block, [&](std::int64_t i) {
    const V p = read(a.mean + i + map) * scale;
    write(a.mean + i + map, p);
    if (a.sample == nullptr && a.pooled_sample == nullptr) return;
    sum += p;
    const SignedVector<T> reached = u < sum;
    if (a.sample != nullptr) {
      write(a.sample + i + map, select<T>(reached & ~before, broadcast<T>(T(1)), p - p));
    }
    before = reached;
  });
  if (a.pooled_mean != nullptr) write(a.pooled_mean + at, on * scale);
  if (a.pooled_sample != nullptr) {
    write(a.pooled_sample + at, select<T>(before, broadcast<T>(T(1)), sum - sum));
  }
  if (a.log_sum != nullptr) write(a.log_sum + at, largest + log<T>(all));
}

template <class T>
void forward(const ProbabilisticPoolingArguments<T>& a) noexcept {
  const std::int64_t down = (a.height + a.down - 1) / a.down;
  const std::int64_t across = (a.width + a.across - 1) / a.across;
  const std::int64_t blocks = a.batch * down * across;
  if (blocks == 0 || a.maps == 0) return;
  const std::int64_t units =
      (a.down < a.height ? a.down : a.height) * (a.across < a.width ? a.across : a.width) * a.maps;
  // Blocks by fours: one block of random words serves four rows.
  const std::int64_t grain = (1 + kElementsPerChunk / units + 3) / 4 * 4;
  const bool draws = a.sample != nullptr || a.pooled_sample != nullptr;
  const Uniform<T> uniform{Source(a.seed, a.stream)};
  parallel_ranges(blocks, grain, [&](std::int64_t begin, std::int64_t end) {
    if (draws) {
      for_draws<T>(a.first_row + begin, end - begin, std::int64_t{0}, a.maps, uniform,
                   [&](auto i, auto map, Vector<T> u, auto read, auto write) {
                     const Block block = block_at(a, begin + i, down, across);
                     pool(a, block, map, (begin + i) * a.maps + map, u, read, write);
                   });
      return;
    }
    for (std::int64_t i = begin; i < end; ++i) {
      const Block block = block_at(a, i, down, across);
      for_column_vectors<T>(a.maps, [&](std::int64_t map, auto read, auto write) {
        pool(a, block, map, i * a.maps + map, Vector<T>{}, read, write);
      });
    }
  });
}

}  // namespace

extern const ProbabilisticPoolingKernels<float> probabilistic_pooling_float;
extern const ProbabilisticPoolingKernels<double> probabilistic_pooling_double;
const ProbabilisticPoolingKernels<float> probabilistic_pooling_float = {forward<float>};
const ProbabilisticPoolingKernels<double> probabilistic_pooling_double = {forward<double>};

}  // namespace ictus::ICTUS_LEVEL
