// Updates of a Boltzmann machine (ictus/rbm.h). The products of the statistics step the weights
// while the sums are in registers, both phases in one sum: the gradient is never in memory unless
// the variance is learned. An update by CD-k is 2 k + 1 products, two sums over rows and the
// product of the statistics: 2 k + 4 kernels.
#pragma once

#include "parameter_steps.h"
#include "stochastic_units.h"

namespace ictus::cuda {

// What the logarithm of the variance of a visible unit moves by: the halves of the squared distance
// from the bias, and the products of the weights with their gradient.
template <class T>
struct VarianceArguments {
  DivergenceArguments<T> a;
  const T* chain;
  std::int64_t chain_rows;
  const T* row_bias;
  const T* products;
  T positive_scale, negative_scale;
};

template <class T>
__global__ void __launch_bounds__(kSumColumns* kSumRows) step_variance(VarianceArguments<T> v) {
  __shared__ double room[kSumRows][kSumColumns + 1];
  const DivergenceArguments<T>& a = v.a;
  const std::int64_t visible = a.model.visible, hidden = a.model.hidden;
  const std::int64_t j = std::int64_t{blockIdx.x} * kSumColumns + threadIdx.x;
  const bool inside = j < visible;
  const auto half_square = [&](T state, std::int64_t i) {
    const T bias = v.row_bias == nullptr ? a.visible_bias[j] : v.row_bias[i * visible + j];
    const double d = static_cast<double>(state - bias);
    return d * d / 2;
  };
  const double data = sum_of_rows<double>(inside ? a.rows : 0, room, [&](std::int64_t i) {
    return half_square(a.data[i * a.data_row_stride + j], i);
  });
  const double chain = sum_of_rows<double>(inside ? v.chain_rows : 0, room, [&](std::int64_t i) {
    return half_square(v.chain[i * visible + j], i);
  });
  // A row of the products belongs to one column: its lines come from the cache.
  const double products = sum_of_rows<double>(inside ? hidden : 0, room, [&](std::int64_t i) {
    return static_cast<double>(v.products[j * hidden + i]);
  });
  if (!inside || threadIdx.y > 0) return;
  const T g = (v.positive_scale * static_cast<T>(data) - v.negative_scale * static_cast<T>(chain) -
               static_cast<T>(products)) /
              a.variance[j];
  T z = a.log_variance[j];
  step_parameter(a.rule, a.variance_rate, false, g, z, a.log_variance_velocity[j]);
  z = z < a.lowest_log_variance ? a.lowest_log_variance : z;
  z = z > a.highest_log_variance ? a.highest_log_variance : z;
  a.log_variance[j] = z;
  a.variance[j] = exp(z);
}

template <class T>
struct DivergenceParts {
  std::int64_t samples;  // rows of the chain
  T* hidden_means;       // (rows + samples, hidden): the data's, then the chain's
  T* hidden_states;      // (samples, hidden), unless the chain has particles
  T* visible_states;     // (samples, visible)
  T* products;           // (visible, hidden), where the variance is learned
  T* chain_weights;      // (visible, hidden), where there are fast weights
  T* visible_row_bias;   // (rows, visible) and (rows, hidden), where there is a context
  T* hidden_row_bias;
  T* former_variance;  // (visible), where the variance is learned
  std::int64_t bytes;

  explicit DivergenceParts(const DivergenceArguments<T>& a) {
    const std::int64_t visible = a.model.visible, hidden = a.model.hidden;
    samples = a.particles == nullptr ? a.rows : a.particle_rows;
    Parts parts(a.workspace);
    hidden_means = parts.take<T>((a.rows + samples) * hidden);
    hidden_states = parts.take<T>(a.particles == nullptr ? samples * hidden : 0);
    visible_states =
        a.chain_visible != nullptr ? a.chain_visible : parts.take<T>(samples * visible);
    products = parts.take<T>(a.log_variance == nullptr ? 0 : visible * hidden);
    chain_weights = parts.take<T>(a.fast_weights == nullptr ? 0 : visible * hidden);
    visible_row_bias = parts.take<T>(a.context == nullptr ? 0 : a.rows * visible);
    hidden_row_bias = parts.take<T>(a.context == nullptr ? 0 : a.rows * hidden);
    former_variance = parts.take<T>(a.log_variance == nullptr ? 0 : visible);
    bytes = parts.bytes();
  }
};

template <class T>
std::int64_t divergence_workspace(const DivergenceArguments<T>& a) noexcept {
  return DivergenceParts<T>(a).bytes;
}

template <class T>
class Divergence {
 public:
  explicit Divergence(const DivergenceArguments<T>& arguments) : a(arguments), p(arguments) {
    positive_scale = T(1) / static_cast<T>(a.rows);
    negative_scale = a.negative_scale != T(0) ? a.negative_scale : T(1) / static_cast<T>(p.samples);
  }

  void run() {
    const std::int64_t visible = a.model.visible, hidden = a.model.hidden;
    if (a.context != nullptr) {
      row_bias(a.visible_context, a.visible_bias, visible, p.visible_row_bias);
      row_bias(a.hidden_context, a.hidden_bias, hidden, p.hidden_row_bias);
    }
    LayerArguments<T> up = half_step(a.model, true);
    up.rows = a.rows;
    up.given = a.data;
    up.given_row_stride = a.data_row_stride;
    up.mean = p.hidden_means;
    up.sample = a.particles == nullptr ? p.hidden_states : nullptr;
    up.stream = a.stream;
    layer(up, true);
    chain();
    if (a.sparsity_cost != T(0)) draw_to_sparsity();
    weights();
    if (a.context != nullptr) context_weights();
    const T* variance = a.model.variance;
    if (a.log_variance != nullptr) {  // the step of the bias needs the variance before its own
      check(cudaMemcpyAsync(p.former_variance, a.variance,
                            static_cast<std::size_t>(visible) * sizeof(T), cudaMemcpyDeviceToDevice,
                            call_stream()),
            "copy of the variance");
      variance = p.former_variance;
      launch(step_variance<T>, {blocks(visible, kSumColumns), dim3(kSumColumns, kSumRows)},
             VarianceArguments<T>{a, p.visible_states, p.samples,
                                  a.context == nullptr ? nullptr : p.visible_row_bias, p.products,
                                  positive_scale, negative_scale});
    }
    const T ratio = negative_scale / positive_scale;
    sum_columns(
        visible, a.data, a.data_row_stride, a.rows, static_cast<const T*>(p.visible_states),
        visible, p.samples,
        StepBias<T>{a.rule, positive_scale, ratio, variance, a.visible_bias, a.visible_velocity});
    sum_columns(
        hidden, static_cast<const T*>(p.hidden_means), hidden, a.rows, chain_means(), hidden,
        p.samples,
        StepBias<T>{a.rule, positive_scale, ratio, nullptr, a.hidden_bias, a.hidden_velocity});
  }

 private:
  const T* chain_means() const { return p.hidden_means + a.rows * a.model.hidden; }

  void row_bias(const T* weights, const T* bias, std::int64_t columns, T* out) {
    product<T>(a.rows, columns, a.context_size,
               MatrixOperand<T, false>{a.context, a.context_row_stride},
               MatrixOperand<T, true>{weights, columns}, AddBias<T>{bias, columns, out});
  }

  LayerArguments<T> half_step(const RbmModel<T>& model, bool hidden) const {
    LayerArguments<T> l = {};
    l.model = model;
    if (a.context != nullptr) l.row_bias = hidden ? p.hidden_row_bias : p.visible_row_bias;
    l.seed = a.seed;
    return l;
  }

  void chain() {
    RbmModel<T> model = a.model;
    if (a.fast_weights != nullptr) {
      over_elements(1, model.visible * model.hidden,
                    SumOf<T>{a.weights, a.fast_weights, p.chain_weights});
      model.weights = p.chain_weights;
    }
    T* const states = a.particles == nullptr ? p.hidden_states : a.particles;
    for (std::int64_t k = 0; k < a.steps; ++k) {
      const std::uint64_t stream = a.stream + 1 + 2 * static_cast<std::uint64_t>(k);
      const bool last = k + 1 == a.steps;
      LayerArguments<T> down = half_step(model, false);
      down.rows = p.samples;
      down.given = states;
      down.given_row_stride = model.hidden;
      down.sample = p.visible_states;
      down.uniforms = a.visible_uniforms;
      down.stream = stream;
      layer(down, false);
      LayerArguments<T> up = half_step(model, true);
      up.rows = p.samples;
      up.given = p.visible_states;
      up.given_row_stride = model.visible;
      up.mean = last ? p.hidden_means + a.rows * model.hidden : nullptr;
      up.sample = last && a.particles == nullptr ? nullptr : states;
      up.uniforms = a.hidden_uniforms;
      up.stream = stream + 1;
      layer(up, true);
    }
  }

  // Takes cost * (mean activity - target) from the statistics of the data, unit by unit.
  void draw_to_sparsity() {
    const std::int64_t hidden = a.model.hidden;
    const T keep = a.sparsity_decay;
    const T* const none = nullptr;
    sum_columns(hidden, static_cast<const T*>(p.hidden_means), hidden, a.rows, none, 0, 0,
                DecayedMean<T>{(T(1) - keep) * positive_scale, keep, a.activity});
    over_elements(
        a.rows, hidden,
        DrawToTarget<T>{p.hidden_means, hidden, a.activity, a.sparsity_target, a.sparsity_cost});
  }

  void weights() {
    const std::int64_t visible = a.model.visible, hidden = a.model.hidden;
    const StackedOperand<T> states = {a.data,         a.data_row_stride, a.rows,
                                      positive_scale, p.visible_states,  visible,
                                      -negative_scale};
    product<T>(visible, hidden, a.rows + p.samples, states,
               MatrixOperand<T, true>{p.hidden_means, hidden},
               StepWeights<T>{a.rule, hidden, a.weights, a.weights_velocity, a.model.variance,
                              nullptr, a.fast_weights, a.fast_rate, a.fast_decay,
                              a.log_variance == nullptr ? nullptr : p.products});
  }

  void context_weights() {
    const auto step = [&](const T* data, std::int64_t data_row_stride, const T* chain,
                          std::int64_t columns, const T* variance, T* weights, T* velocity) {
      const StackedOperand<T> inputs = {
          a.context, a.context_row_stride, a.rows,         positive_scale,
          a.context, a.context_row_stride, -negative_scale};
      const StackedOperand<T> states = {data, data_row_stride, a.rows, T(1), chain, columns, T(1)};
      product<T>(a.context_size, columns, 2 * a.rows, inputs, states,
                 StepWeights<T>{a.rule, columns, weights, velocity, nullptr, variance, nullptr,
                                T(0), T(0), nullptr});
    };
    step(a.data, a.data_row_stride, p.visible_states, a.model.visible, a.model.variance,
         a.visible_context, a.visible_context_velocity);
    step(p.hidden_means, a.model.hidden, chain_means(), a.model.hidden, nullptr, a.hidden_context,
         a.hidden_context_velocity);
  }

  const DivergenceArguments<T>& a;
  const DivergenceParts<T> p;
  T positive_scale, negative_scale;
};

template <class T>
void contrastive_divergence(const DivergenceArguments<T>& a) noexcept {
  if (a.rows > 0) Divergence<T>(a).run();
}

template <class T>
struct Difference {
  const T* target;
  std::int64_t target_row_stride, columns;
  T* mean;  // becomes the difference
  __device__ void operator()(std::int64_t i, std::int64_t j) const {
    T& each = mean[i * columns + j];
    each = target[i * target_row_stride + j] - each;
  }
};

template <class T>
std::int64_t delta_workspace(const DeltaArguments<T>& a) noexcept {
  return a.rows * (a.hidden ? a.model.hidden : a.model.visible) *
         static_cast<std::int64_t>(sizeof(T));
}

template <class T>
void delta_rule(const DeltaArguments<T>& a) noexcept {
  if (a.rows == 0) return;
  const std::int64_t visible = a.model.visible, hidden = a.model.hidden;
  const std::int64_t units = a.hidden ? hidden : visible;
  const T scale = T(1) / static_cast<T>(a.rows);
  T* const difference = static_cast<T*>(a.workspace);
  LayerArguments<T> l = {};
  l.model = a.model;
  l.rows = a.rows;
  l.given = a.given;
  l.given_row_stride = a.given_row_stride;
  l.mean = difference;
  layer(l, a.hidden);
  over_elements(a.rows, units, Difference<T>{a.target, a.target_row_stride, units, difference});
  const T* const rows_of_visible = a.hidden ? a.given : difference;
  const StackedOperand<T> left = {rows_of_visible,
                                  a.hidden ? a.given_row_stride : visible,
                                  a.rows,
                                  scale,
                                  rows_of_visible,
                                  0,
                                  T(0)};
  const MatrixOperand<T, true> right = {a.hidden ? difference : a.given,
                                        a.hidden ? hidden : a.given_row_stride};
  product<T>(visible, hidden, a.rows, left, right,
             StepWeights<T>{a.rule, hidden, a.weights, a.weights_velocity, a.model.variance,
                            nullptr, nullptr, T(0), T(0), nullptr});
  const T* const none = nullptr;
  sum_columns(units, static_cast<const T*>(difference), units, a.rows, none, 0, 0,
              StepBias<T>{a.rule, scale, T(0), a.hidden ? nullptr : a.model.variance, a.bias,
                          a.bias_velocity});
}

}  // namespace ictus::cuda
