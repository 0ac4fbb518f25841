// Refuses memory to ictus's native module, and to nothing else, where it is told to. Loaded before
// everything else (LD_PRELOAD) by allocation.py.
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dlfcn.h>

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <initializer_list>
#include <new>

namespace {

std::atomic<long> seen{0}, first{0}, count{0};

// Whether this allocation is refused: one of the module's, or of the C++ library on its behalf.
bool refused(const void* caller) noexcept {
  Dl_info info;
  if (dladdr(caller, &info) == 0 || info.dli_fname == nullptr) return false;
  if (std::strstr(info.dli_fname, "ictus/_core") == nullptr &&
      std::strstr(info.dli_fname, "/libstdc++") == nullptr)
    return false;
  const long number = seen.fetch_add(1) - first.load();
  return number >= 0 && number < count.load();
}

void* or_throw(void* memory) {
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

void* aligned(std::size_t alignment, std::size_t bytes) noexcept {
  void* memory = nullptr;
  return posix_memalign(&memory, alignment, bytes) == 0 ? memory : nullptr;
}

// What pybind11 (3.1) allocates for its table of objects, nodes and buckets (of whose numbers these
// are the primes of libstdc++): it does so outside of its own try blocks, which ends the process.
bool of_table(std::size_t bytes) noexcept {
  for (const std::size_t buckets : {3, 13, 29, 59, 127, 257, 541, 1109, 2357, 5087}) {
    if (bytes == buckets * sizeof(void*)) return true;
  }
  return false;
}

}  // namespace

#define CALLER __builtin_return_address(0)

extern "C" {

// Counts from now on; refuses `number` allocations after the first `before`.
void refuse_allocations(long before, long number) {
  first = before;
  count = number;
  seen = 0;
}

long allocations_seen() { return seen; }

void* aligned_alloc(std::size_t alignment, std::size_t bytes) noexcept {
  return refused(CALLER) ? nullptr : aligned(alignment, bytes);
}

}  // extern "C"

void* operator new(std::size_t bytes) {
  return or_throw(!of_table(bytes) && refused(CALLER) ? nullptr : std::malloc(bytes));
}
void* operator new(std::size_t bytes, const std::nothrow_t&) noexcept {
  return refused(CALLER) ? nullptr : std::malloc(bytes);
}
void* operator new(std::size_t bytes, std::align_val_t alignment) {
  return or_throw(refused(CALLER) ? nullptr : aligned(static_cast<std::size_t>(alignment), bytes));
}
void* operator new(std::size_t bytes, std::align_val_t alignment, const std::nothrow_t&) noexcept {
  return refused(CALLER) ? nullptr : aligned(static_cast<std::size_t>(alignment), bytes);
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }
