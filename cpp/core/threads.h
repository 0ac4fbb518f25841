// The only threads in the tree: a small pool that runs the chunks of a loop.
//
// Chunks are cut by the caller from the problem's size (where the cut changes no number, also from
// the thread count), and are claimed one by one from an atomic counter, so results cannot depend on
// how many threads take part. The calling thread works too and waits only for chunks that somebody
// else has claimed. Workers spin for some microseconds after a loop, then sleep. A nested loop, and
// a loop that starts while another thread holds the pool, run inline. After fork the child starts
// with a fresh pool.
#pragma once

#include <cstdint>

namespace ictus {

using ChunkFunction = void (*)(void* context, std::int64_t chunk) noexcept;

// Calls function(context, i) once for every i in [0, chunks), and returns when all calls have
// ended.
void run_chunks(std::int64_t chunks, void* context, ChunkFunction function) noexcept;

// How many threads a loop may use, the caller included.
int num_threads() noexcept;
void set_num_threads(int threads) noexcept;  // 1 .. kMaxThreads; values outside are clipped
int default_num_threads() noexcept;  // ICTUS_NUM_THREADS, OMP_NUM_THREADS, affinity, cgroup limit

constexpr int kMaxThreads = 256;

}  // namespace ictus
