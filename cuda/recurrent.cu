// The simple recurrent layer on a GPU: h' = f(x W + h U + b), f = tanh or relu.
#include "ictus/recurrent.h"

#include "recurrent_table.h"

namespace ictus::cuda {
namespace {

struct SimpleCell {
  static constexpr int kGates = 1, kLanes = 1, kDirectGates = 1, kStates = 1, kExtras = 0;
  static constexpr bool kEarlierMemory = false;
  Activation activation;

  template <class T>
  struct Kept {};
  template <class T>
  static __device__ Kept<T> keep(const T*, const Place&, std::int64_t) {
    return {};
  }

  template <class T>
  __device__ void forward(int, T input, T recurrent, const Kept<T>&, T (&state)[1], T&, T&) const {
    state[0] = activate(activation, input + recurrent);
  }

  template <class T>
  __device__ Back<T> backward(int, const Recorded<T>& r, const Kept<T>&, T output_back,
                              T (&state)[1]) const {
    const T back = output_back * slope(activation, r.y);
    state[0] = T(0);
    return {back, back, T(0), T(0)};
  }

  template <class T>
  __device__ void tangent(int, const Recorded<T>& r, const Kept<T>&, const Kept<T>&,
                          T recurrent_dot, T (&state)[1]) const {
    state[0] = slope(activation, r.y) * (r.gate_dot + recurrent_dot);
  }
};

struct SimpleChoice {
  static constexpr std::int64_t kGates = 1, kStates = 1;
  template <class T, class Body>
  static void cell(const RecurrentLayer<T>& layer, const Body& body) {
    body(SimpleCell{layer.activation});
  }
};

}  // namespace

extern const RecurrentLayerKernels<float> recurrent_float;
extern const RecurrentLayerKernels<double> recurrent_double;
const RecurrentLayerKernels<float> recurrent_float = {RecurrentTable<float, SimpleChoice>::table()};
const RecurrentLayerKernels<double> recurrent_double = {
    RecurrentTable<double, SimpleChoice>::table()};

}  // namespace ictus::cuda
