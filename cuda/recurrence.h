// A pass of a recurrent layer through time on a GPU, for any cell and any of its passes
// (recurrent_passes.h): one kernel runs all steps, and what a step needs of the one before stays on
// the chip.
//
// A unit has kLanes neighbouring threads, one for a gate, which exchange by shuffles. A step is
//   dot      each lane's weights times its part of the exchanged vector: what all units had at the
//            step before (forward, tangent: one part, the outputs; backward: a part for each gate)
//   step     what the cell makes of it, and the lane's element of the next exchanged vector
//
// Small layers (through_time_small): a block for a sequence in a direction. A lane keeps its
// weights in registers; the exchanged vector is in shared memory, twice, so that a step has one
// barrier. Bound by the latency of a step: loads run two steps ahead.
//
// Large layers (through_time_large): a cooperative grid. A block has slices of 16 lanes' weights,
// in its shared memory where all slices of the grid fit there, and multiplies them with the
// vectors of 64 sequences at a time; a barrier of the grid ends a step. Bound by reading the
// vectors from the second-level cache and by that barrier, for large batches by multiply-adds.
//
// The order of each sum depends on the layer's size alone.
#pragma once

#include "recurrent_grid.h"
#include "recurrent_steps.h"

namespace ictus::cuda {

// Cuts a workspace into arrays, or, without one, counts its bytes.
struct Cutter {
  char* base;
  std::int64_t used = 0;
  template <class T>
  T* take(std::int64_t count) {
    char* const at = base == nullptr ? nullptr : base + used;
    used += (count * static_cast<std::int64_t>(sizeof(T)) + 255) / 256 * 256;
    return reinterpret_cast<T*>(at);
  }
};

constexpr std::int64_t kSmallUnits = 64;  // weights of a lane that fit its registers

// What a pass needs beside its own arrays.
template <class Pass>
struct TimeRoom {
  using T = typename Pass::Scalar;
  std::int64_t* table;
  LargeRoom<T> large;

  TimeRoom(Cutter& cutter, const Sequences& s, std::int64_t units, std::int64_t directions) {
    table = cutter.take<std::int64_t>(3 * s.count);
    large = {};
    if (units <= kSmallUnits) return;
    constexpr int kUnits = LargeShape<Pass>::kUnits;
    large.slices = (units + kUnits - 1) / kUnits;
    large.vectors = cutter.take<T>(2 * directions * s.count * Pass::kParts * units);
    large.states = cutter.take<T>(directions * s.count * units * Pass::kStates);
    large.weights = cutter.take<T>(directions * large.slices * units * kColumns);
  }
};

inline SequenceTable copied(const Sequences& s, std::int64_t* table) {
  // The host's arrays are staged before the call returns, and may then go.
  const std::size_t bytes = static_cast<std::size_t>(s.count) * sizeof(std::int64_t);
  const std::int64_t* const from[] = {s.lengths, s.first_row, s.order};
  for (int i = 0; i < 3; ++i) {
    check(
        cudaMemcpyAsync(table + i * s.count, from[i], bytes, cudaMemcpyHostToDevice, call_stream()),
        "copy of lengths");
  }
  return {table, table + s.count, table + 2 * s.count, s.count, s.lengths[s.order[0]]};
}

template <class Pass, int kMost>
void launch_small(const Pass& pass, const SequenceTable& s) {
  const unsigned threads = blocks(pass.units * Pass::kLanes, kWarpSize) * kWarpSize;
  launch(through_time_small<Pass, kMost>,
         {dim3(static_cast<unsigned>(s.count), static_cast<unsigned>(pass.directions)), threads,
          SmallShape<Pass, kMost>::kBytes},
         pass, s);
}

template <class Pass>
void launch_large(const Pass& pass, const SequenceTable& s, LargeRoom<typename Pass::Scalar> room) {
  using T = typename Pass::Scalar;
  const std::int64_t slices = pass.directions * room.slices;
  const unsigned packing = blocks(slices * pass.units * kColumns, 256);
  launch(pack_slices<Pass>, {packing < 1024 ? packing : 1024, 256}, pass, room);
  const std::size_t tile = LargeShape<Pass>::kTileBytes;
  const std::size_t each = static_cast<std::size_t>(pass.units) * kColumns * sizeof(T);
  int device = 0, most = 0;
  check(cudaGetDevice(&device), "current device");
  check(cudaDeviceGetAttribute(&most, cudaDevAttrMaxSharedMemoryPerBlockOptin, device),
        "shared memory of the device");
  Launch how = {1, kLargeThreads, tile, true};
  for (std::int64_t n = 1; !room.resident && tile + n * each <= static_cast<std::size_t>(most);
       ++n) {
    how.grid = blocks(slices, n);
    how.shared_bytes = tile + n * each;
    room.resident = resident_blocks(through_time_large<Pass>, kLargeThreads, how.shared_bytes) >=
                    static_cast<int>(how.grid.x);
  }
  if (!room.resident) {
    const std::int64_t room_for = resident_blocks(through_time_large<Pass>, kLargeThreads, tile);
    if (room_for == 0) return report("no block of a recurrent layer fits the device");
    how.grid = static_cast<unsigned>(slices < room_for ? slices : room_for);
    how.shared_bytes = tile;
  }
  launch(through_time_large<Pass>, how, pass, s, room);
}

template <class Pass>
void run_through_time(const Pass& pass, const Sequences& s, const TimeRoom<Pass>& room) {
  if (s.count == 0) return;
  const SequenceTable table = copied(s, room.table);
  if (pass.units <= kSmallUnits / 2) return launch_small<Pass, kSmallUnits / 2>(pass, table);
  if (pass.units <= kSmallUnits) return launch_small<Pass, kSmallUnits>(pass, table);
  launch_large(pass, table, room.large);
}

}  // namespace ictus::cuda
