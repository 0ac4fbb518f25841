// The matrix product whose left operand is mostly zero: binary states of stochastic units, images.
//
//     C = beta * C + A B        A (rows, inner) as lists of what is not zero, B any strides
//
// B is packed in blocks that stay in the level-1 cache; each row of A adds the rows of the block
// that its entries name, several vectors of columns at a time in registers. A term costs one load
// beside its multiply-add, so the product takes the density's share of the dense product's time,
// and some.
//
// All cuts depend on the shape alone, and an element's terms are added in the order of the inner
// index: the result does not depend on the number of threads.
#pragma once

#include <cstdint>

#include "core/memory.h"
#include "kernels/detail/blocks.h"
#include "kernels/detail/pack.h"

namespace ictus::ICTUS_LEVEL {
namespace {

constexpr std::int64_t kSparseInner = 64;  // inner length of a block
constexpr std::int64_t kListLength =
    kSparseInner + 16;             // and a vector, which may be written beyond
constexpr int kSparseVectors = 8;  // vectors of columns of a block
template <class T>
constexpr std::int64_t kSparseColumns = kSparseVectors * kLanes<T>;

// The share of elements that are not zero up to which skipping the others pays. Measured for
// 100 x 784 x 500 and 128 x 784 x 1024 (a Zen 4 core, float): a share s takes 0.12 + 1.2 s to
// 0.2 + 1.15 s times the dense product, so that they meet at 0.7 to 0.73; at the AVX2 level at
// 0.65.
constexpr double kSparseLimit = 0.6;

inline std::int64_t sparse_blocks(std::int64_t inner) {
  return (inner + kSparseInner - 1) / kSparseInner;
}

// A in lists: block b of row i has count[b * rows + i] entries, whose places in the block and
// values begin at (b * rows + i) * kListLength.
template <class T>
struct SparseRows {
  std::int64_t rows, inner;
  std::uint8_t* count;
  std::uint8_t* place;
  T* value;

  std::int64_t list(std::int64_t block, std::int64_t row) const { return block * rows + row; }

  // Bytes of memory for the lists of such a matrix.
  static std::int64_t bytes(std::int64_t rows, std::int64_t inner) {
    const std::int64_t lists = sparse_blocks(inner) * rows;
    return rounded(lists) + lists * kListLength * static_cast<std::int64_t>(1 + sizeof(T));
  }
  static SparseRows in(void* memory, std::int64_t rows, std::int64_t inner) {
    const std::int64_t lists = sparse_blocks(inner) * rows;
    auto* const bytes = static_cast<std::uint8_t*>(memory);
    return {rows, inner, bytes, bytes + rounded(lists) + lists * kListLength * sizeof(T),
            reinterpret_cast<T*>(bytes + rounded(lists))};
  }

 private:
  static std::int64_t rounded(std::int64_t bytes) { return (bytes + 63) / 64 * 64; }
};

// Calls body(lane) for each lane that is not zero (NaN is not).
template <class T, class Body>
inline void for_nonzero_lanes(Vector<T> v, const Body& body) {
  for (std::uint32_t bits = nonzero_lanes<T>(v); bits != 0; bits &= bits - 1) {
    body(__builtin_ctz(bits));
  }
}

// How many elements are not zero.
template <class T>
std::int64_t count_nonzero(const T* a, std::int64_t row_stride, std::int64_t rows,
                           std::int64_t columns) {
  std::int64_t total = 0;
  for (std::int64_t i = 0; i < rows; ++i) {
    for_column_vectors<T>(columns, [&](std::int64_t j, auto read, auto) {
      total += __builtin_popcount(nonzero_lanes<T>(read(a + i * row_stride + j)));
    });
  }
  return total;
}

// Lists of A (its rows contiguous), one block of the inner dimension after the other.
template <class T>
void compress_rows(const T* a, std::int64_t row_stride, const SparseRows<T>& out) {
  const std::int64_t grain = 1 + 65536 / (out.inner + 1);
  parallel_ranges(out.rows, grain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      for (std::int64_t b = 0; b * kSparseInner < out.inner; ++b) {
        const std::int64_t list = out.list(b, i);
        std::uint8_t* const place = out.place + list * kListLength;
        T* const value = out.value + list * kListLength;
        const T* const block = a + i * row_stride + b * kSparseInner;
        const std::int64_t left = out.inner - b * kSparseInner;
        int n = 0;
        for_column_vectors<T>(static_cast<int>(left < kSparseInner ? left : kSparseInner),
                              [&](int j, auto read, auto) {
                                n += store_nonzero_lanes<T>(read(block + j), j, place + n,
                                                            value + n);
                              });
        out.count[list] = static_cast<std::uint8_t>(n);
      }
    }
  });
}

// Lists of the transpose of the matrices `first` (first_rows, out.rows) and, under it, `second`,
// each with a factor: what the statistics of two phases need.
template <class T>
struct Stacked {
  const T* first;
  std::int64_t first_stride, first_rows;
  T first_scale;
  const T* second;
  std::int64_t second_stride;
  T second_scale;

  const T* row(std::int64_t i) const {
    return i < first_rows ? first + i * first_stride : second + (i - first_rows) * second_stride;
  }
  T scale(std::int64_t i) const { return i < first_rows ? first_scale : second_scale; }
};
template <class T>
void compress_columns(const Stacked<T>& a, const SparseRows<T>& out) {
  constexpr std::int64_t kWidth = 128;  // columns of A at a time
  parallel_ranges(out.rows, kWidth, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t b = 0; b * kSparseInner < out.inner; ++b) {
      const std::int64_t first_list = out.list(b, begin);
      std::uint8_t* const count = out.count + first_list;
      std::uint8_t* const place = out.place + first_list * kListLength;
      T* const value = out.value + first_list * kListLength;
      for (std::int64_t j = 0; j < end - begin; ++j) count[j] = 0;
      const std::int64_t stop =
          out.inner < (b + 1) * kSparseInner ? out.inner : (b + 1) * kSparseInner;
      for (std::int64_t i = b * kSparseInner; i < stop; ++i) {
        const T* const row = a.row(i) + begin;
        const T scale = a.scale(i);
        for_column_vectors<T>(end - begin, [&](std::int64_t j, auto read, auto) {
          for_nonzero_lanes<T>(read(row + j), [&](int lane) {
            const std::int64_t column = j + lane;
            const std::int64_t entry = column * kListLength + count[column]++;
            place[entry] = static_cast<std::uint8_t>(i - b * kSparseInner);
            value[entry] = scale * row[column];
          });
        });
      }
    }
  });
}

// A right operand and the result. Where c is nullptr the result is not kept: each part of it is
// passed to `finish` in the thread's scratch.
template <class T>
struct SparseProduct {
  SparseRows<T> a;
  const T* b;
  std::int64_t b_row_stride, b_column_stride;
  T beta;
  T* c;
  std::int64_t c_row_stride, columns;
};

// Copies up to kSparseColumns columns of a block of B to rows of kSparseColumns elements.
template <class T>
inline void pack_sparse_block(const SparseProduct<T>& p, std::int64_t first, std::int64_t inner,
                              std::int64_t column, std::int64_t columns, T* panel) {
  constexpr std::int64_t width = kSparseColumns<T>;
  const T* const b = p.b + first * p.b_row_stride + column * p.b_column_stride;
  for (std::int64_t j = 0; j < columns; j += kLanes<T>) {
    const int count = static_cast<int>(columns - j < kLanes<T> ? columns - j : kLanes<T>);
    const T* const source = b + j * p.b_column_stride;
    if (p.b_column_stride == 1 && count == kLanes<T>) {
      for (std::int64_t i = 0; i < inner; ++i) {
        store(panel + i * width + j, load(source + i * p.b_row_stride));
      }
    } else if (p.b_column_stride == 1) {
      for (std::int64_t i = 0; i < inner; ++i) {
        store(panel + i * width + j, load_partial(source + i * p.b_row_stride, count));
      }
    } else if (p.b_row_stride == 1) {
      pack_transposed<T, width>(source, p.b_column_stride, count, inner, panel + j);
    } else {
      for (std::int64_t i = 0; i < inner; ++i) {
        for (int k = 0; k < kLanes<T>; ++k) {
          panel[i * width + j + k] =
              k < count ? source[i * p.b_row_stride + k * p.b_column_stride] : T(0);
        }
      }
    }
  }
}

// Rows [begin, end) of the product with a packed block, added to the rows of c: V vectors of
// columns, `last_lanes` of the last one.
template <class T, int V>
void add_sparse_rows(const SparseProduct<T>& p, std::int64_t block, const T* panel,
                     std::int64_t begin, std::int64_t end, T* c, std::int64_t c_row_stride,
                     int last_lanes) {
  const T beta = block == 0 ? p.beta : T(1);
  for (std::int64_t i = begin; i < end; ++i, c += c_row_stride) {
    const std::int64_t list = p.a.list(block, i);
    const std::uint8_t* const place = p.a.place + list * kListLength;
    const T* const value = p.a.value + list * kListLength;
    const int count = p.a.count[list];
    Vector<T> acc[V] = {};
    if (beta != T(0)) {
#pragma GCC unroll 8
      for (int v = 0; v < V; ++v) {
        acc[v] =
            v == V - 1 ? load_partial<T>(c + v * kLanes<T>, last_lanes) : load(c + v * kLanes<T>);
        if (beta != T(1)) acc[v] *= beta;
      }
    }
    for (int n = 0; n < count; ++n) {
      const T* const row = panel + place[n] * kSparseColumns<T>;
      const T factor = value[n];
#pragma GCC unroll 8
      for (int v = 0; v < V; ++v) acc[v] += factor * load(row + v * kLanes<T>);
    }
#pragma GCC unroll 8
    for (int v = 0; v < V - 1; ++v) store(c + v * kLanes<T>, acc[v]);
    store_partial<T>(c + (V - 1) * kLanes<T>, acc[V - 1], last_lanes);
  }
}

template <class T, int V = kSparseVectors>
inline void add_sparse_block(const SparseProduct<T>& p, std::int64_t block, const T* panel,
                             std::int64_t begin, std::int64_t end, std::int64_t columns, T* c,
                             std::int64_t c_row_stride) {
  if constexpr (V > 0) {
    const int vectors = static_cast<int>((columns + kLanes<T> - 1) / kLanes<T>);
    if (vectors != V) {
      return add_sparse_block<T, V - 1>(p, block, panel, begin, end, columns, c, c_row_stride);
    }
    add_sparse_rows<T, V>(p, block, panel, begin, end, c, c_row_stride,
                          static_cast<int>(columns - (V - 1) * kLanes<T>));
  }
}

// The product; calls finish(row, rows, column, columns, c, stride) for parts of C when they are
// complete, possibly on several threads: c is the part's first element.
template <class T, class Finish>
void multiply_sparse(const SparseProduct<T>& p, const Finish& finish) {
  constexpr std::int64_t width = kSparseColumns<T>;
  constexpr std::int64_t kFinishRows = 16;  // whole groups of four: one block of random words
  const std::int64_t panels = (p.columns + width - 1) / width;
  const std::int64_t groups = panels >= 4 ? 1 + (p.a.rows - 1) / 256 : 1 + (p.a.rows - 1) / 64;
  const std::int64_t height =
      ((p.a.rows + groups - 1) / groups + kFinishRows - 1) / kFinishRows * kFinishRows;
  auto chunk = [&](std::int64_t index) {
    alignas(kVectorBytes) T panel[kSparseInner * width];
    const std::int64_t column = index % panels * width;
    const std::int64_t columns = p.columns - column < width ? p.columns - column : width;
    const std::int64_t begin = index / panels * height;
    const std::int64_t end = begin + height < p.a.rows ? begin + height : p.a.rows;
    const std::int64_t blocks = sparse_blocks(p.a.inner);
    const bool kept = p.c != nullptr;
    T* const c = kept ? p.c + begin * p.c_row_stride + column : static_cast<T*>(thread_scratch());
    const std::int64_t stride = kept ? p.c_row_stride : width;
    for (std::int64_t b = 0; b < blocks; ++b) {
      const std::int64_t first = b * kSparseInner;
      const std::int64_t inner =
          p.a.inner - first < kSparseInner ? p.a.inner - first : kSparseInner;
      pack_sparse_block(p, first, inner, column, columns, panel);
      if (b + 1 < blocks) {
        add_sparse_block(p, b, panel, begin, end, columns, c, stride);
        continue;
      }
      for (std::int64_t i = begin; i < end; i += kFinishRows) {
        const std::int64_t stop = i + kFinishRows < end ? i + kFinishRows : end;
        T* const part = c + (i - begin) * stride;
        add_sparse_block(p, b, panel, i, stop, columns, part, stride);
        finish(i, stop - i, column, columns, part, stride);
      }
    }
  };
  if (p.a.rows > 0 && p.columns > 0) {
    parallel_chunks(panels * ((p.a.rows + height - 1) / height), chunk);
  }
}

}  // namespace
}  // namespace ictus::ICTUS_LEVEL
