// Decoding of a bar pointer: a hidden Markov model whose state walks through beats of different
// lengths (Krebs, Boeck & Widmer, "An efficient state space model for joint tempo and meter
// tracking", ISMIR 2015).
//
// A bar has `beats` beats, a beat lasts lengths(i) frames for one of `intervals` lengths, and a
// state is (beat, interval, position): at (beat * sum of lengths) + (sum of the lengths below i) +
// position. A frame moves the position on by one; from the last position of a beat the state goes
// to the first of the next beat, of any interval, with probability transition(from, to). So a state
// has one predecessor, except at position 0, and only what came before positions 0 is stored.
//
// A state at position p of beat b observes column 0 of the densities, or beat_columns(b) where
// p < beat_states(b, i).
#pragma once

#include <cstdint>

namespace ictus {

template <class T>
struct BarPointer {
  std::int64_t beats, intervals;
  const std::int32_t* lengths;       // (intervals), at least 1
  const std::int32_t* beat_states;   // (beats, intervals), at least 1
  const std::int32_t* beat_columns;  // (beats)
  const T* transitions;              // (intervals, intervals) from, to; logarithms for Viterbi
  std::int64_t states;               // beats * sum of lengths
  std::int64_t shortest;             // of the lengths
};

template <class T>
struct ViterbiArguments {
  BarPointer<T> model;
  std::int64_t frames, columns;
  const T* densities;      // (frames, columns) logarithms
  T* scores;               // (states) log probabilities before the first frame; out: after the last
  std::uint16_t* origins;  // (frames, beats, intervals) out: the interval before position 0
};

template <class T>
struct ForwardArguments {
  BarPointer<T> model;
  std::int64_t frames, columns;
  const T* densities;    // (frames, columns)
  T* probabilities;      // (states) before the first frame, out: after the last; sum 1
  std::int32_t* states;  // (frames) out: the most probable state given all frames until then
};

template <class T>
struct ViterbiKernels {
  // scores'(s) = max over r of (scores(r) + transition(r, s)) + density(s), in this order.
  void (*advance)(const ViterbiArguments<T>& arguments) noexcept;
  // Follows `count` states of the last frame back: each is replaced by the state before the first
  // frame from which the best way leads to it. Where `path` is given, it gets the way to the first.
  void (*trace)(const BarPointer<T>& model, std::int64_t frames, const std::uint16_t* origins,
                std::int64_t count, std::int32_t* states, std::int32_t* path) noexcept;
  // probabilities'(s) = (sum over r of probabilities(r) transition(r, s)) density(s) / norm. Where
  // the observation is impossible, all states are equally probable again.
  void (*forward)(const ForwardArguments<T>& arguments) noexcept;
};

// The largest beats * intervals: what the kernels note by beat and interval fits a thread's
// scratch.
constexpr std::int64_t kMaxBeatIntervals = 1 << 16;

}  // namespace ictus
