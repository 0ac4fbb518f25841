// Loops over the elements of matrices: vectors of columns with their tail, and blocks for threads.
#pragma once

#include "kernels/detail/parallel.h"
#include "kernels/detail/simd.h"

namespace ictus::ICTUS_LEVEL {
namespace {

// Calls body(j, read, write) for each vector of columns, whole ones first, then what is left:
// read(p) gives the vector at p, write(p, v) stores it, both within the columns.
template <class T, class Index, class Body>
inline void for_column_vectors(Index columns, const Body& body) {
  Index j = 0;
  for (; j + kLanes<T> <= columns; j += kLanes<T>) {
    body(j, [](const T* p) { return load<T>(p); }, [](T* p, Vector<T> v) { store<T>(p, v); });
  }
  if (j < columns) {
    const int left = static_cast<int>(columns - j);
    body(
        j, [left](const T* p) { return load_partial<T>(p, left); },
        [left](T* p, Vector<T> v) { store_partial<T>(p, v, left); });
  }
}

// How many elements a thread takes at a time: about 10 us of exponentials at the widest level.
constexpr std::int64_t kElementsPerChunk = 32768;

// Cuts a matrix into blocks of about kElementsPerChunk elements, rows by fours (one block of random
// words serves four rows), and calls body(row, rows, column, columns) for each.
template <class Body>
inline void parallel_blocks(std::int64_t rows, std::int64_t columns, const Body& body) noexcept {
  constexpr std::int64_t kWidest = 4096;
  if (rows <= 0 || columns <= 0) return;
  const std::int64_t width = columns < kWidest ? columns : kWidest;
  const std::int64_t height = (kElementsPerChunk / width + 3) / 4 * 4;
  const std::int64_t across = (columns + width - 1) / width;
  const std::int64_t down = (rows + height - 1) / height;
  parallel_ranges(across * down, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const std::int64_t row = i / across * height;
      const std::int64_t column = i % across * width;
      body(row, rows - row < height ? rows - row : height, column,
           columns - column < width ? columns - column : width);
    }
  });
}

}  // namespace
}  // namespace ictus::ICTUS_LEVEL
