// The forward pass of a recurrent layer, recorded or not, and the streaming step.
//
// A cell is a struct of a family with
//     kGates, kStates, kExtras       sizes
//     static void forward(const Direction<T>&, const ForwardPlace<T>&)
//     static bool run(const RecurrentForward<T>&, const Tasks<T>&, make)
// The last does the tasks that make(direction, first, count, number) gives in a way of its own and
// returns true, or does nothing.
#pragma once

#include "kernels/detail/recurrence.h"

namespace ictus::ICTUS_LEVEL {
namespace {

// One sequence at one time step. `output` and `cell` are its state before and after; gates lie
// `units` apart in `gates` and whole vectors apart in `sums`.
template <class T>
struct ForwardPlace {
  T* sums;    // recurrent product; the cell may work there
  T* gates;   // input product, bias included; overwritten by the gates where `memory` is given
  T* memory;  // record, or nullptr
  T* previous;
  T* y;
  T* output;
  T* cell;
  std::int64_t sums_gate;  // distance of gates in `sums`
};

template <class T>
struct ForwardTrack {
  T* gates;
  T* memory;
  T* previous;
  T* y;
  std::int64_t length, sequence;
};

// Frames whose input products are made at a time where nothing is recorded: they stay in the cache.
template <class T>
inline std::int64_t block_frames(std::int64_t sequences, std::int64_t columns) {
  constexpr std::int64_t kElements = (256 << 10) / static_cast<std::int64_t>(sizeof(T));
  const std::int64_t frames = kElements / (sequences * columns + 1);
  return frames < 16 ? 16 : frames > 512 ? 512 : frames;
}

template <class T, class Cell>
struct ForwardPlan {
  std::int64_t columns, padded, stride, frames;
  Tasks<T> cuts;
  StepMatrix<T> recurrent[2];
  T* packed_input[2];
  struct Task {
    T* sums;
    T* output;
    T* cell;
    T* block;
    ForwardTrack<T>* tracks;
  };
  char* tasks;
  std::int64_t task_bytes, bytes;

  ForwardPlan(const RecurrentForward<T>& a, void* base)
      : cuts(a.sequences, a.layer.directions, a.layer.units, Cell::kGates) {
    const std::int64_t units = a.layer.units;
    columns = Cell::kGates * units;
    padded = Cell::kGates * whole_vectors<T>(units);
    stride = state_stride<T>(units);
    frames = a.record.gates != nullptr ? 0 : block_frames<T>(cuts.chunk, columns);
    Workspace w(base);
    for (std::int64_t d = 0; d < a.layer.directions; ++d) {
      recurrent[d] = {w.take<T>(step_matrix_elements<T>(units, Cell::kGates, units)), units,
                      padded};
      packed_input[d] = frames == 0
                            ? nullptr
                            : w.take<T>(level_gemm<T>().packed_b_elements(a.layer.inputs, columns));
    }
    tasks = w.take<char>(0);
    Workspace one(nullptr);
    lay_out(one);
    task_bytes = one.used();
    bytes = w.used() + task_bytes * cuts.count;
  }

  Task lay_out(Workspace& w) const {
    Task t;
    t.sums = w.take<T>(cuts.chunk * padded);
    t.output = w.take<T>(cuts.chunk * stride);
    t.cell = w.take<T>(Cell::kStates == 2 ? cuts.chunk * stride : 0);
    t.block = w.take<T>(cuts.chunk * frames * columns);
    t.tracks = w.take<ForwardTrack<T>>(cuts.chunk);
    return t;
  }
  Task task(std::int64_t number) const {
    Workspace w(tasks + number * task_bytes);
    return lay_out(w);
  }
};

template <class T, class Cell>
struct ForwardTask {
  const RecurrentForward<T>& a;
  const ForwardPlan<T, Cell>& plan;
  const Direction<T> direction;
  const typename ForwardPlan<T, Cell>::Task room;
  const std::int64_t first, count;
  std::int64_t active, until_block;

  std::int64_t steps() const { return room.tracks[0].length; }

  T* state(T* states, std::int64_t number, std::int64_t sequence) const {
    return state_vector(states, number, a.sequences, a.layer.directions, direction.number, sequence,
                        direction.units);
  }

  void start() {
    active = count;
    until_block = 0;
    const std::int64_t d = direction.number, units = direction.units;
    const std::int64_t wide = a.layer.directions * units;
    for (std::int64_t j = 0; j < count; ++j) {
      const std::int64_t sequence = a.sequences.order[first + j];
      const std::int64_t row = start_row(a.sequences, sequence, d);
      ForwardTrack<T>& track = room.tracks[j];
      track = {nullptr,
               nullptr,
               nullptr,
               a.y + row * a.y_row_stride + d * units,
               a.sequences.lengths[sequence],
               sequence};
      if (a.record.gates != nullptr) {
        track.gates = a.record.gates + (row * a.layer.directions + d) * plan.columns;
        track.memory = a.record.memory + row * wide + d * units;
        track.previous = a.record.previous + row * wide + d * units;
      }
      T* const initial = const_cast<T*>(a.initial_state);
      for (int s = 0; s < Cell::kStates; ++s) {
        T* const to = (s == 0 ? room.output : room.cell) + j * plan.stride;
        copy_or_clear(to, initial == nullptr ? nullptr : state(initial, s, sequence), units);
      }
    }
  }

  // The input products of the next frames of each sequence that goes on.
  void fill_block(std::int64_t step) const {
    for (std::int64_t j = 0; j < active; ++j) {
      ForwardTrack<T>& track = room.tracks[j];
      const std::int64_t left = track.length - step;
      const std::int64_t rows = left < plan.frames ? left : plan.frames;
      const std::int64_t begin =
          a.sequences.first_row[track.sequence] + (direction.number == 0 ? step : left - rows);
      T* const block = room.block + j * plan.frames * plan.columns;
      multiply_into<T>(rows, plan.columns, a.layer.inputs,
                       {a.x + begin * a.x_row_stride, a.x_row_stride, 1}, {}, T(0), block,
                       plan.columns, direction.bias, plan.packed_input[direction.number]);
      track.gates = block + (direction.number == 0 ? 0 : (rows - 1) * plan.columns);
    }
  }

  void finish(std::int64_t j) const {
    if (a.final_state == nullptr) return;
    const std::int64_t sequence = room.tracks[j].sequence;
    copy_run(state(a.final_state, 0, sequence), room.output + j * plan.stride, direction.units);
    if (Cell::kStates == 2) {
      copy_run(state(a.final_state, 1, sequence), room.cell + j * plan.stride, direction.units);
    }
  }

  void advance(std::int64_t step) {
    const std::int64_t forth = row_step(direction.number);
    const bool recorded = a.record.gates != nullptr;
    const std::int64_t wide = a.layer.directions * direction.units;
    const std::int64_t gates_step =
        forth * plan.columns * (recorded ? a.layer.directions : std::int64_t{1});
    const std::int64_t record_step = recorded ? forth * wide : 0;
    const std::int64_t y_step = forth * a.y_row_stride;
    const std::int64_t sums_gate = whole_vectors<T>(direction.units);
    if (!recorded && until_block-- == 0) {
      fill_block(step);
      until_block = plan.frames - 1;
    }
    step_product(plan.recurrent[direction.number], active, a.sequences.count == 1, room.output,
                 plan.stride, room.sums);
    for (std::int64_t j = 0; j < active; ++j) {
      ForwardTrack<T>& t = room.tracks[j];
      Cell::forward(direction,
                    {room.sums + j * plan.padded, t.gates, t.memory, t.previous, t.y,
                     room.output + j * plan.stride, room.cell + j * plan.stride, sums_gate});
      t.gates += gates_step;
      t.memory += record_step;
      t.previous += record_step;
      t.y += y_step;
    }
    while (active > 0 && room.tracks[active - 1].length == step + 1) finish(--active);
  }

  void end() const {}
};

template <class T, class Cell>
void recurrent_forward(const RecurrentForward<T>& a) {
  if (a.sequences.count == 0) return;
  const ForwardPlan<T, Cell> plan(a, a.workspace);
  const std::int64_t units = a.layer.units, directions = a.layer.directions;
  for (std::int64_t d = 0; d < directions; ++d) {
    const Direction<T> direction =
        direction_of(a.layer, a.layer.parameters, Cell::kGates, Cell::kExtras, d);
    pack_step_matrix(direction.recurrent_weights, plan.columns, std::int64_t{1}, units,
                     Cell::kGates, units, const_cast<T*>(plan.recurrent[d].panels));
    if (plan.frames > 0) {
      level_gemm<T>().pack_b(direction.input_weights, a.layer.inputs, plan.columns,
                             directions * plan.columns, 1, plan.packed_input[d]);
    }
  }
  if (plan.frames == 0) {
    const std::int64_t wide = directions * plan.columns;
    multiply_into<T>(a.sequences.rows, wide, a.layer.inputs, {a.x, a.x_row_stride, 1},
                     {a.layer.parameters.input_weights, wide, 1}, T(0), a.record.gates, wide,
                     a.layer.parameters.bias);
  }
  const auto make = [&](std::int64_t d, std::int64_t first, std::int64_t count,
                        std::int64_t number) {
    return ForwardTask<T, Cell>{
        a,
        plan,
        direction_of(a.layer, a.layer.parameters, Cell::kGates, Cell::kExtras, d),
        plan.task(number),
        first,
        count,
        0,
        0};
  };
  if (!Cell::run(a, plan.cuts, make)) run_tasks(a.sequences, plan.cuts, directions, make);
}

// --- streaming -------------------------------------------------------------------------------

// What `pack` writes: the input and the recurrent weights for step_product, and the sizes of both.
template <class T, class Cell>
struct PackedLayer {
  StepMatrix<T> input, recurrent;
  std::int64_t bytes;

  PackedLayer(const RecurrentLayer<T>& layer, void* base) {
    const std::int64_t units = layer.units, padded = Cell::kGates * whole_vectors<T>(units);
    Workspace w(base);
    input = {w.take<T>(step_matrix_elements<T>(layer.inputs, Cell::kGates, units)), layer.inputs,
             padded};
    recurrent = {w.take<T>(step_matrix_elements<T>(units, Cell::kGates, units)), units, padded};
    bytes = w.used();
  }
};

template <class T, class Cell>
void pack_layer(const RecurrentLayer<T>& layer, void* packed) {
  const PackedLayer<T, Cell> p(layer, packed);
  const std::int64_t units = layer.units, columns = Cell::kGates * units;
  pack_step_matrix(layer.parameters.input_weights, columns, std::int64_t{1}, layer.inputs,
                   Cell::kGates, units, const_cast<T*>(p.input.panels));
  pack_step_matrix(layer.parameters.recurrent_weights, columns, std::int64_t{1}, units,
                   Cell::kGates, units, const_cast<T*>(p.recurrent.panels));
}

template <class T, class Cell>
struct StepRoom {
  T* input_sums;
  T* sums;
  T* gates;
  T* output;
  T* cell;
  std::int64_t bytes;

  StepRoom(const RecurrentLayer<T>& layer, void* base) {
    const std::int64_t padded = Cell::kGates * whole_vectors<T>(layer.units);
    Workspace w(base);
    input_sums = w.take<T>(padded);
    sums = w.take<T>(padded);
    gates = w.take<T>(padded);
    output = w.take<T>(state_stride<T>(layer.units));
    cell = w.take<T>(state_stride<T>(layer.units));
    bytes = w.used();
  }
};

template <class T, class Cell>
void recurrent_step(const RecurrentStep<T>& a) {
  const std::int64_t units = a.layer.units;
  const std::int64_t sums_gate = whole_vectors<T>(units);
  const PackedLayer<T, Cell> packed(a.layer, const_cast<void*>(a.packed));
  const StepRoom<T, Cell> room(a.layer, a.workspace);
  const Direction<T> direction =
      direction_of(a.layer, a.layer.parameters, Cell::kGates, Cell::kExtras, 0);
  copy_run(room.output, a.state, units);
  if (Cell::kStates == 2) copy_run(room.cell, a.state + units, units);
  for (std::int64_t i = 0; i < a.frames; ++i) {
    step_product(packed.input, 1, true, a.x + i * a.x_row_stride, a.x_row_stride, room.input_sums);
    for (int g = 0; g < Cell::kGates; ++g) {
      for_vectors<T>(0, units, [&](std::int64_t j, auto access) {
        access.write(room.gates + g * units + j, load(room.input_sums + g * sums_gate + j) +
                                                     access.read(direction.bias + g * units + j));
      });
    }
    step_product(packed.recurrent, 1, true, room.output, std::int64_t{0}, room.sums);
    Cell::forward(direction, {room.sums, room.gates, nullptr, nullptr, a.y + i * a.y_row_stride,
                              room.output, room.cell, sums_gate});
  }
  copy_run(a.state, room.output, units);
  if (Cell::kStates == 2) copy_run(a.state + units, room.cell, units);
}

}  // namespace
}  // namespace ictus::ICTUS_LEVEL
