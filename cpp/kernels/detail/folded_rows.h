// Matrices of few columns as matrices of full vectors: some rows side by side are one row, and what
// belongs to a column is repeated in it. With 6 columns and 16 lanes, 8 rows are 3 vectors.
#pragma once

#include "kernels/detail/parallel.h"
#include "kernels/detail/rows.h"

namespace ictus::ICTUS_LEVEL {
namespace {

template <class T>
struct FoldedRows {
  static constexpr std::int64_t kChunk = 1 << 15;  // elements: some 10 us
  static constexpr std::int64_t kParts = 64;       // of a sum, at most, whatever the threads

  std::int64_t rows, columns;
  std::int64_t period;  // elements of a folded row: the least multiple of columns and of lanes

  FoldedRows(std::int64_t r, std::int64_t c) : rows(r), columns(c), period(c) {
    while (period % kLanes<T> != 0) period += c;
  }
  std::int64_t size() const { return rows * columns; }
  std::int64_t folded() const { return (size() + period - 1) / period; }
  std::int64_t grain() const { return 1 + kChunk / (period + 1); }
  std::int64_t part() const {
    const std::int64_t even = (folded() + kParts - 1) / kParts;
    return even < grain() ? grain() : even;
  }
  std::int64_t parts() const { return (folded() + part() - 1) / part(); }

  // A folded row of what belongs to the columns.
  void repeat(const T* values, T* out) const {
    for (std::int64_t i = 0; i < period; i += columns) {
      for (std::int64_t c = 0; c < columns; ++c) out[i + c] = values[c];
    }
  }
};

// Calls body(at, place, access) for each vector of elements; `place` is its place in a folded row.
template <class T, class Body>
inline void for_folded_vectors(const FoldedRows<T>& f, const Body& body) {
  const std::int64_t size = f.size();
  parallel_ranges(f.folded(), f.grain(), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin * f.period; row < end * f.period; row += f.period) {
      const std::int64_t columns = size - row < f.period ? size - row : f.period;
      for_vectors<T>(0, columns, [&](std::int64_t j, auto access) { body(row + j, j, access); });
    }
  });
}

// Sums of N terms over each column: term(at, place, access, values) gives a vector of each, and
// done(column, sums) gets the sums. `room` holds N * parts() * period elements. The order of a sum
// depends on the shape alone.
template <class T, int N, class Term, class Done>
inline void column_sums_of(const FoldedRows<T>& f, T* room, const Term& term, const Done& done) {
  const std::int64_t size = f.size(), part = f.part();
  parallel_ranges(f.folded(), part, [&](std::int64_t begin, std::int64_t end) {
    T* const out = room + begin / part * N * f.period;
    for (std::int64_t j = 0; j < f.period; j += kLanes<T>) {
      Vector<T> sum[N] = {};
      Vector<T> values[N];
      const auto add = [&](std::int64_t row, auto access) {
        term(row * f.period + j, j, access, values);
        for (int n = 0; n < N; ++n) sum[n] += access.keep(values[n], T(0));
      };
      const std::int64_t whole = size / f.period < end ? size / f.period : end;
      std::int64_t row = begin;
      for (; row < whole; ++row) add(row, Whole<T>{});
      if (row < end) {  // the last folded row is not full
        const std::int64_t left = size - row * f.period - j;
        if (left >= kLanes<T>) {
          add(row, Whole<T>{});
        } else if (left > 0) {
          add(row, Partial<T>{static_cast<int>(left)});
        }
      }
      for (int n = 0; n < N; ++n) store<T>(out + n * f.period + j, sum[n]);
    }
  });
  for (std::int64_t c = 0; c < f.columns; ++c) {
    double sums[N] = {};
    for (std::int64_t p = 0; p < f.parts(); ++p) {
      for (int n = 0; n < N; ++n) {
        const T* const values = room + (p * N + n) * f.period;
        for (std::int64_t i = c; i < f.period; i += f.columns) {
          sums[n] += static_cast<double>(values[i]);
        }
      }
    }
    done(c, sums);
  }
}

}  // namespace
}  // namespace ictus::ICTUS_LEVEL
