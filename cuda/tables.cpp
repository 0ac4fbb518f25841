// The tables of the kernels for a GPU, where the bindings look for them (core/tables.h). Families
// without a CUDA variant have none, and their bindings are not compiled either.
#include "core/tables.h"

#include "families.h"

namespace ictus {
namespace cuda {
#define ICTUS_DECLARE(family, Table)        \
  extern const Table<float> family##_float; \
  extern const Table<double> family##_double;
ICTUS_CUDA_FAMILIES(ICTUS_DECLARE)
#undef ICTUS_DECLARE
}  // namespace cuda

template <>
const Tables<float>& tables<float>() noexcept {
  static const Tables<float> all = [] {
    Tables<float> t = {};
#define ICTUS_SET(family, Table) t.family = &cuda::family##_float;
    ICTUS_CUDA_FAMILIES(ICTUS_SET)
#undef ICTUS_SET
    return t;
  }();
  return all;
}

template <>
const Tables<double>& tables<double>() noexcept {
  static const Tables<double> all = [] {
    Tables<double> t = {};
#define ICTUS_SET(family, Table) t.family = &cuda::family##_double;
    ICTUS_CUDA_FAMILIES(ICTUS_SET)
#undef ICTUS_SET
    return t;
  }();
  return all;
}

}  // namespace ictus
