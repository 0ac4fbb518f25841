// Aligned memory, and the fixed-size scratch of each thread. Scratch never grows with the data:
// whatever does is an output or a workspace that the caller of a kernel provides.
#pragma once

#include <cstddef>

namespace ictus {

constexpr std::size_t kAlignment = 64;

void* aligned_allocate(std::size_t bytes) noexcept;  // nullptr where memory is exhausted
void aligned_free(void* pointer) noexcept;

// How much scratch a thread has: room for the packed blocks of one matrix product.
constexpr std::size_t kScratchBytes = std::size_t{6} << 20;

// The calling thread's scratch, kScratchBytes long, aligned to a page; made on first use and kept
// until the thread ends. nullptr where memory is exhausted.
void* thread_scratch() noexcept;

}  // namespace ictus
