// Viterbi and forward decoding of a bar pointer (ictus/viterbi.h).
#include "ictus/viterbi.h"

#include "core/memory.h"
#include "kernels/detail/rows.h"

namespace ictus::ICTUS_LEVEL {
namespace {

constexpr double kInfinity = __builtin_inf();

// What a frame needs beside the arrays of the caller, in the thread's scratch.
template <class T>
struct Notes {
  T* ends;              // (beats, intervals): the last state of each beat before the frame
  std::int64_t* first;  // for each vector of intervals: the first one with a way into it,
  std::int64_t* end;    // and the one after the last

  // `nothing` is the entry of the transitions that means impossible.
  Notes(const BarPointer<T>& m, T nothing) {
    const std::int64_t vectors = (m.intervals + kLanes<T> - 1) / kLanes<T>;
    first = static_cast<std::int64_t*>(thread_scratch());
    end = first + vectors;
    ends = reinterpret_cast<T*>(end + vectors);  // last: the wider numbers keep their alignment
    for (std::int64_t v = 0; v < vectors; ++v) {
      first[v] = m.intervals;
      end[v] = 0;
      for (std::int64_t j = 0; j < m.intervals; ++j) {
        bool possible = false;
        for (std::int64_t i = v * kLanes<T>; i < (v + 1) * kLanes<T> && i < m.intervals; ++i) {
          possible = possible || m.transitions[j * m.intervals + i] != nothing;
        }
        if (!possible) continue;
        if (first[v] == m.intervals) first[v] = j;
        end[v] = j + 1;
      }
    }
  }

  void take_ends(const BarPointer<T>& m, const T* state) const {
    std::int64_t last = -1;
    T* to = ends;
    for (std::int64_t b = 0; b < m.beats; ++b) {
      for (std::int64_t i = 0; i < m.intervals; ++i) *to++ = state[last += m.lengths[i]];
    }
  }
};

// to(p) = step(from(p - 1)) for p from `end` - 1 down to `begin`, in place.
template <class T, class Step>
inline void move_on(T* state, std::int64_t begin, std::int64_t end, const Step& step) {
  std::int64_t p = end;
  for (; p - kLanes<T> >= begin; p -= kLanes<T>) {
    store<T>(state + p - kLanes<T>, step(load<T>(state + p - kLanes<T> - 1)));
  }
  if (p > begin) {
    const int rest = static_cast<int>(p - begin);
    store_partial<T>(state + begin, step(load_partial<T>(state + begin - 1, rest)), rest);
  }
}

// All states but those at position 0 move on; step(v, density) is what a frame does to a vector.
template <class T, class Step>
inline void move_all(const BarPointer<T>& m, const T* density, T* state, const Step& step) {
  const std::int32_t* zone = m.beat_states;
  for (std::int64_t b = 0; b < m.beats; ++b) {
    const Vector<T> other = broadcast<T>(density[0]);
    const Vector<T> beat = broadcast<T>(density[m.beat_columns[b]]);
    for (std::int64_t i = 0; i < m.intervals; ++i, ++zone) {
      const std::int64_t length = m.lengths[i];
      const std::int64_t border = *zone < length ? *zone : length;
      move_on<T>(state, border, length, [&](Vector<T> v) { return step(v, other); });
      move_on<T>(state, 1, border, [&](Vector<T> v) { return step(v, beat); });
      state += length;
    }
  }
}

// Writes a vector of intervals to their positions 0.
template <class T>
inline T* scatter(Vector<T> v, const std::int32_t* lengths, int count, T* state) {
  for (int k = 0; k < count; ++k) {
    *state = v[k];
    state += lengths[k];
  }
  return state;
}

// Calls enter(from, vector, first interval, lanes) for the vectors of one beat; it returns what
// comes to positions 0.
template <class T, class Enter>
inline void enter_beats(const BarPointer<T>& m, const Notes<T>& notes, T* state,
                        const Enter& enter) {
  for (std::int64_t b = 0; b < m.beats; ++b) {
    const T* from = notes.ends + (b == 0 ? m.beats - 1 : b - 1) * m.intervals;
    for (std::int64_t i = 0, v = 0; i < m.intervals; i += kLanes<T>, ++v) {
      const std::int64_t left = m.intervals - i;
      const int lanes = left < kLanes<T> ? static_cast<int>(left) : kLanes<T>;
      state = scatter<T>(enter(from, v, b, i, lanes), m.lengths + i, lanes, state);
    }
  }
}

template <class T>
inline Vector<T> load_lanes(const T* p, int lanes) {
  return lanes == kLanes<T> ? load<T>(p) : load_partial<T>(p, lanes);
}

template <class T>
void advance(const ViterbiArguments<T>& a) noexcept {
  using I = typename BitsOf<T>::Signed;
  const BarPointer<T>& m = a.model;
  const Notes<T> notes(m, static_cast<T>(-kInfinity));
  for (std::int64_t t = 0; t < a.frames; ++t) {
    const T* density = a.densities + t * a.columns;
    std::uint16_t* origins = a.origins + t * m.beats * m.intervals;
    notes.take_ends(m, a.scores);
    move_all<T>(m, density, a.scores, [](Vector<T> v, Vector<T> d) { return v + d; });
    enter_beats<T>(m, notes, a.scores,
                   [&](const T* from, std::int64_t v, std::int64_t b, std::int64_t i, int lanes) {
                     const Vector<T> d = broadcast<T>(density[m.beat_columns[b]]);
                     Vector<T> best = broadcast<T>(static_cast<T>(-kInfinity));
                     Vector<I> origin = {};
                     for (std::int64_t j = notes.first[v]; j < notes.end[v]; ++j) {
                       const T* row = m.transitions + j * m.intervals + i;
                       // The density is added before the comparison: what rounding makes equal
                       // goes to the first, as where every state has a list of predecessors.
                       const Vector<T> score =
                           (broadcast<T>(from[j]) + load_lanes<T>(row, lanes)) + d;
                       const auto better = score > best;
                       best = better ? score : best;
                       origin = better ? broadcast<I>(static_cast<I>(j)) : origin;
                     }
                     for (int k = 0; k < lanes; ++k) {
                       origins[b * m.intervals + i + k] = static_cast<std::uint16_t>(origin[k]);
                     }
                     return best;
                   });
  }
}

// The number of the state (beat, interval, 0).
template <class T>
inline std::int64_t first_state(const BarPointer<T>& m, std::int64_t beat, std::int64_t interval) {
  std::int64_t state = beat * (m.states / m.beats);
  for (std::int64_t i = 0; i < interval; ++i) state += m.lengths[i];
  return state;
}

template <class T>
void trace(const BarPointer<T>& m, std::int64_t frames, const std::uint16_t* origins,
           std::int64_t count, std::int32_t* states, std::int32_t* path) noexcept {
  const std::int64_t in_beat = m.states / m.beats;
  for (std::int64_t k = 0; k < count; ++k) {
    std::int64_t beat = states[k] / in_beat, interval = 0, position = states[k] % in_beat;
    for (; position >= m.lengths[interval]; ++interval) position -= m.lengths[interval];
    std::int64_t t = frames - 1;  // where the state is (beat, interval, position)
    while (true) {
      const std::int64_t start = t - position;  // where its position was 0
      if (path != nullptr && k == 0) {
        const std::int64_t first = first_state(m, beat, interval);
        for (std::int64_t u = start < 0 ? 0 : start; u <= t; ++u) {
          path[u] = static_cast<std::int32_t>(first + u - start);
        }
      }
      if (start < 0) {
        states[k] = static_cast<std::int32_t>(first_state(m, beat, interval) - 1 - start);
        break;
      }
      interval = origins[(start * m.beats + beat) * m.intervals + interval];
      beat = beat == 0 ? m.beats - 1 : beat - 1;
      position = m.lengths[interval] - 1;
      t = start - 1;
    }
  }
}

// Divides by the sum; returns the first of the most probable states.
template <class T>
inline std::int64_t normalize(T* p, std::int64_t states) {
  Vector<T> sum = {};
  for_vectors<T>(0, states, [&](std::int64_t s, auto access) { sum += access.read(p + s); });
  const T total = horizontal_sum<T>(sum);
  if (!(total > T(0) && total < static_cast<T>(kInfinity))) {
    const Vector<T> even = broadcast<T>(T(1) / static_cast<T>(states));
    for_vectors<T>(0, states, [&](std::int64_t s, auto access) { access.write(p + s, even); });
    return 0;
  }
  const Vector<T> factor = broadcast<T>(T(1) / total);
  for_vectors<T>(0, states, [&](std::int64_t s, auto access) {
    access.write(p + s, access.read(p + s) * factor);
  });
  const T top = row_maximum<T>(p, states);
  std::int64_t best = 0;
  while (p[best] != top) ++best;
  return best;
}

template <class T>
void forward(const ForwardArguments<T>& a) noexcept {
  const BarPointer<T>& m = a.model;
  const Notes<T> notes(m, T(0));
  for (std::int64_t t = 0; t < a.frames; ++t) {
    const T* density = a.densities + t * a.columns;
    notes.take_ends(m, a.probabilities);
    move_all<T>(m, density, a.probabilities, [](Vector<T> v, Vector<T> d) { return v * d; });
    enter_beats<T>(m, notes, a.probabilities,
                   [&](const T* from, std::int64_t v, std::int64_t b, std::int64_t i, int lanes) {
                     Vector<T> sum = {};
                     for (std::int64_t j = notes.first[v]; j < notes.end[v]; ++j) {
                       const T* row = m.transitions + j * m.intervals + i;
                       sum += broadcast<T>(from[j]) * load_lanes<T>(row, lanes);
                     }
                     return sum * density[m.beat_columns[b]];
                   });
    a.states[t] = static_cast<std::int32_t>(normalize(a.probabilities, m.states));
  }
}

}  // namespace

extern const ViterbiKernels<float> viterbi_float;
extern const ViterbiKernels<double> viterbi_double;
const ViterbiKernels<float> viterbi_float = {advance<float>, trace<float>, forward<float>};
const ViterbiKernels<double> viterbi_double = {advance<double>, trace<double>, forward<double>};

}  // namespace ictus::ICTUS_LEVEL
