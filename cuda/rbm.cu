// Restricted Boltzmann machines (ictus/rbm.h) on a GPU: layers (stochastic_units.h), updates
// (rbm_learning.h), and free energy. Zeros are not skipped: a tile of a product is dense.
#include "ictus/rbm.h"

#include "rbm_learning.h"

namespace ictus::cuda {
namespace {

constexpr int kEnergyThreads = 128;
constexpr std::int64_t kRowsAtOnce = 8192;  // bounds the memory for inputs of hidden units

template <class T>
void hidden_layer(const LayerArguments<T>& a) noexcept {
  layer(a, true);
}

template <class T>
void visible_layer(const LayerArguments<T>& a) noexcept {
  layer(a, false);
}

template <class T>
std::int64_t layer_workspace(std::int64_t, std::int64_t, std::int64_t) noexcept {
  return 0;
}

template <class T>
std::int64_t free_energy_workspace(std::int64_t rows, std::int64_t, std::int64_t hidden) noexcept {
  return (rows < kRowsAtOnce ? rows : kRowsAtOnce) * hidden * static_cast<std::int64_t>(sizeof(T));
}

// The visible terms of a row's free energy, at inverse temperature 1, in every thread of a block.
template <class T>
__device__ double visible_energy(const RbmModel<T>& m, const T* v, double* room) {
  T sum = T(0);
  for (std::int64_t j = threadIdx.x; j < m.visible; j += kEnergyThreads) {
    const T x = v[j], b = m.visible_bias[j];
    if (m.visible_units != Units::gaussian) {
      sum -= x * b;
    } else {
      const T variance = m.variance == nullptr ? T(1) : m.variance[j];
      sum += (x - b) * (x - b) / (variance * T(2));
    }
  }
  return block_sum<kEnergyThreads>(static_cast<double>(sum), room);
}

template <class T>
__device__ T hidden_term(const RbmModel<T>& m, T x, T beta) {
  return m.hidden_units == Units::gaussian ? x * x * (beta / T(2)) : softplus(x * beta);
}

// A block for a row: bound by the bytes of the inputs and of the states.
template <class T>
__global__ void __launch_bounds__(kEnergyThreads)
    row_energies(FreeEnergyArguments<T> a, const T* inputs) {
  __shared__ double room[kEnergyThreads / kWarpSize];
  const RbmModel<T>& m = a.model;
  const std::int64_t i = blockIdx.x;
  const T beta = a.inverse_temperature == nullptr ? T(1) : a.inverse_temperature[i];
  const double visible = visible_energy(m, a.visible + i * a.visible_row_stride, room);
  T sum = T(0);
  for (std::int64_t j = threadIdx.x; j < m.hidden; j += kEnergyThreads) {
    sum += hidden_term(m, inputs[i * m.hidden + j], beta);
  }
  const double hidden = block_sum<kEnergyThreads>(static_cast<double>(sum), room);
  if (threadIdx.x == 0) a.out[i] = static_cast<T>(static_cast<double>(beta) * visible - hidden);
}

// A block for a row, a warp for a label at a time.
template <class T>
__global__ void __launch_bounds__(kEnergyThreads)
    label_row_energies(LabelEnergyArguments<T> a, RbmModel<T> rest, const T* inputs) {
  __shared__ double room[kEnergyThreads / kWarpSize];
  const std::int64_t i = blockIdx.x, hidden = rest.hidden;
  const int lane = threadIdx.x % kWarpSize;
  const double visible = visible_energy(rest, a.visible + i * a.visible_row_stride, room);
  for (std::int64_t y = threadIdx.x / kWarpSize; y < a.model.group;
       y += kEnergyThreads / kWarpSize) {
    const T* const label = rest.weights + (rest.visible + y) * hidden;
    T sum = T(0);
    for (std::int64_t j = lane; j < hidden; j += kWarpSize) {
      sum += hidden_term(rest, inputs[i * hidden + j] + label[j], T(1));
    }
    const double all = warp_sum(static_cast<double>(sum));
    if (lane == 0) {
      a.out[i * a.model.group + y] =
          static_cast<T>(visible - static_cast<double>(rest.visible_bias[rest.visible + y]) - all);
    }
  }
}

// Calls body(first, rows, inputs) for one part of the rows after another.
template <class T, class Body>
void for_hidden_inputs(RbmModel<T> m, std::int64_t all, const T* visible, std::int64_t stride,
                       void* workspace, const Body& body) {
  m.hidden_units = Units::gaussian;  // whose mean is the input itself
  for (std::int64_t first = 0; first < all; first += kRowsAtOnce) {
    LayerArguments<T> inputs = {};
    inputs.model = m;
    inputs.rows = all - first < kRowsAtOnce ? all - first : kRowsAtOnce;
    inputs.given = visible + first * stride;
    inputs.given_row_stride = stride;
    inputs.mean = static_cast<T*>(workspace);
    layer(inputs, true);
    body(first, inputs.rows, static_cast<const T*>(workspace));
  }
}

template <class T>
void free_energy(const FreeEnergyArguments<T>& a) noexcept {
  for_hidden_inputs(a.model, a.rows, a.visible, a.visible_row_stride, a.workspace,
                    [&](std::int64_t first, std::int64_t rows, const T* inputs) {
                      FreeEnergyArguments<T> part = a;
                      part.visible += first * a.visible_row_stride;
                      if (a.inverse_temperature != nullptr) part.inverse_temperature += first;
                      part.out += first;
                      launch(row_energies<T>, {static_cast<unsigned>(rows), kEnergyThreads}, part,
                             inputs);
                    });
}

template <class T>
void label_energies(const LabelEnergyArguments<T>& a) noexcept {
  RbmModel<T> rest = a.model;  // without the label units, whose weights are the last rows
  rest.visible -= a.model.group;
  rest.visible_units = Units::bernoulli;
  for_hidden_inputs(rest, a.rows, a.visible, a.visible_row_stride, a.workspace,
                    [&](std::int64_t first, std::int64_t rows, const T* inputs) {
                      LabelEnergyArguments<T> part = a;
                      part.visible += first * a.visible_row_stride;
                      part.out += first * a.model.group;
                      launch(label_row_energies<T>, {static_cast<unsigned>(rows), kEnergyThreads},
                             part, rest, inputs);
                    });
}

}  // namespace

extern const RbmKernels<float> rbm_float;
extern const RbmKernels<double> rbm_double;
const RbmKernels<float> rbm_float = {
    hidden_layer<float>,    visible_layer<float>,          free_energy<float>,
    label_energies<float>,  contrastive_divergence<float>, delta_rule<float>,
    layer_workspace<float>, free_energy_workspace<float>,  divergence_workspace<float>,
    delta_workspace<float>};
const RbmKernels<double> rbm_double = {
    hidden_layer<double>,    visible_layer<double>,          free_energy<double>,
    label_energies<double>,  contrastive_divergence<double>, delta_rule<double>,
    layer_workspace<double>, free_energy_workspace<double>,  divergence_workspace<double>,
    delta_workspace<double>};

}  // namespace ictus::cuda
