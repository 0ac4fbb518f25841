// The call under way in this thread (call.h), its scratch memory, and the devices.
#include "call.h"

#include <map>
#include <mutex>
#include <utility>

#include "call_state.h"
#include "device.h"

namespace ictus::cuda {

Call& call() noexcept {
  thread_local Call state;
  return state;
}

cudaStream_t call_stream() noexcept { return call().stream; }
bool call_failed() noexcept { return call().failed; }

void report(const char* text) noexcept {
  Call& c = call();
  if (c.failed) return;
  c.failed = true;
  try {
    c.text = text;
  } catch (...) {  // no memory for the words: the failure itself is kept
  }
}

void report(cudaError_t status, const char* what) noexcept {
  Call& c = call();
  if (c.failed) return;
  c.out_of_memory = status == cudaErrorMemoryAllocation;
  try {
    report((std::string(what) + ": " + cudaGetErrorString(status)).c_str());
  } catch (...) {
    report(what);
  }
  cudaGetLastError();  // the runtime keeps an error until it is asked
}

void* scratch() noexcept {
  static std::mutex mutex;
  static std::map<std::pair<int, cudaStream_t>, void*>& all =
      *new std::map<std::pair<int, cudaStream_t>, void*>;  // outlives the driver at exit
  try {
    int device = 0;
    if (!check(cudaGetDevice(&device), "current device")) return nullptr;
    const std::lock_guard<std::mutex> lock(mutex);
    void*& memory = all[{device, call_stream()}];
    if (memory == nullptr && !check(cudaMalloc(&memory, kScratchBytes), "scratch memory")) {
      memory = nullptr;
    }
    return memory;
  } catch (...) {
    report("no memory");
    return nullptr;
  }
}

void fetch(void* to, const void* from, std::size_t bytes) noexcept {
  if (call_failed()) return;
  check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToHost, call_stream()), "copy to host");
  check(cudaStreamSynchronize(call_stream()), "waiting for a stream");
}

int device_count() {
  int count = 0;
  const cudaError_t status = cudaGetDeviceCount(&count);
  if (status != cudaSuccess) {
    throw std::runtime_error(std::string("counting devices: ") + cudaGetErrorString(status));
  }
  return count;
}

void set_stream(std::uintptr_t stream) {
  call().default_stream = reinterpret_cast<cudaStream_t>(stream);
}

}  // namespace ictus::cuda
