// Corruption of a matrix whose rows are contiguous (Vincent et al., "Stacked denoising
// autoencoders", JMLR 2010, section 3.3). Drawing and corrupting is one pass.
//
//   masking          out = u < level ? 0 : x
//   gaussian         out = x + level z
//   salt_and_pepper  out = u < level / 2 ? low : u < level ? high : x
//
// u is uniform in [0, 1) and z standard normal, the numbers that random.h has for (seed, stream) at
// (first_row + row, column). `out` may be exactly the array x. NaN in x stays where x is kept.
#pragma once

#include <cstdint>

namespace ictus {

enum class Corruption : int { masking = 0, gaussian = 1, salt_and_pepper = 2 };
constexpr int kCorruptions = 3;

template <class T>
struct NoiseArguments {
  Corruption corruption;
  T level, low, high;
  std::uint64_t seed, stream;
  std::int64_t first_row;
  std::int64_t rows, columns;
  const T* x;
  std::int64_t x_row_stride;
  T* out;
  std::int64_t out_row_stride;
};

template <class T>
struct NoiseKernels {
  void (*corrupt)(const NoiseArguments<T>& arguments) noexcept;
};

}  // namespace ictus
