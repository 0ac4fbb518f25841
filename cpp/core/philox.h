// Philox 4x32-10, the counter-based generator of Salmon, Moraes, Dror & Shaw, "Parallel random
// numbers: as easy as 1, 2, 3" (SC 2011), in plain code for the host and a GPU alike. The
// vectorised form in kernels/detail/random.h gives the same words.
//
// How ictus numbers its draws. A matrix element (row i, column j) of stream s under seed k draws
// word i mod 4 of the block whose counter is (j, i / 4, s low, s high) and whose key is (k low,
// k high). Columns lie in the lanes of a vector and one block serves four rows of a tile, so any
// vector width and any tiling give the same bits. A flat array is read as such a matrix:
// element e is row (e / 16) mod 4, column (e / 64) * 16 + e mod 16.
#pragma once

#include <cstdint>

#if defined(__CUDACC__)
#define ICTUS_HOST_DEVICE __host__ __device__
#else
#define ICTUS_HOST_DEVICE
#endif

namespace ictus::philox {

constexpr std::uint32_t kMultiplier0 = 0xD2511F53u;
constexpr std::uint32_t kMultiplier1 = 0xCD9E8D57u;
constexpr std::uint32_t kWeyl0 = 0x9E3779B9u;
constexpr std::uint32_t kWeyl1 = 0xBB67AE85u;
constexpr int kRounds = 10;

struct Block {
  std::uint32_t word[4];
};

ICTUS_HOST_DEVICE inline Block block(Block counter, std::uint64_t seed) {
  std::uint32_t key0 = static_cast<std::uint32_t>(seed);
  std::uint32_t key1 = static_cast<std::uint32_t>(seed >> 32);
  std::uint32_t* c = counter.word;
  for (int round = 0; round < kRounds; ++round) {
    const std::uint64_t product0 = std::uint64_t{kMultiplier0} * c[0];
    const std::uint64_t product1 = std::uint64_t{kMultiplier1} * c[2];
    const std::uint32_t next0 = static_cast<std::uint32_t>(product1 >> 32) ^ c[1] ^ key0;
    const std::uint32_t next2 = static_cast<std::uint32_t>(product0 >> 32) ^ c[3] ^ key1;
    c[0] = next0;
    c[1] = static_cast<std::uint32_t>(product1);
    c[2] = next2;
    c[3] = static_cast<std::uint32_t>(product0);
    key0 += kWeyl0;
    key1 += kWeyl1;
  }
  return counter;
}

// The four words for rows 4 * row_group .. 4 * row_group + 3 of one column.
ICTUS_HOST_DEVICE inline Block rows(std::uint32_t column, std::uint32_t row_group,
                                    std::uint64_t stream, std::uint64_t seed) {
  return block({{column, row_group, static_cast<std::uint32_t>(stream),
                 static_cast<std::uint32_t>(stream >> 32)}},
               seed);
}

}  // namespace ictus::philox
