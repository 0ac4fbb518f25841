// Devices and streams, as the Python side sees them.
#pragma once

#include <cstdint>

namespace ictus::cuda {

int device_count();
void set_stream(std::uintptr_t stream);

}  // namespace ictus::cuda
