// The table of a recurrent family on a GPU: products of all frames, and between them one kernel
// through time (recurrence.h) for a pass of recurrent_passes.h. Products are bound by
// multiply-adds, for few inputs by the bytes of the gates.
#pragma once

#include "column_sums.h"
#include "core/tables.h"
#include "recurrence.h"
#include "recurrent_passes.h"

namespace ictus::cuda {

// c = a b + beta c, with a bias; a's and b's strides are those of its rows and columns.
template <class T>
struct Matrix {
  const T* data;
  std::int64_t row_stride, column_stride;
};
template <class T>
void multiply_into(std::int64_t rows, std::int64_t columns, std::int64_t inner, const Matrix<T>& a,
                   const Matrix<T>& b, T beta, T* c, std::int64_t c_row_stride,
                   const T* bias = nullptr) {
  Epilogue<T> epilogue;
  epilogue.bias = bias;
  GemmArguments<T> g = {};
  g.rows = rows;
  g.columns = columns;
  g.inner = inner;
  g.alpha = T(1);
  g.a = a.data;
  g.a_row_stride = a.row_stride;
  g.a_column_stride = a.column_stride;
  g.b = b.data;
  g.b_row_stride = b.row_stride;
  g.b_column_stride = b.column_stride;
  g.beta = beta;
  g.c = c;
  g.c_row_stride = c_row_stride;
  g.epilogue = bias == nullptr ? nullptr : &epilogue;
  tables<T>().gemm->multiply(g);
}

template <class Cell>
LayerShape shape_of(std::int64_t units, std::int64_t directions, const Sequences& s) {
  return {units, directions, Cell::kGates, s.count};
}

template <class T, class Cell>
struct ForwardRoom {
  T* gates;
  TimeRoom<ForwardPass<T, Cell>> time;
  ForwardRoom(const RecurrentForward<T>& a, Cutter& cutter)
      : gates(a.record.gates != nullptr ? a.record.gates
                                        : cutter.take<T>(a.sequences.rows * a.layer.directions *
                                                         Cell::kGates * a.layer.units)),
        time(cutter, a.sequences, a.layer.units, a.layer.directions) {}
};

template <class T, class Cell>
void forward(const RecurrentForward<T>& a, const Cell& cell) {
  Cutter cutter = {static_cast<char*>(a.workspace)};
  const ForwardRoom<T, Cell> room(a, cutter);
  const RecurrentLayer<T>& l = a.layer;
  const std::int64_t wide = l.directions * Cell::kGates * l.units;
  multiply_into<T>(a.sequences.rows, wide, l.inputs, {a.x, a.x_row_stride, 1},
                   {l.parameters.input_weights, wide, 1}, T(0), room.gates, wide,
                   l.parameters.bias);
  const bool recorded = a.record.gates != nullptr;
  run_through_time<ForwardPass<T, Cell>>(
      {l.units, l.directions, shape_of<Cell>(l.units, l.directions, a.sequences), cell,
       l.parameters.recurrent_weights, l.parameters.extra, a.initial_state, room.gates,
       recorded ? a.record.memory : nullptr, recorded ? a.record.previous : nullptr, a.y,
       a.y_row_stride, a.final_state},
      a.sequences, room.time);
}

template <class T, class Cell>
struct BackwardRoom {
  T *extra_sums, *partial;
  TimeRoom<BackwardPass<T, Cell>> time;
  BackwardRoom(const RecurrentBackward<T>& a, Cutter& cutter)
      : extra_sums(Cell::kEarlierMemory && a.extra_gradient != nullptr ? cutter.take<T>(extras(a))
                                                                       : nullptr),
        partial(
            cutter.take<T>(column_sums_room(a.layer.directions * Cell::kGates * a.layer.units))),
        time(cutter, a.sequences, a.layer.units, a.layer.directions) {}
  static std::int64_t extras(const RecurrentBackward<T>& a) {
    return a.sequences.count * a.layer.directions * Cell::kExtras * a.layer.units;
  }
};

template <class T, class Cell>
void weight_gradients(const RecurrentBackward<T>& a, const BackwardRoom<T, Cell>& room) {
  const std::int64_t rows = a.sequences.rows, units = a.layer.units, inputs = a.layer.inputs;
  const std::int64_t directions = a.layer.directions, columns = Cell::kGates * units;
  const std::int64_t wide = directions * columns, outputs = directions * units;
  constexpr std::int64_t direct = Cell::kDirectGates;
  const T beta = a.accumulate ? T(1) : T(0);
  const T* const gates = a.record.gates;
  multiply_into<T>(inputs, wide, rows, {a.x, 1, a.x_row_stride}, {gates, wide, 1}, beta,
                   a.input_weights_gradient, wide);
  for (std::int64_t d = 0; d < directions; ++d) {
    T* const out = a.recurrent_weights_gradient + d * units * columns;
    const Matrix<T> previous = {a.record.previous + d * units, 1, outputs};
    multiply_into<T>(units, direct * units, rows, previous, {gates + d * columns, wide, 1}, beta,
                     out, columns);
    if (direct == Cell::kGates) continue;
    multiply_into<T>(units, units, rows, previous, {a.record.memory + d * units, outputs, 1}, beta,
                     out + direct * units, columns);
  }
  column_sums(rows, wide, gates, a.accumulate, a.bias_gradient, room.partial);
  if (room.extra_sums != nullptr) {
    column_sums(a.sequences.count, directions * Cell::kExtras * units,
                static_cast<const T*>(room.extra_sums), a.accumulate, a.extra_gradient,
                room.partial);
  } else if (direct < Cell::kGates) {
    column_sums(rows, outputs, static_cast<const T*>(a.record.memory), a.accumulate,
                a.extra_gradient, room.partial);
  }
  if (a.x_gradient == nullptr) return;
  multiply_into<T>(rows, inputs, wide, {gates, wide, 1},
                   {a.layer.parameters.input_weights, 1, wide}, T(0), a.x_gradient,
                   a.x_gradient_row_stride);
}

template <class T, class Cell>
void backward(const RecurrentBackward<T>& a, const Cell& cell) {
  Cutter cutter = {static_cast<char*>(a.workspace)};
  const BackwardRoom<T, Cell> room(a, cutter);
  const RecurrentLayer<T>& l = a.layer;
  if (room.extra_sums != nullptr) {
    check(cudaMemsetAsync(room.extra_sums, 0,
                          static_cast<std::size_t>(BackwardRoom<T, Cell>::extras(a)) * sizeof(T),
                          call_stream()),
          "clearing memory");
  }
  run_through_time<BackwardPass<T, Cell>>(
      {l.units, l.directions, shape_of<Cell>(l.units, l.directions, a.sequences), cell,
       l.parameters.recurrent_weights, l.parameters.extra, a.initial_state, a.final_gradient,
       a.record, a.y, a.y_gradient, a.y_row_stride, a.y_gradient_row_stride, a.initial_gradient,
       room.extra_sums},
      a.sequences, room.time);
  weight_gradients(a, room);
}

template <class T, class Cell>
struct TangentRoom {
  T *gates_dot, *memory_dot;
  TimeRoom<TangentPass<T, Cell>> time;
  TangentRoom(const RecurrentTangent<T>& a, Cutter& cutter)
      : gates_dot(cutter.take<T>(outputs(a) * Cell::kGates)),
        memory_dot(Cell::kDirectGates < Cell::kGates ? cutter.take<T>(outputs(a)) : nullptr),
        time(cutter, a.sequences, a.layer.units, a.layer.directions) {}
  static std::int64_t outputs(const RecurrentTangent<T>& a) {
    return a.sequences.rows * a.layer.directions * a.layer.units;
  }
};

template <class T, class Cell>
void tangent(const RecurrentTangent<T>& a, const Cell& cell) {
  Cutter cutter = {static_cast<char*>(a.workspace)};
  const TangentRoom<T, Cell> room(a, cutter);
  const RecurrentLayer<T>& l = a.layer;
  const std::int64_t rows = a.sequences.rows, units = l.units, columns = Cell::kGates * units;
  const std::int64_t wide = l.directions * columns, outputs = l.directions * units;
  constexpr std::int64_t direct = Cell::kDirectGates;
  multiply_into<T>(rows, wide, l.inputs, {a.x, a.x_row_stride, 1},
                   {a.direction.input_weights, wide, 1}, T(0), room.gates_dot, wide,
                   a.direction.bias);
  if (a.x_dot != nullptr) {
    multiply_into<T>(rows, wide, l.inputs, {a.x_dot, a.x_dot_row_stride, 1},
                     {l.parameters.input_weights, wide, 1}, T(1), room.gates_dot, wide);
  }
  for (std::int64_t d = 0; d < l.directions; ++d) {
    const Matrix<T> previous = {a.record.previous + d * units, outputs, 1};
    const T* const weights_dot = a.direction.recurrent_weights + d * units * columns;
    multiply_into<T>(rows, direct * units, units, previous, {weights_dot, columns, 1}, T(1),
                     room.gates_dot + d * columns, wide);
    if (direct == Cell::kGates) continue;
    multiply_into<T>(rows, units, units, previous, {weights_dot + direct * units, columns, 1}, T(0),
                     room.memory_dot + d * units, outputs, a.direction.extra + d * units);
  }
  run_through_time<TangentPass<T, Cell>>(
      {units, l.directions, shape_of<Cell>(units, l.directions, a.sequences), cell,
       l.parameters.recurrent_weights, l.parameters.extra, a.direction.extra, a.initial_state,
       a.record, a.y, room.gates_dot, room.memory_dot, a.y_row_stride, a.y_dot_row_stride, a.y_dot,
       a.final_dot},
      a.sequences, room.time);
}

// Choice<T>::cell(layer, body) calls body with the cell of a layer.
template <class T, class Choice>
struct RecurrentTable {
  static constexpr std::int64_t kBlockFrames = 256;  // of a stream

  static void forward_pass(const RecurrentForward<T>& a) noexcept {
    Choice::cell(a.layer, [&](const auto& cell) { forward<T>(a, cell); });
  }
  static void backward_pass(const RecurrentBackward<T>& a) noexcept {
    Choice::cell(a.layer, [&](const auto& cell) { backward<T>(a, cell); });
  }
  static void tangent_pass(const RecurrentTangent<T>& a) noexcept {
    Choice::cell(a.layer, [&](const auto& cell) { tangent<T>(a, cell); });
  }
  template <template <class, class> class Room, class Arguments>
  static std::int64_t bytes_of(const Arguments& a) noexcept {
    Cutter cutter = {nullptr};
    Choice::cell(a.layer,
                 [&](const auto& cell) { Room<T, std::decay_t<decltype(cell)>>(a, cutter); });
    return cutter.used;
  }
  static std::int64_t forward_bytes(const RecurrentForward<T>& a) noexcept {
    return bytes_of<ForwardRoom>(a);
  }
  static std::int64_t backward_bytes(const RecurrentBackward<T>& a) noexcept {
    return bytes_of<BackwardRoom>(a);
  }
  static std::int64_t tangent_bytes(const RecurrentTangent<T>& a) noexcept {
    return bytes_of<TangentRoom>(a);
  }

  // A stream is a forward pass of one sequence, block by block. Weights are read where they are.
  static void step(const RecurrentStep<T>& step) noexcept {
    for (std::int64_t begin = 0; begin < step.frames; begin += kBlockFrames) {
      const std::int64_t left = step.frames - begin;
      // The only sequence: its length; its first row, and its place in the order.
      const std::int64_t numbers[] = {left < kBlockFrames ? left : kBlockFrames, 0};
      RecurrentForward<T> a = {};
      a.layer = step.layer;
      a.sequences.count = 1;
      a.sequences.rows = numbers[0];
      a.sequences.lengths = numbers;
      a.sequences.first_row = a.sequences.order = numbers + 1;
      a.x = step.x + begin * step.x_row_stride;
      a.x_row_stride = step.x_row_stride;
      a.y = step.y + begin * step.y_row_stride;
      a.y_row_stride = step.y_row_stride;
      a.initial_state = a.final_state = step.state;
      a.workspace = step.workspace;
      forward_pass(a);
    }
  }
  static std::int64_t step_bytes(const RecurrentLayer<T>& layer) noexcept {
    RecurrentForward<T> a = {};
    a.layer = layer;
    a.sequences.count = 1;
    a.sequences.rows = kBlockFrames;
    return forward_bytes(a);
  }
  static void pack(const RecurrentLayer<T>&, void*) noexcept {}
  static std::int64_t packed_bytes(const RecurrentLayer<T>&) noexcept { return 0; }

  static constexpr RecurrentKernels<T> table() {
    return {Choice::kGates, Choice::kStates, forward_pass,  backward_pass, tangent_pass, step, pack,
            forward_bytes,  backward_bytes,  tangent_bytes, step_bytes,    packed_bytes};
  }
};

}  // namespace ictus::cuda
