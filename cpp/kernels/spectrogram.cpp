// Filtered short-time spectra (ictus/spectrogram.h).
#include "ictus/spectrogram.h"

#include "core/memory.h"
#include "kernels/detail/fourier.h"
#include "kernels/detail/math.h"
#include "kernels/detail/pack.h"
#include "kernels/detail/parallel.h"

namespace ictus::ICTUS_LEVEL {
namespace {

// The parts of a thread's scratch.
template <class T>
struct Parts {
  Complex<T>* z;     // (size / 2)
  Vector<T>* bins;   // (size / 2 + 1)
  T* edges;          // (lanes, window_size): frames that reach over an end of the signal
  Vector<T>* bands;  // (lanes): outputs of as many bands before they are turned to rows

  explicit Parts(const SpectrogramArguments<T>& a) {
    z = static_cast<Complex<T>*>(thread_scratch());
    bins = reinterpret_cast<Vector<T>*>(z + a.size / 2);
    bands = bins + a.size / 2 + 1;
    edges = reinterpret_cast<T*>(bands + kLanes<T>);
  }
};

// The samples of a frame: in the signal where it lies within, else a copy filled up with zeros.
template <class T>
inline const T* frame_samples(const SpectrogramArguments<T>& a, std::int64_t start, T* copy) {
  if (start >= 0 && start + a.window_size <= a.samples) return a.signal + start;
  for (std::int64_t n = 0; n < a.window_size; ++n) {
    const std::int64_t at = start + n;
    copy[n] = at >= 0 && at < a.samples ? a.signal[at] : T(0);
  }
  return copy;
}

// Windowed samples of all lanes' frames, two and two as complex numbers.
template <class T>
inline void load_frames(const SpectrogramArguments<T>& a, const T* const* frames, Complex<T>* z) {
  Vector<T>* const to = &z[0].re;  // sample n is vector n
  std::int64_t n = 0;
  for (; n < a.window_size; n += kLanes<T>) {
    const std::int64_t rest = a.window_size - n;
    Vector<T> v[kLanes<T>];
    if (rest >= kLanes<T>) {
      const Vector<T> w = load<T>(a.window + n);
      for (int lane = 0; lane < kLanes<T>; ++lane) v[lane] = load<T>(frames[lane] + n) * w;
    } else {
      const int count = static_cast<int>(rest);
      const Vector<T> w = load_partial<T>(a.window + n, count);
      for (int lane = 0; lane < kLanes<T>; ++lane) {
        v[lane] = load_partial<T>(frames[lane] + n, count) * w;
      }
    }
    transpose<T>(v);
    const std::int64_t left = a.size - n;
    const std::int64_t count = left < kLanes<T> ? left : kLanes<T>;
    for (int k = 0; k < count; ++k) to[n + k] = v[k];
  }
  for (; n < a.size; ++n) to[n] = Vector<T>{};
}

template <class T>
inline Vector<T> band_sum(const Vector<T>* bins, const T* weights, std::int64_t count) {
  Vector<T> sum[4] = {};  // four sums hide the latency of addition
  std::int64_t j = 0;
  for (; j + 4 <= count; j += 4) {
#pragma GCC unroll 4
    for (int k = 0; k < 4; ++k) sum[k] += bins[j + k] * weights[j + k];
  }
  for (; j < count; ++j) sum[0] += bins[j] * weights[j];
  return (sum[0] + sum[1]) + (sum[2] + sum[3]);
}

// Writes up to kLanes bands, a vector of frames each, to the rows of `count` frames.
template <class T>
inline void store_bands(Vector<T>* v, int bands, T* out, std::int64_t row_stride, int count) {
  transpose<T>(v);
  for (int lane = 0; lane < count; ++lane) {
    if (bands == kLanes<T>) {
      store<T>(out + lane * row_stride, v[lane]);
    } else {
      store_partial<T>(out + lane * row_stride, v[lane], bands);
    }
  }
}

template <class T>
inline void filter_bands(const SpectrogramArguments<T>& a, const Parts<T>& parts, T* out,
                         int count) {
  for (std::int64_t b = 0; b < a.bands; b += kLanes<T>) {
    const std::int64_t left = a.bands - b;
    const int bands = left < kLanes<T> ? static_cast<int>(left) : kLanes<T>;
    for (int k = 0; k < kLanes<T>; ++k) {
      Vector<T> v = {};
      if (k < bands) {
        const std::int32_t offset = a.offsets[b + k];
        v = band_sum<T>(parts.bins + a.first[b + k], a.weights + offset,
                        a.offsets[b + k + 1] - offset);
        if (a.scale != T(0)) v = log<T>(v * a.mul + a.add) * a.scale;
      }
      parts.bands[k] = v;
    }
    store_bands<T>(parts.bands, bands, out + b, a.out_row_stride, count);
  }
}

template <class T>
void filtered(const SpectrogramArguments<T>& a) noexcept {
  parallel_ranges(a.frames, kLanes<T>, [&](std::int64_t begin, std::int64_t end) {
    const Parts<T> parts(a);
    const T* frames[kLanes<T>];
    const int count = static_cast<int>(end - begin);
    for (int lane = 0; lane < kLanes<T>; ++lane) {
      // Lanes without a frame repeat the first.
      frames[lane] = lane < count ? frame_samples(a, a.starts[begin + lane],
                                                  parts.edges + lane * a.window_size)
                                  : frames[0];
    }
    load_frames(a, frames, parts.z);
    fourier<T>(parts.z, a.size / 2, a.twiddles, 2);
    real_power<T>(parts.z, a.size, a.twiddles, a.positions, parts.bins);
    if (!a.power) {
      for (std::int64_t k = 0; k <= a.size / 2; ++k) {
        parts.bins[k] = square_root<T>(parts.bins[k]);
      }
    }
    filter_bands(a, parts, a.out + begin * a.out_row_stride, count);
  });
}

}  // namespace

extern const SpectrogramKernels<float> spectrogram_float;
extern const SpectrogramKernels<double> spectrogram_double;
const SpectrogramKernels<float> spectrogram_float = {filtered<float>};
const SpectrogramKernels<double> spectrogram_double = {filtered<double>};

}  // namespace ictus::ICTUS_LEVEL
