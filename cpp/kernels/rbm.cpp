// Restricted Boltzmann machines (ictus/rbm.h): half steps of the Gibbs chain, free energy, and the
// updates of contrastive divergence and of the delta rule. Each product runs dense or over what is
// not zero, whichever costs less.
#include "ictus/rbm.h"

#include "kernels/detail/delta.h"
#include "kernels/detail/divergence.h"
#include "kernels/detail/layer.h"

namespace ictus::ICTUS_LEVEL {
namespace {

template <class T>
void hidden_layer(const LayerArguments<T>& a) noexcept {
  layer(a, hidden_side(a.model));
}

template <class T>
void visible_layer(const LayerArguments<T>& a) noexcept {
  layer(a, visible_side(a.model));
}

template <class T>
std::int64_t free_energy_workspace(std::int64_t rows, std::int64_t visible,
                                   std::int64_t hidden) noexcept {
  rows = rows < kRowsAtOnce ? rows : kRowsAtOnce;
  return aligned_bytes<T>(rows * hidden) + layer_workspace<T>(rows, visible, hidden);
}

// The visible terms of a row's free energy, at inverse temperature 1.
template <class T>
double visible_energy(const RbmModel<T>& m, const T* v) {
  Vector<T> sum = {};
  for_vectors<T>(0, m.visible, [&](std::int64_t j, auto access) {
    const Vector<T> x = access.read(v + j);
    const Vector<T> b = access.read(m.visible_bias + j);
    if (m.visible_units != Units::gaussian) {
      sum -= x * b;
    } else {
      const Vector<T> variance = m.variance == nullptr
                                     ? broadcast<T>(T(1))
                                     : access.keep(access.read(m.variance + j), T(1));
      sum += (x - b) * (x - b) / (variance * T(2));
    }
  });
  return static_cast<double>(horizontal_sum<T>(sum));
}

// The hidden terms, from a row of inputs: summed over the states of the hidden units. `more` is
// added to the inputs, where it is given.
template <class T>
double hidden_energy(const RbmModel<T>& m, const T* input, T beta, const T* more = nullptr) {
  Vector<T> sum = {};
  for_vectors<T>(0, m.hidden, [&](std::int64_t j, auto access) {
    Vector<T> x = access.read(input + j);
    if (more != nullptr) x += access.read(more + j);
    sum += access.keep(
        m.hidden_units == Units::gaussian ? x * x * (beta / T(2)) : softplus<T>(x * beta), T(0));
  });
  return static_cast<double>(horizontal_sum<T>(sum));
}

// Calls body(first, rows, input) for one part of the rows after another: the inputs of the hidden
// units, from a workspace of free_energy_workspace bytes.
template <class T, class Body>
void for_hidden_inputs(RbmModel<T> m, std::int64_t all, const T* visible, std::int64_t stride,
                       void* workspace, Body&& body) {
  m.hidden_units = Units::gaussian;  // whose mean is the input itself
  T* const input = static_cast<T*>(workspace);
  const std::int64_t most = all < kRowsAtOnce ? all : kRowsAtOnce;
  for (std::int64_t first = 0; first < all; first += kRowsAtOnce) {
    const std::int64_t rows = all - first < kRowsAtOnce ? all - first : kRowsAtOnce;
    LayerArguments<T> inputs = {};
    inputs.model = m;
    inputs.rows = rows;
    inputs.given = visible + first * stride;
    inputs.given_row_stride = stride;
    inputs.mean = input;
    inputs.workspace = static_cast<char*>(workspace) + aligned_bytes<T>(most * m.hidden);
    hidden_layer(inputs);
    body(first, rows, input);
  }
}

template <class T>
void free_energy(const FreeEnergyArguments<T>& a) noexcept {
  const RbmModel<T>& m = a.model;
  const auto finish = [&](std::int64_t first, std::int64_t rows, const T* input) {
    const T* const visible = a.visible + first * a.visible_row_stride;
    parallel_ranges(
        rows, 1 + kElementsPerChunk / (m.visible + m.hidden), [&](auto begin, auto end) {
          for (std::int64_t i = begin; i < end; ++i) {
            const T beta =
                a.inverse_temperature == nullptr ? T(1) : a.inverse_temperature[first + i];
            a.out[first + i] = static_cast<T>(
                static_cast<double>(beta) * visible_energy(m, visible + i * a.visible_row_stride) -
                hidden_energy(m, input + i * m.hidden, beta));
          }
        });
  };
  for_hidden_inputs(m, a.rows, a.visible, a.visible_row_stride, a.workspace, finish);
}

template <class T>
void label_energies(const LabelEnergyArguments<T>& a) noexcept {
  const RbmModel<T>& m = a.model;
  RbmModel<T> rest = m;  // without the label units, whose weights are the last rows
  rest.visible -= m.group;
  rest.visible_units = Units::bernoulli;
  const T* const label_bias = m.visible_bias + rest.visible;
  const T* const label_weights = m.weights + rest.visible * m.hidden;
  const auto finish = [&](std::int64_t first, std::int64_t rows, const T* input) {
    const std::int64_t grain = 1 + kElementsPerChunk / (rest.visible + m.group * m.hidden);
    parallel_ranges(rows, grain, [&](auto begin, auto end) {
      for (std::int64_t i = begin; i < end; ++i) {
        const T* const v = a.visible + (first + i) * a.visible_row_stride;
        const double visible = visible_energy(rest, v);
        for (std::int64_t y = 0; y < m.group; ++y) {
          const double hidden =
              hidden_energy(m, input + i * m.hidden, T(1), label_weights + y * m.hidden);
          a.out[(first + i) * m.group + y] =
              static_cast<T>(visible - static_cast<double>(label_bias[y]) - hidden);
        }
      }
    });
  };
  for_hidden_inputs(rest, a.rows, a.visible, a.visible_row_stride, a.workspace, finish);
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

}  // namespace ictus::ICTUS_LEVEL
