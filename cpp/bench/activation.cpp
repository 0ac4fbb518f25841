// Elementwise functions on a vector that stays in the level-2 cache.
#include "bench/bench.h"

namespace ictus::bench {
namespace {

double reference(Elementwise function, double x) {
  switch (function) {
    case Elementwise::sigmoid:
      return 1 / (1 + std::exp(-x));
    case Elementwise::tanh:
      return std::tanh(x);
    case Elementwise::relu:
      return x > 0 ? x : 0;
    case Elementwise::softplus:
      return std::log1p(std::exp(x));
    case Elementwise::exp:
      return std::exp(x);
    case Elementwise::log:
      return std::log(x);
    case Elementwise::identity:
      break;
  }
  return x;
}

template <class T>
void map(benchmark::State& state, Elementwise function) {
  const std::int64_t size = 1 << 15;
  auto x = random_numbers<T>(size, 1);
  if (function == Elementwise::log) {
    for (T& v : x) v = v * v + T(0.01);
  }
  std::vector<T> out(x.size());
  const MapArguments<T> arguments = {1, size, x.data(), size, out.data(), size};
  const auto run = tables<T>().activation->map;
  run(function, arguments);
  std::vector<double> expected;
  for (const T v : x) expected.push_back(reference(function, static_cast<double>(v)));
  if (!correct<T>(state, residual(out, expected), 4)) return;
  for (auto _ : state) run(function, arguments);
  state.SetItemsProcessed(state.iterations() * size);
  count_bytes(state, 2.0 * static_cast<double>(size) * sizeof(T));
}

void of_float(benchmark::State& state, Elementwise function) { map<float>(state, function); }
void of_double(benchmark::State& state, Elementwise function) { map<double>(state, function); }

#define ICTUS_MAP(name)                                                        \
  BENCHMARK_CAPTURE(of_float, name, Elementwise::name)->Name(#name "<float>"); \
  BENCHMARK_CAPTURE(of_double, name, Elementwise::name)->Name(#name "<double>")
ICTUS_MAP(exp);
ICTUS_MAP(log);
ICTUS_MAP(sigmoid);
ICTUS_MAP(tanh);
ICTUS_MAP(softplus);
ICTUS_MAP(relu);

}  // namespace
}  // namespace ictus::bench
