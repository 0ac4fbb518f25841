// Where a thread is in a pass through time, and the kernel for small layers: see recurrence.h.
#pragma once

#include "elements.h"
#include "ictus/sequence.h"
#include "launch.h"

namespace ictus::cuda {

struct SequenceTable {
  const std::int64_t *lengths, *first_row, *order;
  std::int64_t count, longest;
};

// Where a thread is: a gate (its lane) of a unit, at a step of a sequence.
struct Place {
  std::int64_t unit;
  int lane;
  std::int64_t direction, sequence, length, first_row;
  std::int64_t row;      // of this step
  std::int64_t earlier;  // row of the step before it in the layer's own time; -1: the first step

  // `step` counts in the order of the pass, which a backward pass takes from the end.
  __device__ void go_to(std::int64_t step, bool backward) {
    const bool from_end = (direction == 1) != backward;
    row = first_row + (from_end ? length - 1 - step : step);
    const bool first = backward ? step == length - 1 : step == 0;
    earlier = first ? -1 : direction == 1 ? row + 1 : row - 1;
  }
  __device__ void begin(const SequenceTable& s, std::int64_t rank) {
    sequence = s.order[rank];
    length = s.lengths[sequence];
    first_row = s.first_row[sequence];
  }
};

// Sixteen bytes of shared memory at a time.
__device__ __forceinline__ void load_four(const float* from, float (&to)[4]) {
  const float4 v = *reinterpret_cast<const float4*>(from);
  to[0] = v.x, to[1] = v.y, to[2] = v.z, to[3] = v.w;
}
__device__ __forceinline__ void load_four(const double* from, double (&to)[4]) {
  const double2 v = *reinterpret_cast<const double2*>(from),
                w = *reinterpret_cast<const double2*>(from + 2);
  to[0] = v.x, to[1] = v.y, to[2] = w.x, to[3] = w.y;
}

// The sum over a unit's lanes, in each of them.
template <int kLanes, class T>
__device__ __forceinline__ T lanes_sum(T value) {
  for (int lanes = kLanes / 2; lanes > 0; lanes /= 2) {
    value += __shfl_xor_sync(kAllLanes, value, lanes);
  }
  return value;
}

template <class Pass, int kMost>
struct SmallShape {
  using T = typename Pass::Scalar;
  // Parts lie 16 bytes beyond a multiple of all banks apart: lanes read theirs at the same time.
  static constexpr int kWide = kMost + 16 / static_cast<int>(sizeof(T));
  static constexpr int kVector = Pass::kParts * kWide;
  static constexpr std::size_t kBytes = 2 * kVector * sizeof(T);
};

template <int kMost, class T>
__device__ __forceinline__ T small_dot(const T (&weights)[kMost], const T* vector) {
  T sums[4] = {};
#pragma unroll
  for (int k = 0; k < kMost; k += 4) {
    T v[4];
    load_four(vector + k, v);
#pragma unroll
    for (int i = 0; i < 4; ++i) sums[i] += weights[k + i] * v[i];
  }
  return (sums[0] + sums[1]) + (sums[2] + sums[3]);
}

template <class Pass, int kMost>
__global__ void __launch_bounds__(kMost* Pass::kLanes)
    through_time_small(Pass pass, SequenceTable s) {
  using T = typename Pass::Scalar;
  using Shape = SmallShape<Pass, kMost>;
  T* const room = shared_memory<T>();
  Place p;
  p.lane = static_cast<int>(threadIdx.x) % Pass::kLanes;
  p.unit = static_cast<int>(threadIdx.x) / Pass::kLanes;
  const bool inside = p.unit < pass.units;
  if (!inside) p.unit = pass.units - 1;  // takes part in shuffles and barriers alone
  p.direction = blockIdx.y;
  p.begin(s, blockIdx.x);

  T weights[kMost];
#pragma unroll
  for (int k = 0; k < kMost; ++k) weights[k] = k < pass.units ? pass.weight(p, k) : T(0);
  const typename Pass::Kept kept = pass.keep(p);
  T state[Pass::kStates];
  pass.begin(p, state);
  for (int i = static_cast<int>(threadIdx.x); i < 2 * Shape::kVector;
       i += static_cast<int>(blockDim.x)) {
    room[i] = T(0);
  }
  __syncthreads();
  if (!Pass::kBackward && inside && p.lane == 0) room[p.unit] = state[0];
  __syncthreads();

  const T* const own = room + (Pass::kBackward ? p.lane * Shape::kWide : 0);
  const auto load = [&](std::int64_t step) {
    if (step >= p.length) return typename Pass::Loaded{};
    p.go_to(step, Pass::kBackward);
    return pass.load(p);
  };
  typename Pass::Loaded now = load(0), next = load(1);
  for (std::int64_t step = 0; step < p.length; ++step) {
    const typename Pass::Loaded later = load(step + 2);
    const int half = static_cast<int>(step & 1) * Shape::kVector;
    T dot = small_dot<kMost>(weights, own + half);
    if (Pass::kBackward) dot = lanes_sum<Pass::kLanes>(dot);
    p.go_to(step, Pass::kBackward);
    pass.step(p, now, kept, dot, state, room + (Shape::kVector - half), Shape::kWide, inside);
    now = next;
    next = later;
    __syncthreads();
  }
  T dot = T(0);
  if (Pass::kBackward) {
    const int half = static_cast<int>(p.length & 1) * Shape::kVector;
    dot = lanes_sum<Pass::kLanes>(small_dot<kMost>(weights, own + half));
  }
  if (inside && p.lane == 0) pass.end(p, dot, state);
}

}  // namespace ictus::cuda
