// The mean-covariance restricted Boltzmann machine (ictus/mean_covariance.h) on a GPU.
#include "ictus/mean_covariance.h"

#include "mean_covariance_chain.h"

namespace ictus::cuda {
namespace {

constexpr std::int64_t kRowsAtOnce = 8192;  // of a pass, so that the workspace has a bound

std::int64_t rows_of_part(std::int64_t rows) { return rows < kRowsAtOnce ? rows : kRowsAtOnce; }

// Calls body(first, rows) for parts of at most kRowsAtOnce.
template <class Body>
void for_parts(std::int64_t rows, const Body& body) {
  for (std::int64_t first = 0; first < rows; first += kRowsAtOnce) {
    body(first, rows_of_part(rows - first));
  }
}

template <class T>
struct PassParts {
  PassParts(const MeanCovarianceModel<T>& m, std::int64_t rows, Parts parts)
      : states(m, rows_of_part(rows), parts),
        chain(m, rows_of_part(rows), parts),
        bytes(parts.bytes()) {}
  States<T> states;
  ChainParts<T> chain;
  std::int64_t bytes;
};

template <class T>
T* from(T* array, std::int64_t elements) {
  return array == nullptr ? nullptr : array + elements;
}

template <class T>
void evaluate(const EvaluationArguments<T>& a) noexcept {
  const MeanCovarianceModel<T>& m = a.model;
  const PassParts<T> p(m, a.rows, Parts(a.workspace));
  for_parts(a.rows, [&](std::int64_t first, std::int64_t rows) {
    States<T> s = p.states;
    if (a.covariance_mean != nullptr) s.covariance = a.covariance_mean + first * m.covariance;
    const T* const v = a.visible + first * a.visible_row_stride;
    evaluate_states(m, s, v, a.visible_row_stride, rows,
                    a.gradient == nullptr ? Depth::means : Depth::coefficients,
                    from(a.mean_mean, first * m.mean), from(a.free_energy, first));
    if (a.gradient == nullptr) return;
    FinishForce<T> finish = {};
    finish.visible = m.visible;
    finish.bias = m.visible_bias;
    finish.decay = s.decay;
    finish.v = v;
    finish.v_row_stride = a.visible_row_stride;
    finish.gradient = a.gradient + first * m.visible;
    apply_force(m, s, rows, finish);
  });
}

// out = kept * out + scale * sums, of the filters and weights side by side, or of one matrix.
template <class T>
struct AddStatistics {
  std::int64_t factors, mean;
  T* filters;
  T* weights;
  T scale, kept;
  __device__ void operator()(std::int64_t, std::int64_t i, std::int64_t j, const T (&sum)[4],
                             int count) const {
#pragma unroll
    for (int r = 0; r < 4; ++r) {
      if (r >= count) break;
      T& out = j < factors ? filters[(i + r) * factors + j] : weights[(i + r) * mean + j - factors];
      out = kept == T(0) ? scale * sum[r] : scale * sum[r] + kept * out;
    }
  }
};

template <class T>
struct AddColumns {
  T scale, kept;
  T* out;
  __device__ void operator()(std::int64_t j, T sum, T) const {
    out[j] = kept == T(0) ? scale * sum : scale * sum + kept * out[j];
  }
};

template <class T>
void parameter_gradient(const ParameterGradientArguments<T>& a) noexcept {
  const MeanCovarianceModel<T>& m = a.model;
  Parts parts(a.workspace);
  const States<T> s(m, rows_of_part(a.rows), parts);
  const std::int64_t width = m.factors + m.mean;
  const T scale = T(-1) / static_cast<T>(a.rows);
  for_parts(a.rows, [&](std::int64_t first, std::int64_t rows) {
    const T* const v = a.visible + first * a.visible_row_stride;
    const T kept = first == 0 ? T(0) : T(1);
    evaluate_states(m, s, v, a.visible_row_stride, rows, Depth::coefficients);
    product<T>(
        m.visible, width, rows, MatrixOperand<T, true>{v, a.visible_row_stride},
        MatrixOperand<T, true>{s.inputs, width},
        AddStatistics<T>{m.factors, m.mean, a.gradient.filters, a.gradient.weights, scale, kept});
    if (m.pooling != nullptr) {
      product<T>(m.factors, m.covariance, rows, MatrixOperand<T, true>{s.half_squares, m.factors},
                 MatrixOperand<T, true>{s.covariance, m.covariance},
                 AddStatistics<T>{m.covariance, 0, a.gradient.pooling, nullptr, scale, kept});
    }
    const auto columns = [&](std::int64_t count, const T* x, std::int64_t stride, T* out) {
      const T* const none = nullptr;
      sum_columns(count, x, stride, rows, none, 0, 0, AddColumns<T>{scale, kept, out});
    };
    columns(m.visible, v, a.visible_row_stride, a.gradient.visible_bias);
    columns(m.covariance, s.covariance, m.covariance, a.gradient.covariance_bias);
    columns(m.mean, s.inputs + m.factors, width, a.gradient.mean_bias);
  });
}

template <class T>
void leapfrog(const LeapfrogArguments<T>& a) noexcept {
  const std::int64_t visible = a.model.visible;
  const PassParts<T> p(a.model, a.rows, Parts(a.workspace));
  double* const none = nullptr;
  for_parts(a.rows, [&](std::int64_t first, std::int64_t rows) {
    T* const momentum = a.momentum + first * visible;
    leapfrog_rows<T>(a.model, p.states, a.visible + first * visible, momentum, rows, a.steps,
                     a.step_size, nullptr, nullptr, from(a.energy_before, first));
    launch(measure_energy<T>, {static_cast<unsigned>(rows), kStateThreads}, visible,
           static_cast<const T*>(momentum), static_cast<const double*>(p.states.energy), none, none,
           from(a.energy_after, first));
  });
}

template <class T>
void hybrid_monte_carlo(const HybridMonteCarloArguments<T>& a) noexcept {
  const PassParts<T> p(a.model, a.rows, Parts(a.workspace));
  for_parts(a.rows, [&](std::int64_t first, std::int64_t rows) {
    HybridMonteCarloArguments<T> part = a;
    part.rows = rows;
    part.visible = a.visible + first * a.model.visible;
    part.first_row = a.first_row + first;
    part.acceptance = from(a.acceptance, first);
    part.free_energy = from(a.free_energy, first);
    run_chain(part, p.states, p.chain);
  });
}

// --- one update

template <class T>
struct UpdateParts {
  std::int64_t chains;
  States<T> data, model;  // of the data, and of the chains
  ChainParts<T> chain;
  T* negative;  // (rows, visible): chains that start at the data
  T* lengths;   // (factors), and the common length
  std::int64_t bytes;

  explicit UpdateParts(const MeanCovarianceUpdate<T>& a) : UpdateParts(a, Parts(a.workspace)) {}

 private:
  UpdateParts(const MeanCovarianceUpdate<T>& a, Parts parts)
      : chains(a.particles == nullptr ? a.rows : a.particle_rows),
        data(a.model, a.rows, parts),
        model(a.model, chains, parts),
        chain(a.model, chains, parts) {
    negative = parts.take<T>(a.particles == nullptr ? a.rows * a.model.visible : 0);
    lengths = parts.take<T>(a.model.factors + 1);
    bytes = parts.bytes();
  }
};

template <class T>
struct StepBoth {
  StepWeights<T> filters, weights;
  std::int64_t factors;
  __device__ void operator()(std::int64_t part, std::int64_t i, std::int64_t j, const T (&sum)[4],
                             int count) const {
    if (j < factors) {
      filters(part, i, j, sum, count);
    } else {
      weights(part, i, j - factors, sum, count);
    }
  }
};

template <class T>
struct AsNumbers {
  const double* in;
  T* out;
  __device__ void operator()(std::int64_t, std::int64_t j) const { out[j] = static_cast<T>(in[j]); }
};

template <class T>
__global__ void __launch_bounds__(kSumColumns* kSumRows)
    measure_filters(std::int64_t visible, std::int64_t factors, const T* filters, T* lengths) {
  __shared__ T room[kSumRows][kSumColumns + 1];
  const std::int64_t f = std::int64_t{blockIdx.x} * kSumColumns + threadIdx.x;
  const T sum = sum_of_rows<T>(f < factors ? visible : 0, room, [&](std::int64_t i) {
    return filters[i * factors + f] * filters[i * factors + f];
  });
  if (f < factors && threadIdx.y == 0) lengths[f] = sqrt(sum);
}

// The smoothed mean of the lengths, by one block.
template <class T>
__global__ void __launch_bounds__(kStateThreads)
    smooth_length(std::int64_t factors, T* lengths, T decay, T* filter_length) {
  __shared__ double room[kStateThreads / kWarpSize];
  double sum = 0;
  for (std::int64_t f = threadIdx.x; f < factors; f += kStateThreads) {
    sum += static_cast<double>(lengths[f]);
  }
  const double mean = block_sum<kStateThreads>(sum, room) / static_cast<double>(factors);
  if (threadIdx.x == 0) {
    *filter_length = decay * *filter_length + (T(1) - decay) * static_cast<T>(mean);
  }
}

template <class T>
struct Equalise {
  std::int64_t factors;
  const T* lengths;
  const T* length;
  T* filters;
  __device__ void operator()(std::int64_t i, std::int64_t f) const {
    const T own = lengths[f];
    filters[i * factors + f] *= own == T(0) ? T(0) : *length / own;
  }
};

// Columns of P that are not positive, under the mask, and sum to -1.
template <class T>
__global__ void __launch_bounds__(kSumColumns* kSumRows)
    project_pooling(std::int64_t factors, std::int64_t covariance, const T* mask, T* pooling) {
  __shared__ T room[kSumRows][kSumColumns + 1];
  __shared__ T scales[kSumColumns];
  const std::int64_t k = std::int64_t{blockIdx.x} * kSumColumns + threadIdx.x;
  const bool inside = k < covariance;
  const T sum = sum_of_rows<T>(inside ? factors : 0, room, [&](std::int64_t f) {
    T x = pooling[f * covariance + k];
    x = x > T(0) ? T(0) : x;  // NaN stays
    if (mask != nullptr) x *= mask[f * covariance + k];
    pooling[f * covariance + k] = x;
    return -x;
  });
  if (threadIdx.y == 0) scales[threadIdx.x] = T(1) / (sum == T(0) ? T(1) : sum);
  __syncthreads();
  if (!inside) return;
  for (std::int64_t f = threadIdx.y; f < factors; f += kSumRows) {
    pooling[f * covariance + k] *= scales[threadIdx.x];
  }
}

template <class T>
class MeanCovarianceStep {
 public:
  explicit MeanCovarianceStep(const MeanCovarianceUpdate<T>& arguments)
      : a(arguments), m(arguments.model), p(arguments) {
    v_ = a.particles == nullptr ? p.negative : a.particles;
  }

  void run() {
    evaluate_states(m, p.data, a.data, a.data_row_stride, a.rows, Depth::coefficients);
    if (a.data_energy != nullptr) {
      over_elements(1, a.rows, AsNumbers<T>{p.data.energy, a.data_energy});
    }
    if (a.particles == nullptr) {
      const std::size_t row = static_cast<std::size_t>(m.visible) * sizeof(T);
      check(cudaMemcpy2DAsync(
                v_, row, a.data, static_cast<std::size_t>(a.data_row_stride) * sizeof(T), row,
                static_cast<std::size_t>(a.rows), cudaMemcpyDeviceToDevice, call_stream()),
            "copy of the data");
    }
    run_chain<T>({m, p.chains, v_, a.trajectories, a.steps, a.step_size, a.seed, a.stream, 0,
                  a.acceptance, a.chain_energy, nullptr},
                 p.model, p.chain);
    evaluate_states(m, p.model, static_cast<const T*>(v_), m.visible, p.chains,
                    Depth::coefficients);
    filters_and_weights();
    if (a.filter_length != nullptr) equalise_filters();
    if (m.pooling != nullptr && a.rule.pooling_rate != T(0)) pooling();
    bias(m.visible, a.data, a.data_row_stride, v_, m.visible, a.rule.visible_bias_rate,
         a.parameters.visible_bias, a.velocity.visible_bias);
    bias(m.covariance, p.data.covariance, m.covariance, p.model.covariance, m.covariance,
         a.rule.covariance_bias_rate, a.parameters.covariance_bias, a.velocity.covariance_bias);
    const std::int64_t width = m.factors + m.mean;
    bias(m.mean, p.data.inputs + m.factors, width, p.model.inputs + m.factors, width,
         a.rule.mean_bias_rate, a.parameters.mean_bias, a.velocity.mean_bias);
  }

 private:
  RbmRule<T> rule(T rate) const { return {rate, rate, a.rule.momentum, a.rule.l1, a.rule.l2}; }
  T positive() const { return T(1) / static_cast<T>(a.rows); }
  T negative() const { return T(1) / static_cast<T>(p.chains); }

  StepWeights<T> step(T rate, std::int64_t columns, T* weights, T* velocity) const {
    StepWeights<T> s = {};
    s.rule = rule(rate);
    s.columns = columns;
    s.weights = weights;
    s.velocity = velocity;
    return s;
  }

  void filters_and_weights() {
    const std::int64_t width = m.factors + m.mean;
    const StackedOperand<T> states = {a.data, a.data_row_stride, a.rows,     positive(),
                                      v_,     m.visible,         -negative()};
    const StackedOperand<T> units = {p.data.inputs,  width, a.rows, T(1),
                                     p.model.inputs, width, T(1)};
    product<T>(
        m.visible, width, a.rows + p.chains, states, units,
        StepBoth<T>{step(a.rule.filters_rate, m.factors, a.parameters.filters, a.velocity.filters),
                    step(a.rule.weights_rate, m.mean, a.parameters.weights, a.velocity.weights),
                    m.factors});
  }

  // Columns of C get one length: the smoothed mean of their lengths.
  void equalise_filters() {
    launch(measure_filters<T>, {blocks(m.factors, kSumColumns), dim3(kSumColumns, kSumRows)},
           m.visible, m.factors, static_cast<const T*>(a.parameters.filters), p.lengths);
    launch(smooth_length<T>, {1, kStateThreads}, m.factors, p.lengths, a.length_decay,
           a.filter_length);
    over_elements(m.visible, m.factors,
                  Equalise<T>{m.factors, p.lengths, a.filter_length, a.parameters.filters});
  }

  void pooling() {
    const StackedOperand<T> squares = {p.data.half_squares,  m.factors, a.rows,     positive(),
                                       p.model.half_squares, m.factors, -negative()};
    const StackedOperand<T> units = {p.data.covariance,  m.covariance, a.rows, T(1),
                                     p.model.covariance, m.covariance, T(1)};
    product<T>(m.factors, m.covariance, a.rows + p.chains, squares, units,
               step(a.rule.pooling_rate, m.covariance, a.parameters.pooling, a.velocity.pooling));
    launch(project_pooling<T>, {blocks(m.covariance, kSumColumns), dim3(kSumColumns, kSumRows)},
           m.factors, m.covariance, a.pooling_mask, a.parameters.pooling);
  }

  void bias(std::int64_t columns, const T* data, std::int64_t data_stride, const T* chain,
            std::int64_t chain_stride, T rate, T* bias, T* velocity) {
    sum_columns(
        columns, data, data_stride, a.rows, chain, chain_stride, p.chains,
        StepBias<T>{rule(rate), positive(), negative() / positive(), nullptr, bias, velocity});
  }

  const MeanCovarianceUpdate<T>& a;
  const MeanCovarianceModel<T>& m;
  const UpdateParts<T> p;
  T* v_;
};

template <class T>
void update(const MeanCovarianceUpdate<T>& a) noexcept {
  MeanCovarianceStep<T>(a).run();
}

template <class T>
std::int64_t pass_workspace(const MeanCovarianceModel<T>& m, std::int64_t rows) noexcept {
  return PassParts<T>(m, rows, Parts(nullptr)).bytes;
}
template <class T>
std::int64_t gradient_workspace(const MeanCovarianceModel<T>& m, std::int64_t rows) noexcept {
  Parts parts(nullptr);
  States<T>(m, rows_of_part(rows), parts);
  return parts.bytes();
}
template <class T>
std::int64_t update_workspace(const MeanCovarianceUpdate<T>& a) noexcept {
  return UpdateParts<T>(a).bytes;
}

}  // namespace

extern const MeanCovarianceKernels<float> mean_covariance_float;
extern const MeanCovarianceKernels<double> mean_covariance_double;
const MeanCovarianceKernels<float> mean_covariance_float = {evaluate<float>,
                                                            parameter_gradient<float>,
                                                            leapfrog<float>,
                                                            hybrid_monte_carlo<float>,
                                                            update<float>,
                                                            pass_workspace<float>,
                                                            gradient_workspace<float>,
                                                            update_workspace<float>};
const MeanCovarianceKernels<double> mean_covariance_double = {evaluate<double>,
                                                              parameter_gradient<double>,
                                                              leapfrog<double>,
                                                              hybrid_monte_carlo<double>,
                                                              update<double>,
                                                              pass_workspace<double>,
                                                              gradient_workspace<double>,
                                                              update_workspace<double>};

}  // namespace ictus::cuda
