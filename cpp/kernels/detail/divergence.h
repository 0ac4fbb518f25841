// One update by contrastive divergence: the chain, the statistics of its two ends, and the step of
// every parameter (ictus/rbm.h names them).
#pragma once

#include "kernels/detail/layer.h"
#include "kernels/detail/phases.h"

namespace ictus::ICTUS_LEVEL {
namespace {

// Where the parts of the workspace lie.
template <class T>
struct DivergenceParts {
  std::int64_t samples;  // rows of the chain
  T* hidden_means;       // (rows + samples, hidden): the data's, then the chain's
  T* hidden_states;      // (samples, hidden): the chain's, unless it has particles of its own
  T* visible_states;     // (samples, visible)
  T* gradient;           // (visible, hidden)
  T* chain_weights;      // (visible, hidden), where there are fast weights
  T* visible_row_bias;   // (rows, visible) and (rows, hidden), where there is a context
  T* hidden_row_bias;
  T* context_gradient;  // (context_size, visible or hidden)
  T* visible_gradient;  // (visible)
  T* hidden_gradient;   // (hidden)
  T* sum;               // (visible or hidden)
  void* lists;
  std::int64_t bytes;

  explicit DivergenceParts(const DivergenceArguments<T>& a) {
    const std::int64_t visible = a.model.visible, hidden = a.model.hidden;
    const std::int64_t widest = visible > hidden ? visible : hidden;
    const bool context = a.context != nullptr;
    samples = a.particles == nullptr ? a.rows : a.particle_rows;
    char* at = static_cast<char*>(a.workspace);
    const auto take = [&](std::int64_t elements) {
      T* const part = reinterpret_cast<T*>(at);
      at += aligned_bytes<T>(elements);
      return part;
    };
    hidden_means = take((a.rows + samples) * hidden);
    hidden_states = take(a.particles == nullptr ? samples * hidden : 0);
    visible_states = a.chain_visible != nullptr ? a.chain_visible : take(samples * visible);
    gradient = take(visible * hidden);
    chain_weights = take(a.fast_weights == nullptr ? 0 : visible * hidden);
    visible_row_bias = take(context ? a.rows * visible : 0);
    hidden_row_bias = take(context ? a.rows * hidden : 0);
    context_gradient = take(context ? a.context_size * widest : 0);
    visible_gradient = take(visible);
    hidden_gradient = take(hidden);
    sum = take(widest);
    lists = at;
    const std::int64_t most = a.rows > samples ? a.rows : samples;
    const std::int64_t layers = layer_workspace<T>(most, visible, hidden);
    const std::int64_t statistics = SparseRows<T>::bytes(visible, a.rows + samples);
    bytes = at - static_cast<char*>(a.workspace) + (layers > statistics ? layers : statistics);
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
    if (a.context != nullptr) bias_rows();
    up(a.model, a.data, a.data_row_stride, a.rows, p.hidden_means,
       a.particles == nullptr ? p.hidden_states : nullptr, nullptr, a.stream);
    chain();
    if (a.sparsity_cost != T(0)) draw_to_sparsity();
    bias_gradients();
    weights();
    if (a.context != nullptr) context_weights();
    if (a.log_variance != nullptr) variance();
    step_parameters(a.rule, a.rule.bias_rate, false, p.visible_gradient, a.visible_bias,
                    a.visible_velocity, a.model.visible);
    step_parameters(a.rule, a.rule.bias_rate, false, p.hidden_gradient, a.hidden_bias,
                    a.hidden_velocity, a.model.hidden);
  }

 private:
  T* chain_means() const { return p.hidden_means + a.rows * a.model.hidden; }

  void bias_rows() {
    const auto row_bias = [&](const T* weights, const T* bias, std::int64_t columns, T* out) {
      Epilogue<T> epilogue;
      epilogue.bias = bias;
      GemmArguments<T> g = {};
      g.rows = a.rows;
      g.columns = columns;
      g.inner = a.context_size;
      g.alpha = T(1);
      g.a = a.context;
      g.a_row_stride = a.context_row_stride;
      g.a_column_stride = 1;
      g.b = weights;
      g.b_row_stride = columns;
      g.b_column_stride = 1;
      g.c = out;
      g.c_row_stride = columns;
      g.epilogue = &epilogue;
      gemm_kernels<T>().multiply(g);
    };
    row_bias(a.visible_context, a.visible_bias, a.model.visible, p.visible_row_bias);
    row_bias(a.hidden_context, a.hidden_bias, a.model.hidden, p.hidden_row_bias);
  }

  void up(const RbmModel<T>& model, const T* visible, std::int64_t stride, std::int64_t rows,
          T* mean, T* sample, const T* uniforms, std::uint64_t stream) {
    LayerArguments<T> l = {};
    l.model = model;
    l.rows = rows;
    l.given = visible;
    l.given_row_stride = stride;
    l.row_bias = a.context == nullptr ? nullptr : p.hidden_row_bias;
    l.mean = mean;
    l.sample = sample;
    l.uniforms = uniforms;
    l.seed = a.seed;
    l.stream = stream;
    l.workspace = p.lists;
    layer(l, hidden_side(model));
  }

  void down(const RbmModel<T>& model, const T* hidden, std::uint64_t stream) {
    LayerArguments<T> l = {};
    l.model = model;
    l.rows = p.samples;
    l.given = hidden;
    l.given_row_stride = model.hidden;
    l.row_bias = a.context == nullptr ? nullptr : p.visible_row_bias;
    l.sample = p.visible_states;
    l.uniforms = a.visible_uniforms;
    l.seed = a.seed;
    l.stream = stream;
    l.workspace = p.lists;
    layer(l, visible_side(model));
  }

  void chain() {
    RbmModel<T> model = a.model;
    if (a.fast_weights != nullptr) {
      parallel_ranges(model.visible * model.hidden, kElementsPerChunk, [&](auto begin, auto end) {
        for_vectors<T>(begin, end, [&](std::int64_t i, auto access) {
          access.write(p.chain_weights + i,
                       access.read(a.weights + i) + access.read(a.fast_weights + i));
        });
      });
      model.weights = p.chain_weights;
    }
    T* const states = a.particles == nullptr ? p.hidden_states : a.particles;
    for (std::int64_t k = 0; k < a.steps; ++k) {
      const std::uint64_t stream = a.stream + 1 + 2 * static_cast<std::uint64_t>(k);
      const bool last = k + 1 == a.steps;
      down(model, states, stream);
      up(model, p.visible_states, model.visible, p.samples, last ? chain_means() : nullptr,
         last && a.particles == nullptr ? nullptr : states, a.hidden_uniforms, stream + 1);
    }
  }

  // Takes cost * (mean activity - target) from the statistics of the data, unit by unit.
  void draw_to_sparsity() {
    const std::int64_t hidden = a.model.hidden;
    const T keep = a.sparsity_decay;
    add_column_sums(p.hidden_means, hidden, a.rows, hidden, (T(1) - keep) * positive_scale, keep,
                    a.activity);
    parallel_blocks(a.rows, hidden, [&](auto row, auto rows, auto column, auto columns) {
      for (std::int64_t i = row; i < row + rows; ++i) {
        for_column_vectors<T>(columns, [&](std::int64_t j, auto read, auto write) {
          T* const mean = p.hidden_means + i * hidden + column + j;
          const Vector<T> excess = read(a.activity + column + j) - a.sparsity_target;
          write(mean, read(mean) - a.sparsity_cost * excess);
        });
      }
    });
  }

  void bias_gradients() {
    const std::int64_t visible = a.model.visible, hidden = a.model.hidden;
    const T ratio = negative_scale / positive_scale;
    subtract_column_sums(a.data, a.data_row_stride, a.rows, p.visible_states, p.samples, visible,
                         positive_scale, ratio, p.visible_gradient);
    if (a.model.variance != nullptr) {
      for_vectors<T>(0, visible, [&](std::int64_t j, auto access) {
        access.write(p.visible_gradient + j,
                     access.read(p.visible_gradient + j) /
                         access.keep(access.read(a.model.variance + j), T(1)));
      });
    }
    subtract_column_sums(p.hidden_means, hidden, a.rows, chain_means(), p.samples, hidden,
                         positive_scale, ratio, p.hidden_gradient);
  }

  // The difference of the statistics v^T h, and the step of the weights, tile by tile. Each phase's
  // product skips the zeros of its visible states where that pays.
  void weights() {
    const std::int64_t visible = a.model.visible, hidden = a.model.hidden;
    const Stacked<T> phases = {a.data,           a.data_row_stride, a.rows,         positive_scale,
                               p.visible_states, visible,           -negative_scale};
    const bool data = mostly_zero(a.data, a.data_row_stride, a.rows, visible, hidden);
    const bool chain = mostly_zero(p.visible_states, visible, p.samples, visible, hidden);
    if (!data) {
      transposed_product(positive_scale, a.data, a.data_row_stride, visible, p.hidden_means, hidden,
                         hidden, a.rows, T(0), p.gradient);
    }
    if (!chain) {
      transposed_product(-negative_scale, p.visible_states, visible, visible, chain_means(), hidden,
                         hidden, p.samples, data ? T(0) : T(1), p.gradient);
    }
    if (data || chain) {
      Stacked<T> sparse = phases;
      if (!data) sparse.first_rows = 0;
      const std::int64_t inner = (data ? a.rows : 0) + (chain ? p.samples : 0);
      const bool kept = !data || !chain || a.log_variance != nullptr;
      const SparseProduct<T> product = {SparseRows<T>::in(p.lists, visible, inner),
                                        data ? p.hidden_means : chain_means(),
                                        hidden,
                                        1,
                                        data && chain ? T(0) : T(1),
                                        kept ? p.gradient : nullptr,
                                        hidden,
                                        hidden};
      compress_columns<T>(sparse, product.a);
      multiply_sparse(product, [&](std::int64_t row, std::int64_t rows, std::int64_t column,
                                   std::int64_t columns, T* gradient, std::int64_t stride) {
        for (std::int64_t i = 0; i < rows; ++i) {
          step_weights(row + i, column, columns, gradient + i * stride);
        }
      });
      return;
    }
    parallel_ranges(visible, 1 + kElementsPerChunk / hidden, [&](auto begin, auto end) {
      for (std::int64_t i = begin; i < end; ++i)
        step_weights(i, 0, hidden, p.gradient + i * hidden);
    });
  }

  // Columns [column, column + columns) of a row of the weights; `gradient` is theirs.
  void step_weights(std::int64_t row, std::int64_t column, std::int64_t columns, T* gradient) {
    const T scale = a.model.variance == nullptr ? T(1) : T(1) / a.model.variance[row];
    const std::int64_t at = row * a.model.hidden + column;
    for_vectors<T>(0, columns, [&](std::int64_t j, auto access) {
      const Vector<T> g = access.read(gradient + j) * scale;
      if (a.fast_weights != nullptr) {
        T* const fast = a.fast_weights + at + j;
        access.write(fast, a.fast_decay * access.read(fast) + a.fast_rate * g);
      }
      if (a.log_variance != nullptr) {  // its gradient needs the weights before their step
        access.write(gradient + j, access.read(gradient + j) * access.read(a.weights + at + j));
      }
      step_vector(a.rule, a.rule.weight_rate, true, g, a.weights + at + j,
                  a.weights_velocity + at + j, access);
    });
  }

  // With z = log variance: dz = exp(-z) (<(v - b)^2 / 2 - v.W h> of the data - that of the chain).
  void variance() {
    const std::int64_t visible = a.model.visible, hidden = a.model.hidden;
    parallel_ranges(visible, 64, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) {
        const auto half_squares = [&](const T* v, std::int64_t stride, std::int64_t rows) {
          double sum = 0;
          for (std::int64_t n = 0; n < rows; ++n) {
            const T bias =
                a.context == nullptr ? a.visible_bias[i] : p.visible_row_bias[n * visible + i];
            const double d = static_cast<double>(v[n * stride + i] - bias);
            sum += d * d / 2;
          }
          return static_cast<T>(sum);
        };
        Vector<T> products = {};
        for_vectors<T>(0, hidden, [&](std::int64_t j, auto access) {
          products += access.read(p.gradient + i * hidden + j);
        });
        p.sum[i] = (positive_scale * half_squares(a.data, a.data_row_stride, a.rows) -
                    negative_scale * half_squares(p.visible_states, visible, p.samples) -
                    horizontal_sum<T>(products)) /
                   a.variance[i];
      }
    });
    step_parameters(a.rule, a.variance_rate, false, p.sum, a.log_variance, a.log_variance_velocity,
                    visible);
    for_vectors<T>(0, visible, [&](std::int64_t i, auto access) {
      const Vector<T> z = minimum<T>(
          broadcast<T>(a.highest_log_variance),
          maximum<T>(broadcast<T>(a.lowest_log_variance), access.read(a.log_variance + i)));
      access.write(a.log_variance + i, z);
      access.write(a.variance + i, exp<T>(z));
    });
  }

  void context_weights() {
    const auto step = [&](const T* data, std::int64_t data_row_stride, const T* chain,
                          std::int64_t columns, const T* variance, T* weights, T* velocity) {
      const std::int64_t inputs = a.context_size;
      transposed_product(positive_scale, a.context, a.context_row_stride, inputs, data,
                         data_row_stride, columns, a.rows, T(0), p.context_gradient);
      transposed_product(-negative_scale, a.context, a.context_row_stride, inputs, chain, columns,
                         columns, a.rows, T(1), p.context_gradient);
      if (variance != nullptr) {
        divide_columns(p.context_gradient, columns, variance, a.context_size, columns,
                       p.context_gradient);
      }
      step_parameters(a.rule, a.rule.weight_rate, true, p.context_gradient, weights, velocity,
                      a.context_size * columns);
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

}  // namespace
}  // namespace ictus::ICTUS_LEVEL
