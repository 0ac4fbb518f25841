// The epilogue of a matrix product on one tile of the result, in place, while the tile is in the
// first-level cache: bias, activation, dropout, sampling (ictus/epilogue.h). What to do is decided
// once a tile; the loops have no branches on it.
#pragma once

#include "ictus/epilogue.h"
#include "kernels/detail/activate.h"
#include "kernels/detail/blocks.h"
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
  for_draws<T>(t.row, t.rows, t.column, t.columns, draw,
               [&](int i, int j, Vector<T> random, auto read, auto write) {
                 T* c = t.c + i * t.stride + j;
                 write(c, change(random, read(c)));
               });
}

template <class T>
inline void drop(const Epilogue<T>& e, const EpilogueTile<T>& t) {
  const Source source(e.seed, e.stream);
  change_by_draws<T>(t, Uniform<T>{source}, Dropout<T>(e.dropout_rate));
}

template <class T>
inline void sample(const Epilogue<T>& e, const EpilogueTile<T>& t) {
  const Source source(e.seed, e.stream + 1);
  if (e.sampling == Sampling::bernoulli) {
    change_by_draws<T>(t, Uniform<T>{source},
                       [](Vector<T> u, Vector<T> p) { return bernoulli<T>(u, p); });
  } else if (e.sampling == Sampling::gaussian) {
    change_by_draws<T>(t, Normal<T>{source}, [](Vector<T> z, Vector<T> mean) { return mean + z; });
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
