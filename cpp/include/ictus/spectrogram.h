// Filtered short-time spectra: for frame t and band b
//
//   X(t, k)   = sum over n < window_size of window(n) signal(start(t) + n) exp(-2 pi i k n / size)
//   m(t, k)   = |X(t, k)|, or its square; k = 0 .. size / 2
//   s(t, b)   = sum over j < count(b) of weights(offset(b) + j) m(t, first(b) + j)
//   out(t, b) = scale log(mul s(t, b) + add), or s(t, b) where scale is 0
//
// The signal is zero outside its samples. A vector holds the same sample of as many frames, so a
// frame's numbers do not depend on the frames that are computed with it.
#pragma once

#include <cstdint>

namespace ictus {

constexpr std::int64_t kMaxFourierSize = 16384;  // what fits a thread's scratch

template <class T>
struct SpectrogramArguments {
  const T* signal;
  std::int64_t samples;
  std::int64_t frames;
  const std::int64_t* starts;  // (frames) may be negative
  const T* window;
  std::int64_t window_size;       // at most size
  std::int64_t size;              // of the transform: a power of two from 4 to kMaxFourierSize
  const T* twiddles;              // (size, 2) cosine and sine of -2 pi k / size
  const std::int32_t* positions;  // (size / 2) where the transform of half the size leaves bin k
  std::int64_t bands;
  const std::int32_t* first;    // (bands) bins
  const std::int32_t* offsets;  // (bands + 1) into weights
  const T* weights;
  bool power;  // squared magnitudes
  T scale, mul, add;
  T* out;  // (frames, bands) with contiguous rows
  std::int64_t out_row_stride;
};

template <class T>
struct SpectrogramKernels {
  void (*filtered)(const SpectrogramArguments<T>& arguments) noexcept;
};

}  // namespace ictus
