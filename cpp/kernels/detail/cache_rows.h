// How long rows are where matrices lie in a cache side by side.
#pragma once

#include <cstdint>

#include "kernels/detail/simd.h"

namespace ictus::ICTUS_LEVEL {
namespace {

// Whole vectors, and not at a power of two from each other: rows would share few cache sets.
template <class T>
inline std::int64_t row_length(std::int64_t columns) {
  const std::int64_t whole = (columns + kLanes<T> - 1) / kLanes<T> * kLanes<T>;
  return whole * static_cast<std::int64_t>(sizeof(T)) % 2048 == 0 ? whole + kLanes<T> : whole;
}

// From matrix to matrix, an odd number of lines for the same reason.
template <class T>
inline std::int64_t matrix_stride(std::int64_t rows, std::int64_t row) {
  constexpr std::int64_t line = 64 / static_cast<std::int64_t>(sizeof(T));
  const std::int64_t lines = (rows * row + line - 1) / line;
  return (lines | 1) * line;
}

}  // namespace
}  // namespace ictus::ICTUS_LEVEL
