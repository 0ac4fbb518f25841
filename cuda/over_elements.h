// Kernels that do the same to every element of a matrix: a thread for an element, or for the four
// rows of a column that share their random words (core/philox.h).
#pragma once

#include "elements.h"
#include "launch.h"

namespace ictus::cuda {

constexpr int kElementThreads = 256;

// f(i, j) for every element; neighbouring threads have neighbouring columns.
template <class F>
__global__ void __launch_bounds__(kElementThreads)
    each_element(std::int64_t rows, std::int64_t columns, F f) {
  const std::int64_t step = std::int64_t{gridDim.x} * kElementThreads;
  for (std::int64_t n = std::int64_t{blockIdx.x} * kElementThreads + threadIdx.x;
       n < rows * columns; n += step) {
    const std::int64_t i = n / columns;
    f(i, n - i * columns);
  }
}

template <class F>
void over_elements(std::int64_t rows, std::int64_t columns, const F& f) {
  const std::int64_t count = rows * columns;
  if (count == 0) return;
  constexpr std::int64_t kMost = std::int64_t{1} << 20;  // blocks; more take turns
  const std::int64_t wanted = (count + kElementThreads - 1) / kElementThreads;
  launch(each_element<F>, {static_cast<unsigned>(wanted < kMost ? wanted : kMost), kElementThreads},
         rows, columns, f);
}

// The same for a matrix without gaps in every array it is in: one long row.
template <class F>
void over_elements(bool gapless, std::int64_t rows, std::int64_t columns, const F& f) {
  over_elements(gapless ? 1 : rows, gapless ? rows * columns : columns, f);
}

// f(i, j, block, word): the element's four words, and which of them is its own. Rows are numbered
// for draws from first_row; a thread has the rows of one block of words.
template <class F>
__global__ void __launch_bounds__(kElementThreads)
    each_draw(std::int64_t first_row, std::int64_t rows, std::int64_t columns, std::uint64_t seed,
              std::uint64_t stream, F f) {
  const std::int64_t first_group = first_row >> 2;
  const std::int64_t groups = ((first_row + rows + 3) >> 2) - first_group;
  const std::int64_t step = std::int64_t{gridDim.x} * kElementThreads;
  for (std::int64_t n = std::int64_t{blockIdx.x} * kElementThreads + threadIdx.x;
       n < groups * columns; n += step) {
    const std::int64_t g = n / columns, j = n - g * columns;
    const std::int64_t top = (first_group + g) << 2;
    const philox::Block block = draw(top, j, stream, seed);
    for (int word = 0; word < 4; ++word) {
      const std::int64_t i = top + word - first_row;
      if (i >= 0 && i < rows) f(i, j, block, word);
    }
  }
}

template <class F>
void over_draws(std::int64_t first_row, std::int64_t rows, std::int64_t columns, std::uint64_t seed,
                std::uint64_t stream, const F& f) {
  if (rows == 0 || columns == 0) return;
  constexpr std::int64_t kMost = std::int64_t{1} << 20;
  const std::int64_t groups = ((first_row + rows + 3) >> 2) - (first_row >> 2);
  const std::int64_t wanted = (groups * columns + kElementThreads - 1) / kElementThreads;
  launch(each_draw<F>, {static_cast<unsigned>(wanted < kMost ? wanted : kMost), kElementThreads},
         first_row, rows, columns, seed, stream, f);
}

}  // namespace ictus::cuda
