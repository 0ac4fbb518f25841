// How the passes of recurrent layers are cut and where their data lie: what forward.h, backward.h
// and tangent.h under detail/ share. A task is one direction of a chunk of sequences, longest
// first; it runs through all time steps on one thread. At each step the states of the sequences
// that have not ended are multiplied by the packed recurrent weights (step_product.h), then the
// family's cell works on one sequence after another.
#pragma once

#include "core/memory.h"
#include "ictus/sequence.h"
#include "kernels/detail/level_gemm.h"
#include "kernels/detail/parallel.h"
#include "kernels/detail/rows.h"
#include "kernels/detail/step_product.h"

namespace ictus::ICTUS_LEVEL {
namespace {

// Hands out parts of a workspace, each aligned; from nullptr it only counts.
class Workspace {
 public:
  explicit Workspace(void* base) : base_(static_cast<char*>(base)) {}
  template <class U>
  U* take(std::int64_t count) {
    U* const part = reinterpret_cast<U*>(base_ + used_);
    const auto bytes = count * static_cast<std::int64_t>(sizeof(U));
    const auto unit = static_cast<std::int64_t>(kAlignment);
    used_ += (bytes + unit - 1) / unit * unit;
    return part;
  }
  std::int64_t used() const { return used_; }

 private:
  char* base_;
  std::int64_t used_ = 0;
};

// A state vector of each sequence of a chunk: rows an odd number of cache lines apart.
template <class T>
inline std::int64_t state_stride(std::int64_t units) {
  constexpr std::int64_t line = 64 / static_cast<std::int64_t>(sizeof(T));
  return ((units + line - 1) / line | 1) * line;
}

// The sequences of a task. Large recurrent weights are read from far away, so that many sequences
// should share them; small ones leave room for more tasks.
template <class T>
inline std::int64_t chunk_sequences(std::int64_t count, std::int64_t units, std::int64_t gates) {
  const std::int64_t bytes = units * units * gates * static_cast<std::int64_t>(sizeof(T));
  const std::int64_t limit = bytes <= (64 << 10) ? 8 : bytes <= (512 << 10) ? 16 : 32;
  const std::int64_t parts = (count + limit - 1) / limit;
  return parts <= 1 ? (count < 1 ? 1 : count) : (count + parts - 1) / parts;
}

// The part of a layer that one direction sees.
template <class T>
struct Direction {
  std::int64_t number, units, columns;  // columns: gates * units
  const T* input_weights;               // columns from here on, rows directions * columns apart
  const T* recurrent_weights;
  const T* bias;
  const T* extra;
};

template <class T>
inline Direction<T> direction_of(const RecurrentLayer<T>& layer, const RecurrentParameters<T>& p,
                                 std::int64_t gates, std::int64_t extras, std::int64_t number) {
  const std::int64_t columns = gates * layer.units;
  return {number,
          layer.units,
          columns,
          p.input_weights + number * columns,
          p.recurrent_weights + number * layer.units * columns,
          p.bias + number * columns,
          p.extra == nullptr ? nullptr : p.extra + number * extras * layer.units};
}

// Runs task(direction, first, count, number) for every chunk of every direction.
template <class Task>
inline void for_tasks(const Sequences& sequences, std::int64_t directions, std::int64_t chunk,
                      const Task& task) {
  const std::int64_t chunks = (sequences.count + chunk - 1) / chunk;
  auto body = [&](std::int64_t index) {
    const std::int64_t first = index / directions * chunk;
    const std::int64_t left = sequences.count - first;
    task(index % directions, first, left < chunk ? left : chunk, index);
  };
  parallel_chunks(chunks * directions, body);
}

inline std::int64_t task_count(const Sequences& sequences, std::int64_t directions,
                               std::int64_t chunk) {
  return (sequences.count + chunk - 1) / chunk * directions;
}

// Row of a sequence's first step in a direction; the next steps follow by `row_step`.
inline std::int64_t start_row(const Sequences& s, std::int64_t sequence, std::int64_t direction) {
  return s.first_row[sequence] + (direction == 0 ? 0 : s.lengths[sequence] - 1);
}
inline std::int64_t row_step(std::int64_t direction) { return direction == 0 ? 1 : -1; }

// A vector of a state array (states, directions, count, units).
template <class T>
inline T* state_vector(T* states, std::int64_t state, const Sequences& s, std::int64_t directions,
                       std::int64_t direction, std::int64_t sequence, std::int64_t units) {
  return states + ((state * directions + direction) * s.count + sequence) * units;
}

// to = from, or zeros where there is nothing to copy.
template <class T>
inline void copy_or_clear(T* to, const T* from, std::int64_t count) {
  for_vectors<T>(0, count, [&](std::int64_t j, auto access) {
    access.write(to + j, from == nullptr ? Vector<T>{} : access.read(from + j));
  });
}

}  // namespace
}  // namespace ictus::ICTUS_LEVEL
