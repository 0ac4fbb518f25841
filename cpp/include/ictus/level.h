// Which instruction-set level runs the kernels (public). How it is chosen: core/level.cpp.
#pragma once

namespace ictus {

// Ordered: a machine that has a level has every level before it. The last is avx512 with an
// instruction for the number of bits in a word; only the families that use it are compiled for it,
// all others run at avx512.
enum class Level : int { baseline = 0, avx2 = 1, avx512 = 2, avx512vpopcntdq = 3 };

constexpr int kLevels = ICTUS_LEVEL_COUNT;  // how many levels this build contains

const char* level_name(Level level) noexcept;
bool level_available(Level level) noexcept;  // compiled in, and the processor and system have it
Level best_level() noexcept;
Level level() noexcept;                // the level in force
bool set_level(Level level) noexcept;  // false, and nothing changes, where it is not available

}  // namespace ictus
