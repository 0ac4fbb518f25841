// The call under way in this thread: its device and stream, which follow from its arrays, its
// scratch memory, and the first thing that went wrong. Launchers are plain functions of the tables
// that the CPU has too, which cannot throw: they report, and the binding throws when they are done
// (bindings/arguments.h: Check::finish).
#pragma once

#include <cuda_runtime.h>

#include <cstddef>

namespace ictus::cuda {

cudaStream_t call_stream() noexcept;
bool call_failed() noexcept;

// Keeps the first report of a call.
void report(const char* text) noexcept;
void report(cudaError_t status, const char* what) noexcept;

// Whether a call of the runtime succeeded; reports it where not.
inline bool check(cudaError_t status, const char* what) noexcept {
  if (status == cudaSuccess) return true;
  report(status, what);
  return false;
}

// Scratch memory for what does not grow with the data (partial sums, counters, results on their way
// to the host). It belongs to the device and the stream of the call and stays: kernels of one
// stream take turns. nullptr, and a report, where the memory of the device is exhausted.
constexpr std::size_t kScratchBytes = std::size_t{4} << 20;
void* scratch() noexcept;

// Waits for the stream and copies `bytes` from the device: for results that are numbers.
void fetch(void* to, const void* from, std::size_t bytes) noexcept;

}  // namespace ictus::cuda
