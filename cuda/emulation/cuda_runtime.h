// Stands in for the header of the CUDA toolkit of the same name, so that the sources of cuda/ can
// be compiled for the CPU as they are: the words of the language, and the part of the runtime that
// they use, on the memory of the host. How threads of a block run: scheduler.h.
#pragma once

#include <math.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
#define __noinline__
#define __constant__ static const
#define __launch_bounds__(...)
#define __shared__ static  // blocks run one after another; see scheduler.h on cooperative launches

#include "device_functions.h"
#include "runtime.h"
#include "scheduler.h"
#include "vectors.h"
