// Kernels on which the emulation itself is tested: some right, some with the faults it must find.
#include "trials.h"

#include <stdexcept>

#include "launch.h"

namespace ictus::cuda {
namespace {

constexpr int kThreads = 64;

__global__ void half_a_barrier(float* out) {
  if (threadIdx.x < 32) __syncthreads();
  out[threadIdx.x] = 1;
}

__global__ void two_barriers(float* out) {
  if (threadIdx.x < 32) {
    __syncthreads();
  } else {
    __syncthreads();
  }
  out[threadIdx.x] = 1;
}

__global__ void half_a_warp(float* out) {
  if (threadIdx.x % 32 < 16) out[threadIdx.x] = __shfl_xor_sync(0xFFFFu, out[threadIdx.x], 1);
}

__global__ void ended_lane(float* out) {
  if (threadIdx.x == 5) return;
  out[threadIdx.x] = __shfl_xor_sync(0xFFFFFFFFu, out[threadIdx.x], 1);
}

__global__ void beyond_shared_memory(float* out) {
  shared_memory<float>()[threadIdx.x + 1] = out[threadIdx.x];
}

// Without the barrier a thread that runs before its neighbour reads what nobody has written.
__global__ void missing_barrier(float* out) {
  float* room = shared_memory<float>();
  room[threadIdx.x] = static_cast<float>(threadIdx.x);
  out[threadIdx.x] = room[(threadIdx.x + 1) % kThreads];
}

__global__ void neighbour(float* out) {
  float* room = shared_memory<float>();
  room[threadIdx.x] = static_cast<float>(threadIdx.x);
  __syncthreads();
  out[threadIdx.x] = room[(threadIdx.x + 1) % kThreads];
}

__global__ void lanes(float* out) {
  const float x = static_cast<float>(threadIdx.x);
  float sum = x;
  for (int step = 16; step > 0; step /= 2) sum += __shfl_xor_sync(0xFFFFFFFFu, sum, step);
  const float below = __shfl_up_sync(0xFFFFFFFFu, x, 1),
              above = __shfl_down_sync(0xFFFFFFFFu, x, 3);
  const float first = __shfl_sync(0xFFFFFFFFu, x, 8, 16);
  const unsigned odd = __ballot_sync(0xFFFFFFFFu, threadIdx.x % 2);
  out[threadIdx.x] = sum + 1e3f * below + 1e5f * (above - first) + (odd == 0xAAAAAAAAu ? 0.5f : 0);
}

// Every block adds what all blocks wrote before the barrier of the grid.
__global__ void whole_grid(float* out) {
  if (threadIdx.x == 0) out[blockIdx.x] = static_cast<float>(blockIdx.x + 1);
  synchronize_grid();
  float sum = 0;
  for (unsigned i = 0; i < gridDim.x; ++i) sum += out[i];
  synchronize_grid();
  if (threadIdx.x == 0) out[blockIdx.x] = sum;
}

}  // namespace

void run_trial(const std::string& name, float* out) {
  const std::size_t room = kThreads * sizeof(float);
  const Launch plain = {1, kThreads, room};
  if (name == "half a barrier") return launch(half_a_barrier, plain, out);
  if (name == "two barriers") return launch(two_barriers, plain, out);
  if (name == "half a warp") return launch(half_a_warp, plain, out);
  if (name == "ended lane") return launch(ended_lane, plain, out);
  if (name == "beyond shared memory") return launch(beyond_shared_memory, plain, out);
  if (name == "missing barrier") return launch(missing_barrier, plain, out);
  if (name == "neighbour") return launch(neighbour, plain, out);
  if (name == "lanes") return launch(lanes, plain, out);
  if (name == "whole grid") return launch(whole_grid, {4, kThreads, 0, true}, out);
  if (name == "waiting without company") return launch(whole_grid, {4, kThreads}, out);
  if (name == "too many threads") return launch(neighbour, {1, 1056, room}, out);
  if (name == "too much shared memory") return launch(neighbour, {1, kThreads, 1 << 20}, out);
  throw std::invalid_argument("no trial " + name);
}

}  // namespace ictus::cuda
