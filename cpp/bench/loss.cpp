// Losses with their gradients, from logits.
#include "bench/bench.h"

namespace ictus::bench {
namespace {

template <class T>
void loss(benchmark::State& state, Loss kind) {
  const std::int64_t rows = state.range(0), columns = state.range(1);
  const auto z = random_numbers<T>(rows * columns, 1);
  std::vector<T> targets(z.size()), gradient(z.size());
  for (std::size_t i = 0; i < z.size(); ++i)
    targets[i] = i % static_cast<std::size_t>(columns) == 0;
  LossArguments<T> a = {rows,    columns, z.data(), columns,         targets.data(),
                        columns, nullptr, nullptr,  gradient.data(), columns,
                        1.0};
  const auto run = tables<T>().loss->evaluate;
  run(kind, a);
  std::vector<double> expected;
  for (std::int64_t i = 0; i < rows; ++i) {
    const T* row = z.data() + i * columns;
    double sum = 0;
    for (std::int64_t j = 0; j < columns; ++j) sum += std::exp(static_cast<double>(row[j]));
    for (std::int64_t j = 0; j < columns; ++j) {
      const double v = static_cast<double>(row[j]);
      const double output = kind == Loss::squared_error          ? v
                            : kind == Loss::binary_cross_entropy ? 1 / (1 + std::exp(-v))
                                                                 : std::exp(v) / sum;
      expected.push_back(output - (j == 0 ? 1 : 0));
    }
  }
  if (!correct<T>(state, residual(gradient, expected), static_cast<double>(columns))) return;
  for (auto _ : state) benchmark::DoNotOptimize(run(kind, a));
  state.SetItemsProcessed(state.iterations() * rows * columns);
  count_bytes(state, 3.0 * static_cast<double>(z.size()) * sizeof(T));
}

void of_float(benchmark::State& state, Loss kind) { loss<float>(state, kind); }

BENCHMARK_CAPTURE(of_float, squared, Loss::squared_error)
    ->Name("squared error<float>")
    ->Args({1000, 784});
BENCHMARK_CAPTURE(of_float, binary, Loss::binary_cross_entropy)
    ->Name("binary cross-entropy<float>")
    ->Args({1000, 784});
BENCHMARK_CAPTURE(of_float, softmax, Loss::softmax_cross_entropy)
    ->Name("softmax cross-entropy<float>")
    ->Args({100, 10})
    ->Args({100, 1000});

}  // namespace
}  // namespace ictus::bench
