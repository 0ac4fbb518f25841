// gemm: C = epilogue(alpha A B + beta C).
#include "bindings/arguments.h"
#include "bindings/families.h"
#include "core/tables.h"

namespace ictus::bindings {
namespace {

void gemm(py::object a, py::object b, py::object out, double alpha, double beta, py::object bias,
          int activation, double dropout_rate, int sampling, std::uint64_t seed,
          std::uint64_t stream, std::int64_t first_row) {
  const Check check("gemm");
  with_scalar(check, "a", a, [&](auto scalar) {
    using T = decltype(scalar);
    const View<const T> va = check.strided<const T>("a", a, {kAny, kAny});
    const View<const T> vb = check.strided<const T>("b", b, {va.shape[1], kAny});
    const View<T> vc = check.rows<T>("out", out, {va.shape[0], vb.shape[1]}, Access::write);
    check.disjoint("out", vc, "a", va);
    check.disjoint("out", vc, "b", vb);
    Epilogue<T> epilogue;
    if (!Check::absent(bias)) {
      const View<const T> vbias = check.contiguous<const T>("bias", bias, {vb.shape[1]});
      check.disjoint("out", vc, "bias", vbias);
      epilogue.bias = vbias.data;
    }
    check.require(dropout_rate >= 0 && dropout_rate < 1, "dropout_rate", "in [0, 1)", dropout_rate);
    epilogue.activation = static_cast<Activation>(activation);
    epilogue.dropout_rate = static_cast<T>(dropout_rate);
    epilogue.sampling = static_cast<Sampling>(sampling);
    epilogue.seed = seed;
    epilogue.stream = stream;
    epilogue.first_row = first_row;
    const GemmArguments<T> arguments = {va.shape[0], vb.shape[1], va.shape[1],
                                        static_cast<T>(alpha), va.data, va.stride[0], va.stride[1],
                                        vb.data, vb.stride[0], vb.stride[1], nullptr,
                                        static_cast<T>(beta), vc.data, vc.stride[0], &epilogue};
    const ReleaseGil release(2.0 * va.shape[0] * va.shape[1] * vb.shape[1]);
    tables<T>().gemm->multiply(arguments);
  });
}

}  // namespace

void register_gemm(py::module_& module) { module.def("gemm", &gemm); }

}  // namespace ictus::bindings
