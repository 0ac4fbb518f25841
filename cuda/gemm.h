// Matrix product on a GPU: the arguments of include/ictus/gemm.h with device pointers. The call
// returns when the kernel is enqueued in `stream`.
#pragma once

#include <cuda_runtime.h>

#include "ictus/gemm.h"

namespace ictus::cuda {

template <class T>
void multiply(const GemmArguments<T>& arguments, const Epilogue<T>& epilogue, cudaStream_t stream);

}  // namespace ictus::cuda
