// The passes of a recurrent layer through time on a GPU, as recurrence.h runs them. A family gives
// a cell, a struct of device functions:
//
//     kGates, kLanes               gates of a unit, and its threads: 1, or 4 where it has several
//     kDirectGates                 gates whose recurrent product is added to their input product
//     kStates, kExtras             vectors of the state; of the extra parameter
//     kEarlierMemory               whether a step reads the memory of the step before
//     Kept<T>, keep(...)           what a lane keeps of the extra parameter
//     forward, backward, tangent   one step of a unit, said by each of its lanes
#pragma once

#include "recurrent_steps.h"

namespace ictus::cuda {

// What a step reads of a record and of gradients, loaded steps ahead. `gate` is the lane's own.
template <class T>
struct Recorded {
  T gate, memory, earlier, previous, y, y_gradient, gate_dot, memory_dot;
};

// What a backward step says of a unit: `gate` and `exchanged` are the lane's own.
template <class T>
struct Back {
  T gate, exchanged, memory, extra;
};

// Where the parts of a layer are, the same in all passes.
struct LayerShape {
  std::int64_t units, directions, gates, count;
  __device__ std::int64_t gate(const Place& p) const {
    return ((p.row * directions + p.direction) * gates + p.lane) * units + p.unit;
  }
  __device__ std::int64_t output(const Place& p, std::int64_t row) const {
    return (row * directions + p.direction) * units + p.unit;
  }
  __device__ std::int64_t row_of(const Place& p, std::int64_t row, std::int64_t stride) const {
    return row * stride + p.direction * units + p.unit;
  }
  __device__ std::int64_t state(const Place& p, int number) const {
    return ((number * directions + p.direction) * count + p.sequence) * units + p.unit;
  }
};

template <class T, int kStates>
__device__ __forceinline__ void begin_states(const LayerShape& shape, const Place& p, const T* from,
                                             T (&state)[kStates]) {
  for (int n = 0; n < kStates; ++n) state[n] = from == nullptr ? T(0) : from[shape.state(p, n)];
}

// The weight of unit k's output in the sum of a lane (forward, tangent).
template <class Cell, class T>
__device__ __forceinline__ T column_weight(const LayerShape& shape, const T* weights,
                                           const Place& p, std::int64_t k) {
  if (p.lane >= Cell::kGates) return T(0);
  return weights[((p.direction * shape.units + k) * Cell::kGates + p.lane) * shape.units + p.unit];
}

template <class T, class Cell>
struct ForwardPass {
  using Scalar = T;
  using Kept = typename Cell::template Kept<T>;
  struct Loaded {
    T input;
  };
  static constexpr int kLanes = Cell::kLanes, kParts = 1, kStates = Cell::kStates;
  static constexpr bool kBackward = false;
  std::int64_t units, directions;
  LayerShape shape;
  Cell cell;
  const T *weights, *extra, *initial;
  T *gates, *memory, *previous;  // memory, previous: nullptr where nothing is recorded
  T* y;
  std::int64_t y_row_stride;
  T* final_state;

  __device__ T weight(const Place& p, std::int64_t k) const {
    return column_weight<Cell>(shape, weights, p, k);
  }
  __device__ Kept keep(const Place& p) const { return Cell::keep(extra, p, units); }
  __device__ void begin(const Place& p, T (&state)[kStates]) const {
    begin_states(shape, p, initial, state);
  }
  __device__ Loaded load(const Place& p) const {
    return {p.lane < Cell::kGates ? gates[shape.gate(p)] : T(0)};
  }
  __device__ void step(const Place& p, const Loaded& loaded, const Kept& kept, T dot,
                       T (&state)[kStates], T* next, std::int64_t, bool active) const {
    const T before = state[0];
    T gate = T(0), kept_memory = T(0);
    cell.forward(p.lane, loaded.input, dot, kept, state, gate, kept_memory);
    if (!active) return;
    if (previous != nullptr && p.lane < Cell::kGates) {
      gates[shape.gate(p)] = gate;
      if (p.lane == 0) previous[shape.output(p, p.row)] = before;
      if (p.lane == 1) memory[shape.output(p, p.row)] = kept_memory;
    }
    if (p.lane > 0) return;
    next[p.unit] = state[0];
    y[shape.row_of(p, p.row, y_row_stride)] = state[0];
  }
  __device__ void end(const Place& p, T, const T (&state)[kStates]) const {
    if (final_state == nullptr) return;
    for (int n = 0; n < kStates; ++n) final_state[shape.state(p, n)] = state[n];
  }
};

template <class T, class Cell>
struct BackwardPass {
  using Scalar = T;
  using Kept = typename Cell::template Kept<T>;
  using Loaded = Recorded<T>;
  static constexpr int kLanes = Cell::kLanes, kParts = Cell::kLanes, kStates = Cell::kStates;
  static constexpr bool kBackward = true;
  std::int64_t units, directions;
  LayerShape shape;
  Cell cell;
  const T *weights, *extra, *initial, *final_gradient;
  RecurrentRecord<T> record;
  const T *y, *y_gradient;
  std::int64_t y_row_stride, y_gradient_row_stride;
  T* initial_gradient;
  T* extra_sums;  // (count, directions, extras, units) of peepholes, or nullptr

  __device__ T weight(const Place& p, std::int64_t k) const {
    if (p.lane >= Cell::kGates) return T(0);
    return weights[((p.direction * units + p.unit) * Cell::kGates + p.lane) * units + k];
  }
  __device__ Kept keep(const Place& p) const { return Cell::keep(extra, p, units); }
  // What the final state's gradient gives waits beside the product, like gru's direct part.
  __device__ void begin(const Place& p, T (&state)[kStates]) const {
    begin_states(shape, p, final_gradient, state);
  }
  __device__ Loaded load(const Place& p) const {
    Loaded r = {};
    const std::int64_t at = shape.output(p, p.row);
    if (Cell::kGates == 1) {
      r.y = y[shape.row_of(p, p.row, y_row_stride)];
    } else {
      if (p.lane < Cell::kGates) r.gate = record.gates[shape.gate(p)];
      r.memory = record.memory[at];
    }
    if (Cell::kEarlierMemory) {
      r.earlier = p.earlier >= 0       ? record.memory[shape.output(p, p.earlier)]
                  : initial != nullptr ? initial[shape.state(p, kStates - 1)]
                                       : T(0);
    } else if (Cell::kGates > 1) {
      r.previous = record.previous[at];
    }
    if (y_gradient != nullptr) {
      r.y_gradient = y_gradient[shape.row_of(p, p.row, y_gradient_row_stride)];
    }
    return r;
  }
  __device__ void step(const Place& p, const Loaded& loaded, const Kept& kept, T dot,
                       T (&state)[kStates], T* next, std::int64_t part, bool active) const {
    const T output_back = dot + state[0] + loaded.y_gradient;
    const Back<T> back = cell.backward(p.lane, loaded, kept, output_back, state);
    if (!active) return;
    next[p.lane * part + p.unit] = back.exchanged;
    if (p.lane < Cell::kGates) record.gates[shape.gate(p)] = back.gate;
    if (Cell::kDirectGates < Cell::kGates && p.lane == 0) {
      record.memory[shape.output(p, p.row)] = back.memory;
    }
    if (Cell::kEarlierMemory && extra_sums != nullptr && p.lane < Cell::kExtras) {
      extra_sums[((p.sequence * directions + p.direction) * Cell::kExtras + p.lane) * units +
                 p.unit] += back.extra;
    }
  }
  __device__ void end(const Place& p, T dot, const T (&state)[kStates]) const {
    if (initial_gradient == nullptr) return;
    for (int n = 0; n < kStates; ++n) {
      initial_gradient[shape.state(p, n)] = n == 0 ? dot + state[0] : state[n];
    }
  }
};

template <class T, class Cell>
struct TangentPass {
  using Scalar = T;
  struct Kept {
    typename Cell::template Kept<T> layer, dot;
  };
  using Loaded = Recorded<T>;
  static constexpr int kLanes = Cell::kLanes, kParts = 1, kStates = Cell::kStates;
  static constexpr bool kBackward = false;
  std::int64_t units, directions;
  LayerShape shape;
  Cell cell;
  const T *weights, *extra, *extra_dot, *initial;
  RecurrentRecord<T> record;
  const T *y, *gates_dot, *memory_dot;
  std::int64_t y_row_stride, y_dot_row_stride;
  T *y_dot, *final_dot;

  __device__ T weight(const Place& p, std::int64_t k) const {
    return column_weight<Cell>(shape, weights, p, k);
  }
  __device__ Kept keep(const Place& p) const {
    return {Cell::keep(extra, p, units), Cell::keep(extra_dot, p, units)};
  }
  __device__ void begin(const Place& p, T (&state)[kStates]) const {
    begin_states<T>(shape, p, nullptr, state);
  }
  __device__ Loaded load(const Place& p) const {
    Loaded r = {};
    const std::int64_t at = shape.output(p, p.row);
    if (p.lane < Cell::kGates) r.gate_dot = gates_dot[shape.gate(p)];
    if (Cell::kGates == 1) {
      r.y = y[shape.row_of(p, p.row, y_row_stride)];
      return r;
    }
    if (p.lane < Cell::kGates) r.gate = record.gates[shape.gate(p)];
    r.memory = record.memory[at];
    if (Cell::kEarlierMemory) {
      r.earlier = p.earlier >= 0       ? record.memory[shape.output(p, p.earlier)]
                  : initial != nullptr ? initial[shape.state(p, kStates - 1)]
                                       : T(0);
    } else {
      r.previous = record.previous[at];
      r.memory_dot = memory_dot[at];
    }
    return r;
  }
  __device__ void step(const Place& p, const Loaded& loaded, const Kept& kept, T dot,
                       T (&state)[kStates], T* next, std::int64_t, bool active) const {
    cell.tangent(p.lane, loaded, kept.layer, kept.dot, dot, state);
    if (!active || p.lane > 0) return;
    next[p.unit] = state[0];
    y_dot[shape.row_of(p, p.row, y_dot_row_stride)] = state[0];
  }
  __device__ void end(const Place& p, T, const T (&state)[kStates]) const {
    if (final_dot == nullptr) return;
    for (int n = 0; n < kStates; ++n) final_dot[shape.state(p, n)] = state[n];
  }
};

// A value of one of the unit's four lanes, in all of them.
template <class T>
__device__ __forceinline__ T of_lane(T value, int lane) {
  return __shfl_sync(kAllLanes, value, lane, 4);
}

// sigmoid(z) or tanh(z) = 2 sigmoid(2 z) - 1, by the same instructions: lanes of a warp have
// different gates. The error is that of numbers near 1, which a state is made of.
template <class T>
__device__ __forceinline__ T squash(bool to_tanh, T z) {
  const T value = sigmoid(to_tanh ? z + z : z);
  return to_tanh ? value + value - T(1) : value;
}
template <class T>
__device__ __forceinline__ T sigmoid_slope(T y) {
  return y * (T(1) - y);
}
template <class T>
__device__ __forceinline__ T tanh_slope(T y) {
  return T(1) - y * y;
}

}  // namespace ictus::cuda
