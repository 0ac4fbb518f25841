// The kernel of a pass through time for large layers, a cooperative grid: see recurrence.h.
#pragma once

#include "recurrent_steps.h"

namespace ictus::cuda {

constexpr int kColumns = 16;     // lanes of a slice
constexpr int kRowThreads = 16;  // threads over sequences
constexpr int kEachSequence = 4;
constexpr int kTileSequences = kRowThreads * kEachSequence;
constexpr int kTileUnits = 32;
constexpr int kLargeThreads = kColumns * kRowThreads;

template <class Pass>
struct LargeShape {
  using T = typename Pass::Scalar;
  static constexpr int kUnits = kColumns / Pass::kLanes;  // of a slice
  static constexpr int kPitch = kTileSequences + 1;       // neighbours in units: other banks
  static constexpr int kPart = kTileUnits * kPitch + 8;   // lanes of other parts: other banks
  static constexpr std::size_t kTileBytes = Pass::kParts * kPart * sizeof(T);
};

// What the large kernel has in global memory.
template <class T>
struct LargeRoom {
  T* vectors;           // (2, directions, count, parts * units), sequences by falling length
  T* states;            // (directions, count, units, states)
  T* weights;           // (directions * slices, units, kColumns)
  std::int64_t slices;  // of a direction
  bool resident;        // the weights of a block's slices are in its shared memory
};

template <class Pass>
__global__ void __launch_bounds__(256)
    pack_slices(Pass pass, LargeRoom<typename Pass::Scalar> room) {
  constexpr int kUnits = LargeShape<Pass>::kUnits;
  const std::int64_t count = pass.directions * room.slices * pass.units * kColumns;
  const std::int64_t step = std::int64_t{gridDim.x} * 256;
  for (std::int64_t n = std::int64_t{blockIdx.x} * 256 + threadIdx.x; n < count; n += step) {
    const std::int64_t column = n % kColumns, k = n / kColumns % pass.units;
    const std::int64_t slice = n / kColumns / pass.units;
    Place p;
    p.direction = slice / room.slices;
    p.lane = static_cast<int>(column) % Pass::kLanes;
    p.unit = slice % room.slices * kUnits + column / Pass::kLanes;
    room.weights[n] = p.unit < pass.units ? pass.weight(p, k) : typename Pass::Scalar(0);
  }
}

template <class Pass>
struct LargeBlock {
  using T = typename Pass::Scalar;
  using Shape = LargeShape<Pass>;
  const Pass& pass;
  const SequenceTable& s;
  const LargeRoom<T>& room;
  T* const tile = shared_memory<T>();
  const int column = static_cast<int>(threadIdx.x) % kColumns;
  const int row = static_cast<int>(threadIdx.x) / kColumns;

  __device__ T* vectors(std::int64_t half, std::int64_t direction, std::int64_t rank) const {
    return room.vectors + (((half & 1) * pass.directions + direction) * s.count + rank) *
                              Pass::kParts * pass.units;
  }
  __device__ T* states(const Place& p, std::int64_t rank) const {
    return room.states + ((p.direction * s.count + rank) * pass.units + p.unit) * Pass::kStates;
  }

  // The place of this thread in a slice; false where the layer has no such unit.
  __device__ bool enter(Place& p, std::int64_t slice) const {
    p.direction = slice / room.slices;
    p.lane = column % Pass::kLanes;
    p.unit = slice % room.slices * Shape::kUnits + column / Pass::kLanes;
    const bool inside = p.unit < pass.units;
    if (!inside) p.unit = pass.units - 1;
    return inside;
  }

  __device__ void begin(std::int64_t slice) const {
    Place p;
    const bool inside = enter(p, slice);
    for (std::int64_t rank = row; rank < s.count; rank += kRowThreads) {
      p.begin(s, rank);
      T state[Pass::kStates];
      pass.begin(p, state);
      if (!inside) continue;
      if (Pass::kBackward) {
        vectors(0, p.direction, rank)[p.lane * pass.units + p.unit] = T(0);
      } else if (p.lane == 0) {
        vectors(0, p.direction, rank)[p.unit] = state[0];
      }
      if (p.lane > 0) continue;
      for (int n = 0; n < Pass::kStates; ++n) states(p, rank)[n] = state[n];
    }
  }

  // The products of the slice's lanes with the vectors of sequences from `first` on.
  __device__ void multiply(std::int64_t step, std::int64_t direction, const T* weights,
                           std::int64_t first, std::int64_t active,
                           T (&sums)[kEachSequence]) const {
    const int part = Pass::kBackward ? column % Pass::kLanes : 0;
    const T* const own = tile + part * Shape::kPart + row;
    for (std::int64_t k0 = 0; k0 < pass.units; k0 += kTileUnits) {
      __syncthreads();
      for (int i = static_cast<int>(threadIdx.x); i < Pass::kParts * kTileUnits * kTileSequences;
           i += kLargeThreads) {
        const int k = i % kTileUnits, j = i / kTileUnits % kTileSequences;
        const int q = i / kTileUnits / kTileSequences;
        const bool there = first + j < active && k0 + k < pass.units;
        tile[q * Shape::kPart + k * Shape::kPitch + j] =
            there ? vectors(step, direction, first + j)[q * pass.units + k0 + k] : T(0);
      }
      __syncthreads();
      const int most = static_cast<int>(min(std::int64_t{kTileUnits}, pass.units - k0));
#pragma unroll 4
      for (int k = 0; k < most; ++k) {
        const T w = weights[(k0 + k) * kColumns + column];
#pragma unroll
        for (int e = 0; e < kEachSequence; ++e) {
          sums[e] += w * own[k * Shape::kPitch + e * kRowThreads];
        }
      }
    }
  }

  // One step of a slice, for the first `active` sequences.
  __device__ void advance(std::int64_t step, std::int64_t slice, const T* weights,
                          std::int64_t active) const {
    Place p;
    const bool inside = enter(p, slice);
    const typename Pass::Kept kept = pass.keep(p);
    for (std::int64_t first = 0; first < active; first += kTileSequences) {
      T sums[kEachSequence] = {};
      multiply(step, p.direction, weights, first, active, sums);
#pragma unroll
      for (int e = 0; e < kEachSequence; ++e) {
        const std::int64_t wanted = first + row + e * kRowThreads;
        const bool there = inside && wanted < active;
        const std::int64_t rank = min(wanted, active - 1);
        p.begin(s, rank);
        const bool over = Pass::kBackward && step >= p.length;  // what is left is the end
        p.go_to(over ? p.length - 1 : step, Pass::kBackward);
        const T dot = Pass::kBackward ? lanes_sum<Pass::kLanes>(sums[e]) : sums[e];
        T state[Pass::kStates];
        for (int n = 0; n < Pass::kStates; ++n) state[n] = states(p, rank)[n];
        T ending[Pass::kStates];
        for (int n = 0; n < Pass::kStates; ++n) ending[n] = state[n];
        pass.step(p, pass.load(p), kept, dot, state, vectors(step + 1, p.direction, rank),
                  pass.units, there && !over);
        if (!there || p.lane > 0) continue;
        if (Pass::kBackward) {
          if (over) pass.end(p, dot, ending);
        } else if (step == p.length - 1) {
          pass.end(p, dot, state);
        }
        for (int n = 0; n < Pass::kStates; ++n) states(p, rank)[n] = state[n];
      }
    }
  }
};

template <class Pass>
__global__ void __launch_bounds__(kLargeThreads)
    through_time_large(Pass pass, SequenceTable s, LargeRoom<typename Pass::Scalar> room) {
  using T = typename Pass::Scalar;
  const LargeBlock<Pass> block{pass, s, room};
  T* const kept = block.tile + LargeShape<Pass>::kTileBytes / sizeof(T);
  const std::int64_t slices = pass.directions * room.slices;
  const std::int64_t weights = pass.units * kColumns;  // of a slice
  for (std::int64_t slice = blockIdx.x, n = 0; slice < slices; slice += gridDim.x, ++n) {
    block.begin(slice);
    if (!room.resident) continue;
    for (std::int64_t i = threadIdx.x; i < weights; i += kLargeThreads) {
      kept[n * weights + i] = room.weights[slice * weights + i];
    }
  }
  synchronize_grid();
  std::int64_t active = s.count;
  const std::int64_t steps = s.longest + (Pass::kBackward ? 1 : 0);
  for (std::int64_t step = 0; step < steps; ++step) {
    const std::int64_t tail = Pass::kBackward ? 1 : 0;
    while (active > 0 && s.lengths[s.order[active - 1]] + tail <= step) --active;
    for (std::int64_t slice = blockIdx.x, n = 0; slice < slices; slice += gridDim.x, ++n) {
      block.advance(step, slice,
                    room.resident ? kept + n * weights : room.weights + slice * weights, active);
    }
    synchronize_grid();
  }
}

}  // namespace ictus::cuda
