// What is kept of a call between the check of its first array and its end; arguments.cpp writes it.
#pragma once

#include <cuda_runtime.h>

#include <list>
#include <stdexcept>
#include <string>
#include <vector>

namespace ictus::cuda {

struct Call {
  int depth = 0;           // objects check themselves within the call of a method
  int device = -1;         // of the first array; -1: none seen
  int former_device = -1;  // current before the call, where another one had to be set
  cudaStream_t stream = nullptr;
  bool stream_known = false;
  cudaStream_t default_stream = nullptr;
  bool failed = false;
  bool out_of_memory = false;
  std::string text;
  std::list<std::vector<char>> fetched;  // small arrays that the host reads
};

Call& call() noexcept;

}  // namespace ictus::cuda
