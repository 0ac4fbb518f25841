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
    return gated_sum<T>(before, i, f, g);
  }

  // N vectors of units, the last as `access` says: all chains of operations side by side.
  template <bool kRecord, int N, class Access>
  __attribute__((always_inline)) static void vectors(const Direction<T>& layer,
                                                     const ForwardPlace<T>& p, std::int64_t j,
                                                     Access access) {
    const std::int64_t units = layer.units;
    const auto read = [&](const T* from, int n) {
      const T* const at = from + j + n * kLanes<T>;
      return n == N - 1 ? access.read(at) : load(at);
    };
    const auto write = [&](T* to, int n, V value) {
      T* const at = to + j + n * kLanes<T>;
      if (n == N - 1) {
        access.write(at, value);
      } else {
        store(at, value);
      }
    };
    const auto input = [&](int gate, int n) {
      return read(p.gates + gate * units, n) +
             load(p.sums + gate * p.sums_gate + j + n * kLanes<T>);
    };
    const auto peephole = [&](int gate, int n) { return read(layer.extra + gate * units, n); };
    // Input and forget gates, output gates where they do not wait for the cell, then candidates.
    constexpr int kFirst = kPeepholes ? 2 : 3;
    V before[N], x[(kFirst + 1) * N], c[N], o[N], h[N];
    for (int n = 0; n < N; ++n) {
      before[n] = load(p.cell + j + n * kLanes<T>);
      for (int gate = 0; gate < kFirst; ++gate) {
        V& sum = x[kFirst * n + gate];
        sum = input(gate, n);
        if (kPeepholes) sum += peephole(gate, n) * before[n];
      }
      x[kFirst * N + n] = input(3, n);
    }
    squash<kRecord, kFirst * N>(x);
    for (int n = 0; n < N; ++n) {
      const V* const own = x + kFirst * n;
      h[n] = c[n] = new_cell<kRecord>(before[n], own[0], own[1], x[kFirst * N + n]);
      o[n] = kPeepholes ? input(2, n) + peephole(2, n) * c[n] : own[kFirst - 1];
    }
    if (kPeepholes) squash<kRecord, N>(o);
    squash<kRecord, 0>(h);
    for (int n = 0; n < N; ++n) {
      if constexpr (kRecord) {
        write(p.previous, n, load(p.output + j + n * kLanes<T>));
        write(p.memory, n, c[n]);
        write(p.gates, n, x[kFirst * n]);
        write(p.gates + units, n, x[kFirst * n + 1]);
        write(p.gates + 2 * units, n, o[n]);
        write(p.gates + 3 * units, n, x[kFirst * N + n]);
        h[n] *= o[n];
      } else {
        h[n] = gated_tanh<T>(h[n], T(1) + o[n]);
      }
      store(p.cell + j + n * kLanes<T>, c[n]);
      store(p.output + j + n * kLanes<T>, h[n]);
      write(p.y, n, h[n]);
    }
  }

  template <bool kRecord>
  static void step(const Direction<T>& layer, const ForwardPlace<T>& p) {
    constexpr int N = kVectorRegisters < 32 ? 1 : 2;
    const std::int64_t units = layer.units;
    std::int64_t j = 0;
    for (; j + N * kLanes<T> <= units; j += N * kLanes<T>) {
      vectors<kRecord, N>(layer, p, j, Whole<T>{});
    }
    const int rest = static_cast<int>(units - j);
    if (rest > kLanes<T>) {
      vectors<kRecord, N>(layer, p, j, Partial<T>{rest - kLanes<T>});
    } else if (rest > 0) {
      vectors<kRecord, 1>(layer, p, j, Partial<T>{rest});
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
