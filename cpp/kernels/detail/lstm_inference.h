// One sequence through a small LSTM without a record: what tracks beats, a frame after another.
//
// A step is a chain of operations that wait for one another, through the product, the gates and the
// cell. Here nothing of it passes through memory but the output, and both directions of a layer are
// worked on together, instruction by instruction: while one waits, the other goes on. (Left to
// itself, a processor looks ahead too little to find the second chain behind the first.)
#pragma once

#include "kernels/detail/gates.h"
#include "kernels/detail/recurrent_forward.h"

namespace ictus::ICTUS_LEVEL {
namespace {

constexpr int kSmallVectors = 2;  // vectors of units at most: so many fit the registers

// A direction: its packed recurrent weights, where its next step is, and its state.
template <class T>
struct SmallChain {
  const T* weights;
  const T* peepholes;  // (3, units)
  const T* gates;      // input products of the next step
  std::int64_t gates_step;
  T* y;
  std::int64_t y_step;
  T* output;  // whole vectors
  T* cell;
};

// `steps` steps of D chains of layers with V vectors of units.
template <class T, bool kPeepholes, int V, int D>
void run_small(SmallChain<T> (&chains)[D], std::int64_t units, std::int64_t steps) {
  using Vec = Vector<T>;
  constexpr int kVectors = 4 * V;
  constexpr int kPanels = (kVectors + kStepVectors - 1) / kStepVectors;
  const int last = static_cast<int>(units - (V - 1) * kLanes<T>);
  Vec cell[D][V];
  for (int d = 0; d < D; ++d) {
    for (int v = 0; v < V; ++v) cell[d][v] = load(chains[d].cell + v * kLanes<T>);
  }
  for (std::int64_t step = 0; step < steps; ++step) {
    Vec x[D][kVectors];
#pragma GCC unroll 2
    for (int d = 0; d < D; ++d) {
#pragma GCC unroll 8
      for (int n = 0; n < kVectors; ++n) {
        const T* const from = chains[d].gates + n / V * units + n % V * kLanes<T>;
        x[d][n] = n % V == V - 1 ? load_partial(from, last) : load(from);
      }
    }
    for (std::int64_t k = 0; k < units; ++k) {
#pragma GCC unroll 2
      for (int d = 0; d < D; ++d) {
        const T left = chains[d].output[k];
#pragma GCC unroll 8
        for (int n = 0; n < kVectors; ++n) {
          const std::int64_t panel = n / kStepVectors;
          x[d][n] += left * load(chains[d].weights + (panel * units + k) * kStepColumns<T> +
                                 n % kStepVectors * kLanes<T>);
        }
      }
    }
    static_assert(kPanels * kStepVectors == kVectors);
    Vec gate[D][V];  // reciprocal of the output gate
#pragma GCC unroll 2
    for (int v = 0; v < V; ++v) {
      const auto peephole = [&](int d, int number) {
        const T* const from = chains[d].peepholes + number * units + v * kLanes<T>;
        return v == V - 1 ? load_partial(from, last) : load(from);
      };
      // Input and forget gates of all chains, output gates where they do not wait for the cell,
      // then the candidates.
      constexpr int kFirst = kPeepholes ? 2 : 3;
      Vec e[(kFirst + 1) * D], late[D];
#pragma GCC unroll 2
      for (int d = 0; d < D; ++d) {
        for (int g = 0; g < kFirst; ++g) {
          e[kFirst * d + g] = x[d][g * V + v];
          if (kPeepholes) e[kFirst * d + g] += peephole(d, g) * cell[d][v];
        }
        e[kFirst * D + d] = x[d][3 * V + v];
      }
      gate_exponentials<T, kFirst * D>(e);
#pragma GCC unroll 2
      for (int d = 0; d < D; ++d) {
        const Vec candidate = e[kFirst * D + d], *const own = e + kFirst * d;
        cell[d][v] = gated_sum<T>(cell[d][v], own[0], own[1], candidate);
        late[d] = kPeepholes ? x[d][2 * V + v] + peephole(d, 2) * cell[d][v] : own[kFirst - 1];
      }
      if (kPeepholes) gate_exponentials<T, D>(late);
#pragma GCC unroll 2
      for (int d = 0; d < D; ++d) gate[d][v] = late[d] + T(1);
    }
    Vec h[D * V];
#pragma GCC unroll 4
    for (int n = 0; n < D * V; ++n) h[n] = cell[n / V][n % V];
    gate_exponentials<T, 0>(h);
#pragma GCC unroll 2
    for (int d = 0; d < D; ++d) {
      SmallChain<T>& chain = chains[d];
#pragma GCC unroll 2
      for (int v = 0; v < V; ++v) {
        const Vec output = gated_tanh<T>(h[d * V + v], gate[d][v]);
        store(chain.output + v * kLanes<T>, output);
        if (v == V - 1) {
          store_partial(chain.y + v * kLanes<T>, output, last);
        } else {
          store(chain.y + v * kLanes<T>, output);
        }
      }
      chain.gates += chain.gates_step;
      chain.y += chain.y_step;
    }
  }
  for (int d = 0; d < D; ++d) {
    for (int v = 0; v < V; ++v) store(chains[d].cell + v * kLanes<T>, cell[d][v]);
  }
}

template <bool kPeepholes, int D, class T, class Task>
void run_small_tasks(const RecurrentForward<T>& a, Task (&tasks)[D]) {
  const std::int64_t length = a.sequences.lengths[0], units = a.layer.units;
  const std::int64_t forth[] = {row_step(tasks[0].direction.number), row_step(1)};
  SmallChain<T> chains[D];
  for (int d = 0; d < D; ++d) tasks[d].start();
  for (std::int64_t step = 0; step < length;) {
    const std::int64_t left = length - step, frames = tasks[0].plan.frames;
    const std::int64_t steps = left < frames ? left : frames;
    for (int d = 0; d < D; ++d) {
      const Task& task = tasks[d];
      task.fill_block(step);
      chains[d] = {task.plan.recurrent[task.direction.number].panels,
                   task.direction.extra,
                   task.room.tracks[0].gates,
                   forth[d] * task.plan.columns,
                   step == 0 ? task.room.tracks[0].y : chains[d].y,
                   forth[d] * a.y_row_stride,
                   task.room.output,
                   task.room.cell};
    }
    if (units <= kLanes<T>) {
      run_small<T, kPeepholes, 1>(chains, units, steps);
    } else {
      run_small<T, kPeepholes, kSmallVectors>(chains, units, steps);
    }
    step += steps;
  }
  for (int d = 0; d < D; ++d) tasks[d].finish(0);
}

// Runs a pass in this way, if it is one sequence without a record, the units are few, and there are
// registers for it. `make` as of run_tasks.
template <bool kPeepholes, class T, class Make>
bool run_small_pass(const RecurrentForward<T>& a, const Tasks<T>& cuts, const Make& make) {
  if constexpr (kVectorRegisters < 32) {
    return false;
  } else {
    const bool small = a.layer.units <= kSmallVectors * kLanes<T> && a.sequences.count == 1;
    if (!small || a.record.gates != nullptr) return false;
    if (cuts.together) {
      decltype(make(0, 0, 1, 0)) both[] = {make(0, 0, 1, 0), make(1, 0, 1, 1)};
      run_small_tasks<kPeepholes, 2>(a, both);
      return true;
    }
    auto one = [&](std::int64_t direction) {
      decltype(make(0, 0, 1, 0)) task[] = {make(direction, 0, 1, direction)};
      run_small_tasks<kPeepholes, 1>(a, task);
    };
    parallel_chunks(a.layer.directions, one);
    return true;
  }
}

}  // namespace
}  // namespace ictus::ICTUS_LEVEL
