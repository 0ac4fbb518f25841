// What the bindings ask of core/, on a GPU: memory is that of the device, there is one "instruction
// set", and no threads.
#include <cuda_runtime.h>

#include "core/memory.h"
#include "core/threads.h"
#include "ictus/level.h"

namespace ictus {

void* aligned_allocate(std::size_t bytes) noexcept {
  void* memory = nullptr;
  return cudaMalloc(&memory, bytes == 0 ? kAlignment : bytes) == cudaSuccess ? memory : nullptr;
}

void aligned_free(void* pointer) noexcept { cudaFree(pointer); }

Level level() noexcept { return Level::baseline; }
const char* level_name(Level) noexcept { return "cuda"; }
int num_threads() noexcept { return 1; }

}  // namespace ictus
