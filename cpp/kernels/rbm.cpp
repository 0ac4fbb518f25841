// Restricted Boltzmann machines (ictus/rbm.h): half steps of the Gibbs chain, free energy, and the
// update of contrastive divergence. Each product runs dense or over what is not zero, whichever
// costs less.
#include "ictus/rbm.h"

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

// The hidden terms, from a row of inputs: summed over the states of the hidden units.
template <class T>
double hidden_energy(const RbmModel<T>& m, const T* input, T beta) {
  Vector<T> sum = {};
  for_vectors<T>(0, m.hidden, [&](std::int64_t j, auto access) {
    const Vector<T> x = access.read(input + j);
    sum += access.keep(
        m.hidden_units == Units::gaussian ? x * x * (beta / T(2)) : softplus<T>(x * beta), T(0));
  });
  return static_cast<double>(horizontal_sum<T>(sum));
}

template <class T>
void free_energy(const FreeEnergyArguments<T>& a) noexcept {
  const RbmModel<T>& m = a.model;
  RbmModel<T> linear = m;
  linear.hidden_units = Units::gaussian;  // whose mean is the input itself
  T* const input = static_cast<T*>(a.workspace);
  for (std::int64_t first = 0; first < a.rows; first += kRowsAtOnce) {
    const std::int64_t rows = a.rows - first < kRowsAtOnce ? a.rows - first : kRowsAtOnce;
    const T* const visible = a.visible + first * a.visible_row_stride;
    LayerArguments<T> inputs = {};
    inputs.model = linear;
    inputs.rows = rows;
    inputs.given = visible;
    inputs.given_row_stride = a.visible_row_stride;
    inputs.mean = input;
    inputs.workspace = static_cast<char*>(a.workspace) +
                       aligned_bytes<T>((a.rows < kRowsAtOnce ? a.rows : kRowsAtOnce) * m.hidden);
    hidden_layer(inputs);
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
  }
}

}  // namespace

extern const RbmKernels<float> rbm_float;
extern const RbmKernels<double> rbm_double;
const RbmKernels<float> rbm_float = {hidden_layer<float>,        visible_layer<float>,
                                     free_energy<float>,         contrastive_divergence<float>,
                                     layer_workspace<float>,     free_energy_workspace<float>,
                                     divergence_workspace<float>};
const RbmKernels<double> rbm_double = {hidden_layer<double>,        visible_layer<double>,
                                       free_energy<double>,         contrastive_divergence<double>,
                                       layer_workspace<double>,     free_energy_workspace<double>,
                                       divergence_workspace<double>};

}  // namespace ictus::ICTUS_LEVEL
