// What the recurrent families (recurrent, lstm, gru) share: ragged batches of sequences, the
// parameters of a layer, and the arguments of its passes.
//
// The frames of all sequences lie one after another as the rows of one matrix, without padding, so
// a layer's input products, and any layer that looks at one frame at a time, are one matrix
// product. A padded batch (batch, time, features) whose sequences have all the same length is this
// matrix.
//
// A layer runs in one direction or in two. Two directions are two independent sets of parameters;
// the second reads each sequence from its end. Outputs lie side by side: `units` columns for each.
#pragma once

#include <cstdint>

#include "ictus/epilogue.h"

namespace ictus {

struct Sequences {
  std::int64_t count;             // how many
  std::int64_t rows;              // frames in all
  const std::int64_t* lengths;    // (count), positive
  const std::int64_t* first_row;  // (count)
  const std::int64_t* order;      // (count): the sequences by falling length
  std::int64_t threads;           // for how many a pass is cut into tasks; changes no result
};

// A gate is one nonlinear unit of a cell; a family has `gates` of them (lstm 4, gru 3, recurrent
// 1), and its state has one vector, or two (lstm: output and cell).
template <class T>
struct RecurrentParameters {
  const T* input_weights;      // (inputs, directions * gates * units)
  const T* recurrent_weights;  // (directions, units, gates * units)
  const T* bias;               // (directions * gates * units)
  const T* extra;  // lstm: peepholes (directions, 3, units) or nullptr; gru: recurrent bias of the
                   // candidate (directions, units); recurrent: nullptr
};

template <class T>
struct RecurrentLayer {
  std::int64_t inputs, units, directions;
  Activation activation;  // of the family recurrent: tanh or relu
  RecurrentParameters<T> parameters;
};

// What a forward pass leaves for a backward pass or an R-operator. gates == nullptr: nothing is
// kept. The backward pass overwrites it.
template <class T>
struct RecurrentRecord {
  T* gates;   // (rows, directions * gates * units)
  T* memory;  // (rows, directions * units): lstm: cell state; gru: the candidate's recurrent input
  T* previous;  // (rows, directions * units): the output one step before
};

template <class T>
struct RecurrentForward {
  RecurrentLayer<T> layer;
  Sequences sequences;
  const T* x;  // (rows, inputs)
  std::int64_t x_row_stride;
  T* y;  // (rows, directions * units)
  std::int64_t y_row_stride;
  const T* initial_state;  // (states, directions, count, units); nullptr: zeros
  T* final_state;          // the same shape; nullptr: not wanted; may be initial_state
  RecurrentRecord<T> record;
  void* workspace;  // forward_workspace bytes
};

template <class T>
struct RecurrentBackward {
  RecurrentLayer<T> layer;
  Sequences sequences;
  const T* x;
  std::int64_t x_row_stride;
  const T* y;
  std::int64_t y_row_stride;
  const T* initial_state;
  RecurrentRecord<T> record;
  const T* y_gradient;  // nullptr: zeros
  std::int64_t y_gradient_row_stride;
  const T* final_gradient;  // with respect to the final state; nullptr: zeros
  T* x_gradient;            // (rows, inputs), contiguous rows; nullptr: not wanted
  std::int64_t x_gradient_row_stride;
  T* initial_gradient;  // with respect to the initial state; nullptr: not wanted
  // Gradients in the shapes of the parameters; added to what is there with `accumulate`.
  T* input_weights_gradient;
  T* recurrent_weights_gradient;
  T* bias_gradient;
  T* extra_gradient;
  bool accumulate;
  void* workspace;
};

// The derivative of the outputs along x_dot in the inputs and `direction` in the parameters, at the
// last recorded forward pass; the initial state does not move.
template <class T>
struct RecurrentTangent {
  RecurrentLayer<T> layer;
  Sequences sequences;
  const T* x;
  std::int64_t x_row_stride;
  const T* y;
  std::int64_t y_row_stride;
  const T* initial_state;
  RecurrentRecord<T> record;  // read alone
  const T* x_dot;             // nullptr: zeros
  std::int64_t x_dot_row_stride;
  RecurrentParameters<T> direction;
  T* y_dot;
  std::int64_t y_dot_row_stride;
  T* final_dot;  // of the final state; nullptr: not wanted
  void* workspace;
};

// Frames one after another through a layer of one direction, whose weights are packed once.
template <class T>
struct RecurrentStep {
  RecurrentLayer<T> layer;
  const void* packed;  // written by `pack`
  std::int64_t frames;
  const T* x;
  std::int64_t x_row_stride;
  T* y;
  std::int64_t y_row_stride;
  T* state;         // (states, units), moved on
  void* workspace;  // step_workspace bytes, for any number of frames
};

template <class T>
struct RecurrentKernels {
  std::int64_t gates, states;
  void (*forward)(const RecurrentForward<T>& arguments) noexcept;
  void (*backward)(const RecurrentBackward<T>& arguments) noexcept;
  void (*tangent)(const RecurrentTangent<T>& arguments) noexcept;
  void (*step)(const RecurrentStep<T>& arguments) noexcept;
  void (*pack)(const RecurrentLayer<T>& layer, void* packed) noexcept;  // aligned to kAlignment
  std::int64_t (*forward_workspace)(const RecurrentForward<T>& arguments) noexcept;
  std::int64_t (*backward_workspace)(const RecurrentBackward<T>& arguments) noexcept;
  std::int64_t (*tangent_workspace)(const RecurrentTangent<T>& arguments) noexcept;
  std::int64_t (*step_workspace)(const RecurrentLayer<T>& layer) noexcept;
  std::int64_t (*packed_bytes)(const RecurrentLayer<T>& layer) noexcept;
};

}  // namespace ictus
