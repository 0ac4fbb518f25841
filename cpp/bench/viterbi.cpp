// Viterbi decoding of beats as in beat tracking: 28 .. 109 frames, one beat; and of bars.
#include "ictus/viterbi.h"

#include "bench/bench.h"

namespace ictus::bench {
namespace {

template <class T>
void advance(benchmark::State& state) {
  const std::int64_t beats = state.range(0), frames = state.range(1), shortest = 28, longest = 109;
  const std::int64_t n = longest - shortest + 1;
  std::vector<std::int32_t> lengths, zones, columns(static_cast<std::size_t>(beats), 1);
  std::int64_t states = 0;
  for (std::int64_t i = shortest; i <= longest; ++i) {
    lengths.push_back(static_cast<std::int32_t>(i));
    states += i;
  }
  states *= beats;
  for (std::int64_t b = 0; b < beats; ++b) {
    for (const std::int32_t length : lengths) zones.push_back((length + 15) / 16);
  }
  std::vector<T> transitions;
  for (const std::int32_t from : lengths) {
    for (const std::int32_t to : lengths) {
      transitions.push_back(static_cast<T>(-100.0 * std::abs(static_cast<double>(to) / from - 1)));
    }
  }
  auto densities = random_numbers<T>(frames * 2, 1);
  std::vector<T> scores(static_cast<std::size_t>(states));
  std::vector<std::uint16_t> origins(static_cast<std::size_t>(frames * beats * n));
  const BarPointer<T> model = {
      beats, n, lengths.data(), zones.data(), columns.data(), transitions.data(), states};
  const ViterbiArguments<T> arguments = {model,         frames,        2, densities.data(),
                                         scores.data(), origins.data()};
  const auto run = tables<T>().viterbi->advance;
  // One frame from equal scores: position 1 of the first interval has observed column 1.
  ViterbiArguments<T> one = arguments;
  one.frames = 1;
  run(one);
  if (scores[1] != densities[1]) {
    state.SkipWithError("wrong result");
    return;
  }
  for (auto _ : state) {
    std::fill(scores.begin(), scores.end(), T(0));
    run(arguments);
  }
  state.SetItemsProcessed(state.iterations() * frames * states);
}

BENCHMARK_TEMPLATE(advance, double)->Name("viterbi<double>")->Args({1, 3000})->Args({4, 3000});

}  // namespace
}  // namespace ictus::bench
