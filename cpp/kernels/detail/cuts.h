// How a matrix product is cut: into blocks that stay in a cache, panels of register tiles, and
// chunks for threads. Everything follows from the shape alone, so the order of every sum does too.
#pragma once

#include <cstdint>

#include "core/memory.h"
#include "ictus/gemm.h"
#include "kernels/detail/microkernel.h"

namespace ictus::ICTUS_LEVEL {
namespace {

// Elements of B in one block: most of a level-2 cache of 1 MiB.
template <class T>
constexpr std::int64_t kBlockElements = (832 << 10) / static_cast<std::int64_t>(sizeof(T));
template <class T>
constexpr std::int64_t kLeftPanel = kTileRows * kPanelStride<T> + 64;
static_assert((kBlockElements<float> + kLeftPanel<float>)*sizeof(float) < kScratchBytes);

// Elements of a B so small that it stays near the registers wherever it lies.
template <class T>
constexpr std::int64_t kNearElements = (80 << 10) / static_cast<std::int64_t>(sizeof(T));

// Elements of a packed A that stays in the level-2 cache beside a panel of B, and of that panel.
template <class T>
constexpr std::int64_t kNearLeftElements = (720 << 10) / static_cast<std::int64_t>(sizeof(T));
template <class T>
constexpr std::int64_t kRightPanel = kBlockInner<T> * kTileColumns<T>;
static_assert((kRightPanel<float> + kNearLeftElements<float>)*sizeof(float) < kScratchBytes);
constexpr std::int64_t kNearRows = 140;
constexpr std::int64_t kNearPanels = 8;

// Products (of two scalars) that make a chunk worth handing to another thread: some 10 us.
constexpr std::int64_t kChunkProducts = 400000;

inline std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }
inline std::int64_t smaller(std::int64_t a, std::int64_t b) { return a < b ? a : b; }
inline std::int64_t larger(std::int64_t a, std::int64_t b) { return a > b ? a : b; }

// Cuts `total` into the fewest parts of at most `limit`, nearly equal, multiples of `unit`.
inline std::int64_t even_part(std::int64_t total, std::int64_t limit, std::int64_t unit) {
  const std::int64_t parts = larger(1, ceil_div(total, limit));
  return larger(unit, ceil_div(ceil_div(total, parts), unit) * unit);
}

// The cuts of a product: all from its shape.
template <class T>
struct Cuts {
  std::int64_t block_inner, inner_blocks;     // of the inner dimension
  std::int64_t block_columns, column_blocks;  // of the columns of B
  std::int64_t panel_rows;                    // rows of a left panel
  std::int64_t chunk_rows;                    // rows of C in a chunk: whole panels
  std::int64_t chunk_columns, column_chunks;  // columns of a block in a chunk: whole panels

  Cuts(std::int64_t rows, std::int64_t columns, std::int64_t inner) {
    constexpr std::int64_t tile = kTileColumns<T>;
    block_inner = even_part(inner, kBlockInner<T>, 1);
    inner_blocks = larger(1, ceil_div(inner, block_inner));
    block_columns = even_part(columns, kBlockElements<T> / block_inner / tile * tile, tile);
    column_blocks = ceil_div(columns, block_columns);
    panel_rows = even_part(rows, kTileRows, 1);
    const std::int64_t panels = ceil_div(rows, panel_rows);
    const std::int64_t panel_work = panel_rows * block_columns * block_inner;
    chunk_rows = panel_rows * smaller(panels, ceil_div(kChunkProducts, panel_work));
    const std::int64_t row_chunks = ceil_div(rows, chunk_rows);
    // Few panels of rows: the columns are cut too.
    const std::int64_t wanted = row_chunks >= 4 ? 1 : 8 / row_chunks;
    const std::int64_t least = ceil_div(kChunkProducts, chunk_rows * block_inner);
    chunk_columns = even_part(block_columns, larger(least, ceil_div(block_columns, wanted)), tile);
    column_chunks = ceil_div(block_columns, chunk_columns);
  }
};

// The panels of an A that is packed as a whole.
template <class T>
struct LeftPanels {
  std::int64_t panel_rows, panels;   // of the rows
  std::int64_t block_inner, blocks;  // of the inner dimension

  explicit LeftPanels(const GemmArguments<T>& g) {
    panel_rows = even_part(g.rows, kTileRows, 1);
    panels = ceil_div(g.rows, panel_rows);
    block_inner = even_part(g.inner, kBlockInner<T>, 1);
    blocks = larger(1, ceil_div(g.inner, block_inner));
  }
  // Whether this way of multiplying pays: A is a minibatch, and B has panels that repay packing it.
  bool pay(const GemmArguments<T>& g) const {
    return g.rows <= kNearRows && g.columns >= kNearPanels * kTileColumns<T> &&
           panels * blocks * kLeftPanel<T> <= kNearLeftElements<T>;
  }
};

}  // namespace
}  // namespace ictus::ICTUS_LEVEL
