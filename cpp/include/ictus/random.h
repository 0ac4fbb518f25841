// Random numbers at their place: an element's draw depends on (seed, stream) and on where it lies,
// and on nothing else (core/philox.h: Philox 4x32-10 and the two numberings).
//
//   matrix  element (row, column) of a matrix of any strides, rows counted from first_row: what the
//           epilogue of a product of that shape draws (ictus/epilogue.h)
//   flat    element e of a vector
//
// uniform is in [0, 1) with 24 bits (float) or 32 bits (double); normal has mean 0 and deviation 1,
// by Box & Muller (1958) from two uniform numbers of neighbouring rows, so it is at most 5.8
// (float) or 6.7 (double) in magnitude; bernoulli is 1 with probability p, else 0.
#pragma once

#include <cstdint>

namespace ictus {

enum class Distribution : int { uniform = 0, normal = 1, bernoulli = 2 };

template <class T>
struct RandomArguments {
  Distribution distribution;
  std::uint64_t seed, stream;
  std::int64_t rows, columns;
  std::int64_t first_row;
  const T* p;  // the probabilities of bernoulli; may be `out`; nullptr for the others
  std::int64_t p_row_stride;
  T* out;
  std::int64_t out_row_stride;
};

template <class T>
struct RandomKernels {
  void (*fill_matrix)(const RandomArguments<T>& arguments) noexcept;
  // `columns` elements of a vector; rows, strides and first_row are not used.
  void (*fill_flat)(const RandomArguments<T>& arguments) noexcept;
};

}  // namespace ictus
