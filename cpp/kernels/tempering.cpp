// Annealed importance sampling and parallel tempering (ictus/tempering.h). The two sides' inputs
// are kept between steps and moved by what changed.
#include "ictus/tempering.h"

#include "kernels/detail/layer.h"

namespace ictus::ICTUS_LEVEL {
namespace {

// Steps after which inputs are computed afresh, so that rounding does not add up.
constexpr std::int64_t kAfresh = 64;

// One side of the machine: the states of the other side that its inputs were computed from.
template <class T>
struct SideInputs {
  std::int64_t inner, columns;
  const T* weights;  // (inner, columns), contiguous rows
  const T* packed;   // the same for the dense product
  const T* bias;
  T* seen;   // (rows, inner): the states that `input` belongs to; differences in between
  T* input;  // (rows, columns)
};

// Moves `side.input` from the states seen to `states`.
template <class T>
void update_inputs(const SideInputs<T>& side, const T* states, std::int64_t rows, bool afresh,
                   void* lists) {
  const std::int64_t size = rows * side.inner;
  const auto share_of_zeros = [&](const T* a) {
    return mostly_zero(a, side.inner, rows, side.inner, side.columns);
  };
  bool sparse = false;
  if (!afresh) {
    parallel_ranges(size, kElementsPerChunk, [&](std::int64_t begin, std::int64_t end) {
      for_vectors<T>(begin, end, [&](std::int64_t i, auto access) {
        access.write(side.seen + i, access.read(states + i) - access.read(side.seen + i));
      });
    });
    sparse = share_of_zeros(side.seen);
  }
  const bool moved = sparse;
  const T* const factor = moved ? side.seen : states;
  if (!moved) sparse = share_of_zeros(states);
  Epilogue<T> epilogue;
  epilogue.bias = moved ? nullptr : side.bias;
  if (sparse) {
    const SparseProduct<T> product = {SparseRows<T>::in(lists, rows, side.inner),
                                      side.weights,
                                      side.columns,
                                      1,
                                      moved ? T(1) : T(0),
                                      side.input,
                                      side.columns,
                                      side.columns};
    compress_rows(factor, side.inner, product.a);
    multiply_sparse(product, [&](std::int64_t row, std::int64_t count, std::int64_t column,
                                 std::int64_t columns, T* input, std::int64_t stride) {
      if (moved) return;
      apply_epilogue(epilogue, input, stride, row, column, static_cast<int>(count),
                     static_cast<int>(columns));
    });
  } else {
    GemmArguments<T> g = {};
    g.rows = rows;
    g.columns = side.columns;
    g.inner = side.inner;
    g.alpha = T(1);
    g.a = states;
    g.a_row_stride = side.inner;
    g.a_column_stride = 1;
    g.b = side.weights;
    g.b_row_stride = side.columns;
    g.b_column_stride = 1;
    g.packed_b = side.packed;
    g.c = side.input;
    g.c_row_stride = side.columns;
    g.epilogue = &epilogue;
    gemm_kernels<T>().multiply(g);
  }
  __builtin_memcpy(side.seen, states, static_cast<std::size_t>(size) * sizeof(T));
}

// f(to z) - f(from z) of Bernoulli hidden units, without the cancellation of close temperatures:
// with low < high, softplus(high) - softplus(low) = log(1 + sigmoid(low) (exp(high - low) - 1)).
template <class T>
inline Vector<T> softplus_difference(Vector<T> z, T from, T to) {
  const Vector<T> a = z * from, b = z * to;
  const Vector<T> low = minimum<T>(a, b), high = maximum<T>(a, b);
  const Vector<T> one = broadcast<T>(T(1)), zero = {};
  const Vector<T> gap = high - low;
  // log(1 + e) is for e <= 1; where the gap is wider there is no cancellation.
  Vector<T> difference;
  if (nonzero_lanes<T>(select<T>(gap < T(0.69), zero, one)) == 0) {
    difference = log1p_of_fraction<T>(sigmoid<T>(low) * expm1<T>(gap));
  } else {
    difference = softplus<T>(high) - softplus<T>(low);
  }
  return select<T>(a < b, difference, -difference);
}

// Where a chain's parts lie in the workspace, and its half steps.
template <class T>
class TemperedChains {
 public:
  TemperedChains(const RbmModel<T>& model, std::int64_t rows, void* workspace)
      : m_(model), rows_(rows), at_(static_cast<char*>(workspace)), begin_(at_) {
    const std::int64_t visible = m_.visible, hidden = m_.hidden;
    transposed_ = take<T>(hidden * visible);
    packed_up_ = take<T>(gemm_kernels<T>().packed_b_elements(visible, hidden));
    packed_down_ = take<T>(gemm_kernels<T>().packed_b_elements(hidden, visible));
    up_ = {visible,
           hidden,
           m_.weights,
           packed_up_,
           m_.hidden_bias,
           take<T>(rows * visible),
           take<T>(rows * hidden)};
    down_ = {hidden,
             visible,
             transposed_,
             packed_down_,
             m_.visible_bias,
             take<T>(rows * hidden),
             take<T>(rows * visible)};
    hidden_states_ = take<T>(rows * hidden);
    mixed_ = take<T>(rows * visible);
    beta = take<T>(rows);
    other = take<T>(rows);
    log_ratio = take<double>(rows);
    const std::int64_t widest = visible > hidden ? visible : hidden;
    lists_ = take<char>(SparseRows<T>::bytes(rows, widest));
  }
  std::int64_t bytes() const { return at_ - begin_; }

  void pack_weights() {
    const std::int64_t visible = m_.visible, hidden = m_.hidden;
    parallel_ranges(hidden, 16, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = 0; i < visible; ++i) {
        for (std::int64_t j = begin; j < end; ++j) {
          transposed_[j * visible + i] = m_.weights[i * hidden + j];
        }
      }
    });
    gemm_kernels<T>().pack_b(m_.weights, visible, hidden, hidden, 1, packed_up_);
    gemm_kernels<T>().pack_b(transposed_, hidden, visible, visible, 1, packed_down_);
  }

  // x of the visible states.
  void hidden_inputs(const T* visible, std::int64_t step) {
    const T* given = visible;
    if (m_.variance != nullptr) {
      divide_columns(visible, m_.visible, m_.variance, rows_, m_.visible, mixed_);
      given = mixed_;
    }
    update_inputs(up_, given, rows_, step % kAfresh == 0, lists_);
  }

  // log_ratio(i) = log p*(v_i; other(i)) - log p*(v_i; beta(i)).
  void compare_temperatures(const T* visible, const T* base_bias) {
    const std::int64_t grain = 1 + 8192 / (m_.visible + m_.hidden);
    parallel_ranges(rows_, grain, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) {
        log_ratio[i] = (static_cast<double>(other[i]) - static_cast<double>(beta[i])) *
                           visible_slope(visible + i * m_.visible, base_bias) +
                       hidden_ratio(up_.input + i * m_.hidden, beta[i], other[i]);
      }
    });
  }

  // Hidden states at beta, from x, and visible states from them.
  void move(T* visible, const T* base_bias, std::int64_t step, std::uint64_t seed,
            std::uint64_t stream) {
    finish_units<T>({m_.hidden_units, rows_, m_.hidden, 1, up_.input, beta, nullptr, nullptr,
                     hidden_states_, nullptr, seed, stream, 0});
    update_inputs(down_, hidden_states_, rows_, step % kAfresh == 0, lists_);
    parallel_blocks(rows_, m_.visible, [&](auto row, auto rows, auto column, auto columns) {
      for (std::int64_t i = row; i < row + rows; ++i) {
        const T b = beta[i];
        for_column_vectors<T>(columns, [&](std::int64_t j, auto read, auto write) {
          const std::int64_t at = i * m_.visible + column + j;
          write(mixed_ + at,
                read(base_bias + column + j) * (T(1) - b) + read(down_.input + at) * b);
        });
      }
    });
    finish_units<T>({m_.visible_units, rows_, m_.visible, m_.group, mixed_, nullptr, m_.variance,
                     nullptr, visible, nullptr, seed, stream + 1, 0});
  }

  // Of each row, in the workspace.
  T* beta;
  T* other;
  double* log_ratio;

 private:
  template <class E>
  E* take(std::int64_t elements) {
    E* const part = reinterpret_cast<E*>(at_);
    at_ += aligned_bytes<E>(elements);
    return part;
  }

  // The derivative of the visible terms of log p* by beta.
  double visible_slope(const T* v, const T* base_bias) const {
    Vector<T> sum = {};
    const bool gaussian = m_.visible_units == Units::gaussian;
    for_vectors<T>(0, m_.visible, [&](std::int64_t i, auto access) {
      const Vector<T> a = access.read(base_bias + i), b = access.read(m_.visible_bias + i);
      const Vector<T> x = access.read(v + i);
      if (!gaussian) {
        sum += x * (b - a);
      } else {
        const Vector<T> variance = m_.variance == nullptr
                                       ? broadcast<T>(T(1))
                                       : access.keep(access.read(m_.variance + i), T(1));
        sum += (x - (a + b) * T(0.5)) * (b - a) / variance;
      }
    });
    return static_cast<double>(horizontal_sum<T>(sum));
  }

  double hidden_ratio(const T* x, T from, T to) const {
    Vector<T> sum = {};
    const bool gaussian = m_.hidden_units == Units::gaussian;
    for_vectors<T>(0, m_.hidden, [&](std::int64_t j, auto access) {
      const Vector<T> z = access.read(x + j);  // the ratio of a lane that reads 0 is 0
      sum += gaussian ? z * z * ((to - from) * (to + from) / T(2))
                      : softplus_difference<T>(z, from, to);
    });
    return static_cast<double>(horizontal_sum<T>(sum));
  }

  const RbmModel<T>& m_;
  std::int64_t rows_;
  char* at_;
  char* const begin_;
  SideInputs<T> up_, down_;
  T* transposed_;
  T* packed_up_;
  T* packed_down_;
  T* hidden_states_;
  T* mixed_;
  void* lists_;
};

template <class T>
std::int64_t tempered_workspace(const RbmModel<T>& model, std::int64_t rows) noexcept {
  return TemperedChains<T>(model, rows, nullptr).bytes();
}

template <class T>
void anneal(const AnnealingArguments<T>& a) noexcept {
  const TemperedArguments<T>& c = a.chains;
  TemperedChains<T> chains(c.model, c.rows, c.workspace);
  chains.pack_weights();
  for (std::int64_t k = 0; k < c.steps; ++k) {
    for (std::int64_t i = 0; i < c.rows; ++i) {
      chains.beta[i] = static_cast<T>(a.inverse_temperature[k]);
      chains.other[i] = static_cast<T>(a.inverse_temperature[k + 1]);
    }
    chains.hidden_inputs(c.visible, k);
    chains.compare_temperatures(c.visible, c.base_bias);
    for (std::int64_t i = 0; i < c.rows; ++i) {
      a.log_weights[i] += chains.log_ratio[i];
      chains.beta[i] = chains.other[i];
    }
    chains.move(c.visible, c.base_bias, k, c.seed, c.stream + 2 * static_cast<std::uint64_t>(k));
  }
}

// Exchanges the temperatures of rows whose swap is accepted (Metropolis): with probability
// min(1, p*(v_i; beta_j) p*(v_j; beta_i) / (p*(v_i; beta_i) p*(v_j; beta_j))).
template <class T>
void swap_temperatures(const ParallelTemperingArguments<T>& a, const double* log_ratio,
                       std::int64_t first_pair, std::uint64_t stream) {
  for (std::int64_t chain = 0; chain * a.replicas < a.chains.rows; ++chain) {
    std::int64_t* const row_at = a.row_at + chain * a.replicas;
    for (std::int64_t t = first_pair; t + 1 < a.replicas; t += 2) {
      const std::int64_t low = row_at[t], high = row_at[t + 1];
      const double gain = log_ratio[low] + log_ratio[high];
      const double u = scalar_uniform<double>(a.chains.seed, stream, chain, t);
      if (!(u < exp<double>(broadcast<double>(gain))[0])) continue;
      row_at[t] = high;
      row_at[t + 1] = low;
      a.temperature[high] = t;
      a.temperature[low] = t + 1;
      ++a.swaps[t];
    }
  }
}

template <class T>
void parallel_tempering(const ParallelTemperingArguments<T>& a) noexcept {
  const TemperedArguments<T>& c = a.chains;
  TemperedChains<T> chains(c.model, c.rows, c.workspace);
  chains.pack_weights();
  for (std::int64_t k = 0; k < c.steps; ++k) {
    const std::uint64_t stream = c.stream + 3 * static_cast<std::uint64_t>(k);
    const std::int64_t first_pair = (a.first_step + k) & 1;
    chains.hidden_inputs(c.visible, k);
    for (std::int64_t i = 0; i < c.rows; ++i) {
      const std::int64_t t = a.temperature[i];
      // The other of its pair; itself where it has none.
      std::int64_t pair = ((t - first_pair) & 1) == 0 ? t + 1 : t - 1;
      if (pair < first_pair || pair >= a.replicas) pair = t;
      chains.beta[i] = static_cast<T>(a.inverse_temperature[t]);
      chains.other[i] = static_cast<T>(a.inverse_temperature[pair]);
    }
    chains.compare_temperatures(c.visible, c.base_bias);
    swap_temperatures(a, chains.log_ratio, first_pair, stream);
    for (std::int64_t i = 0; i < c.rows; ++i) {
      chains.beta[i] = static_cast<T>(a.inverse_temperature[a.temperature[i]]);
    }
    chains.move(c.visible, c.base_bias, k, c.seed, stream + 1);
  }
}

}  // namespace

extern const TemperingKernels<float> tempering_float;
extern const TemperingKernels<double> tempering_double;
const TemperingKernels<float> tempering_float = {anneal<float>, parallel_tempering<float>,
                                                 tempered_workspace<float>};
const TemperingKernels<double> tempering_double = {anneal<double>, parallel_tempering<double>,
                                                   tempered_workspace<double>};

}  // namespace ictus::ICTUS_LEVEL
