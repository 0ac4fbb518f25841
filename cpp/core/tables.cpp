// The tables of every level, and which of them is in force.
#include "core/tables.h"

namespace ictus {

#define ICTUS_DECLARE(family, Table)        \
  extern const Table<float> family##_float; \
  extern const Table<double> family##_double;
namespace baseline {
ICTUS_FAMILIES(ICTUS_DECLARE)
}
#if defined(__x86_64__)
namespace avx2 {
ICTUS_FAMILIES(ICTUS_DECLARE)
}
namespace avx512 {
ICTUS_FAMILIES(ICTUS_DECLARE)
}
namespace avx512vpopcntdq {
ICTUS_DECLARE(hamming, HammingKernels)
}
#endif
#undef ICTUS_DECLARE

namespace {

#define ICTUS_FLOAT(family, Table) &ICTUS_AT::family##_float,
#define ICTUS_DOUBLE(family, Table) &ICTUS_AT::family##_double,

#define ICTUS_AT baseline
constexpr Tables<float> kBaselineFloat = {ICTUS_FAMILIES(ICTUS_FLOAT)};
constexpr Tables<double> kBaselineDouble = {ICTUS_FAMILIES(ICTUS_DOUBLE)};
#undef ICTUS_AT
#if defined(__x86_64__)
#define ICTUS_AT avx2
constexpr Tables<float> kAvx2Float = {ICTUS_FAMILIES(ICTUS_FLOAT)};
constexpr Tables<double> kAvx2Double = {ICTUS_FAMILIES(ICTUS_DOUBLE)};
#undef ICTUS_AT
#define ICTUS_AT avx512
constexpr Tables<float> kAvx512Float = {ICTUS_FAMILIES(ICTUS_FLOAT)};
constexpr Tables<double> kAvx512Double = {ICTUS_FAMILIES(ICTUS_DOUBLE)};
#undef ICTUS_AT

// A table with another version of one family.
template <class T>
constexpr Tables<T> with_hamming(Tables<T> tables, const HammingKernels<T>& hamming) {
  tables.hamming = &hamming;
  return tables;
}
constexpr Tables<float> kPopcntFloat = with_hamming(kAvx512Float, avx512vpopcntdq::hamming_float);
constexpr Tables<double> kPopcntDouble =
    with_hamming(kAvx512Double, avx512vpopcntdq::hamming_double);
constexpr const Tables<float>* kFloat[] = {&kBaselineFloat, &kAvx2Float, &kAvx512Float,
                                           &kPopcntFloat};
constexpr const Tables<double>* kDouble[] = {&kBaselineDouble, &kAvx2Double, &kAvx512Double,
                                             &kPopcntDouble};
#else
constexpr const Tables<float>* kFloat[] = {&kBaselineFloat};
constexpr const Tables<double>* kDouble[] = {&kBaselineDouble};
#endif

}  // namespace

template <>
const Tables<float>& tables<float>() noexcept {
  return *kFloat[static_cast<int>(level())];
}

template <>
const Tables<double>& tables<double>() noexcept {
  return *kDouble[static_cast<int>(level())];
}

}  // namespace ictus
