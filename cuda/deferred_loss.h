// The loss of a minibatch with its value left on the device, for training that does not wait for it.
#pragma once

#include <pybind11/pybind11.h>

#include "ictus/loss.h"

namespace ictus::cuda {

// As LossKernels::evaluate, but the value is added to *total, which lies on the device (loss.cu).
template <class T>
void add_loss(Loss loss, const LossArguments<T>& arguments, double* total) noexcept;

void register_deferred_loss(pybind11::module_& module);

}  // namespace ictus::cuda
