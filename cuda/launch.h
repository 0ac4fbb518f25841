// How a kernel starts: the one place that knows whether this is CUDA or its emulation on the CPU
// (emulation/cuda_runtime.h). And what every kernel file needs of both: the size of a grid, dynamic
// shared memory, a barrier of the whole grid.
#pragma once

#include <cuda_runtime.h>

#include <cstddef>
#include <cstdint>
#include <exception>
#include <tuple>

#include "call.h"

#if defined(__CUDACC__)
#include <cooperative_groups.h>
#endif

namespace ictus::cuda {

// Blocks of `each` that cover `count`.
inline unsigned blocks(std::int64_t count, std::int64_t each) {
  return static_cast<unsigned>((count + each - 1) / each);
}

// The shared memory whose size the launch gives, aligned to 16 bytes.
template <class T>
__device__ __forceinline__ T* shared_memory() {
#if defined(__CUDACC__)
  extern __shared__ uint4 ictus_shared_memory[];
  return reinterpret_cast<T*>(ictus_shared_memory);
#else
  return static_cast<T*>(emulation::shared_memory());
#endif
}

// Waits for all blocks of a cooperative launch.
#if defined(__CUDACC__)
__device__ __forceinline__ void synchronize_grid() { cooperative_groups::this_grid().sync(); }
#else
inline void synchronize_grid(const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
  emulation::wait(emulation::Thread::at_grid, {"synchronize_grid", file, line});
}
#endif

// How a kernel is started. `cooperative`: all blocks run at the same time and may wait for each
// other (synchronize_grid); the grid must then fit the device, see resident_blocks.
struct Launch {
  dim3 grid;
  dim3 block;
  std::size_t shared_bytes = 0;
  bool cooperative = false;
};

// Starts kernel(arguments...) in the stream of the call under way and returns at once. What goes
// wrong is reported to the call (call.h), whose binding throws it.
template <class... Parameters, class... Arguments>
void launch(void (*kernel)(Parameters...), const Launch& how, const Arguments&... arguments) {
  if (call_failed()) return;
#if defined(__CUDACC__)
  if (how.shared_bytes > (std::size_t{48} << 10)) {
    check(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                               static_cast<int>(how.shared_bytes)),
          "shared memory of a kernel");
  }
  if (how.cooperative) {
    std::tuple<Parameters...> values(arguments...);
    std::apply(
        [&](auto&... each) {
          void* pointers[] = {const_cast<void*>(static_cast<const void*>(&each))...};
          check(cudaLaunchCooperativeKernel(reinterpret_cast<const void*>(kernel), how.grid,
                                            how.block, pointers, how.shared_bytes, call_stream()),
                "launch");
        },
        values);
  } else {
    kernel<<<how.grid, how.block, how.shared_bytes, call_stream()>>>(arguments...);
    check(cudaGetLastError(), "launch");
  }
#else
  const auto body = [&] { kernel(arguments...); };
  try {
    emulation::run(
        how.grid, how.block, how.shared_bytes, how.cooperative,
        [](const void* closure) { (*static_cast<decltype(&body)>(closure))(); }, &body);
  } catch (const std::exception& error) {
    report(error.what());
  }
#endif
}

// How many blocks of a kernel run at the same time: the largest grid of a cooperative launch.
template <class... Parameters>
int resident_blocks(void (*kernel)(Parameters...), int block_threads, std::size_t shared_bytes) {
  int each = 0, processors = 0, device = 0;
  check(cudaGetDevice(&device), "current device");
  if (shared_bytes > (std::size_t{48} << 10)) {
    check(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                               static_cast<int>(shared_bytes)),
          "shared memory of a kernel");
  }
  check(cudaOccupancyMaxActiveBlocksPerMultiprocessor(&each, kernel, block_threads, shared_bytes),
        "occupancy");
  check(cudaDeviceGetAttribute(&processors, cudaDevAttrMultiProcessorCount, device),
        "number of multiprocessors");
  return each * processors;
}

}  // namespace ictus::cuda
