// The simple recurrent layer: h' = f(x W + h U + b), f = tanh or relu.
#include "ictus/recurrent.h"

#include "kernels/detail/activate.h"
#include "kernels/detail/gates.h"
#include "kernels/detail/recurrent_kernels.h"

namespace ictus::ICTUS_LEVEL {
namespace {

template <class T, Activation A>
struct SimpleCell {
  static constexpr int kGates = 1, kDirectGates = 1, kStates = 1, kExtras = 0;
  using V = Vector<T>;

  static void forward(const Direction<T>& layer, const ForwardPlace<T>& p) {
    for_vectors<T>(0, layer.units, [&](std::int64_t j, auto access) {
      const V h = activate<A, T>(access.read(p.gates + j) + load(p.sums + j));
      if (p.previous != nullptr) access.write(p.previous + j, load(p.output + j));
      store(p.output + j, h);
      access.write(p.y + j, h);
    });
  }

  template <class Make>
  static bool run(const RecurrentForward<T>&, const Tasks<T>&, const Make&) {
    return false;
  }

  static void backward(const Direction<T>& layer, const BackwardPlace<T>& p) {
    for_vectors<T>(0, layer.units, [&](std::int64_t j, auto access) {
      V back = load(p.output_back + j);
      if (p.y_gradient != nullptr) back += access.read(p.y_gradient + j);
      back *= derivative_from_output<A, T>(access.read(p.y + j));
      access.write(p.gates + j, back);
      access.write(p.gates_back + j, back);
    });
  }

  template <class Plan>
  static void extra_gradient(const RecurrentBackward<T>&, const Plan&) {}

  static void tangent(const Direction<T>& layer, const Direction<T>&, const TangentPlace<T>& p) {
    for_vectors<T>(0, layer.units, [&](std::int64_t j, auto access) {
      const V h_dot = derivative_from_output<A, T>(access.read(p.y + j)) *
                      (access.read(p.gates_dot + j) + load(p.sums + j));
      store(p.output_dot + j, h_dot);
      access.write(p.y_dot + j, h_dot);
    });
  }
};

template <class T>
struct SimpleChoice {
  using Plain = SimpleCell<T, Activation::tanh>;
  template <class Body>
  static void cell(const RecurrentLayer<T>& layer, const Body& body) {
    if (layer.activation == Activation::relu) {
      body(SimpleCell<T, Activation::relu>{});
    } else {
      body(SimpleCell<T, Activation::tanh>{});
    }
  }
};

}  // namespace

extern const RecurrentLayerKernels<float> recurrent_float;
extern const RecurrentLayerKernels<double> recurrent_double;
const RecurrentLayerKernels<float> recurrent_float = {
    RecurrentPasses<float, SimpleChoice<float>>::table()};
const RecurrentLayerKernels<double> recurrent_double = {
    RecurrentPasses<double, SimpleChoice<double>>::table()};

}  // namespace ictus::ICTUS_LEVEL
