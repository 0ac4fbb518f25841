// The only feature tests in the tree. Every flag in cmake/levels.cmake has its test here;
// __builtin_cpu_supports also asks whether the operating system saves the wide registers.
#include "ictus/level.h"

#include <atomic>

namespace ictus {
namespace {

bool processor_has(Level level) noexcept {
#if defined(__x86_64__)
  __builtin_cpu_init();
  switch (level) {
    case Level::baseline:
      return true;
    case Level::avx2:
      return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
             __builtin_cpu_supports("popcnt");  // compilers take it with every level from SSE4.2
    case Level::avx512:
      return processor_has(Level::avx2) && __builtin_cpu_supports("avx512f") &&
             __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
             __builtin_cpu_supports("avx512vl");
    case Level::avx512vpopcntdq:
      return processor_has(Level::avx512) && __builtin_cpu_supports("avx512vpopcntdq");
  }
  return false;
#else
  return level == Level::baseline;
#endif
}

std::atomic<int>& current() noexcept {
  static std::atomic<int> value{static_cast<int>(best_level())};
  return value;
}

}  // namespace

const char* level_name(Level level) noexcept {
  switch (level) {
    case Level::baseline:
      return "baseline";
    case Level::avx2:
      return "avx2";
    case Level::avx512:
      return "avx512";
    case Level::avx512vpopcntdq:
      return "avx512vpopcntdq";
  }
  return "unknown";
}

bool level_available(Level level) noexcept {
  return static_cast<int>(level) < kLevels && processor_has(level);
}

Level best_level() noexcept {
  Level best = Level::baseline;
  for (int i = 0; i < kLevels; ++i) {
    if (level_available(static_cast<Level>(i))) best = static_cast<Level>(i);
  }
  return best;
}

Level level() noexcept { return static_cast<Level>(current().load(std::memory_order_relaxed)); }

bool set_level(Level level) noexcept {
  if (!level_available(level)) return false;
  current().store(static_cast<int>(level), std::memory_order_relaxed);
  return true;
}

}  // namespace ictus
