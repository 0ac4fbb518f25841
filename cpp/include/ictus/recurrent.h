// The simple recurrent layer (Elman 1990): h' = f(x W + h U + b), f = tanh or relu.
#pragma once

#include "ictus/sequence.h"

namespace ictus {

template <class T>
struct RecurrentLayerKernels : RecurrentKernels<T> {};

}  // namespace ictus
