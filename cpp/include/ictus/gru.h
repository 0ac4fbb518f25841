// Gated recurrent units (Cho et al. 2014), in the form whose reset gate acts behind the recurrent
// product, as cuDNN and PyTorch have it. Gates in the order reset, update, candidate; for each
// frame x and the output h before it:
//
//     r = sigmoid(x Wr + h Ur + br)                z = sigmoid(x Wz + h Uz + bz)
//     n = tanh(x Wn + bn + r * (h Un + bh))        h' = (1 - z) * n + z * h
//
// bh is the `extra` parameter, (directions, units).
#pragma once

#include "ictus/sequence.h"

namespace ictus {

template <class T>
struct GruKernels : RecurrentKernels<T> {};

}  // namespace ictus
