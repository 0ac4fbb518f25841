// Long short-term memory (Hochreiter & Schmidhuber 1997) with forget gates (Gers, Schmidhuber &
// Cummins 2000) and optional peepholes (Gers, Schraudolph & Schmidhuber 2002). Gates in the order
// input, forget, output, candidate; for each frame x and the state (h, c) before it:
//
//     i = sigmoid(x Wi + h Ui + bi + pi * c)       f = sigmoid(x Wf + h Uf + bf + pf * c)
//     g = tanh(x Wg + h Ug + bg)                   c' = f * c + i * g
//     o = sigmoid(x Wo + h Uo + bo + po * c')      h' = o * tanh(c')
//
// Peepholes lie as (directions, 3, units) in the order pi, pf, po.
#pragma once

#include "ictus/sequence.h"

namespace ictus {

template <class T>
struct LstmKernels : RecurrentKernels<T> {};

}  // namespace ictus
