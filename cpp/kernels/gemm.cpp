// The matrix product, blocked and packed in the manner of Goto & van de Geijn, "Anatomy of
// high-performance matrix multiplication" (2008), with these choices:
//
//   for each block of columns and of the inner dimension of B   (stays in the level-2 cache)
//     pack it into panels, while the first panel of rows is multiplied
//     for each further panel of up to kTileRows rows of A       (a chunk, claimed by a thread)
//       pack the panel, then run over the panels of B: one register tile of C each
//
// After the last inner block the epilogue is applied to each tile on its way to C.
//
// Where A as a whole stays in the level-2 cache (a minibatch), the loops change places: a panel of
// B is a chunk, packed by the tile of the first rows and used for all others. Nothing is packed in
// A, and the threads meet once. All cuts depend on the shape alone; each element of C is summed in
// the order of the inner index.
#include "ictus/gemm.h"

#include "core/memory.h"
#include "kernels/detail/cuts.h"
#include "kernels/detail/dot_product.h"
#include "kernels/detail/epilogue.h"
#include "kernels/detail/microkernel.h"
#include "kernels/detail/pack.h"
#include "kernels/detail/pack_windows.h"
#include "kernels/detail/parallel.h"

namespace ictus::ICTUS_LEVEL {
namespace {

// One block of B and the part of C that it contributes to.
template <class T>
struct Block {
  const GemmArguments<T>& g;
  std::int64_t column, columns;
  std::int64_t first, inner;
  const T* panels;  // packed; nullptr: whole panels are read where B lies
  const T* edge;    // in that case the last panel, packed, where it is not whole
  T* packing;  // where tiles that read B where it lies pack whole panels on their way, or nullptr
};

template <class T>
Block<T> block_at(const GemmArguments<T>& g, const Cuts<T>& cuts, std::int64_t index) {
  const std::int64_t column = index / cuts.inner_blocks * cuts.block_columns;
  const std::int64_t first = index % cuts.inner_blocks * cuts.block_inner;
  return {g,
          column,
          smaller(g.columns - column, cuts.block_columns),
          first,
          smaller(g.inner - first, cuts.block_inner),
          nullptr,
          nullptr,
          nullptr};
}

template <class T>
std::int64_t padded(std::int64_t columns) {
  return ceil_div(columns, kTileColumns<T>) * kTileColumns<T>;
}

// Fetches the share of a panel of A that falls to one tile of several.
template <LeftLayout kLayout, class T>
void fetch_left(const Block<T>& block, const T* panel, int rows, std::int64_t index,
                std::int64_t tiles) {
  const GemmArguments<T>& g = block.g;
  if constexpr (kLayout == LeftLayout::columns) {
    const std::int64_t end = block.inner * (index + 1) / tiles;
    for (std::int64_t p = block.inner * index / tiles; p < end; ++p) {
      fetch_run(panel + p * g.a_column_stride, rows);
    }
  } else {
    const std::int64_t end = rows * (index + 1) / tiles;
    for (std::int64_t i = rows * index / tiles; i < end; ++i) {
      fetch_run(panel + i * g.a_row_stride, block.inner);
    }
  }
}

// A panel of rows by the columns [column_begin, column_end) of the block. `next` is the panel of A
// that will probably follow, or nullptr: a part of it is fetched with each tile.
template <class T, LeftLayout kLayout>
void multiply_panel(const Block<T>& block, std::int64_t row, int rows, const T* left,
                    std::int64_t column_begin, std::int64_t column_end, const T* next) {
  constexpr std::int64_t tile = kTileColumns<T>;
  const GemmArguments<T>& g = block.g;
  const bool finish = block.first + block.inner == g.inner && g.epilogue != nullptr;
  const T beta = block.first == 0 ? g.beta : T(1);
  // Rows of C half a page apart drive each other out of the level-1 cache: there the epilogue works
  // on a copy of the tile.
  const bool staged = finish && g.c_row_stride * static_cast<std::int64_t>(sizeof(T)) % 2048 == 0;
  alignas(kVectorBytes) T finished[kTileRows * tile];
  for (std::int64_t j = column_begin; j < column_end; j += tile) {
    const int columns = static_cast<int>(smaller(column_end - j, tile));
    const int vectors = columns > kLanes<T> ? 2 : 1;
    const bool whole = columns == tile;
    const T* right = block.panels + j * block.inner;
    std::int64_t right_stride = tile;
    if (block.panels == nullptr) {
      right = whole ? g.b + block.first * g.b_row_stride + block.column + j : block.edge;
      right_stride = whole ? g.b_row_stride : tile;
    }
    if (next != nullptr) {
      fetch_left<kLayout>(block, next, rows, (j - column_begin) / tile,
                          ceil_div(column_end - column_begin, tile));
    }
    T* const c = g.c + row * g.c_row_stride + block.column + j;
    T* const out = staged ? finished : c;
    const std::int64_t stride = staged ? tile : g.c_row_stride;
    const bool packs = whole && block.panels == nullptr && block.packing != nullptr;
    const TileTarget<T> target = {c,
                                  g.c_row_stride,
                                  out,
                                  stride,
                                  g.alpha,
                                  beta,
                                  columns - (vectors - 1) * kLanes<T>,
                                  packs ? block.packing + j * block.inner : nullptr};
    const TileFunction<T> multiply_tile =
        packs ? packing_tile_function<T, kLayout>(rows) : tile_function<T, kLayout>(rows, vectors);
    multiply_tile(block.inner, left, g.a_row_stride, right, right_stride, target);
    if (finish) apply_epilogue(*g.epilogue, out, stride, row, block.column + j, rows, columns);
    if (staged) {
      for (int i = 0; i < rows; ++i) copy_run(c + i * g.c_row_stride, finished + i * tile, columns);
    }
  }
}

// Panels of rows [begin, end) by the columns [column_begin, column_end) of the block.
template <class T>
void multiply_rows(const Block<T>& block, std::int64_t panel_rows, std::int64_t begin,
                   std::int64_t end, std::int64_t column_begin, std::int64_t column_end) {
  const GemmArguments<T>& g = block.g;
  // Copying a panel pays when it is used for more than a few tiles.
  const bool direct = g.a_column_stride == 1 && column_end - column_begin <= 4 * kTileColumns<T>;
  T* const panel = static_cast<T*>(thread_scratch());
  for (std::int64_t row = begin; row < end; row += panel_rows) {
    const int rows = static_cast<int>(smaller(end - row, panel_rows));
    if (g.a_windows != nullptr) {
      pack_window_rows(*g.a_windows, row, rows, block.first, block.inner, panel);
      multiply_panel<T, LeftLayout::rows>(block, row, rows, panel, column_begin, column_end,
                                          nullptr);
      continue;
    }
    const T* const a = g.a + row * g.a_row_stride + block.first * g.a_column_stride;
    if (g.a_column_stride == 1) {
      const bool more = row + 2 * panel_rows <= g.rows;
      const T* const next = more ? a + panel_rows * g.a_row_stride : nullptr;
      if (direct) {
        multiply_panel<T, LeftLayout::direct>(block, row, rows, a, column_begin, column_end, next);
        continue;
      }
      pack_left_rows(a, g.a_row_stride, rows, block.inner, panel);
      multiply_panel<T, LeftLayout::rows>(block, row, rows, panel, column_begin, column_end, next);
    } else {
      pack_left_columns(a, g.a_row_stride, g.a_column_stride, rows, block.inner, panel);
      const bool more = g.a_row_stride == 1 && row + 2 * panel_rows <= g.rows;
      const T* const next = more ? a + panel_rows : nullptr;
      multiply_panel<T, LeftLayout::columns>(block, row, rows, panel, column_begin, column_end,
                                             next);
    }
  }
}

// All rows from `first_row` on by all columns of the block, in chunks.
template <class T>
void multiply_block(const Block<T>& block, const Cuts<T>& cuts, std::int64_t first_row) {
  const GemmArguments<T>& g = block.g;
  auto chunk_body = [&](std::int64_t chunk) {
    const std::int64_t begin = first_row + chunk / cuts.column_chunks * cuts.chunk_rows;
    const std::int64_t column_begin = chunk % cuts.column_chunks * cuts.chunk_columns;
    const std::int64_t column_end = smaller(column_begin + cuts.chunk_columns, block.columns);
    multiply_rows(block, cuts.panel_rows, begin, smaller(begin + cuts.chunk_rows, g.rows),
                  column_begin, column_end);
  };
  const std::int64_t row_chunks = ceil_div(g.rows - first_row, cuts.chunk_rows);
  parallel_chunks(row_chunks * cuts.column_chunks, chunk_body);
}

constexpr std::int64_t kPackPanels = 4;  // panels in a chunk of packing

// Calls body(first column, last column) for groups of panels of the block, in chunks.
template <class T, class Body>
void for_panel_groups(const Block<T>& block, const Body& body) {
  constexpr std::int64_t group = kPackPanels * kTileColumns<T>;
  auto chunk_body = [&](std::int64_t chunk) {
    body(chunk * group, smaller((chunk + 1) * group, block.columns));
  };
  parallel_chunks(ceil_div(block.columns, group), chunk_body);
}

// Packs the columns [begin, end) of a block, whole panels but for the last, to `panels`.
template <class T>
void pack_columns(const Block<T>& block, std::int64_t begin, std::int64_t end, T* panels) {
  constexpr std::int64_t tile = kTileColumns<T>;
  const GemmArguments<T>& g = block.g;
  const T* const b = g.b + block.first * g.b_row_stride + block.column * g.b_column_stride;
  for (std::int64_t j = begin; j < end; j += tile) {
    if (g.b_windows != nullptr) {
      pack_window_right(*g.b_windows, block.first, block.inner, block.column + j,
                        smaller(end - j, tile), panels + (j - begin) * block.inner);
      continue;
    }
    pack_right(b + j * g.b_column_stride, g.b_row_stride, g.b_column_stride,
               static_cast<int>(smaller(end - j, tile)), block.inner,
               panels + (j - begin) * block.inner);
  }
}

// Block after block: B is packed, then multiplied. Where its rows are contiguous, the tiles of the
// first panel of rows pack it on their way.
template <class T>
void multiply_blocks(const GemmArguments<T>& g, const Cuts<T>& cuts) {
  T* const buffer = static_cast<T*>(thread_scratch()) + kLeftPanel<T>;
  const bool on_the_way = g.b_column_stride == 1 && g.b_windows == nullptr;
  for (std::int64_t index = 0; index < cuts.column_blocks * cuts.inner_blocks; ++index) {
    const Block<T> source = block_at(g, cuts, index);
    for_panel_groups(source, [&](std::int64_t begin, std::int64_t end) {
      const std::int64_t whole = on_the_way ? end / kTileColumns<T> * kTileColumns<T> : begin;
      pack_columns(source, whole, end, buffer + whole * source.inner);
      if (!on_the_way) return;
      Block<T> first = source;
      first.packing = buffer;
      first.edge = buffer + whole * source.inner;
      multiply_rows(first, cuts.panel_rows, 0, smaller(cuts.panel_rows, g.rows), begin, end);
    });
    Block<T> packed = source;
    packed.panels = buffer;
    multiply_block(packed, cuts, on_the_way ? smaller(cuts.panel_rows, g.rows) : 0);
  }
}

// A as a whole stays near, and its rows are contiguous: it is packed once, then each panel of B is
// a chunk of its own, packed by the tile of the first rows and used for all others.
template <class T>
void multiply_near(const GemmArguments<T>& g, const LeftPanels<T>& cuts) {
  constexpr std::int64_t tile = kTileColumns<T>;
  const std::int64_t panel_rows = cuts.panel_rows, panels = cuts.panels;
  const std::int64_t block_inner = cuts.block_inner, blocks = cuts.blocks;
  T* const left = static_cast<T*>(thread_scratch()) + kRightPanel<T>;
  const auto rows_of = [&](std::int64_t panel) {
    return static_cast<int>(smaller(g.rows - panel * panel_rows, panel_rows));
  };
  parallel_ranges(panels * blocks, 4, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const std::int64_t panel = i % panels, first = i / panels * block_inner;
      pack_left_rows(g.a + panel * panel_rows * g.a_row_stride + first, g.a_row_stride,
                     rows_of(panel), smaller(g.inner - first, block_inner),
                     left + i * kLeftPanel<T>);
    }
  });
  auto chunk_body = [&](std::int64_t chunk) {
    T* const right = static_cast<T*>(thread_scratch());
    const std::int64_t column = chunk * tile;
    const std::int64_t columns = smaller(g.columns - column, tile);
    for (std::int64_t b = 0; b < blocks; ++b) {
      const std::int64_t first = b * block_inner;
      Block<T> block = {g,       column,  columns, first, smaller(g.inner - first, block_inner),
                        nullptr, nullptr, right};
      if (g.b_column_stride != 1 || columns < tile) {
        pack_columns(block, 0, columns, right);
        block.panels = right;
      }
      for (std::int64_t i = 0; i < panels; ++i) {
        multiply_panel<T, LeftLayout::rows>(block, i * panel_rows, rows_of(i),
                                            left + (b * panels + i) * kLeftPanel<T>, 0, columns,
                                            nullptr);
        block.panels = right;
      }
    }
  };
  parallel_chunks(ceil_div(g.columns, tile), chunk_body);
}

// The same where B needs no packing: it is packed already, or a few rows of A do not repay it.
template <class T>
void multiply_in_place(const GemmArguments<T>& g, const Cuts<T>& cuts) {
  T* const buffer = static_cast<T*>(thread_scratch()) + kLeftPanel<T>;
  for (std::int64_t index = 0; index < cuts.column_blocks * cuts.inner_blocks; ++index) {
    Block<T> block = block_at(g, cuts, index);
    if (g.packed_b != nullptr) {
      block.panels = g.packed_b + block.column * g.inner + block.first * padded<T>(block.columns);
    } else {
      const std::int64_t whole = block.columns / kTileColumns<T> * kTileColumns<T>;
      pack_columns(block, whole, block.columns, buffer);
      block.edge = buffer;
    }
    multiply_block(block, cuts, 0);
  }
}

// One side is a few rows or columns, and both lie along the inner dimension.
template <class T>
void multiply_narrow(const GemmArguments<T>& g) {
  const bool tall = g.rows > g.columns;
  const std::int64_t length = tall ? g.rows : g.columns;
  const std::int64_t other = tall ? g.columns : g.rows;
  const std::int64_t grain = 4 * ceil_div(kChunkProducts / 8, 4 * larger(1, g.inner * other));
  parallel_ranges(length, grain, [&](std::int64_t begin, std::int64_t end) {
    const std::int64_t row = tall ? begin : 0, column = tall ? 0 : begin;
    const std::int64_t row_end = tall ? end : g.rows, column_end = tall ? g.columns : end;
    dot_block(g, row, row_end, column, column_end);
    if (g.epilogue != nullptr) {
      apply_epilogue(*g.epilogue, g.c + row * g.c_row_stride + column, g.c_row_stride, row, column,
                     static_cast<int>(row_end - row), static_cast<int>(column_end - column));
    }
  });
}

template <class T>
bool is_identity(const Epilogue<T>& e) {
  return e.bias == nullptr && e.activation == Activation::identity && e.dropout_rate == T(0) &&
         e.sampling == Sampling::none;
}

template <class T>
void multiply(const GemmArguments<T>& given) noexcept {
  if (given.rows == 0 || given.columns == 0) return;
  GemmArguments<T> g = given;
  if (g.alpha == T(0)) g.inner = 0;  // A and B are not read, as in BLAS
  if (g.epilogue != nullptr && is_identity(*g.epilogue)) g.epilogue = nullptr;
  const bool windows = g.a_windows != nullptr || g.b_windows != nullptr;
  const bool narrow = !windows && (g.rows <= kNarrow || g.columns <= kNarrow);
  if (narrow && g.packed_b == nullptr && g.a_column_stride == 1 && g.b_row_stride == 1) {
    return multiply_narrow(g);
  }
  const Cuts<T> cuts(g.rows, g.columns, g.inner);
  // Packing B does not pay where it is used for few panels of rows, or is near at hand anyway.
  const bool unpacked = g.b_column_stride == 1 && g.b_windows == nullptr &&
                        (g.rows <= 2 * kTileRows || g.inner * g.columns <= kNearElements<T>);
  if (g.packed_b != nullptr || unpacked) return multiply_in_place(g, cuts);
  const LeftPanels<T> left(g);
  if (g.a_column_stride == 1 && !windows && left.pay(g)) return multiply_near(g, left);
  multiply_blocks(g, cuts);
}

template <class T>
std::int64_t packed_b_elements(std::int64_t inner, std::int64_t columns) noexcept {
  return inner * padded<T>(columns);
}

template <class T>
void pack_b(const T* b, std::int64_t inner, std::int64_t columns, std::int64_t row_stride,
            std::int64_t column_stride, T* packed) noexcept {
  GemmArguments<T> g = {};
  g.columns = columns;
  g.inner = inner;
  g.b = b;
  g.b_row_stride = row_stride;
  g.b_column_stride = column_stride;
  const Cuts<T> cuts(1, columns, inner);
  for (std::int64_t index = 0; index < cuts.column_blocks * cuts.inner_blocks; ++index) {
    const Block<T> block = block_at(g, cuts, index);
    T* const panels = packed + block.column * inner + block.first * padded<T>(block.columns);
    for_panel_groups(block, [&](std::int64_t begin, std::int64_t end) {
      pack_columns(block, begin, end, panels + begin * block.inner);
    });
  }
}

template <class T>
double multiply_adds(std::int64_t rounds, T* sink) noexcept {
  constexpr int kIndependent = 12;
  Vector<T> acc[kIndependent];
  for (int i = 0; i < kIndependent; ++i) acc[i] = broadcast<T>(*sink + static_cast<T>(i));
  const Vector<T> factor = broadcast<T>(*sink * T(1e-3) + T(0.999));
  const Vector<T> term = broadcast<T>(*sink + T(1e-3));
  for (std::int64_t round = 0; round < rounds; ++round) {
#pragma GCC unroll 12
    for (int i = 0; i < kIndependent; ++i) acc[i] = acc[i] * factor + term;
  }
  Vector<T> sum = {};
  for (int i = 0; i < kIndependent; ++i) sum += acc[i];
  *sink = horizontal_sum<T>(sum);
  return 2.0 * kIndependent * kLanes<T> * static_cast<double>(rounds);
}

}  // namespace

extern const GemmKernels<float> gemm_float;
extern const GemmKernels<double> gemm_double;
const GemmKernels<float> gemm_float = {multiply<float>, packed_b_elements<float>, pack_b<float>,
                                       multiply_adds<float>};
const GemmKernels<double> gemm_double = {multiply<double>, packed_b_elements<double>,
                                         pack_b<double>, multiply_adds<double>};

}  // namespace ictus::ICTUS_LEVEL
