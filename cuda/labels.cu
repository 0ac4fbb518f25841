// Whether labels on a GPU are in range.
#include "labels.h"

#include "launch.h"

namespace ictus::cuda {
namespace {

constexpr int kThreads = 256;

template <class T>
__global__ void find_outside(const T* data, std::int64_t count, std::int64_t stride,
                             std::int64_t low, std::int64_t high, unsigned long long* first) {
  const std::int64_t i = std::int64_t{blockIdx.x} * kThreads + threadIdx.x;
  if (i >= count) return;
  const std::int64_t value = data[i * stride];
  if (value < low || value >= high) atomicMin(first, static_cast<unsigned long long>(i));
}

}  // namespace

template <class T>
std::int64_t first_outside(const T* data, std::int64_t count, std::int64_t stride, std::int64_t low,
                           std::int64_t high, std::int64_t& value) noexcept {
  if (count == 0) return -1;
  auto* first = static_cast<unsigned long long*>(scratch());
  if (first == nullptr) return -1;
  check(cudaMemsetAsync(first, 0xFF, sizeof *first, call_stream()), "clearing memory");
  launch(find_outside<T>, {blocks(count, kThreads), kThreads}, data, count, stride, low, high,
         first);
  unsigned long long found = ~0ull;
  fetch(&found, first, sizeof found);
  if (found == ~0ull) return -1;
  T there = T(0);
  fetch(&there, data + static_cast<std::int64_t>(found) * stride, sizeof there);
  value = there;
  return static_cast<std::int64_t>(found);
}

template std::int64_t first_outside(const std::int64_t*, std::int64_t, std::int64_t, std::int64_t,
                                    std::int64_t, std::int64_t&) noexcept;
template std::int64_t first_outside(const std::int32_t*, std::int64_t, std::int64_t, std::int64_t,
                                    std::int64_t, std::int64_t&) noexcept;
template std::int64_t first_outside(const std::uint16_t*, std::int64_t, std::int64_t, std::int64_t,
                                    std::int64_t, std::int64_t&) noexcept;

}  // namespace ictus::cuda
