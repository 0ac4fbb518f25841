// Filtered short-time spectra (ictus/spectrogram.h) on a GPU: a block for a frame, whose transform
// stays in shared memory from the windowed samples to the bands; the transform is that of the CPU
// (kernels/detail/fourier.h), all butterflies of a stage side by side. Bound by shared memory: each
// of the log4(size / 2) stages reads and writes the frame there once. Frames that overlap read the
// signal from the caches.
#include "ictus/spectrogram.h"

#include "elements.h"
#include "launch.h"

namespace ictus::cuda {
namespace {

constexpr int kThreads = 256;

template <class T>
struct Complex {
  T re, im;
};
template <class T>
__device__ __forceinline__ Complex<T> operator+(Complex<T> a, Complex<T> b) {
  return {a.re + b.re, a.im + b.im};
}
template <class T>
__device__ __forceinline__ Complex<T> operator-(Complex<T> a, Complex<T> b) {
  return {a.re - b.re, a.im - b.im};
}
// By the unit number at `index` of the table.
template <class T>
__device__ __forceinline__ Complex<T> turn(Complex<T> a, const T* twiddles, int index) {
  const T re = twiddles[2 * index], im = twiddles[2 * index + 1];
  return {a.re * re - a.im * im, a.re * im + a.im * re};
}

template <class T>
__device__ void load_frame(const SpectrogramArguments<T>& a, std::int64_t start, Complex<T>* z) {
  const auto sample = [&](std::int64_t n) {
    const std::int64_t at = start + n;
    const bool there = n < a.window_size && at >= 0 && at < a.samples;
    return there ? a.window[n] * a.signal[at] : T(0);
  };
  for (int n = static_cast<int>(threadIdx.x); n < a.size / 2; n += kThreads) {
    z[n] = {sample(2 * n), sample(2 * n + 1)};
  }
  __syncthreads();
}

// In place; bin 4 r + q of a transform ends in its quarter q.
template <class T>
__device__ void transform(const SpectrogramArguments<T>& a, Complex<T>* z) {
  const int half = static_cast<int>(a.size / 2);
  int length = half;
  for (; length > 2; length /= 4) {
    const int quarter = length / 4, stride = static_cast<int>(a.size) / length;
    for (int n = static_cast<int>(threadIdx.x); n < half / 4; n += kThreads) {
      const int r = n & (quarter - 1);
      Complex<T>* const at = z + (n - r) * 4 + r;
      const Complex<T> even = at[0] + at[2 * quarter], odd = at[0] - at[2 * quarter];
      const Complex<T> sum = at[quarter] + at[3 * quarter],
                       difference = at[quarter] - at[3 * quarter];
      const Complex<T> turned = {difference.im, -difference.re};  // times -i
      at[0] = even + sum;
      at[quarter] = turn(odd + turned, a.twiddles, r * stride);
      at[2 * quarter] = turn(even - sum, a.twiddles, 2 * r * stride);
      at[3 * quarter] = turn(odd - turned, a.twiddles, 3 * r * stride);
    }
    __syncthreads();
  }
  if (length < 2) return;
  for (int n = static_cast<int>(threadIdx.x); n < half / 2; n += kThreads) {
    const Complex<T> first = z[2 * n], second = z[2 * n + 1];
    z[2 * n] = first + second;
    z[2 * n + 1] = first - second;
  }
  __syncthreads();
}

// Bin k of the real signal's spectrum as the real part where bin k of the transform was; the last
// bin as the imaginary part of the first.
template <class T>
__device__ void take_magnitudes(const SpectrogramArguments<T>& a, Complex<T>* z) {
  const int half = static_cast<int>(a.size / 2);
  const auto magnitude = [&](T squared) { return a.power ? squared : sqrt(squared); };
  for (int k = static_cast<int>(threadIdx.x); k <= half / 2; k += kThreads) {
    if (k == 0) {
      const T sum = z[0].re + z[0].im, difference = z[0].re - z[0].im;
      z[0] = {magnitude(sum * sum), magnitude(difference * difference)};
      continue;
    }
    Complex<T>&a_bin = z[a.positions[k]], &b_bin = z[a.positions[half - k]];
    const Complex<T> x = a_bin, y = b_bin;
    const Complex<T> even = {x.re + y.re, x.im - y.im};
    const Complex<T> odd = turn(Complex<T>{x.im + y.im, y.re - x.re}, a.twiddles, k);
    const Complex<T> low = even + odd, high = even - odd;
    b_bin.re = magnitude(T(0.25) * (high.re * high.re + high.im * high.im));
    a_bin.re = magnitude(T(0.25) * (low.re * low.re + low.im * low.im));
  }
  __syncthreads();
}

template <class T>
__global__ void __launch_bounds__(kThreads) filter_frames(SpectrogramArguments<T> a) {
  auto* const z = shared_memory<Complex<T>>();
  const int lane = static_cast<int>(threadIdx.x) % kWarpSize,
            warp = static_cast<int>(threadIdx.x) / kWarpSize;
  const std::int64_t half = a.size / 2;
  for (std::int64_t t = blockIdx.x; t < a.frames; t += gridDim.x) {
    load_frame(a, a.starts[t], z);
    transform(a, z);
    take_magnitudes(a, z);
    for (std::int64_t b = warp; b < a.bands; b += kThreads / kWarpSize) {
      const std::int32_t offset = a.offsets[b], count = a.offsets[b + 1] - offset;
      T sum = T(0);
      for (std::int32_t j = lane; j < count; j += kWarpSize) {
        const std::int64_t k = a.first[b] + j;
        sum += a.weights[offset + j] * (k < half ? z[a.positions[k]].re : z[0].im);
      }
      sum = warp_sum(sum);
      if (a.scale != T(0)) sum = a.scale * log(sum * a.mul + a.add);
      if (lane == 0) a.out[t * a.out_row_stride + b] = sum;
    }
    __syncthreads();
  }
}

template <class T>
void filtered(const SpectrogramArguments<T>& a) noexcept {
  if (a.frames == 0) return;
  constexpr std::int64_t kMostBlocks = std::int64_t{1} << 20;
  launch(filter_frames<T>,
         {static_cast<unsigned>(a.frames < kMostBlocks ? a.frames : kMostBlocks), kThreads,
          static_cast<std::size_t>(a.size / 2) * sizeof(Complex<T>)},
         a);
}

}  // namespace

extern const SpectrogramKernels<float> spectrogram_float;
extern const SpectrogramKernels<double> spectrogram_double;
const SpectrogramKernels<float> spectrogram_float = {filtered<float>};
const SpectrogramKernels<double> spectrogram_double = {filtered<double>};

}  // namespace ictus::cuda
