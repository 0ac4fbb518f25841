// Runs the threads of a grid on the CPU, each a fibre with a stack of its own: a thread runs until
// it waits at a barrier or a warp's exchange, then the next one runs. What a GPU leaves undefined
// is an error here, with file and line: a barrier that part of a block does not reach, or reaches
// at another place; an exchange of a warp without all its lanes; a write beyond the shared memory.
//
// Blocks run one after another, except in a cooperative launch, where all run together and can meet
// at a barrier of the grid; such kernels use dynamic shared memory only.
//
// The order of the threads is that of their numbers, or the reverse (set_order): a barrier that is
// missing shows as another result in one of the two.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "vectors.h"

namespace ictus::emulation {

constexpr int kWarp = 32;

// Where in the source a thread waits.
struct Site {
  const char* what;
  const char* file;
  int line;
};

struct Warp {
  std::uint64_t slot[2][kWarp][2];  // two exchanges can be under way: some lanes may be behind
  int lanes;
};

struct Thread {
  uint3 thread, block;
  void* stack_pointer;
  unsigned char* stack;
  Warp* warp;
  unsigned char* shared;
  int lane;
  int exchanges;  // how many exchanges of the warp it has taken part in
  // for_ever: in an exchange whose mask has part of the lanes only.
  enum Waiting : unsigned char { nowhere, at_warp, at_block, at_grid, for_ever } waiting;
  bool done;
  Site site;
};

extern Thread* current;  // the thread that runs
extern dim3 grid_size, block_size;

enum class Order { forward, reverse };
void set_order(Order order);

// Runs body(closure) once for every thread. Throws std::runtime_error for what a GPU leaves
// undefined. Calls from several threads of the host take turns.
void run(dim3 grid, dim3 block, std::size_t shared_bytes, bool cooperative,
         void (*body)(const void* closure), const void* closure);

void wait(Thread::Waiting where, const Site& site);

// An exchange of a warp: what every lane gave, as slots of 16 bytes. All lanes take part.
const std::uint64_t (*exchange(unsigned mask, const void* value, std::size_t bytes,
                               const Site& site))[2];

template <class T>
T from_slot(const std::uint64_t* slot) {
  T value;
  std::memcpy(&value, slot, sizeof(T));
  return value;
}

inline void* shared_memory() { return current->shared; }

}  // namespace ictus::emulation

#define threadIdx (::ictus::emulation::current->thread)
#define blockIdx (::ictus::emulation::current->block)
#define blockDim (::ictus::emulation::block_size)
#define gridDim (::ictus::emulation::grid_size)
constexpr int warpSize = 32;

// The place of the caller, by default arguments.
#define ICTUS_SITE const char *file = __builtin_FILE(), int line = __builtin_LINE()

inline void __syncthreads(ICTUS_SITE) {
  using namespace ictus::emulation;
  wait(Thread::at_block, {"__syncthreads", file, line});
}

inline void __syncwarp(unsigned mask = 0xFFFFFFFFu, ICTUS_SITE) {
  const char nothing = 0;
  ictus::emulation::exchange(mask, &nothing, 1, {"__syncwarp", file, line});
}

template <class T>
T __shfl_sync(unsigned mask, T value, int lane, int width = 32, ICTUS_SITE) {
  using namespace ictus::emulation;
  const int first = current->lane / width * width;
  return from_slot<T>(
      exchange(mask, &value, sizeof(T),
               {"__shfl_sync", file, line})[(first + lane % width) % current->warp->lanes]);
}

template <class T>
T __shfl_xor_sync(unsigned mask, T value, int lanes, int width = 32, ICTUS_SITE) {
  using namespace ictus::emulation;
  const auto* slots = exchange(mask, &value, sizeof(T), {"__shfl_xor_sync", file, line});
  const int from = current->lane ^ lanes;
  const bool inside = from / width == current->lane / width && from < current->warp->lanes;
  return inside ? from_slot<T>(slots[from]) : value;
}

template <class T>
T __shfl_down_sync(unsigned mask, T value, unsigned lanes, int width = 32, ICTUS_SITE) {
  using namespace ictus::emulation;
  const auto* slots = exchange(mask, &value, sizeof(T), {"__shfl_down_sync", file, line});
  const int from = current->lane + static_cast<int>(lanes);
  const bool inside = from / width == current->lane / width && from < current->warp->lanes;
  return inside ? from_slot<T>(slots[from]) : value;
}

template <class T>
T __shfl_up_sync(unsigned mask, T value, unsigned lanes, int width = 32, ICTUS_SITE) {
  using namespace ictus::emulation;
  const auto* slots = exchange(mask, &value, sizeof(T), {"__shfl_up_sync", file, line});
  const int from = current->lane - static_cast<int>(lanes);
  const bool inside = from >= current->lane / width * width;
  return inside ? from_slot<T>(slots[from]) : value;
}

inline unsigned __ballot_sync(unsigned mask, int predicate, ICTUS_SITE) {
  using namespace ictus::emulation;
  const auto* slots = exchange(mask, &predicate, sizeof predicate, {"__ballot_sync", file, line});
  unsigned bits = 0;
  for (int i = 0; i < current->warp->lanes; ++i) {
    bits |= from_slot<int>(slots[i]) != 0 ? 1u << i : 0u;
  }
  return bits;
}
inline int __any_sync(unsigned mask, int predicate, ICTUS_SITE) {
  return __ballot_sync(mask, predicate, file, line) != 0;
}
inline int __all_sync(unsigned mask, int predicate, ICTUS_SITE) {
  return __ballot_sync(mask, !predicate, file, line) == 0;
}
#undef ICTUS_SITE
