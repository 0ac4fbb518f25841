// The spectra of beat tracking: frames of 1024, 2048 and 4096 samples every 441, 40 bands.
#include "ictus/spectrogram.h"

#include "bench/bench.h"

namespace ictus::bench {
namespace {

// Where the transform of `length` points leaves its bins, as the kernel's header says.
std::vector<std::int32_t> bin_positions(std::int64_t length) {
  std::vector<std::int32_t> positions = {0};
  std::int64_t n = 1;
  std::int64_t base = length;
  while (base >= 4) base /= 4;
  if (base == 2) positions = {0, 1}, n = 2;
  while (n < length) {
    std::vector<std::int32_t> next;
    for (const std::int32_t position : positions) {
      for (int q = 0; q < 4; ++q) next.push_back(static_cast<std::int32_t>(position + q * n));
    }
    positions = next;
    n *= 4;
  }
  return positions;
}

template <class T>
void filtered(benchmark::State& state) {
  const std::int64_t size = state.range(0), frames = 1000, hop = 441, bands = 40;
  const double pi = std::acos(-1.0);
  const auto signal = random_numbers<T>(frames * hop + size, 1);
  std::vector<std::int64_t> starts;
  for (std::int64_t i = 0; i < frames; ++i) starts.push_back(i * hop);
  std::vector<T> window(static_cast<std::size_t>(size), T(1)), twiddles;
  for (std::int64_t k = 0; k < size; ++k) {
    const double angle = 2 * pi * static_cast<double>(k) / static_cast<double>(size);
    twiddles.push_back(static_cast<T>(std::cos(angle)));
    twiddles.push_back(static_cast<T>(-std::sin(angle)));
  }
  const auto positions = bin_positions(size / 2);
  // Band 0 is the bin 0 alone, the mean of the frame times its size; the others share the rest.
  const std::int64_t each = (size / 2) / bands;
  std::vector<std::int32_t> first, offsets = {0};
  std::vector<T> weights;
  for (std::int64_t b = 0; b < bands; ++b) {
    const std::int64_t count = b == 0 ? 1 : each;
    first.push_back(static_cast<std::int32_t>(b * each));
    weights.insert(weights.end(), static_cast<std::size_t>(count), T(1));
    offsets.push_back(static_cast<std::int32_t>(weights.size()));
  }
  std::vector<T> out(static_cast<std::size_t>(frames * bands));
  const SpectrogramArguments<T> arguments = {signal.data(),
                                             static_cast<std::int64_t>(signal.size()),
                                             frames,
                                             starts.data(),
                                             window.data(),
                                             size,
                                             size,
                                             twiddles.data(),
                                             positions.data(),
                                             bands,
                                             first.data(),
                                             offsets.data(),
                                             weights.data(),
                                             false,
                                             T(0),
                                             T(1),
                                             T(1),
                                             out.data(),
                                             bands};
  const auto run = tables<T>().spectrogram->filtered;
  run(arguments);
  std::vector<T> got;
  std::vector<double> expected;
  for (std::int64_t i = 0; i < frames; ++i) {
    double sum = 0;
    for (std::int64_t n = 0; n < size; ++n) {
      sum += static_cast<double>(signal[static_cast<std::size_t>(i * hop + n)]);
    }
    expected.push_back(std::abs(sum));
    got.push_back(out[static_cast<std::size_t>(i * bands)]);
  }
  if (!correct<T>(state, residual(got, expected), 12 * std::sqrt(static_cast<double>(size)))) {
    return;
  }
  for (auto _ : state) run(arguments);
  state.SetItemsProcessed(state.iterations() * frames);
}

BENCHMARK_TEMPLATE(filtered, float)->Name("spectrogram<float>")->Arg(1024)->Arg(2048)->Arg(4096);

}  // namespace
}  // namespace ictus::bench
