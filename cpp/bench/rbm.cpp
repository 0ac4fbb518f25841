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

}  // namespace
}  // namespace ictus::bench
