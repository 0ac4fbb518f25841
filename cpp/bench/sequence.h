// Benchmarks of the recurrent families: one layer, whole sequences, without a record and with both
// passes of training. The reference is a plain loop in double precision over the first frames.
#pragma once

#include "bench/bench.h"
#include "core/memory.h"
#include "core/threads.h"
#include "ictus/sequence.h"

namespace ictus::bench {

// A layer with small random weights, a batch of equal sequences, and all that its passes need.
template <class T>
struct RecurrentBench {
  std::int64_t inputs, units, directions, count, length, gates, states;
  std::vector<T> input_weights, recurrent_weights, bias, extra, x, y, record[3], gradient, back[4];
  std::vector<std::int64_t> lengths, first_row, order;

  RecurrentBench(const RecurrentKernels<T>& k, int extra_rows, const benchmark::State& state)
      : inputs(state.range(0)),
        units(state.range(1)),
        directions(state.range(2)),
        count(state.range(3)),
        length(state.range(4)),
        gates(k.gates),
        states(k.states) {
    const auto small = [](std::int64_t size, unsigned seed) {
      auto numbers = random_numbers<T>(size, seed);
      for (T& number : numbers) number *= T(0.1);
      return numbers;
    };
    const std::int64_t columns = directions * gates * units, rows = count * length;
    input_weights = small(inputs * columns, 1);
    recurrent_weights = small(columns * units, 2);
    bias = small(columns, 3);
    extra = small(directions * extra_rows * units, 4);
    x = random_numbers<T>(rows * inputs, 5);
    gradient = random_numbers<T>(rows * directions * units, 6);
    y.resize(gradient.size());
    record[0].resize(static_cast<std::size_t>(rows * columns));
    record[1].resize(y.size());
    record[2].resize(y.size());
    back[0].resize(input_weights.size());
    back[1].resize(recurrent_weights.size());
    back[2].resize(bias.size());
    back[3].resize(extra.size());
    for (std::int64_t i = 0; i < count; ++i) {
      lengths.push_back(length);
      first_row.push_back(i * length);
      order.push_back(i);
    }
  }

  RecurrentLayer<T> layer() const {
    return {inputs,
            units,
            directions,
            Activation::tanh,
            {input_weights.data(), recurrent_weights.data(), bias.data(),
             extra.empty() ? nullptr : extra.data()}};
  }
  Sequences sequences() const {
    return {count, count * length, lengths.data(), first_row.data(), order.data(), num_threads()};
  }
  RecurrentForward<T> forward(bool recorded) {
    RecurrentForward<T> a = {};
    a.layer = layer();
    a.sequences = sequences();
    a.x = x.data();
    a.x_row_stride = inputs;
    a.y = y.data();
    a.y_row_stride = directions * units;
    if (recorded) a.record = {record[0].data(), record[1].data(), record[2].data()};
    return a;
  }
  RecurrentBackward<T> backward() {
    RecurrentBackward<T> a = {};
    a.layer = layer();
    a.sequences = sequences();
    a.x = x.data();
    a.x_row_stride = inputs;
    a.y = y.data();
    a.y_row_stride = a.y_gradient_row_stride = directions * units;
    a.record = {record[0].data(), record[1].data(), record[2].data()};
    a.y_gradient = gradient.data();
    a.input_weights_gradient = back[0].data();
    a.recurrent_weights_gradient = back[1].data();
    a.bias_gradient = back[2].data();
    a.extra_gradient = extra.empty() ? nullptr : back[3].data();
    return a;
  }
  double operations() const {
    return 2.0 * static_cast<double>(count * length) * static_cast<double>(inputs + units) *
           static_cast<double>(directions * gates * units);
  }
};

// Memory of a kernel, freed at the end of a benchmark.
struct Room {
  explicit Room(std::int64_t bytes) : data(aligned_allocate(static_cast<std::size_t>(bytes))) {}
  ~Room() { aligned_free(data); }
  Room(const Room&) = delete;
  Room& operator=(const Room&) = delete;
  void* data;
};

// `step(z, u, extra, h, c)`: one step of the family for one sequence, in double precision; z is the
// input product with the bias and u the recurrent product, both of `gates * units`.
template <class T, class Step>
bool first_frames_correct(benchmark::State& state, const RecurrentBench<T>& b, const Step& step) {
  const auto n = static_cast<std::size_t>(b.units), columns = n * static_cast<std::size_t>(b.gates);
  const auto wide = columns * static_cast<std::size_t>(b.directions);
  std::vector<double> h(n), c(n), expected;
  std::vector<T> got;
  for (std::size_t t = 0; t < 3 && t < static_cast<std::size_t>(b.length); ++t) {
    std::vector<double> z(columns), u(columns);
    for (std::size_t j = 0; j < columns; ++j) {
      z[j] = static_cast<double>(b.bias[j]);
      for (std::size_t i = 0; i < static_cast<std::size_t>(b.inputs); ++i) {
        z[j] += static_cast<double>(b.x[t * static_cast<std::size_t>(b.inputs) + i]) *
                static_cast<double>(b.input_weights[i * wide + j]);
      }
      for (std::size_t i = 0; i < n; ++i) {
        u[j] += h[i] * static_cast<double>(b.recurrent_weights[i * columns + j]);
      }
    }
    step(z, u, h, c);
    expected.insert(expected.end(), h.begin(), h.end());
    const auto at = static_cast<std::ptrdiff_t>(t * n * static_cast<std::size_t>(b.directions));
    got.insert(got.end(), b.y.begin() + at, b.y.begin() + at + static_cast<std::ptrdiff_t>(n));
  }
  return correct<T>(state, residual(got, expected), static_cast<double>(b.inputs + b.units));
}

template <class T, class Step>
void recurrent_bench(benchmark::State& state, const RecurrentKernels<T>& kernels, int extra_rows,
                     bool training, const Step& step) {
  RecurrentBench<T> b(kernels, extra_rows, state);
  RecurrentForward<T> f = b.forward(training);
  RecurrentBackward<T> g = b.backward();
  const Room room(kernels.forward_workspace(f)), back_room(kernels.backward_workspace(g));
  f.workspace = room.data;
  g.workspace = back_room.data;
  kernels.forward(f);
  if (!first_frames_correct(state, b, step)) return;
  for (auto _ : state) {
    kernels.forward(f);
    if (training) kernels.backward(g);
  }
  const double recurrent =
      b.operations() * static_cast<double>(b.units) / static_cast<double>(b.inputs + b.units);
  count_flops<T>(state, training ? 2 * b.operations() + recurrent : b.operations());
}

inline double squash(double x) { return 1 / (1 + std::exp(-x)); }

inline void recurrent_shapes(benchmark::internal::Benchmark* b) {
  b->Args({266, 25, 2, 1, 2000})->Args({64, 128, 1, 32, 100})->Args({512, 512, 1, 64, 20});
  b->ArgNames({"inputs", "units", "directions", "batch", "frames"})->UseRealTime();
}

}  // namespace ictus::bench
