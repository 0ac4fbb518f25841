// One update of the mean-covariance machine by contrastive divergence (20 leapfrog steps), with and
// without a pooling matrix: nearly all of its arithmetic is matrix products of the trajectories.
#include "bench/bench.h"

namespace ictus::bench {
namespace {

// Parameters, or arrays of their shapes.
struct Arrays {
  Arrays(std::int64_t visible, std::int64_t factors, std::int64_t mean, bool pooled, double scale)
      : filters(random_numbers<float>(visible * factors, 1)),
        pooling(static_cast<std::size_t>(pooled ? factors * factors : 0)),
        weights(random_numbers<float>(visible * mean, 2)),
        visible_bias(static_cast<std::size_t>(visible)),
        covariance_bias(static_cast<std::size_t>(factors)),
        mean_bias(static_cast<std::size_t>(mean)) {
    for (float& x : filters) x *= static_cast<float>(scale);
    for (float& x : weights) x *= static_cast<float>(scale);
    const float share = static_cast<float>(-scale) / static_cast<float>(factors);
    for (float& x : pooling) x = share;
  }
  MeanCovarianceArrays<float> pointers() {
    return {filters.data(),         pooling.empty() ? nullptr : pooling.data(),
            weights.data(),         visible_bias.data(),
            covariance_bias.data(), mean_bias.data()};
  }
  std::vector<float> filters, pooling, weights, visible_bias, covariance_bias, mean_bias;
};

void update(benchmark::State& state) {
  const std::int64_t rows = state.range(0), visible = state.range(1), factors = state.range(2),
                     mean = state.range(3);
  const bool pooled = state.range(4) != 0;
  Arrays parameters(visible, factors, mean, pooled, 1 / std::sqrt(static_cast<double>(visible)));
  Arrays velocity(visible, factors, mean, pooled, 0);
  const auto data = random_numbers<float>(rows * visible, 3);
  auto particles = random_numbers<float>(rows * visible, 4);
  std::vector<float> acceptance(static_cast<std::size_t>(rows)), energy(acceptance.size());
  MeanCovarianceUpdate<float> a = {};
  const auto p = parameters.pointers();
  a.model = {visible,   factors,        factors,           mean,        p.filters, p.pooling,
             p.weights, p.visible_bias, p.covariance_bias, p.mean_bias, 0.5f};
  a.parameters = p;
  a.velocity = velocity.pointers();
  a.rows = rows;
  a.data = data.data();
  a.data_row_stride = visible;
  a.particles = particles.data();
  a.particle_rows = rows;
  a.trajectories = 1;
  a.steps = 20;
  a.step_size = 0.05f;
  a.acceptance = acceptance.data();
  a.data_energy = energy.data();
  const auto& kernels = *tables<float>().mean_covariance;
  std::vector<char> workspace(static_cast<std::size_t>(kernels.update_workspace(a)) + 64);
  a.workspace = workspace.data() + (64 - reinterpret_cast<std::uintptr_t>(workspace.data()) % 64);
  kernels.update(a);

  // The free energy of the first row, from its definition.
  double square = 0, expected = 0;
  for (std::int64_t i = 0; i < visible; ++i) {
    const double v = static_cast<double>(data[static_cast<std::size_t>(i)]);
    square += v * v;
  }
  const auto input = [&](const std::vector<float>& w, std::int64_t columns, std::int64_t j) {
    double x = 0;
    for (std::int64_t i = 0; i < visible; ++i) {
      x += static_cast<double>(data[static_cast<std::size_t>(i)]) *
           static_cast<double>(w[static_cast<std::size_t>(i * columns + j)]);
    }
    return x;
  };
  const double norm = std::sqrt(square / static_cast<double>(visible) + 0.5);
  double squares = 0;
  for (std::int64_t f = 0; f < factors; ++f) {
    const double u = input(parameters.filters, factors, f) / norm;
    squares += u * u;
    if (!pooled) expected -= std::log1p(std::exp(-u * u / 2));
  }
  if (pooled) {
    const double share = static_cast<double>(parameters.pooling[0]);
    expected -= static_cast<double>(factors) * std::log1p(std::exp(squares * share / 2));
  }
  for (std::int64_t j = 0; j < mean; ++j) {
    expected -= std::log1p(std::exp(input(parameters.weights, mean, j)));
  }
  expected += square / 2;
  const double worst = residual<float>({energy[0]}, {expected});
  if (!correct<float>(state, worst, static_cast<double>(visible + 2 * factors))) return;
  double accepted = 0;
  for (const float x : acceptance) accepted += static_cast<double>(x);
  if (accepted < 0.5 * static_cast<double>(rows)) return state.SkipWithError("chains do not move");

  for (auto _ : state) kernels.update(a);
  // 21 forces of the chains, coefficients of data and chains (half a force each, about), and two
  // products for the gradients of each matrix.
  const double pass =
      static_cast<double>(visible * (factors + mean) + (pooled ? factors * factors : 0));
  const double pool = static_cast<double>(pooled ? factors * factors : 0);
  const double each = 21 * 2 * pass + 2 * (pass + pool) + 2 * pass;
  count_flops<float>(state, 2 * static_cast<double>(rows) * each);
}
BENCHMARK(update)
    ->Name("mean_covariance update<float>")
    ->ArgNames({"rows", "visible", "factors", "mean", "pooled"})
    ->Args({128, 105, 256, 100, 0})
    ->Args({128, 105, 256, 100, 1})
    ->Args({128, 400, 576, 256, 1})
    ->UseRealTime();

}  // namespace
}  // namespace ictus::bench
