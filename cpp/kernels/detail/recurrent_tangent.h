// The R-operator of a recurrent layer (Pearlmutter 1994): the forward pass linearised at the
// recorded one. What does not pass through time is products of all frames; the rest follows the
// steps.
//
// A cell is a struct of a family with what the other passes need, and
//     static void tangent(const Direction<T>&, const Direction<T>& dot, const TangentPlace<T>&)
#pragma once

#include "kernels/detail/recurrence.h"

namespace ictus::ICTUS_LEVEL {
namespace {

// One sequence at one time step; _dot are derivatives.
template <class T>
struct TangentPlace {
  const T* gates;
  const T* memory;
  const T* earlier;  // memory one step before (at the first step, the initial cell state)
  const T* previous;
  const T* y;
  const T* gates_dot;   // of the gates' inputs, but for what comes through output_dot
  const T* memory_dot;  // gru: likewise of the candidate's recurrent input
  const T* sums;        // output_dot times the recurrent weights
  std::int64_t sums_gate;
  T* y_dot;
  T* output_dot;  // before and after the step
  T* cell_dot;
};

template <class T>
struct TangentTrack {
  std::int64_t row, length, sequence;
};

template <class T, class Cell>
struct TangentPlan {
  std::int64_t columns, padded, stride;
  Tasks<T> cuts;
  StepMatrix<T> recurrent[2];
  T* gates_dot;
  T* memory_dot;
  T* zeros;
  struct Task {
    T* sums;
    T* output_dot;
    T* cell_dot;
    TangentTrack<T>* tracks;
  };
  char* tasks;
  std::int64_t task_bytes, bytes;

  TangentPlan(const RecurrentTangent<T>& a, void* base)
      : cuts(a.sequences, a.layer.directions, a.layer.units, Cell::kGates) {
    const std::int64_t units = a.layer.units, directions = a.layer.directions;
    columns = Cell::kGates * units;
    padded = Cell::kGates * whole_vectors<T>(units);
    stride = state_stride<T>(units);
    Workspace w(base);
    for (std::int64_t d = 0; d < directions; ++d) {
      recurrent[d] = {w.take<T>(step_matrix_elements<T>(units, Cell::kGates, units)), units,
                      padded};
    }
    gates_dot = w.take<T>(a.sequences.rows * directions * columns);
    const bool apart = Cell::kDirectGates < Cell::kGates;
    memory_dot = w.take<T>(apart ? a.sequences.rows * directions * units : 0);
    zeros = w.take<T>(units);
    tasks = w.take<char>(0);
    Workspace one(nullptr);
    lay_out(one);
    task_bytes = one.used();
    bytes = w.used() + task_bytes * cuts.count;
  }

  Task lay_out(Workspace& w) const {
    Task t;
    t.sums = w.take<T>(cuts.chunk * padded);
    t.output_dot = w.take<T>(cuts.chunk * stride);
    t.cell_dot = w.take<T>(cuts.chunk * stride);
    t.tracks = w.take<TangentTrack<T>>(cuts.chunk);
    return t;
  }
  Task task(std::int64_t number) const {
    Workspace w(tasks + number * task_bytes);
    return lay_out(w);
  }
};

template <class T, class Cell>
struct TangentTask {
  const RecurrentTangent<T>& a;
  const TangentPlan<T, Cell>& plan;
  const Direction<T> direction, dot;
  const typename TangentPlan<T, Cell>::Task room;
  const std::int64_t first, count;
  std::int64_t active;

  std::int64_t steps() const { return room.tracks[0].length; }

  template <class U>
  U* state(U* states, std::int64_t number, std::int64_t sequence) const {
    return state_vector(states, number, a.sequences, a.layer.directions, direction.number, sequence,
                        direction.units);
  }

  void start() {
    active = count;
    for (std::int64_t j = 0; j < count; ++j) {
      const std::int64_t sequence = a.sequences.order[first + j];
      room.tracks[j] = {start_row(a.sequences, sequence, direction.number),
                        a.sequences.lengths[sequence], sequence};
    }
    copy_or_clear<T>(room.output_dot, nullptr, count * plan.stride);
    copy_or_clear<T>(room.cell_dot, nullptr, count * plan.stride);
  }

  void one(std::int64_t j, std::int64_t step) const {
    const std::int64_t d = direction.number, units = direction.units;
    const std::int64_t wide = a.layer.directions * units, forth = row_step(d);
    const TangentTrack<T>& t = room.tracks[j];
    const std::int64_t row = t.row + forth * step;
    const std::int64_t at = row * wide + d * units;
    const std::int64_t gates_at = (row * a.layer.directions + d) * plan.columns;
    const T* earlier = plan.zeros;
    if (step > 0) {
      earlier = a.record.memory + at - forth * wide;
    } else if (Cell::kStates == 2 && a.initial_state != nullptr) {
      earlier = state(a.initial_state, 1, t.sequence);
    }
    Cell::tangent(direction, dot,
                  {a.record.gates + gates_at, a.record.memory + at, earlier, a.record.previous + at,
                   a.y + row * a.y_row_stride + d * units, plan.gates_dot + gates_at,
                   plan.memory_dot + at, room.sums + j * plan.padded, whole_vectors<T>(units),
                   a.y_dot + row * a.y_dot_row_stride + d * units,
                   room.output_dot + j * plan.stride, room.cell_dot + j * plan.stride});
  }

  void advance(std::int64_t step) {
    step_product(plan.recurrent[direction.number], active, a.sequences.count == 1, room.output_dot,
                 plan.stride, room.sums);
    for (std::int64_t j = 0; j < active; ++j) one(j, step);
    while (active > 0 && room.tracks[active - 1].length == step + 1) finish(--active);
  }

  void end() const {}

  void finish(std::int64_t j) const {
    if (a.final_dot == nullptr) return;
    const std::int64_t sequence = room.tracks[j].sequence;
    copy_run(state(a.final_dot, 0, sequence), room.output_dot + j * plan.stride, direction.units);
    if (Cell::kStates == 2) {
      copy_run(state(a.final_dot, 1, sequence), room.cell_dot + j * plan.stride, direction.units);
    }
  }
};

// The derivatives of the gates' inputs as far as they do not come through the moving output.
template <class T, class Cell>
void input_tangents(const RecurrentTangent<T>& a, const TangentPlan<T, Cell>& plan) {
  const std::int64_t rows = a.sequences.rows, units = a.layer.units, inputs = a.layer.inputs;
  const std::int64_t directions = a.layer.directions;
  const std::int64_t wide = directions * plan.columns, outputs = directions * units;
  constexpr std::int64_t direct = Cell::kDirectGates;
  multiply_into<T>(rows, wide, inputs, {a.x, a.x_row_stride, 1},
                   {a.direction.input_weights, wide, 1}, T(0), plan.gates_dot, wide,
                   a.direction.bias);
  if (a.x_dot != nullptr) {
    multiply_into<T>(rows, wide, inputs, {a.x_dot, a.x_dot_row_stride, 1},
                     {a.layer.parameters.input_weights, wide, 1}, T(1), plan.gates_dot, wide);
  }
  for (std::int64_t d = 0; d < directions; ++d) {
    const T* const weights = a.direction.recurrent_weights + d * units * plan.columns;
    const Operand<T> previous = {a.record.previous + d * units, outputs, 1};
    multiply_into<T>(rows, direct * units, units, previous, {weights, plan.columns, 1}, T(1),
                     plan.gates_dot + d * plan.columns, wide);
    if (direct < Cell::kGates) {
      multiply_into<T>(rows, units, units, previous, {weights + direct * units, plan.columns, 1},
                       T(0), plan.memory_dot + d * units, outputs, a.direction.extra + d * units);
    }
  }
}

template <class T, class Cell>
void recurrent_tangent(const RecurrentTangent<T>& a) {
  if (a.sequences.count == 0) return;
  const TangentPlan<T, Cell> plan(a, a.workspace);
  const std::int64_t units = a.layer.units;
  copy_or_clear<T>(plan.zeros, nullptr, units);
  const auto of = [&](const RecurrentParameters<T>& p, std::int64_t d) {
    return direction_of(a.layer, p, Cell::kGates, Cell::kExtras, d);
  };
  for (std::int64_t d = 0; d < a.layer.directions; ++d) {
    pack_step_matrix(of(a.layer.parameters, d).recurrent_weights, plan.columns, std::int64_t{1},
                     units, Cell::kGates, units, const_cast<T*>(plan.recurrent[d].panels));
  }
  input_tangents(a, plan);
  run_tasks(
      a.sequences, plan.cuts, a.layer.directions,
      [&](std::int64_t d, std::int64_t first, std::int64_t count, std::int64_t number) {
        return TangentTask<T, Cell>{
            a,     plan, of(a.layer.parameters, d), of(a.direction, d), plan.task(number), first,
            count, 0};
      });
}

}  // namespace
}  // namespace ictus::ICTUS_LEVEL
