// The backward pass of a recurrent layer: through time for the gradients of the gates, then one
// matrix product for each kind of weights.
//
// A cell is a struct of a family with
//     kGates, kStates, kExtras     sizes
//     kDirectGates                 gates whose recurrent product is added to their input product
//     static void backward(const Direction<T>&, const BackwardPlace<T>&)
//     static void extra_gradient(const RecurrentBackward<T>&, ...)
#pragma once

#include "kernels/detail/recurrence.h"

namespace ictus::ICTUS_LEVEL {
namespace {

// One sequence at one time step.
template <class T>
struct BackwardPlace {
  T* gates;          // the gates; overwritten by the gradients of their inputs
  T* memory;         // the record; gru: overwritten likewise
  const T* earlier;  // memory one step before (at the first step, the initial cell state)
  const T* previous;
  const T* y;
  const T* y_gradient;   // nullptr: zeros
  const T* output_back;  // gradient of the output that comes from the next step
  T* direct_back;        // gru: the part of it that does not pass the weights
  T* cell_back;          // gradient of the cell state, from the next step to the one before
  T* gates_back;         // gradients behind the recurrent product, for the next step of the pass
  T* extra_sums;         // gradients of peepholes, whole vectors apart
};

template <class T>
struct BackwardTrack {
  T* gates;
  T* memory;
  const T* previous;
  const T* y;
  const T* y_gradient;
  std::int64_t length, sequence;
};

template <class T, class Cell>
struct BackwardPlan {
  std::int64_t columns, padded, gates_stride, stride;
  Tasks<T> cuts;
  StepMatrix<T> recurrent[2];
  T* sums;  // for gradients of vectors
  const T* zeros;
  struct Task {
    T* output_back;
    T* direct_back;
    T* cell_back;
    T* gates_back;
    T* extra_sums;
    BackwardTrack<T>* tracks;
  };
  char* tasks;
  std::int64_t task_bytes, bytes;

  BackwardPlan(const RecurrentBackward<T>& a, void* base)
      : cuts(a.sequences, a.layer.directions, a.layer.units, Cell::kGates) {
    const std::int64_t units = a.layer.units, directions = a.layer.directions;
    columns = Cell::kGates * units;
    padded = whole_vectors<T>(units);
    gates_stride = state_stride<T>(columns);
    stride = state_stride<T>(units);
    Workspace w(base);
    for (std::int64_t d = 0; d < directions; ++d) {
      recurrent[d] = {w.take<T>(step_matrix_elements<T>(columns, 1, units)), columns, padded};
    }
    sums = w.take<T>(directions * columns);
    zeros = w.take<T>(units);
    tasks = w.take<char>(0);
    Workspace one(nullptr);
    lay_out(one);
    task_bytes = one.used();
    bytes = w.used() + task_bytes * cuts.count;
  }

  Task lay_out(Workspace& w) const {
    Task t;
    t.output_back = w.take<T>(cuts.chunk * padded);
    t.direct_back = w.take<T>(cuts.chunk * stride);
    t.cell_back = w.take<T>(Cell::kStates == 2 ? cuts.chunk * stride : 0);
    t.gates_back = w.take<T>(cuts.chunk * gates_stride);
    t.extra_sums = w.take<T>(cuts.chunk * Cell::kExtras * padded);
    t.tracks = w.take<BackwardTrack<T>>(cuts.chunk);
    return t;
  }
  Task task(std::int64_t number) const {
    Workspace w(tasks + number * task_bytes);
    return lay_out(w);
  }
};

template <class T, class Cell>
struct BackwardTask {
  const RecurrentBackward<T>& a;
  const BackwardPlan<T, Cell>& plan;
  const Direction<T> direction;
  const typename BackwardPlan<T, Cell>::Task room;
  const std::int64_t first, count;
  std::int64_t active;

  std::int64_t steps() const { return room.tracks[0].length; }

  template <class U>
  U* state(U* states, std::int64_t number, std::int64_t sequence) const {
    return state_vector(states, number, a.sequences, a.layer.directions, direction.number, sequence,
                        direction.units);
  }

  // Tracks begin at the last step.
  void start() {
    active = 0;
    const std::int64_t d = direction.number, units = direction.units;
    const std::int64_t wide = a.layer.directions * units;
    for (std::int64_t j = 0; j < count; ++j) {
      const std::int64_t sequence = a.sequences.order[first + j];
      const std::int64_t length = a.sequences.lengths[sequence];
      const std::int64_t row = start_row(a.sequences, sequence, d) + row_step(d) * (length - 1);
      room.tracks[j] = {a.record.gates + (row * a.layer.directions + d) * plan.columns,
                        a.record.memory + row * wide + d * units,
                        a.record.previous + row * wide + d * units,
                        a.y + row * a.y_row_stride + d * units,
                        a.y_gradient == nullptr
                            ? nullptr
                            : a.y_gradient + row * a.y_gradient_row_stride + d * units,
                        length,
                        sequence};
    }
    copy_or_clear<T>(room.extra_sums, nullptr, count * Cell::kExtras * plan.padded);
  }

  // The sequence's last step: gradients come from the final state alone.
  void begin_sequence(std::int64_t j) const {
    const T* const from = a.final_gradient;
    const std::int64_t sequence = room.tracks[j].sequence, units = direction.units;
    copy_or_clear(room.output_back + j * plan.padded,
                  from == nullptr ? nullptr : state(from, 0, sequence), units);
    copy_or_clear<T>(room.direct_back + j * plan.stride, nullptr, units);
    if (Cell::kStates == 2) {
      copy_or_clear(room.cell_back + j * plan.stride,
                    from == nullptr ? nullptr : state(from, 1, sequence), units);
    }
  }

  const T* initial_cell(std::int64_t sequence) const {
    if (Cell::kStates < 2 || a.initial_state == nullptr) return plan.zeros;
    return state(a.initial_state, 1, sequence);
  }

  void advance(std::int64_t done) {
    const std::int64_t step = steps() - 1 - done;
    const std::int64_t forth = row_step(direction.number);
    const std::int64_t wide = a.layer.directions * direction.units;
    const std::int64_t gates_step = forth * a.layer.directions * plan.columns;
    const std::int64_t record_step = forth * wide;
    step_product(plan.recurrent[direction.number], active, a.sequences.count == 1, room.gates_back,
                 plan.gates_stride, room.output_back);
    while (active < count && room.tracks[active].length > step) begin_sequence(active++);
    for (std::int64_t j = 0; j < active; ++j) {
      BackwardTrack<T>& t = room.tracks[j];
      const T* const earlier = step > 0 ? t.memory - record_step : initial_cell(t.sequence);
      Cell::backward(direction,
                     {t.gates, t.memory, earlier, t.previous, t.y, t.y_gradient,
                      room.output_back + j * plan.padded, room.direct_back + j * plan.stride,
                      room.cell_back + j * plan.stride, room.gates_back + j * plan.gates_stride,
                      room.extra_sums + j * Cell::kExtras * plan.padded});
      t.gates -= gates_step;
      t.memory -= record_step;
      t.previous -= record_step;
      t.y -= forth * a.y_row_stride;
      if (t.y_gradient != nullptr) t.y_gradient -= forth * a.y_gradient_row_stride;
    }
  }

  void end() const {
    if (a.initial_gradient == nullptr) return;
    step_product(plan.recurrent[direction.number], count, a.sequences.count == 1, room.gates_back,
                 plan.gates_stride, room.output_back);
    for (std::int64_t j = 0; j < count; ++j) {
      const std::int64_t sequence = room.tracks[j].sequence;
      T* const to = state(a.initial_gradient, 0, sequence);
      const T* const product = room.output_back + j * plan.padded;
      const T* const direct = room.direct_back + j * plan.stride;
      for_vectors<T>(0, direction.units, [&](std::int64_t i, auto access) {
        access.write(to + i, load(product + i) + load(direct + i));
      });
      if (Cell::kStates == 2) {
        copy_run(state(a.initial_gradient, 1, sequence), room.cell_back + j * plan.stride,
                 direction.units);
      }
    }
  }
};

// to = sum of the rows of x, or added to it.
template <class T>
inline void sum_columns(std::int64_t rows, std::int64_t columns, const T* x, T* to, T* sums,
                        bool accumulate) {
  level_reduction<T>().column_sums({rows, columns, x, columns, accumulate ? sums : to, 0});
  if (!accumulate) return;
  for_vectors<T>(0, columns, [&](std::int64_t j, auto access) {
    access.write(to + j, access.read(to + j) + access.read(sums + j));
  });
}

// The products behind the pass through time.
template <class T, class Cell>
void weight_gradients(const RecurrentBackward<T>& a, const BackwardPlan<T, Cell>& plan) {
  const std::int64_t rows = a.sequences.rows, units = a.layer.units, inputs = a.layer.inputs;
  const std::int64_t directions = a.layer.directions;
  const std::int64_t wide = directions * plan.columns, outputs = directions * units;
  const T beta = a.accumulate ? T(1) : T(0);
  const T* const gates = a.record.gates;
  multiply_into<T>(inputs, wide, rows, {a.x, 1, a.x_row_stride}, {gates, wide, 1}, beta,
                   a.input_weights_gradient, wide);
  constexpr std::int64_t direct = Cell::kDirectGates;
  for (std::int64_t d = 0; d < directions; ++d) {
    T* const out = a.recurrent_weights_gradient + d * units * plan.columns;
    const Operand<T> previous = {a.record.previous + d * units, 1, outputs};
    multiply_into<T>(units, direct * units, rows, previous, {gates + d * plan.columns, wide, 1},
                     beta, out, plan.columns);
    if (direct < Cell::kGates) {
      multiply_into<T>(units, units, rows, previous, {a.record.memory + d * units, outputs, 1},
                       beta, out + direct * units, plan.columns);
    }
  }
  sum_columns(rows, wide, gates, a.bias_gradient, plan.sums, a.accumulate);
  if (a.x_gradient != nullptr) {
    multiply_into<T>(rows, inputs, wide, {gates, wide, 1},
                     {a.layer.parameters.input_weights, 1, wide}, T(0), a.x_gradient,
                     a.x_gradient_row_stride);
  }
}

template <class T, class Cell>
void recurrent_backward(const RecurrentBackward<T>& a) {
  const BackwardPlan<T, Cell> plan(a, a.workspace);
  const std::int64_t units = a.layer.units;
  copy_or_clear<T>(const_cast<T*>(plan.zeros), nullptr, units);
  for (std::int64_t d = 0; d < a.layer.directions; ++d) {
    const Direction<T> direction =
        direction_of(a.layer, a.layer.parameters, Cell::kGates, Cell::kExtras, d);
    pack_step_matrix(direction.recurrent_weights, std::int64_t{1}, plan.columns, plan.columns,
                     std::int64_t{1}, units, const_cast<T*>(plan.recurrent[d].panels));
  }
  if (a.sequences.count > 0) {
    run_tasks(a.sequences, plan.cuts, a.layer.directions,
              [&](std::int64_t d, std::int64_t first, std::int64_t count, std::int64_t number) {
                return BackwardTask<T, Cell>{
                    a,
                    plan,
                    direction_of(a.layer, a.layer.parameters, Cell::kGates, Cell::kExtras, d),
                    plan.task(number),
                    first,
                    count,
                    0};
              });
  }
  weight_gradients(a, plan);
  Cell::extra_gradient(a, plan);
}

}  // namespace
}  // namespace ictus::ICTUS_LEVEL
