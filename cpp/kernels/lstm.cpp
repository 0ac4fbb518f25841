// Long short-term memory: the cell, its derivative and its R-operator (ictus/lstm.h has the
// equations).
#include "ictus/lstm.h"

#include "kernels/detail/gates.h"
#include "kernels/detail/lstm_inference.h"
#include "kernels/detail/recurrent_kernels.h"

namespace ictus::ICTUS_LEVEL {
namespace {

template <class T, bool kPeepholes>
struct LstmCell {
  static constexpr int kGates = 4, kDirectGates = 4, kStates = 2, kExtras = 3;
  using V = Vector<T>;

  // Where a record is kept, x becomes the values of S sigmoids and then of tanhs; else the
  // exponentials they are made of, and what follows makes one division of several.
  template <bool kRecord, int S, int N>
  __attribute__((always_inline)) static void squash(V (&x)[N]) {
    if constexpr (kRecord) {
      gate_values<T, S>(x);
    } else {
      gate_exponentials<T, S>(x);
    }
  }

  // f * before + i * g, from what squash gave.
  template <bool kRecord>
  __attribute__((always_inline)) static V new_cell(V before, V i, V f, V g) {
    if constexpr (kRecord) return f * before + i * g;
    const V added = (i + T(1)) * (g + T(1)), kept = f + T(1);
    return (before * added + (T(1) - g) * kept) / (added * kept);
  }

  // The gates and the cell state of one vector of units, whose output gate waits in p.sums: its
  // value where a record is kept, else its reciprocal.
  template <bool kRecord, class Access>
  __attribute__((always_inline)) static void gates(const Direction<T>& layer,
                                                   const ForwardPlace<T>& p, std::int64_t j,
                                                   Access access) {
    const std::int64_t units = layer.units;
    const auto input = [&](int gate) {
      return access.read(p.gates + gate * units + j) + load(p.sums + gate * p.sums_gate + j);
    };
    const V before = load(p.cell + j);
    V x[] = {input(0), input(1), input(2), input(3)}, c;
    if constexpr (kPeepholes) {
      const auto peephole = [&](int gate) { return access.read(layer.extra + gate * units + j); };
      V first[] = {x[0] + peephole(0) * before, x[1] + peephole(1) * before, x[3]};
      squash<kRecord, 2>(first);
      c = new_cell<kRecord>(before, first[0], first[1], first[2]);
      V last[] = {x[2] + peephole(2) * c};
      squash<kRecord, 1>(last);
      x[0] = first[0];
      x[1] = first[1];
      x[2] = last[0];
      x[3] = first[2];
    } else {
      squash<kRecord, 3>(x);
      c = new_cell<kRecord>(before, x[0], x[1], x[3]);
    }
    store(p.cell + j, c);
    store(p.sums + 2 * p.sums_gate + j, kRecord ? x[2] : x[2] + T(1));
    if constexpr (kRecord) {
      access.write(p.previous + j, load(p.output + j));
      access.write(p.memory + j, c);
      for (int k = 0; k < 4; ++k) access.write(p.gates + k * units + j, x[k]);
    }
  }

  template <bool kRecord, int N, class Access>
  __attribute__((always_inline)) static void outputs(const ForwardPlace<T>& p, std::int64_t j,
                                                     Access access) {
    V h[N];
    for (int k = 0; k < N; ++k) h[k] = load(p.cell + j + k * kLanes<T>);
    squash<kRecord, 0>(h);
    for (int k = 0; k < N; ++k) {
      const std::int64_t at = j + k * kLanes<T>;
      const V gate = load(p.sums + 2 * p.sums_gate + at);
      h[k] = kRecord ? h[k] * gate : (T(1) - h[k]) / ((T(1) + h[k]) * gate);
      store(p.output + at, h[k]);
      if (k < N - 1) {
        store(p.y + at, h[k]);
      } else {
        access.write(p.y + at, h[k]);
      }
    }
  }

  template <bool kRecord>
  static void step(const Direction<T>& layer, const ForwardPlace<T>& p) {
    const std::int64_t units = layer.units;
    for_vectors<T>(0, units, [&](std::int64_t j, auto access) __attribute__((always_inline)) {
      gates<kRecord>(layer, p, j, access);
    });
    std::int64_t j = 0;
    for (; j + 2 * kLanes<T> <= units; j += 2 * kLanes<T>) outputs<kRecord, 2>(p, j, Whole<T>{});
    const int rest = static_cast<int>(units - j);
    if (rest > kLanes<T>) {
      outputs<kRecord, 2>(p, j, Partial<T>{rest - kLanes<T>});
    } else if (rest > 0) {
      outputs<kRecord, 1>(p, j, Partial<T>{rest});
    }
  }

  static void forward(const Direction<T>& layer, const ForwardPlace<T>& p) {
    if (p.memory != nullptr) {
      step<true>(layer, p);
    } else {
      step<false>(layer, p);
    }
  }

  template <class Make>
  static bool run(const RecurrentForward<T>& a, const Tasks<T>& cuts, const Make& make) {
    return run_small_pass<kPeepholes>(a, cuts, make);
  }

  static void backward(const Direction<T>& layer, const BackwardPlace<T>& p) {
    const std::int64_t units = layer.units;
    const std::int64_t padded = whole_vectors<T>(units);
    for_vectors<T>(0, units, [&](std::int64_t j, auto access) {
      const auto gate = [&](int number) { return access.read(p.gates + number * units + j); };
      const V i = gate(0), f = gate(1), o = gate(2), g = gate(3);
      const V c = access.read(p.memory + j), before = access.read(p.earlier + j);
      V output_back = load(p.output_back + j);
      if (p.y_gradient != nullptr) output_back += access.read(p.y_gradient + j);
      const V squashed = gate_tanh<T>(c);
      const V o_back = output_back * squashed * sigmoid_slope<T>(o);
      V cell_back = load(p.cell_back + j) + output_back * o * tanh_slope<T>(squashed);
      if constexpr (kPeepholes) cell_back += o_back * access.read(layer.extra + 2 * units + j);
      const V i_back = cell_back * g * sigmoid_slope<T>(i);
      const V f_back = cell_back * before * sigmoid_slope<T>(f);
      const V g_back = cell_back * i * tanh_slope<T>(g);
      V earlier_back = cell_back * f;
      if constexpr (kPeepholes) {
        earlier_back += i_back * access.read(layer.extra + j);
        earlier_back += f_back * access.read(layer.extra + units + j);
        T* const sums = p.extra_sums + j;
        store(sums, load(sums) + i_back * before);
        store(sums + padded, load(sums + padded) + f_back * before);
        store(sums + 2 * padded, load(sums + 2 * padded) + o_back * c);
      }
      store(p.cell_back + j, earlier_back);
      const V back[] = {i_back, f_back, o_back, g_back};
      for (int number = 0; number < 4; ++number) {
        access.write(p.gates + number * units + j, back[number]);
        access.write(p.gates_back + number * units + j, back[number]);
      }
    });
  }

  // The sums of the sequences, in their order.
  template <class Plan>
  static void extra_gradient(const RecurrentBackward<T>& a, const Plan& plan) {
    if constexpr (kPeepholes) {
      const std::int64_t units = a.layer.units, directions = a.layer.directions;
      if (!a.accumulate) copy_or_clear<T>(a.extra_gradient, nullptr, directions * 3 * units);
      for (std::int64_t i = 0; i < directions * a.sequences.count; ++i) {
        const std::int64_t sequence = i / directions, direction = i % directions;
        const std::int64_t task = sequence / plan.cuts.chunk * directions + direction;
        T* const to = a.extra_gradient + direction * 3 * units;
        const T* const sums =
            plan.task(task).extra_sums + sequence % plan.cuts.chunk * 3 * plan.padded;
        for (int gate = 0; gate < 3; ++gate) {
          for_vectors<T>(0, units, [&](std::int64_t j, auto access) {
            T* const at = to + gate * units + j;
            access.write(at, access.read(at) + load(sums + gate * plan.padded + j));
          });
        }
      }
    }
  }

  static void tangent(const Direction<T>& layer, const Direction<T>& dot,
                      const TangentPlace<T>& p) {
    const std::int64_t units = layer.units;
    for_vectors<T>(0, units, [&](std::int64_t j, auto access) {
      const auto gate = [&](int number) { return access.read(p.gates + number * units + j); };
      const auto input_dot = [&](int number) {
        return access.read(p.gates_dot + number * units + j) +
               load(p.sums + number * p.sums_gate + j);
      };
      const auto peephole_dot = [&](int number, V cell, V cell_dot) {
        if constexpr (!kPeepholes) return V{};
        const std::int64_t at = number * units + j;
        return access.read(layer.extra + at) * cell_dot + access.read(dot.extra + at) * cell;
      };
      const V i = gate(0), f = gate(1), o = gate(2), g = gate(3);
      const V c = access.read(p.memory + j), before = access.read(p.earlier + j);
      const V before_dot = load(p.cell_dot + j);
      const V i_dot = sigmoid_slope<T>(i) * (input_dot(0) + peephole_dot(0, before, before_dot));
      const V f_dot = sigmoid_slope<T>(f) * (input_dot(1) + peephole_dot(1, before, before_dot));
      const V g_dot = tanh_slope<T>(g) * input_dot(3);
      const V c_dot = f_dot * before + f * before_dot + i_dot * g + i * g_dot;
      const V o_dot = sigmoid_slope<T>(o) * (input_dot(2) + peephole_dot(2, c, c_dot));
      const V squashed = gate_tanh<T>(c);
      const V h_dot = o_dot * squashed + o * tanh_slope<T>(squashed) * c_dot;
      store(p.cell_dot + j, c_dot);
      store(p.output_dot + j, h_dot);
      access.write(p.y_dot + j, h_dot);
    });
  }
};

template <class T>
struct LstmChoice {
  using Plain = LstmCell<T, false>;
  template <class Body>
  static void cell(const RecurrentLayer<T>& layer, const Body& body) {
    if (layer.parameters.extra != nullptr) {
      body(LstmCell<T, true>{});
    } else {
      body(LstmCell<T, false>{});
    }
  }
};

}  // namespace

extern const LstmKernels<float> lstm_float;
extern const LstmKernels<double> lstm_double;
const LstmKernels<float> lstm_float = {RecurrentPasses<float, LstmChoice<float>>::table()};
const LstmKernels<double> lstm_double = {RecurrentPasses<double, LstmChoice<double>>::table()};

}  // namespace ictus::ICTUS_LEVEL
