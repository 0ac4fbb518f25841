// One update by contrastive divergence, and a layer of a chain, over the share of visible units
// that are on (a fifth of MNIST's pixels): the sparse path against the dense one.
#include "bench/bench.h"
#include "core/philox.h"

namespace ictus::bench {
namespace {

std::vector<float> binary(std::int64_t size, double share, unsigned seed) {
  std::mt19937 generator(seed);
  std::bernoulli_distribution on(share);
  std::vector<float> states(static_cast<std::size_t>(size));
  for (float& state : states) state = on(generator) ? 1.0f : 0.0f;
  return states;
}

struct Machine {
  Machine(std::int64_t visible, std::int64_t hidden)
      : weights(random_numbers<float>(visible * hidden, 1)),
        visible_bias(static_cast<std::size_t>(visible), -1.0f),
        hidden_bias(static_cast<std::size_t>(hidden), -1.0f) {
    for (float& w : weights) w *= 0.01f;
    model.visible = visible;
    model.hidden = hidden;
    model.group = 1;
    model.weights = weights.data();
    model.visible_bias = visible_bias.data();
    model.hidden_bias = hidden_bias.data();
  }
  std::vector<float> weights, visible_bias, hidden_bias;
  RbmModel<float> model = {};
};

void hidden_means(benchmark::State& state) {
  const std::int64_t rows = state.range(0), visible = state.range(1), hidden = state.range(2);
  Machine machine(visible, hidden);
  const auto data = binary(rows * visible, static_cast<double>(state.range(3)) / 100, 2);
  std::vector<float> mean(static_cast<std::size_t>(rows * hidden));
  const auto& kernels = *tables<float>().rbm;
  std::vector<char> workspace(
      static_cast<std::size_t>(kernels.layer_workspace(rows, visible, hidden)) + 64);
  LayerArguments<float> a = {};
  a.model = machine.model;
  a.rows = rows;
  a.given = data.data();
  a.given_row_stride = visible;
  a.mean = mean.data();
  a.workspace = workspace.data() + (64 - reinterpret_cast<std::uintptr_t>(workspace.data()) % 64);
  kernels.hidden_layer(a);
  std::vector<double> expected;
  for (std::int64_t j = 0; j < hidden; ++j) {
    double x = -1;
    for (std::int64_t i = 0; i < visible; ++i) {
      x += static_cast<double>(data[static_cast<std::size_t>(i)]) *
           static_cast<double>(machine.weights[static_cast<std::size_t>(i * hidden + j)]);
    }
    expected.push_back(1 / (1 + std::exp(-x)));
  }
  mean.resize(static_cast<std::size_t>(hidden));
  const double worst = residual(mean, expected);
  mean.resize(static_cast<std::size_t>(rows * hidden));
  if (!correct<float>(state, worst, static_cast<double>(visible))) return;
  for (auto _ : state) kernels.hidden_layer(a);
  count_flops<float>(state, 2.0 * static_cast<double>(rows * visible * hidden));
}
BENCHMARK(hidden_means)
    ->Name("rbm hidden means<float>")
    ->ArgNames({"rows", "visible", "hidden", "percent_on"})
    ->Args({100, 784, 500, 20})
    ->Args({100, 784, 500, 100})
    ->UseRealTime();

// A persistent update by given numbers, in double, for the weights of the first hidden unit.
std::vector<double> first_weights(const Machine& m, const DivergenceArguments<float>& a) {
  const std::int64_t visible = m.model.visible, hidden = m.model.hidden;
  const auto w = [&](std::int64_t i, std::int64_t j) {
    return static_cast<double>(m.weights[static_cast<std::size_t>(i * hidden + j)]);
  };
  const auto mean = [&](const std::vector<double>& v) {
    double x = static_cast<double>(m.hidden_bias[0]);
    for (std::int64_t i = 0; i < visible; ++i) x += v[static_cast<std::size_t>(i)] * w(i, 0);
    return 1 / (1 + std::exp(-x));
  };
  std::vector<double> expected, data(static_cast<std::size_t>(visible)), chain = data;
  for (std::int64_t i = 0; i < visible; ++i) expected.push_back(w(i, 0));
  for (std::int64_t n = 0; n < a.rows; ++n) {
    for (std::int64_t i = 0; i < visible; ++i) {
      double x = static_cast<double>(m.visible_bias[static_cast<std::size_t>(i)]);
      for (std::int64_t j = 0; j < hidden; ++j) {
        x += w(i, j) * static_cast<double>(a.particles[n * hidden + j]);
      }
      const double u = static_cast<double>(a.visible_uniforms[n * visible + i]);
      data[static_cast<std::size_t>(i)] = static_cast<double>(a.data[n * visible + i]);
      chain[static_cast<std::size_t>(i)] = u < 1 / (1 + std::exp(-x)) ? 1 : 0;
    }
    const double rate = static_cast<double>(a.rule.weight_rate) / static_cast<double>(a.rows);
    const double positive = mean(data), negative = mean(chain);
    for (std::size_t i = 0; i < data.size(); ++i) {
      expected[i] += rate * (data[i] * positive - chain[i] * negative);
    }
  }
  return expected;
}

void update(benchmark::State& state) {
  const std::int64_t rows = state.range(0), visible = state.range(1), hidden = state.range(2);
  const double share = static_cast<double>(state.range(3)) / 100;
  Machine machine(visible, hidden);
  for (float& b : machine.visible_bias) b = static_cast<float>(std::log(share / (1 - share)));
  const auto data = binary(rows * visible, share, 2);
  auto particles = binary(rows * hidden, 0.1, 3);
  std::vector<float> uniforms(static_cast<std::size_t>(rows * visible));
  std::mt19937 generator(4);
  for (float& u : uniforms) u = std::uniform_real_distribution<float>()(generator);
  std::vector<float> velocity(machine.weights.size()), visible_velocity(machine.visible_bias),
      hidden_velocity(machine.hidden_bias);
  DivergenceArguments<float> a = {};
  a.model = machine.model;
  a.weights = machine.weights.data();
  a.visible_bias = machine.visible_bias.data();
  a.hidden_bias = machine.hidden_bias.data();
  a.weights_velocity = velocity.data();
  a.visible_velocity = visible_velocity.data();
  a.hidden_velocity = hidden_velocity.data();
  a.rule = {0.1f, 0.0f, 0.0f, 0.0f, 0.0f};
  a.rows = rows;
  a.data = data.data();
  a.data_row_stride = visible;
  a.steps = 1;
  a.particles = particles.data();
  a.particle_rows = rows;
  a.visible_uniforms = uniforms.data();
  const auto& kernels = *tables<float>().rbm;
  std::vector<char> workspace(static_cast<std::size_t>(kernels.divergence_workspace(a)) + 64);
  a.workspace = workspace.data() + (64 - reinterpret_cast<std::uintptr_t>(workspace.data()) % 64);
  const auto expected = first_weights(machine, a);
  kernels.contrastive_divergence(a);
  std::vector<float> got;
  for (std::int64_t i = 0; i < visible; ++i) {
    got.push_back(machine.weights[static_cast<std::size_t>(i * hidden)]);
  }
  if (!correct<float>(state, residual(got, expected), static_cast<double>(rows))) return;
  a.visible_uniforms = nullptr;
  a.rule.weight_rate = 0.0f;  // so that the share of units that are on stays as it is
  a.rule.momentum = 0.5f;
  for (float& v : velocity) v = 0;
  for (auto _ : state) {
    a.stream += 3;
    kernels.contrastive_divergence(a);
  }
  count_flops<float>(state, 10.0 * static_cast<double>(rows * visible * hidden));
}
BENCHMARK(update)
    ->Name("rbm persistent update<float>")
    ->ArgNames({"rows", "visible", "hidden", "percent_on"})
    ->Args({100, 784, 500, 10})
    ->Args({100, 784, 500, 20})
    ->Args({100, 784, 500, 90})
    ->Args({128, 784, 1024, 20})
    ->UseRealTime();

}  // namespace
}  // namespace ictus::bench
