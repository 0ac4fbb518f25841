// The layout of a DLPack capsule "dltensor" (the DLPack specification, version 0.8), as far as it
// is read here.
#pragma once

#include <cstdint>

namespace ictus::cuda {

struct DlDevice {
  std::int32_t type, id;
};
constexpr std::int32_t kDlCuda = 2, kDlCudaManaged = 13;

struct DlType {
  std::uint8_t code, bits;  // code: 0 int, 1 unsigned, 2 float, 4 bfloat, 6 bool
  std::uint16_t lanes;
};

struct DlTensor {
  void* data;
  DlDevice device;
  std::int32_t rank;
  DlType type;
  std::int64_t* shape;
  std::int64_t* strides;  // in items; nullptr: contiguous
  std::uint64_t byte_offset;
};

struct DlManagedTensor {
  DlTensor tensor;
  void* context;
  void (*deleter)(DlManagedTensor*);
};

}  // namespace ictus::cuda
