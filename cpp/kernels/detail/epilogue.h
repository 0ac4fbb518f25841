// The epilogue of a matrix product on one tile of the result, in place, while the tile is in the
// first-level cache: bias, activation, dropout, sampling (ictus/epilogue.h). What to do is decided
// once a tile; the loops have no branches on it.
#pragma once

#include "ictus/epilogue.h"
#include "kernels/detail/activate.h"
#include "kernels/detail/random.h"
#include "kernels/detail/simd.h"

namespace ictus::ICTUS_LEVEL {
namespace {

// A tile of C: `rows` x `columns`, its top-left element is (row, column) of the whole matrix, row
// counted from the first row for draws.
template <class T>
struct EpilogueTile {
  T* c;
  std::int64_t stride;
  std::int64_t row;
  std::int64_t column;
  int rows;
  int columns;
};

// Calls body(j, load, store, width) for each vector of columns: whole ones, then the tail.
template <class T, class Body>
inline void for_column_vectors(int columns, const Body& body) {
  int j = 0;
  for (; j + kLanes<T> <= columns; j += kLanes<T>) {
    body(j, [](const T* p) { return load<T>(p); }, [](T* p, Vector<T> v) { store<T>(p, v); });
  }
  if (j < columns) {
    const int left = columns - j;
    body(
        j, [left](const T* p) { return load_partial<T>(p, left); },
        [left](T* p, Vector<T> v) { store_partial<T>(p, v, left); });
  }
}

template <Activation A, class T>
inline void bias_and_activation(const Epilogue<T>& e, const EpilogueTile<T>& t) {
  for_column_vectors<T>(t.columns, [&](int j, auto read, auto write) {
    const Vector<T> bias = e.bias == nullptr ? Vector<T>{} : read(e.bias + t.column + j);
    T* c = t.c + j;
    for (int i = 0; i < t.rows; ++i, c += t.stride) write(c, activate<A, T>(read(c) + bias));
  });
}

// Replaces each element by what `change` makes of it and of its draw.
template <class T, class Draw, class Change>
inline void change_by_draws(const EpilogueTile<T>& t, const Draw& draw, const Change& change) {
  for_row_groups(t.row, t.rows, [&](std::int64_t first, int count, std::int64_t group, int word) {
    for_column_vectors<T>(t.columns, [&](int j, auto read, auto write) {
      const FourRows<T> random = draw(t.column + j, group);
      T* c = t.c + first * t.stride + j;
      if (count == 4) {
        for (int i = 0; i < 4; ++i, c += t.stride) write(c, change(random.row[i], read(c)));
      } else {
        for (int i = 0; i < count; ++i, c += t.stride) {
          write(c, change(random.row[word + i], read(c)));
        }
      }
    });
  });
}

template <class T>
inline void drop(const Epilogue<T>& e, const EpilogueTile<T>& t) {
  const Source source = {e.seed, e.stream};
  change_by_draws<T>(
      t, [&](std::int64_t j, std::int64_t g) { return uniform_rows<T>(source, j, g); },
      Dropout<T>(e.dropout_rate));
}

template <class T>
inline void sample(const Epilogue<T>& e, const EpilogueTile<T>& t) {
  const Source source = {e.seed, e.stream + 1};
  if (e.sampling == Sampling::bernoulli) {
    change_by_draws<T>(
        t, [&](std::int64_t j, std::int64_t g) { return uniform_rows<T>(source, j, g); },
        [](Vector<T> u, Vector<T> p) { return bernoulli<T>(u, p); });
  } else if (e.sampling == Sampling::gaussian) {
    change_by_draws<T>(
        t, [&](std::int64_t j, std::int64_t g) { return normal_rows<T>(source, j, g); },
        [](Vector<T> z, Vector<T> mean) { return mean + z; });
  }
}

// Applies `e` to the tile at `c` whose top-left element is (row, column) of the product. Tiles may
// have any place and size; the result does not depend on how the product was cut.
template <class T>
inline void apply_epilogue(const Epilogue<T>& e, T* c, std::int64_t c_row_stride, std::int64_t row,
                           std::int64_t column, int rows, int columns) {
  const EpilogueTile<T> tile = {c, c_row_stride, row + e.first_row, column, rows, columns};
  if (e.bias != nullptr || e.activation != Activation::identity) {
    with_activation(e.activation,
                    [&](auto tag) { bias_and_activation<decltype(tag)::value, T>(e, tile); });
  }
  if (e.dropout_rate > T(0)) drop<T>(e, tile);
  if (e.sampling != Sampling::none) sample<T>(e, tile);
}

}  // namespace
}  // namespace ictus::ICTUS_LEVEL
