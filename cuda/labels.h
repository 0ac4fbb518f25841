// Whether labels on a GPU are in range. Waits for the answer.
#pragma once

#include <cstdint>

namespace ictus::cuda {

// The number of the first element that is not in [low, high), and its value; -1 where all are.
template <class T>
std::int64_t first_outside(const T* data, std::int64_t count, std::int64_t stride, std::int64_t low,
                           std::int64_t high, std::int64_t& value) noexcept;

}  // namespace ictus::cuda
