// What every benchmark shares: random data, the check before the timing, and the counters.
#pragma once

#include <benchmark/benchmark.h>

#include <cmath>
#include <cstdint>
#include <random>
#include <type_traits>
#include <vector>

#include "core/tables.h"
#include "core/threads.h"

namespace ictus::bench {

// Multiply-adds count as two operations. One thread, at the level in force; measured once.
template <class T>
double peak_flops();
// Bytes a second, read and written, of a copy by one thread in memory; measured once.
double peak_bandwidth();

template <class T>
std::vector<T> random_numbers(std::int64_t size, unsigned seed) {
  std::mt19937 generator(seed);
  std::normal_distribution<double> normal;
  std::vector<T> numbers(static_cast<std::size_t>(size));
  for (T& number : numbers) number = static_cast<T>(normal(generator));
  return numbers;
}

// The largest difference, relative to 1 + the expected magnitude.
template <class T>
double residual(const std::vector<T>& got, const std::vector<double>& expected) {
  double worst = 0;
  for (std::size_t i = 0; i < got.size(); ++i) {
    const double error = std::abs(static_cast<double>(got[i]) - expected[i]);
    const double relative = error / (1 + std::abs(expected[i]));
    if (!(relative <= worst)) worst = relative;  // NaN too
  }
  return worst;
}

// Refuses to time what is wrong. `terms` is how many roundings go into a result.
template <class T>
bool correct(benchmark::State& state, double worst, double terms) {
  const double epsilon = std::is_same_v<T, float> ? 6e-8 : 1.2e-16;
  state.counters["residual"] = worst;
  if (worst <= 4 * epsilon * (terms + 4)) return true;
  state.SkipWithError("wrong result");
  return false;
}

template <class T>
void count_flops(benchmark::State& state, double operations_each) {
  const double total = operations_each * static_cast<double>(state.iterations());
  state.counters["FLOP/s"] = benchmark::Counter(total, benchmark::Counter::kIsRate);
  state.counters["share_of_peak"] =
      benchmark::Counter(total / (peak_flops<T>() * num_threads()), benchmark::Counter::kIsRate);
}

inline void count_bytes(benchmark::State& state, double bytes_each) {
  const double total = bytes_each * static_cast<double>(state.iterations());
  state.counters["B/s"] = benchmark::Counter(total, benchmark::Counter::kIsRate);
  state.counters["share_of_memory_bandwidth"] =
      benchmark::Counter(total / peak_bandwidth(), benchmark::Counter::kIsRate);
}

}  // namespace ictus::bench
