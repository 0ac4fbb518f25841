// Annealed chains of a machine of MNIST's size: the share of the dense products' floor, two
// products a step, shows what moving inputs by changes saves.
#include "ictus/tempering.h"
#include "bench/bench.h"

namespace ictus::bench {
namespace {

void anneal(benchmark::State& state) {
  constexpr std::int64_t rows = 100, visible = 784, hidden = 500, steps = 100;
  auto weights = random_numbers<float>(visible * hidden, 1);
  for (float& w : weights) w *= 0.02f;
  const std::vector<float> bias(visible, -2.0f), base(visible, -1.5f);
  RbmModel<float> model = {};
  model.visible = visible;
  model.hidden = hidden;
  model.group = 1;
  model.weights = weights.data();
  model.visible_bias = bias.data();
  model.hidden_bias = bias.data();
  const auto& kernels = *tables<float>().tempering;
  std::vector<char> workspace(static_cast<std::size_t>(kernels.tempered_workspace(model, rows)) +
                              64);
  std::vector<float> states(static_cast<std::size_t>(rows * visible));
  std::vector<double> beta(steps + 1), log_weights(static_cast<std::size_t>(rows));
  AnnealingArguments<float> a = {};
  a.chains.model = model;
  a.chains.base_bias = base.data();
  a.chains.rows = rows;
  a.chains.visible = states.data();
  a.chains.steps = 1;
  a.chains.workspace =
      workspace.data() + (64 - reinterpret_cast<std::uintptr_t>(workspace.data()) % 64);
  a.inverse_temperature = beta.data();
  a.log_weights = log_weights.data();
  // With all visible units off the weight of one step is a sum over the hidden biases.
  beta[1] = 0.5;
  kernels.anneal(a);
  const double expected = hidden * (std::log1p(std::exp(-1.0)) - std::log(2.0));
  const std::vector<float> got(1, static_cast<float>(log_weights[0]));
  if (!correct<float>(state, residual(got, {expected}), hidden)) return;
  for (std::size_t k = 0; k < beta.size(); ++k) beta[k] = 0.9 + 0.001 * static_cast<double>(k);
  a.chains.steps = steps;
  for (auto _ : state) kernels.anneal(a);
  count_flops<float>(state, 2.0 * 2.0 * steps * static_cast<double>(rows * visible * hidden));
}
BENCHMARK(anneal)->Name("tempering anneal, 100 steps<float>")->UseRealTime();

}  // namespace
}  // namespace ictus::bench
