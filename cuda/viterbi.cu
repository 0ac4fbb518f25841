// Viterbi and forward decoding of a bar pointer (ictus/viterbi.h) on a GPU.
//
// Viterbi goes by windows of as many frames as the shortest beat lasts: within one, a beat that
// ends began before it, so the ends of all its frames follow from the scores at its begin, and
// nothing waits from frame to frame. A window has two steps for the whole grid (cooperative):
//   a warp for a beat and interval carries its scores over the window before, in place from the end
//   on, and gives the ends of this window, frame by frame;
//   a thread for a frame, beat and interval takes the best way into position 0.
// Each score has the additions of the frame-by-frame order, so results are the CPU's to the bit.
// Bound by the barriers of the grid, two for a window; the arithmetic, one addition for a state and
// frame and two operations for a transition, is below that for models of up to 10^5 states.
//
// The forward algorithm normalises every frame, so one block walks through the frames: bound by its
// barriers and by reading the probabilities from the cache.
#include "ictus/viterbi.h"

#include "elements.h"
#include "launch.h"

namespace ictus::cuda {
namespace {

constexpr int kThreads = 256;
constexpr int kWarps = kThreads / kWarpSize;
constexpr int kForwardThreads = 1024;

// A beat and interval: where its states are, and which columns they observe.
template <class T>
struct Segment {
  const T* densities;
  std::int64_t columns, length, zone, column;

  __device__ Segment(const BarPointer<T>& m, const T* all, std::int64_t row, std::int64_t number)
      : densities(all),
        columns(row),
        length(m.lengths[number % m.intervals]),
        zone(m.beat_states[number]),
        column(m.beat_columns[number / m.intervals]) {}
  __device__ T density(std::int64_t frame, std::int64_t position) const {
    return densities[frame * columns + (position < zone ? column : 0)];
  }
};

// The number of an interval's first state within a beat, one thread for each.
template <class T>
__global__ void __launch_bounds__(kThreads) find_starts(BarPointer<T> m, std::int32_t* starts) {
  const std::int64_t i = std::int64_t{blockIdx.x} * kThreads + threadIdx.x;
  if (i >= m.intervals) return;
  std::int32_t sum = 0;
  for (std::int64_t k = 0; k < i; ++k) sum += m.lengths[k];
  starts[i] = sum;
}

// What windows have in scratch memory.
template <class T>
struct Windowed {
  std::int64_t frames;   // of a window
  std::int32_t* starts;  // (intervals)
  T *ends, *entries;     // (window's frames, beats, intervals)
};

// The scores of one beat and interval over the `w` frames from `begin` on.
template <class T>
__device__ void carry(const Segment<T>& segment, std::int64_t begin, std::int64_t w,
                      const T* entries, std::int64_t stride, T* scores, int lane) {
  for (std::int64_t last = segment.length; last > 0; last -= kWarpSize) {
    const std::int64_t p = last - 1 - lane;
    T v = T(0);
    if (p >= 0) {
      v = p >= w ? scores[p - w] : entries[(w - 1 - p) * stride];
      for (std::int64_t s = p >= w ? 0 : w - p; s < w; ++s) {
        v += segment.density(begin + s, p - w + 1 + s);
      }
    }
    __syncwarp();
    if (p >= 0) scores[p] = v;
    __syncwarp();
  }
}

template <class T>
__global__ void __launch_bounds__(kThreads) walk(ViterbiArguments<T> a, Windowed<T> room) {
  const BarPointer<T>& m = a.model;
  const std::int64_t segments = m.beats * m.intervals, in_beat = m.states / m.beats;
  const int lane = static_cast<int>(threadIdx.x) % kWarpSize;
  const std::int64_t first_segment =
      std::int64_t{blockIdx.x} * kWarps + static_cast<int>(threadIdx.x) / kWarpSize;
  for (std::int64_t begin = 0, before = 0;; begin += before) {
    const std::int64_t now = min(room.frames, a.frames - begin);  // 0: the end
    for (std::int64_t n = first_segment; n < segments; n += std::int64_t{gridDim.x} * kWarps) {
      const Segment<T> segment(m, a.densities, a.columns, n);
      T* const scores = a.scores + n / m.intervals * in_beat + room.starts[n % m.intervals];
      if (before > 0) {
        carry(segment, begin - before, before, room.entries + n, segments, scores, lane);
      }
      for (std::int64_t s = lane; s < now; s += kWarpSize) {
        T v = scores[segment.length - 1 - s];
        for (std::int64_t u = 0; u < s; ++u) {
          v += segment.density(begin + u, segment.length - s + u);
        }
        room.ends[s * segments + n] = v;
      }
    }
    if (now == 0) return;
    synchronize_grid();
    for (std::int64_t n = std::int64_t{blockIdx.x} * kThreads + threadIdx.x; n < now * segments;
         n += std::int64_t{gridDim.x} * kThreads) {
      const std::int64_t s = n / segments, b = n % segments / m.intervals, i = n % m.intervals;
      const T* const from = room.ends + s * segments + (b == 0 ? m.beats - 1 : b - 1) * m.intervals;
      const T density = a.densities[(begin + s) * a.columns + m.beat_columns[b]];
      T best = -static_cast<T>(INFINITY);
      std::int64_t origin = 0;
      for (std::int64_t j = 0; j < m.intervals; ++j) {
        // The density is added before the comparison, as on the CPU.
        const T score = (from[j] + m.transitions[j * m.intervals + i]) + density;
        if (score > best) {
          best = score;
          origin = j;
        }
      }
      room.entries[n] = best;
      a.origins[begin * segments + n] = static_cast<std::uint16_t>(origin);
    }
    synchronize_grid();
    before = now;
  }
}

template <class T>
std::int32_t* start_of_intervals(const BarPointer<T>& m) {
  auto* const starts = static_cast<std::int32_t*>(scratch());
  if (starts != nullptr) {
    launch(find_starts<T>, {blocks(m.intervals, kThreads), kThreads}, m, starts);
  }
  return starts;
}

// Behind the starts of the intervals.
constexpr std::size_t kStartsBytes = kMaxBeatIntervals * sizeof(std::int32_t);

template <class T>
void advance(const ViterbiArguments<T>& a) noexcept {
  if (a.frames == 0) return;
  const std::int64_t segments = a.model.beats * a.model.intervals;
  constexpr std::int64_t kRoom = (kScratchBytes - kStartsBytes) / sizeof(T) / 2;
  const std::int64_t fitting = kRoom / segments;
  const std::int64_t window = a.model.shortest < fitting ? a.model.shortest : fitting;
  std::int32_t* const starts = start_of_intervals(a.model);
  if (starts == nullptr) return;
  T* const ends = reinterpret_cast<T*>(reinterpret_cast<char*>(starts) + kStartsBytes);
  const std::int64_t largest = segments / kWarps > window * segments / kThreads
                                   ? segments / kWarps
                                   : window * segments / kThreads;
  const std::int64_t resident = resident_blocks(walk<T>, kThreads, 0);
  if (resident == 0) return report("no block of the decoder fits the device");
  const auto grid = static_cast<unsigned>(largest + 1 < resident ? largest + 1 : resident);
  launch(walk<T>, {grid, kThreads, 0, true}, a,
         Windowed<T>{window, starts, ends, ends + window * segments});
}

// --- the way back
// ---------------------------------------------------------------------------------

template <class T>
__global__ void __launch_bounds__(kThreads)
    go_back(BarPointer<T> m, const std::int32_t* starts, std::int64_t frames,
            const std::uint16_t* origins, std::int64_t count, std::int32_t* states,
            std::int32_t* path) {
  const std::int64_t k = std::int64_t{blockIdx.x} * kThreads + threadIdx.x;
  if (k >= count) return;
  const std::int64_t in_beat = m.states / m.beats;
  std::int64_t beat = states[k] / in_beat, interval = 0, position = states[k] % in_beat;
  for (; position >= m.lengths[interval]; ++interval) position -= m.lengths[interval];
  std::int64_t t = frames - 1;  // where the state is (beat, interval, position)
  while (true) {
    const std::int64_t start = t - position;  // where its position was 0
    const std::int64_t first = beat * in_beat + starts[interval];
    if (path != nullptr && k == 0) {
      for (std::int64_t u = start < 0 ? 0 : start; u <= t; ++u) {
        path[u] = static_cast<std::int32_t>(first + u - start);
      }
    }
    if (start < 0) {
      states[k] = static_cast<std::int32_t>(first - 1 - start);
      return;
    }
    interval = origins[(start * m.beats + beat) * m.intervals + interval];
    beat = beat == 0 ? m.beats - 1 : beat - 1;
    position = m.lengths[interval] - 1;
    t = start - 1;
  }
}

template <class T>
void trace(const BarPointer<T>& m, std::int64_t frames, const std::uint16_t* origins,
           std::int64_t count, std::int32_t* states, std::int32_t* path) noexcept {
  if (count == 0) return;
  const std::int32_t* const starts = start_of_intervals(m);
  if (starts == nullptr) return;
  launch(go_back<T>, {blocks(count, kThreads), kThreads}, m, starts, frames, origins, count, states,
         path);
}

// --- forward
// --------------------------------------------------------------------------------------

// The largest of a block's values, and of equal ones that with the lowest number, in every thread.
template <class T>
__device__ void block_first_maximum(T& value, std::int64_t& number, T* values,
                                    std::int64_t* numbers) {
  const auto take = [&](T other, std::int64_t at) {
    if (other > value || (other == value && at < number)) {
      value = other;
      number = at;
    }
  };
  for (int lanes = kWarpSize / 2; lanes > 0; lanes /= 2) {
    const T other = __shfl_xor_sync(kAllLanes, value, lanes);
    take(other, __shfl_xor_sync(kAllLanes, number, lanes));
  }
  const int warp = static_cast<int>(threadIdx.x) / kWarpSize;
  if (threadIdx.x % kWarpSize == 0) {
    values[warp] = value;
    numbers[warp] = number;
  }
  __syncthreads();
  for (int i = 0; i < kForwardThreads / kWarpSize; ++i) take(values[i], numbers[i]);
  __syncthreads();
}

template <class T>
__global__ void __launch_bounds__(kForwardThreads)
    follow(ForwardArguments<T> a, const std::int32_t* starts, T* ends) {
  __shared__ T values[kForwardThreads / kWarpSize];
  __shared__ std::int64_t numbers[kForwardThreads / kWarpSize];
  const BarPointer<T>& m = a.model;
  const std::int64_t segments = m.beats * m.intervals, in_beat = m.states / m.beats;
  const int thread = static_cast<int>(threadIdx.x), lane = thread % kWarpSize;
  const auto first_of = [&](std::int64_t n) {
    return n / m.intervals * in_beat + starts[n % m.intervals];
  };
  for (std::int64_t t = 0; t < a.frames; ++t) {
    for (std::int64_t n = thread; n < segments; n += kForwardThreads) {
      ends[n] = a.probabilities[first_of(n) + m.lengths[n % m.intervals] - 1];
    }
    __syncthreads();
    for (std::int64_t n = thread / kWarpSize; n < segments; n += kForwardThreads / kWarpSize) {
      const Segment<T> segment(m, a.densities, a.columns, n);
      T* const p = a.probabilities + first_of(n);
      for (std::int64_t last = segment.length; last > 1; last -= kWarpSize) {
        const std::int64_t at = last - 1 - lane;
        const T v = at >= 1 ? p[at - 1] * segment.density(t, at) : T(0);
        __syncwarp();
        if (at >= 1) p[at] = v;
        __syncwarp();
      }
    }
    __syncthreads();
    for (std::int64_t n = thread; n < segments; n += kForwardThreads) {
      const std::int64_t b = n / m.intervals, i = n % m.intervals;
      const T* const from = ends + (b == 0 ? m.beats - 1 : b - 1) * m.intervals;
      T sum = T(0);
      for (std::int64_t j = 0; j < m.intervals; ++j) {
        sum += from[j] * m.transitions[j * m.intervals + i];
      }
      a.probabilities[first_of(n)] = sum * a.densities[t * a.columns + m.beat_columns[b]];
    }
    __syncthreads();
    T sum = T(0);
    for (std::int64_t s = thread; s < m.states; s += kForwardThreads) sum += a.probabilities[s];
    const T total = block_sum<kForwardThreads>(sum, values);
    const bool possible = total > T(0) && total < static_cast<T>(INFINITY);
    const T factor = T(1) / (possible ? total : static_cast<T>(m.states));
    T top = T(-1);
    std::int64_t best = m.states;
    for (std::int64_t s = thread; s < m.states; s += kForwardThreads) {
      const T p = possible ? a.probabilities[s] * factor : factor;
      a.probabilities[s] = p;
      if (p > top) {
        top = p;
        best = s;
      }
    }
    block_first_maximum(top, best, values, numbers);
    if (thread == 0) a.states[t] = static_cast<std::int32_t>(best);
  }
}

template <class T>
void forward(const ForwardArguments<T>& a) noexcept {
  if (a.frames == 0) return;
  std::int32_t* const starts = start_of_intervals(a.model);
  if (starts == nullptr) return;
  T* const ends = reinterpret_cast<T*>(reinterpret_cast<char*>(starts) + kStartsBytes);
  launch(follow<T>, {1, kForwardThreads}, a, starts, ends);
}

}  // namespace

extern const ViterbiKernels<float> viterbi_float;
extern const ViterbiKernels<double> viterbi_double;
const ViterbiKernels<float> viterbi_float = {advance<float>, trace<float>, forward<float>};
const ViterbiKernels<double> viterbi_double = {advance<double>, trace<double>, forward<double>};

}  // namespace ictus::cuda
