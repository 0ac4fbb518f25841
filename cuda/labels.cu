// Whether labels on a GPU are in range.
#include "labels.h"

#include "launch.h"

namespace ictus::cuda {
namespace {

constexpr int kThreads = 256;

__global__ void find_outside(const std::int64_t* data, std::int64_t count, std::int64_t stride,
                             std::int64_t low, std::int64_t high, unsigned long long* first) {
  const std::int64_t i = std::int64_t{blockIdx.x} * kThreads + threadIdx.x;
  if (i >= count) return;
  const std::int64_t value = data[i * stride];
  if (value < low || value >= high) atomicMin(first, static_cast<unsigned long long>(i));
}

}  // namespace

std::int64_t first_outside(const std::int64_t* data, std::int64_t count, std::int64_t stride,
                           std::int64_t low, std::int64_t high, std::int64_t& value) noexcept {
  if (count == 0) return -1;
  auto* first = static_cast<unsigned long long*>(scratch());
  if (first == nullptr) return -1;
  check(cudaMemsetAsync(first, 0xFF, sizeof *first, call_stream()), "clearing memory");
  launch(find_outside, {blocks(count, kThreads), kThreads}, data, count, stride, low, high, first);
  unsigned long long found = ~0ull;
  fetch(&found, first, sizeof found);
  if (found == ~0ull) return -1;
  fetch(&value, data + static_cast<std::int64_t>(found) * stride, sizeof value);
  return static_cast<std::int64_t>(found);
}

}  // namespace ictus::cuda
