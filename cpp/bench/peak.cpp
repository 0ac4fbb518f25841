// The machine's own limits: the rate of multiply-adds of the register tile on data that never leave
// the level-1 cache, and the rate at which memory is copied.
#include <chrono>
#include <cstring>

#include "bench/bench.h"

namespace ictus::bench {
namespace {

double seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

template <class T>
double measure_flops() {
  double best = 0;
  for (int round = 0; round < 5; ++round) {
    const double start = seconds();
    T sink = T(0.5);
    const double operations = tables<T>().gemm->multiply_adds(2000000, &sink);
    benchmark::DoNotOptimize(sink);
    const double rate = operations / (seconds() - start);
    if (rate > best) best = rate;
  }
  return best;
}

void report_fma(benchmark::State& state, double rate) {
  for (auto _ : state) benchmark::DoNotOptimize(rate);
  state.counters["FLOP/s"] = rate;
}

}  // namespace

template <>
double peak_flops<float>() {
  static const double rate = measure_flops<float>();
  return rate;
}

template <>
double peak_flops<double>() {
  static const double rate = measure_flops<double>();
  return rate;
}

double peak_bandwidth() {
  static const double rate = [] {
    const std::size_t size = std::size_t{128} << 20;
    const std::vector<char> from(size, 'x');
    std::vector<char> to(size);
    double best = 0;
    for (int round = 0; round < 4; ++round) {
      const double start = seconds();
      std::memcpy(to.data(), from.data(), size);
      benchmark::DoNotOptimize(to.data());
      const double rate_now = 2.0 * static_cast<double>(size) / (seconds() - start);
      if (rate_now > best) best = rate_now;
    }
    return best;
  }();
  return rate;
}

void peak_float(benchmark::State& state) { report_fma(state, peak_flops<float>()); }
void peak_double(benchmark::State& state) { report_fma(state, peak_flops<double>()); }
void peak_memory(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(peak_bandwidth());
  state.counters["B/s"] = peak_bandwidth();
}
BENCHMARK(peak_float)->Name("peak<float>");
BENCHMARK(peak_double)->Name("peak<double>");
BENCHMARK(peak_memory)->Name("peak memory");

}  // namespace ictus::bench
