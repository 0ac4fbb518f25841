// Annealed importance sampling and parallel tempering (ictus/tempering.h) on a GPU. A step is three
// kernels: the inputs of the hidden units, a block a row that weighs them and draws the hidden
// states, and the product whose sums become visible states. All inputs are computed afresh: dense
// products on a GPU cost less than to look for what changed.
#include "ictus/tempering.h"

#include "over_elements.h"
#include "parameter_steps.h"
#include "stochastic_units.h"

namespace ictus::cuda {
namespace {

constexpr int kRowThreads = 128;

// f(to z) - f(from z) of Bernoulli hidden units, without the cancellation of close temperatures:
// with low < high, softplus(high) - softplus(low) = log(1 + sigmoid(low) (exp(high - low) - 1)).
template <class T>
__device__ T softplus_difference(T z, T from, T to) {
  const T a = z * from, b = z * to;
  const T low = a < b ? a : b, high = a < b ? b : a;
  const T gap = high - low;
  const T difference =
      gap < T(0.69) ? log1p(sigmoid(low) * expm1(gap)) : softplus(high) - softplus(low);
  return a < b ? difference : -difference;
}

template <class T>
struct RowTemperatures {
  RbmModel<T> model;
  const T* base_bias;
  const T* visible;
  const T* input;  // (rows, hidden)
  const double* from;
  const double* to;                 // inverse temperatures; with `temperature` a table of them
  const std::int64_t* temperature;  // (rows); nullptr: all rows have the first of the table
  std::int64_t first_pair, replicas;
  double* log_ratio;  // (rows)
  bool add;           // to what is there
};

// log p*(v; to) - log p*(v; from) of each row, a block for a row: its bytes are read once.
template <class T>
__global__ void __launch_bounds__(kRowThreads) compare_temperatures(RowTemperatures<T> a) {
  __shared__ double room[kRowThreads / kWarpSize];
  const RbmModel<T>& m = a.model;
  const std::int64_t i = blockIdx.x;
  T from, to;
  if (a.temperature == nullptr) {
    from = static_cast<T>(*a.from);
    to = static_cast<T>(*a.to);
  } else {  // the other of its pair; itself where it has none
    const std::int64_t t = a.temperature[i];
    std::int64_t pair = ((t - a.first_pair) & 1) == 0 ? t + 1 : t - 1;
    if (pair < a.first_pair || pair >= a.replicas) pair = t;
    from = static_cast<T>(a.from[t]);
    to = static_cast<T>(a.from[pair]);
  }
  T slope_sum = T(0), ratio = T(0);
  for (std::int64_t j = threadIdx.x; j < m.visible; j += kRowThreads) {
    const T base = a.base_bias[j], b = m.visible_bias[j], v = a.visible[i * m.visible + j];
    if (m.visible_units != Units::gaussian) {
      slope_sum += v * (b - base);
    } else {
      const T variance = m.variance == nullptr ? T(1) : m.variance[j];
      slope_sum += (v - (base + b) * T(0.5)) * (b - base) / variance;
    }
  }
  for (std::int64_t j = threadIdx.x; j < m.hidden; j += kRowThreads) {
    const T z = a.input[i * m.hidden + j];
    ratio += m.hidden_units == Units::gaussian ? z * z * ((to - from) * (to + from) / T(2))
                                               : softplus_difference(z, from, to);
  }
  const double value = block_sum<kRowThreads>(
      (static_cast<double>(to) - static_cast<double>(from)) * static_cast<double>(slope_sum) +
          static_cast<double>(ratio),
      room);
  if (threadIdx.x == 0) a.log_ratio[i] = a.add ? a.log_ratio[i] + value : value;
}

// The inverse temperature of a row.
struct Betas {
  const double* table;
  const std::int64_t* temperature;  // nullptr: the first of the table
  __device__ double operator()(std::int64_t row) const {
    return table[temperature == nullptr ? 0 : temperature[row]];
  }
};

template <class T>
struct DrawHidden {
  Units units;
  std::int64_t columns;
  Betas beta;
  const T* input;
  T* state;
  __device__ void operator()(std::int64_t i, std::int64_t j, const philox::Block& block,
                             int word) const {
    const T x = input[i * columns + j] * static_cast<T>(beta(i));
    state[i * columns + j] = units == Units::gaussian
                                 ? x + normal_of<T>(block, word)
                                 : bernoulli(as_uniform(word_of(block, word), T()), sigmoid(x));
  }
};

// (1 - beta) a + beta y, and the units' draw of it.
template <class T>
struct FinishMixed {
  using Long = void;
  UnitsFinish<T> units;  // without a bias
  Betas beta;
  const T* base_bias;
  const T* bias;
  __device__ void operator()(std::int64_t part, std::int64_t i, std::int64_t j, const T (&sum)[4],
                             int count) const {
    T mixed[4];
#pragma unroll
    for (int r = 0; r < 4; ++r) {
      const T b = r < count ? static_cast<T>(beta(i + r)) : T(0);
      mixed[r] = base_bias[j] * (T(1) - b) + (sum[r] + bias[j]) * b;
    }
    units(part, i, j, mixed, count);
  }
};

template <class T>
class TemperedChains {
 public:
  TemperedChains(const TemperedArguments<T>& arguments, void* workspace) : a(arguments) {
    Parts parts(workspace);
    input_ = parts.take<T>(a.rows * a.model.hidden);
    hidden_ = parts.take<T>(a.rows * a.model.hidden);
    log_ratio = parts.take<double>(a.rows);
    bytes = parts.bytes();
  }

  // x of the visible states.
  void hidden_inputs() {
    LayerArguments<T> l = {};
    l.model = a.model;
    l.model.hidden_units = Units::gaussian;  // whose mean is the input itself
    l.rows = a.rows;
    l.given = a.visible;
    l.given_row_stride = a.model.visible;
    l.mean = input_;
    layer(l, true);
  }

  void compare(const double* from, const double* to, const std::int64_t* temperature,
               std::int64_t first_pair, std::int64_t replicas, double* out, bool add) {
    launch(compare_temperatures<T>, {static_cast<unsigned>(a.rows), kRowThreads},
           RowTemperatures<T>{a.model, a.base_bias, a.visible, input_, from, to, temperature,
                              first_pair, replicas, out, add});
  }

  // Hidden states at beta, from x, and visible states from them.
  void move(const Betas& beta, std::uint64_t stream) {
    const RbmModel<T>& m = a.model;
    over_draws(0, a.rows, m.hidden, a.seed, stream,
               DrawHidden<T>{m.hidden_units, m.hidden, beta, input_, hidden_});
    UnitsFinish<T> units = {};
    units.units = m.visible_units;
    units.columns = m.visible;
    units.grouped_from = m.visible_units == Units::softmax    ? 0
                         : m.visible_units == Units::labelled ? m.visible - m.group
                                                              : m.visible;
    units.variance = m.variance;
    units.sample = a.visible;
    units.seed = a.seed;
    units.stream = stream + 1;
    product<T>(a.rows, m.visible, m.hidden, MatrixOperand<T, false>{hidden_, m.hidden},
               MatrixOperand<T, false>{m.weights, m.hidden},
               FinishMixed<T>{units, beta, a.base_bias, m.visible_bias});
    finish_groups_of(units, a.rows, m.group);
  }

  double* log_ratio;
  std::int64_t bytes;

 private:
  const TemperedArguments<T>& a;
  T* input_;
  T* hidden_;
};

template <class T>
std::int64_t tempered_workspace(const RbmModel<T>& model, std::int64_t rows) noexcept {
  TemperedArguments<T> a = {};
  a.model = model;
  a.rows = rows;
  return TemperedChains<T>(a, nullptr).bytes;
}

template <class T>
void anneal(const AnnealingArguments<T>& a) noexcept {
  const TemperedArguments<T>& c = a.chains;
  TemperedChains<T> chains(c, c.workspace);
  for (std::int64_t k = 0; k < c.steps; ++k) {
    const double* const beta = a.inverse_temperature + k;
    chains.hidden_inputs();
    chains.compare(beta, beta + 1, nullptr, 0, 1, a.log_weights, true);
    chains.move({beta + 1, nullptr}, c.stream + 2 * static_cast<std::uint64_t>(k));
  }
}

// Exchanges the temperatures of rows whose swap is accepted (Metropolis), a thread for a chain.
template <class T>
__global__ void __launch_bounds__(kRowThreads)
    swap_temperatures(ParallelTemperingArguments<T> a, const double* log_ratio,
                      std::int64_t first_pair, std::uint64_t stream) {
  const std::int64_t chain = std::int64_t{blockIdx.x} * kRowThreads + threadIdx.x;
  if (chain * a.replicas >= a.chains.rows) return;
  std::int64_t* const row_at = a.row_at + chain * a.replicas;
  for (std::int64_t t = first_pair; t + 1 < a.replicas; t += 2) {
    const std::int64_t low = row_at[t], high = row_at[t + 1];
    const double u = uniform<double>(chain, t, stream, a.chains.seed);
    if (!(u < exp(log_ratio[low] + log_ratio[high]))) continue;
    row_at[t] = high;
    row_at[t + 1] = low;
    a.temperature[high] = t;
    a.temperature[low] = t + 1;
    atomicAdd(reinterpret_cast<unsigned long long*>(a.swaps + t), 1ull);
  }
}

template <class T>
void parallel_tempering(const ParallelTemperingArguments<T>& a) noexcept {
  const TemperedArguments<T>& c = a.chains;
  TemperedChains<T> chains(c, c.workspace);
  for (std::int64_t k = 0; k < c.steps; ++k) {
    const std::uint64_t stream = c.stream + 3 * static_cast<std::uint64_t>(k);
    const std::int64_t first_pair = (a.first_step + k) & 1;
    chains.hidden_inputs();
    chains.compare(a.inverse_temperature, nullptr, a.temperature, first_pair, a.replicas,
                   chains.log_ratio, false);
    launch(swap_temperatures<T>, {blocks(c.rows / a.replicas, kRowThreads), kRowThreads}, a,
           static_cast<const double*>(chains.log_ratio), first_pair, stream);
    chains.move({a.inverse_temperature, a.temperature}, stream + 1);
  }
}

}  // namespace

extern const TemperingKernels<float> tempering_float;
extern const TemperingKernels<double> tempering_double;
const TemperingKernels<float> tempering_float = {anneal<float>, parallel_tempering<float>,
                                                 tempered_workspace<float>};
const TemperingKernels<double> tempering_double = {anneal<double>, parallel_tempering<double>,
                                                   tempered_workspace<double>};

}  // namespace ictus::cuda
