// How the passes of recurrent layers are cut and where their data lie: what forward.h, backward.h
// and tangent.h under detail/ share. A task is one direction of a chunk of sequences, longest
// first; it runs through all time steps on one thread. At each step the states of the sequences
// that have not ended are multiplied by the packed recurrent weights (step_product.h), then the
// family's cell works on one sequence after another. How sequences are cut into tasks depends on
// the number of threads; no number of the result does.
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

// How the sequences of a pass are cut into tasks.
template <class T>
struct Tasks {
  std::int64_t chunk;   // sequences in a task
  std::int64_t chunks;  // for each direction
  std::int64_t count;   // of tasks
  // Both directions of a chunk move step by step on one thread: each is a chain of operations that
  // wait for one another, and the processor works on one chain while the other waits.
  bool together;

  Tasks(const Sequences& s, std::int64_t directions, std::int64_t units, std::int64_t gates) {
    // Large recurrent weights come from far away, so that many sequences should share them.
    const std::int64_t bytes = units * units * gates * static_cast<std::int64_t>(sizeof(T));
    const bool near = bytes <= (64 << 10);
    const std::int64_t fewest = parts(s.count, near ? 8 : 64), most = parts(s.count, 8);
    const std::int64_t wanted = parts(s.threads, directions);
    const std::int64_t cuts = wanted < fewest ? fewest : wanted < most ? wanted : most;
    chunk = parts(s.count, cuts);
    chunks = parts(s.count, chunk);
    count = chunks * directions;
    together = directions == 2 && near && chunks >= s.threads;
  }

 private:
  static std::int64_t parts(std::int64_t count, std::int64_t size) {
    return count <= size ? 1 : (count + size - 1) / size;
  }
};

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

// Runs all tasks: make(direction, first, count, number) gives one that has start(), the number of
// its steps(), advance(step) and end().
template <class T, class Make>
inline void run_tasks(const Sequences& sequences, const Tasks<T>& tasks, std::int64_t directions,
                      const Make& make) {
  const auto task = [&](std::int64_t number) {
    const std::int64_t first = number / directions * tasks.chunk;
    const std::int64_t left = sequences.count - first;
    return make(number % directions, first, left < tasks.chunk ? left : tasks.chunk, number);
  };
  auto one = [&](std::int64_t number) {
    auto only = task(number);
    only.start();
    for (std::int64_t step = 0; step < only.steps(); ++step) only.advance(step);
    only.end();
  };
  auto two = [&](std::int64_t chunk) {
    auto forth = task(2 * chunk), back = task(2 * chunk + 1);
    forth.start();
    back.start();
    for (std::int64_t step = 0; step < forth.steps(); ++step) {
      forth.advance(step);
      back.advance(step);
    }
    forth.end();
    back.end();
  };
  if (tasks.together) {
    parallel_chunks(tasks.chunks, two);
  } else {
    parallel_chunks(tasks.count, one);
  }
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
