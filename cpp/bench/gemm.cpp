// Matrix products: squares, and the shapes of small networks with bias and sigmoid.
#include "bench/bench.h"

namespace ictus::bench {
namespace {

template <class T>
void product(benchmark::State& state, std::int64_t m, std::int64_t k, std::int64_t n,
             bool with_epilogue) {
  const auto a = random_numbers<T>(m * k, 1), b = random_numbers<T>(k * n, 2);
  const auto bias = random_numbers<T>(n, 3);
  std::vector<T> c(static_cast<std::size_t>(m * n));
  Epilogue<T> epilogue;
  epilogue.bias = bias.data();
  epilogue.activation = Activation::sigmoid;
  const GemmArguments<T> arguments = {
      m,       n,    k,        T(1), a.data(),
      k,       1,    b.data(), n,    1,
      nullptr, T(0), c.data(), n,    with_epilogue ? &epilogue : nullptr};
  const auto multiply = tables<T>().gemm->multiply;
  multiply(arguments);
  // The first and the last row are checked; all rows take the same ways through the kernel.
  std::vector<T> got;
  std::vector<double> expected;
  for (const std::int64_t i : {std::int64_t{0}, m - 1}) {
    for (std::int64_t j = 0; j < n; ++j) {
      double sum = 0;
      for (std::int64_t p = 0; p < k; ++p) {
        sum += static_cast<double>(a[static_cast<std::size_t>(i * k + p)]) *
               static_cast<double>(b[static_cast<std::size_t>(p * n + j)]);
      }
      if (with_epilogue)
        sum = 1 / (1 + std::exp(-sum - static_cast<double>(bias[static_cast<std::size_t>(j)])));
      got.push_back(c[static_cast<std::size_t>(i * n + j)]);
      expected.push_back(sum);
    }
  }
  if (!correct<T>(state, residual(got, expected), static_cast<double>(k))) return;
  for (auto _ : state) multiply(arguments);
  count_flops<T>(state,
                 2.0 * static_cast<double>(m) * static_cast<double>(n) * static_cast<double>(k));
}

template <class T>
void square(benchmark::State& state) {
  product<T>(state, state.range(0), state.range(0), state.range(0), false);
}

template <class T>
void layer(benchmark::State& state) {
  product<T>(state, state.range(0), state.range(1), state.range(2), true);
}

void model_shapes(benchmark::internal::Benchmark* b) {
  b->Args({100, 784, 500})->Args({128, 784, 1024})->Args({128, 1024, 1024});
  b->Args({512, 2000, 1000})->Args({32, 100, 100})->ArgNames({"rows", "inner", "columns"});
}

BENCHMARK_TEMPLATE(square, float)
    ->Name("gemm<float>")
    ->RangeMultiplier(2)
    ->Range(32, 2048)
    ->UseRealTime();
BENCHMARK_TEMPLATE(square, double)
    ->Name("gemm<double>")
    ->RangeMultiplier(2)
    ->Range(32, 1024)
    ->UseRealTime();
BENCHMARK_TEMPLATE(layer, float)
    ->Name("gemm bias sigmoid<float>")
    ->Apply(model_shapes)
    ->UseRealTime();

}  // namespace
}  // namespace ictus::bench
