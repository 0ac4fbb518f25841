// Long short-term memory on a GPU: the cell (ictus/lstm.h has the equations). Lanes 0 .. 3 have the
// input, forget and output gates and the candidate.
#include "ictus/lstm.h"

#include "recurrent_table.h"

namespace ictus::cuda {
namespace {

template <bool kPeepholes>
struct LstmCell {
  static constexpr int kGates = 4, kLanes = 4, kDirectGates = 4, kStates = 2, kExtras = 3;
  static constexpr bool kEarlierMemory = true;

  template <class T>
  struct Kept {
    T input, forget, output;  // peepholes
  };
  template <class T>
  static __device__ Kept<T> keep(const T* extra, const Place& p, std::int64_t units) {
    if (!kPeepholes) return {};
    const T* const own = extra + p.direction * 3 * units + p.unit;
    return {own[0], own[units], own[2 * units]};
  }

  template <class T>
  __device__ void forward(int lane, T input, T recurrent, const Kept<T>& kept, T (&state)[2],
                          T& gate, T& memory) const {
    T z = input + recurrent;
    if (kPeepholes && lane < 2) z += (lane == 0 ? kept.input : kept.forget) * state[1];
    // With peepholes the output gate waits for the new cell state.
    const T own = kPeepholes && lane == 2 ? z : squash(lane == 3, z);
    const T i = of_lane(own, 0), f = of_lane(own, 1), g = of_lane(own, 3);
    T o = of_lane(own, 2);
    memory = f * state[1] + i * g;
    if (kPeepholes) o = sigmoid(o + kept.output * memory);
    gate = lane == 2 ? o : own;
    state[1] = memory;
    state[0] = o * squash(true, memory);
  }

  template <class T>
  __device__ Back<T> backward(int lane, const Recorded<T>& r, const Kept<T>& kept, T output_back,
                              T (&state)[2]) const {
    const T i = of_lane(r.gate, 0), f = of_lane(r.gate, 1), o = of_lane(r.gate, 2),
            g = of_lane(r.gate, 3);
    const T squashed = squash(true, r.memory);
    const T o_back = output_back * squashed * sigmoid_slope(o);
    T cell_back = state[1] + output_back * o * tanh_slope(squashed);
    if (kPeepholes) cell_back += o_back * kept.output;
    const T i_back = cell_back * g * sigmoid_slope(i);
    const T f_back = cell_back * r.earlier * sigmoid_slope(f);
    const T g_back = cell_back * i * tanh_slope(g);
    state[0] = T(0);
    state[1] = cell_back * f;
    if (kPeepholes) state[1] += i_back * kept.input + f_back * kept.forget;
    const T back = lane == 0 ? i_back : lane == 1 ? f_back : lane == 2 ? o_back : g_back;
    return {back, back, T(0), back * (lane == 2 ? r.memory : r.earlier)};
  }

  template <class T>
  __device__ void tangent(int lane, const Recorded<T>& r, const Kept<T>& kept, const Kept<T>& dot,
                          T recurrent_dot, T (&state)[2]) const {
    T z_dot = r.gate_dot + recurrent_dot;
    if (kPeepholes && lane < 2) {
      z_dot += (lane == 0 ? kept.input : kept.forget) * state[1] +
               (lane == 0 ? dot.input : dot.forget) * r.earlier;
    }
    const T own = lane == 3                 ? tanh_slope(r.gate) * z_dot
                  : kPeepholes && lane == 2 ? z_dot
                                            : sigmoid_slope(r.gate) * z_dot;
    const T i = of_lane(r.gate, 0), f = of_lane(r.gate, 1), o = of_lane(r.gate, 2),
            g = of_lane(r.gate, 3);
    const T i_dot = of_lane(own, 0), f_dot = of_lane(own, 1), g_dot = of_lane(own, 3);
    T o_dot = of_lane(own, 2);
    const T cell_dot = f_dot * r.earlier + f * state[1] + i_dot * g + i * g_dot;
    if (kPeepholes) {
      o_dot = sigmoid_slope(o) * (o_dot + kept.output * cell_dot + dot.output * r.memory);
    }
    const T squashed = squash(true, r.memory);
    state[0] = o_dot * squashed + o * tanh_slope(squashed) * cell_dot;
    state[1] = cell_dot;
  }
};

struct LstmChoice {
  static constexpr std::int64_t kGates = 4, kStates = 2;
  template <class T, class Body>
  static void cell(const RecurrentLayer<T>& layer, const Body& body) {
    if (layer.parameters.extra != nullptr) {
      body(LstmCell<true>{});
    } else {
      body(LstmCell<false>{});
    }
  }
};

}  // namespace

extern const LstmKernels<float> lstm_float;
extern const LstmKernels<double> lstm_double;
const LstmKernels<float> lstm_float = {RecurrentTable<float, LstmChoice>::table()};
const LstmKernels<double> lstm_double = {RecurrentTable<double, LstmChoice>::table()};

}  // namespace ictus::cuda
