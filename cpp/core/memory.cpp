// Aligned memory, and the scratch of each thread.
#include "core/memory.h"

#include <cstdlib>

namespace ictus {
namespace {

constexpr std::size_t kPage = 4096;

struct Scratch {
  void* pointer = nullptr;
  ~Scratch() { std::free(pointer); }
};

thread_local Scratch scratch;

}  // namespace

void* aligned_allocate(std::size_t bytes) noexcept {
  const std::size_t rounded = (bytes + kAlignment - 1) / kAlignment * kAlignment;
  return std::aligned_alloc(kAlignment, rounded == 0 ? kAlignment : rounded);
}

void aligned_free(void* pointer) noexcept { std::free(pointer); }

void* thread_scratch() noexcept {
  if (scratch.pointer == nullptr) scratch.pointer = std::aligned_alloc(kPage, kScratchBytes);
  return scratch.pointer;
}

}  // namespace ictus
