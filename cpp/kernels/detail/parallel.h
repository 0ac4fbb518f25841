// A loop over chunks, for kernels: the lambda stays in this translation unit (and so at this
// instruction-set level); only plain function pointers reach core/threads.
#pragma once

#include "core/threads.h"

namespace ictus::ICTUS_LEVEL {
namespace {

// Calls body(i) for every i in [0, chunks), possibly on several threads. body must not throw, and
// may not depend on which thread runs it or on the order of the calls.
template <class Body>
inline void parallel_chunks(std::int64_t chunks, Body& body) noexcept {
  run_chunks(chunks, &body, [](void* context, std::int64_t chunk) noexcept {
    (*static_cast<Body*>(context))(chunk);
  });
}

// Cuts [0, count) into ranges of `grain` and calls body(begin, end) for each. A range never starts
// elsewhere than at a multiple of grain, whatever the number of threads.
template <class Body>
inline void parallel_ranges(std::int64_t count, std::int64_t grain, const Body& body) noexcept {
  if (count <= grain) {
    if (count > 0) body(std::int64_t{0}, count);
    return;
  }
  auto chunk = [&](std::int64_t index) noexcept {
    const std::int64_t begin = index * grain;
    const std::int64_t end = begin + grain;
    body(begin, end < count ? end : count);
  };
  parallel_chunks((count + grain - 1) / grain, chunk);
}

}  // namespace
}  // namespace ictus::ICTUS_LEVEL
