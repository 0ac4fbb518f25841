// Gated recurrent units on a GPU: the cell (ictus/gru.h has the equations). Lanes 0 .. 2 have the
// reset and update gates and the candidate, lane 3 takes part in exchanges alone. The record's
// memory is q = h Un + bh, the candidate's recurrent input.
#include "ictus/gru.h"

#include "recurrent_table.h"

namespace ictus::cuda {
namespace {

struct GruCell {
  static constexpr int kGates = 3, kLanes = 4, kDirectGates = 2, kStates = 1, kExtras = 1;
  static constexpr bool kEarlierMemory = false;

  template <class T>
  struct Kept {
    T bias;
  };
  template <class T>
  static __device__ Kept<T> keep(const T* extra, const Place& p, std::int64_t units) {
    return {extra[p.direction * units + p.unit]};
  }

  template <class T>
  __device__ void forward(int lane, T input, T recurrent, const Kept<T>& kept, T (&state)[1],
                          T& gate, T& memory) const {
    const T own = lane < 2 ? sigmoid(input + recurrent) : input;
    const T r = of_lane(own, 0), z = of_lane(own, 1), candidate = of_lane(own, 2);
    memory = of_lane(recurrent, 2) + kept.bias;
    const T n = squash(true, candidate + r * memory);
    gate = lane == 2 ? n : own;
    state[0] = n + z * (state[0] - n);
  }

  template <class T>
  __device__ Back<T> backward(int lane, const Recorded<T>& recorded, const Kept<T>&, T output_back,
                              T (&state)[1]) const {
    const T r = of_lane(recorded.gate, 0), z = of_lane(recorded.gate, 1),
            n = of_lane(recorded.gate, 2);
    const T n_back = output_back * (T(1) - z) * tanh_slope(n);
    const T z_back = output_back * (recorded.previous - n) * sigmoid_slope(z);
    const T q_back = n_back * r;
    const T r_back = n_back * recorded.memory * sigmoid_slope(r);
    state[0] = output_back * z;
    return {lane == 0   ? r_back
            : lane == 1 ? z_back
                        : n_back,
            lane == 0   ? r_back
            : lane == 1 ? z_back
            : lane == 2 ? q_back
                        : T(0),
            q_back, T(0)};
  }

  template <class T>
  __device__ void tangent(int lane, const Recorded<T>& recorded, const Kept<T>&, const Kept<T>&,
                          T recurrent_dot, T (&state)[1]) const {
    const T own = lane < 2 ? sigmoid_slope(recorded.gate) * (recorded.gate_dot + recurrent_dot)
                           : recorded.gate_dot;
    const T r = of_lane(recorded.gate, 0), z = of_lane(recorded.gate, 1),
            n = of_lane(recorded.gate, 2);
    const T r_dot = of_lane(own, 0), z_dot = of_lane(own, 1);
    const T q_dot = recorded.memory_dot + of_lane(recurrent_dot, 2);
    const T n_dot = tanh_slope(n) * (of_lane(own, 2) + r_dot * recorded.memory + r * q_dot);
    state[0] = n_dot + z_dot * (recorded.previous - n) + z * (state[0] - n_dot);
  }
};

struct GruChoice {
  static constexpr std::int64_t kGates = 3, kStates = 1;
  template <class T, class Body>
  static void cell(const RecurrentLayer<T>&, const Body& body) {
    body(GruCell{});
  }
};

}  // namespace

extern const GruKernels<float> gru_float;
extern const GruKernels<double> gru_double;
const GruKernels<float> gru_float = {RecurrentTable<float, GruChoice>::table()};
const GruKernels<double> gru_double = {RecurrentTable<double, GruChoice>::table()};

}  // namespace ictus::cuda
