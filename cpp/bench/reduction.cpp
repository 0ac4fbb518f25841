// Column sums (the gradient of a bias) and softmax.
#include "bench/bench.h"

namespace ictus::bench {
namespace {

template <class T>
void column_sums(benchmark::State& state) {
  const std::int64_t rows = state.range(0), columns = state.range(1);
  const auto x = random_numbers<T>(rows * columns, 1);
  std::vector<T> out(static_cast<std::size_t>(columns));
  const ReductionArguments<T> arguments = {rows, columns, x.data(), columns, out.data(), 0};
  const auto run = tables<T>().reduction->column_sums;
  run(arguments);
  std::vector<double> expected(out.size());
  for (std::size_t i = 0; i < x.size(); ++i) expected[i % out.size()] += static_cast<double>(x[i]);
  if (!correct<T>(state, residual(out, expected), static_cast<double>(rows))) return;
  for (auto _ : state) run(arguments);
  count_bytes(state, static_cast<double>(x.size()) * sizeof(T));
}

template <class T>
void softmax(benchmark::State& state) {
  const std::int64_t rows = state.range(0), columns = state.range(1);
  const auto x = random_numbers<T>(rows * columns, 1);
  std::vector<T> out(x.size());
  const ReductionArguments<T> arguments = {rows, columns, x.data(), columns, out.data(), columns};
  const auto run = tables<T>().reduction->softmax;
  run(arguments);
  std::vector<double> expected;
  for (std::int64_t i = 0; i < rows; ++i) {
    double sum = 0;
    for (std::int64_t j = 0; j < columns; ++j) {
      sum += std::exp(static_cast<double>(x[static_cast<std::size_t>(i * columns + j)]));
    }
    for (std::int64_t j = 0; j < columns; ++j) {
      const double v = static_cast<double>(x[static_cast<std::size_t>(i * columns + j)]);
      expected.push_back(std::exp(v) / sum);
    }
  }
  if (!correct<T>(state, residual(out, expected), static_cast<double>(columns))) return;
  for (auto _ : state) run(arguments);
  state.SetItemsProcessed(state.iterations() * rows * columns);
  count_bytes(state, 2.0 * static_cast<double>(x.size()) * sizeof(T));
}

BENCHMARK_TEMPLATE(column_sums, float)
    ->Name("column sums<float>")
    ->Args({100, 800})
    ->Args({1000, 1000});
BENCHMARK_TEMPLATE(softmax, float)->Name("softmax<float>")->Args({100, 10})->Args({100, 1000});

}  // namespace
}  // namespace ictus::bench
