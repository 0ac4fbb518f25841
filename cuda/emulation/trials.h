// Kernels on which the emulation itself is tested.
#pragma once

#include <string>

namespace ictus::cuda {

// Runs a trial by its name on 64 floats.
void run_trial(const std::string& name, float* out);

}  // namespace ictus::cuda
