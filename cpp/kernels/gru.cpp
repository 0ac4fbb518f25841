// Gated recurrent units: the cell, its derivative and its R-operator (ictus/gru.h has the
// equations). The record's memory is q = h Un + bh, the candidate's recurrent input.
#include "ictus/gru.h"

#include "kernels/detail/gates.h"
#include "kernels/detail/recurrent_kernels.h"

namespace ictus::ICTUS_LEVEL {
namespace {

template <class T>
struct GruCell {
  static constexpr int kGates = 3, kDirectGates = 2, kStates = 1, kExtras = 1;
  using V = Vector<T>;

  static void forward(const Direction<T>& layer, const ForwardPlace<T>& p) {
    const std::int64_t units = layer.units;
    for_vectors<T>(0, units, [&](std::int64_t j, auto access) {
      const auto input = [&](int gate) { return access.read(p.gates + gate * units + j); };
      const auto recurrent = [&](int gate) { return load(p.sums + gate * p.sums_gate + j); };
      const V before = load(p.output + j);
      const V r = gate_sigmoid<T>(input(0) + recurrent(0));
      const V z = gate_sigmoid<T>(input(1) + recurrent(1));
      const V q = recurrent(2) + access.read(layer.extra + j);
      const V n = gate_tanh<T>(input(2) + r * q);
      const V h = n + z * (before - n);
      if (p.memory != nullptr) {
        access.write(p.previous + j, before);
        access.write(p.memory + j, q);
        access.write(p.gates + j, r);
        access.write(p.gates + units + j, z);
        access.write(p.gates + 2 * units + j, n);
      }
      store(p.output + j, h);
      access.write(p.y + j, h);
    });
  }

  template <class Make>
  static bool run(const RecurrentForward<T>&, const Tasks<T>&, const Make&) {
    return false;
  }

  static void backward(const Direction<T>& layer, const BackwardPlace<T>& p) {
    const std::int64_t units = layer.units;
    for_vectors<T>(0, units, [&](std::int64_t j, auto access) {
      const auto gate = [&](int number) { return access.read(p.gates + number * units + j); };
      const V r = gate(0), z = gate(1), n = gate(2);
      const V q = access.read(p.memory + j), before = access.read(p.previous + j);
      V output_back = load(p.output_back + j) + load(p.direct_back + j);
      if (p.y_gradient != nullptr) output_back += access.read(p.y_gradient + j);
      const V n_back = output_back * (T(1) - z) * tanh_slope<T>(n);
      const V z_back = output_back * (before - n) * sigmoid_slope<T>(z);
      const V q_back = n_back * r;
      const V r_back = n_back * q * sigmoid_slope<T>(r);
      store(p.direct_back + j, output_back * z);
      access.write(p.gates + j, r_back);
      access.write(p.gates + units + j, z_back);
      access.write(p.gates + 2 * units + j, n_back);
      access.write(p.memory + j, q_back);
      access.write(p.gates_back + j, r_back);
      access.write(p.gates_back + units + j, z_back);
      access.write(p.gates_back + 2 * units + j, q_back);
    });
  }

  template <class Plan>
  static void extra_gradient(const RecurrentBackward<T>& a, const Plan& plan) {
    sum_columns(a.sequences.rows, a.layer.directions * a.layer.units, a.record.memory,
                a.extra_gradient, plan.sums, a.accumulate);
  }

  static void tangent(const Direction<T>& layer, const Direction<T>&, const TangentPlace<T>& p) {
    const std::int64_t units = layer.units;
    for_vectors<T>(0, units, [&](std::int64_t j, auto access) {
      const auto gate = [&](int number) { return access.read(p.gates + number * units + j); };
      const auto input_dot = [&](int number) {
        return access.read(p.gates_dot + number * units + j);
      };
      const auto recurrent_dot = [&](int number) {
        return load(p.sums + number * p.sums_gate + j);
      };
      const V r = gate(0), z = gate(1), n = gate(2);
      const V q = access.read(p.memory + j), before = access.read(p.previous + j);
      const V before_dot = load(p.output_dot + j);
      const V r_dot = sigmoid_slope<T>(r) * (input_dot(0) + recurrent_dot(0));
      const V z_dot = sigmoid_slope<T>(z) * (input_dot(1) + recurrent_dot(1));
      const V q_dot = access.read(p.memory_dot + j) + recurrent_dot(2);
      const V n_dot = tanh_slope<T>(n) * (input_dot(2) + r_dot * q + r * q_dot);
      const V h_dot = n_dot + z_dot * (before - n) + z * (before_dot - n_dot);
      store(p.output_dot + j, h_dot);
      access.write(p.y_dot + j, h_dot);
    });
  }
};

template <class T>
struct GruChoice {
  using Plain = GruCell<T>;
  template <class Body>
  static void cell(const RecurrentLayer<T>&, const Body& body) {
    body(GruCell<T>{});
  }
};

}  // namespace

extern const GruKernels<float> gru_float;
extern const GruKernels<double> gru_double;
const GruKernels<float> gru_float = {RecurrentPasses<float, GruChoice<float>>::table()};
const GruKernels<double> gru_double = {RecurrentPasses<double, GruChoice<double>>::table()};

}  // namespace ictus::ICTUS_LEVEL
