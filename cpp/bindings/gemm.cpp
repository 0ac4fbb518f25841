// gemm: C = epilogue(alpha A B + beta C), and PackedMatrix, a B laid out for many products.
#include <chrono>

#include "bindings/arguments.h"
#include "bindings/families.h"
#include "core/memory.h"
#include "core/tables.h"

namespace ictus::bindings {
namespace {

// A right operand in the layout of the instruction set in force when it was packed.
class PackedMatrix {
 public:
  explicit PackedMatrix(py::object b) : scalar_is_float_(Check("PackedMatrix").is_float("b", b)) {
    const View<const float> shape = untyped_shape(b);
    inner_ = shape.shape[0];
    columns_ = shape.shape[1];
    update(b);
  }
  ~PackedMatrix() { aligned_free(data_); }
  PackedMatrix(const PackedMatrix&) = delete;
  PackedMatrix& operator=(const PackedMatrix&) = delete;

  // Packs b anew; its shape and dtype must not change.
  void update(py::object b) {
    if (scalar_is_float_) {
      pack<float>(b);
    } else {
      pack<double>(b);
    }
    ++version_;
  }

  template <class T>
  const T* data(const Check& check) const {
    if (scalar_is_float_ != std::is_same_v<T, float>) {
      check.type_error("b",
                       std::string("must be packed from dtype ") +
                           (scalar_is_float_ ? "float64, got float32" : "float32, got float64"));
    }
    if (level_ != level()) {
      check.value_error("b", std::string("was packed for instruction set ") + level_name(level_) +
                                 ", but " + level_name(level()) + " is in force: update it");
    }
    return static_cast<const T*>(data_);
  }
  std::int64_t inner() const { return inner_; }
  std::int64_t columns() const { return columns_; }
  std::int64_t version() const { return version_; }

 private:
  static View<const float> untyped_shape(py::handle b) {
    const Check check("PackedMatrix");
    if (check.is_float("b", b)) return check.strided<const float>("b", b, {kAny, kAny});
    const View<const double> v = check.strided<const double>("b", b, {kAny, kAny});
    View<const float> shape;
    shape.shape[0] = v.shape[0];
    shape.shape[1] = v.shape[1];
    return shape;
  }

  template <class T>
  void pack(py::handle b) {
    const Check check("PackedMatrix");
    const View<const T> v = check.strided<const T>("b", b, {inner_, columns_});
    reserve(static_cast<std::size_t>(tables<T>().gemm->packed_b_elements(inner_, columns_)) *
            sizeof(T));
    {
      const ReleaseGil release(static_cast<double>(inner_) * static_cast<double>(columns_));
      tables<T>().gemm->pack_b(v.data, inner_, columns_, v.stride[0], v.stride[1],
                               static_cast<T*>(data_));
    }
    check.finish();
    level_ = level();
  }

  // Levels pad their panels differently.
  void reserve(std::size_t bytes) {
    if (data_ != nullptr && bytes <= capacity_) return;
    aligned_free(data_);
    data_ = aligned_allocate(bytes);
    capacity_ = data_ == nullptr ? 0 : bytes;
    if (data_ == nullptr) throw std::bad_alloc();
  }

  void* data_ = nullptr;
  std::size_t capacity_ = 0;
  std::int64_t inner_ = 0;
  std::int64_t columns_ = 0;
  std::int64_t version_ = 0;
  bool scalar_is_float_;
  Level level_ = Level::baseline;
};

template <class T>
Epilogue<T> checked_epilogue(const Check& check, py::handle bias, std::int64_t columns,
                             const View<T>& out, int activation, double dropout_rate, int sampling,
                             std::uint64_t seed, std::uint64_t stream, std::int64_t first_row) {
  Epilogue<T> epilogue;
  if (!Check::absent(bias)) {
    const View<const T> view = check.contiguous<const T>("bias", bias, {columns});
    check.disjoint("out", out, "bias", view);
    epilogue.bias = view.data;
  }
  check.require(activation >= 0 && activation < kActivations, "activation", "in 0 .. 4",
                activation);
  check.require(sampling >= 0 && sampling <= 2, "sampling", "in 0 .. 2", sampling);
  check.require(dropout_rate >= 0 && dropout_rate < 1, "dropout_rate", "in [0, 1)", dropout_rate);
  check.require(first_row >= 0, "first_row", "not negative", static_cast<double>(first_row));
  epilogue.activation = static_cast<Activation>(activation);
  epilogue.dropout_rate = static_cast<T>(dropout_rate);
  epilogue.sampling = static_cast<Sampling>(sampling);
  epilogue.seed = seed;
  epilogue.stream = stream;
  epilogue.first_row = first_row;
  return epilogue;
}

void gemm(py::handle a, py::handle b, py::handle out, double alpha, double beta, py::handle bias,
          int activation, double dropout_rate, int sampling, std::uint64_t seed,
          std::uint64_t stream, std::int64_t first_row) {
  const Check check("gemm");
  with_scalar(check, "a", a, [&](auto scalar) {
    using T = decltype(scalar);
    const View<const T> va = check.strided<const T>("a", a, {kAny, kAny});
    View<const T> vb;
    const T* packed = nullptr;
    if (ArrayFacts facts; !check.read("b", b, facts) && py::isinstance<PackedMatrix>(b)) {
      const auto& matrix = b.cast<const PackedMatrix&>();
      packed = matrix.data<T>(check);
      if (matrix.inner() != va.shape[1]) {
        const std::int64_t got[] = {matrix.inner(), matrix.columns()};
        const std::int64_t wanted[] = {va.shape[1], kAny};
        check.value_error(
            "b", "must have shape " + shape_text(wanted, 2) + ", got " + shape_text(got, 2));
      }
      vb.shape[1] = matrix.columns();
    } else {
      vb = check.strided<const T>("b", b, {va.shape[1], kAny});
    }
    const View<T> vc = check.rows<T>("out", out, {va.shape[0], vb.shape[1]}, Access::write);
    check.disjoint("out", vc, "a", va);
    if (packed == nullptr) check.disjoint("out", vc, "b", vb);
    const Epilogue<T> epilogue = checked_epilogue<T>(
        check, bias, vb.shape[1], vc, activation, dropout_rate, sampling, seed, stream, first_row);
    const GemmArguments<T> arguments = {
        va.shape[0],  vb.shape[1],          va.shape[1], static_cast<T>(alpha), va.data,
        va.stride[0], va.stride[1],         vb.data,     vb.stride[0],          vb.stride[1],
        packed,       static_cast<T>(beta), vc.data,     vc.stride[0],          &epilogue};
    const ReleaseGil release(static_cast<double>(va.shape[0]) * static_cast<double>(va.shape[1]) *
                             static_cast<double>(vb.shape[1]));
    tables<T>().gemm->multiply(arguments);
  });
}

double measure_peak(double duration) {
  Check("measure_peak").require(duration > 0 && duration < 60, "duration", "in (0, 60)", duration);
  const py::gil_scoped_release release;
  float sink = 0.5f;
  double operations = 0;
  const auto start = std::chrono::steady_clock::now();
  std::chrono::duration<double> elapsed{0};
  while (elapsed.count() < duration) {
    operations += tables<float>().gemm->multiply_adds(20000, &sink);
    elapsed = std::chrono::steady_clock::now() - start;
  }
  return operations / elapsed.count();
}

}  // namespace

void register_gemm(py::module_& module) {
  py::class_<PackedMatrix>(module, "PackedMatrix",
                           "A right operand of gemm, packed once for many products.")
      .def(py::init<py::object>(), py::arg("b"))
      .def("update", &PackedMatrix::update, py::arg("b"),
           "Packs b, of the same shape and dtype, anew.")
      .def_property_readonly(
          "shape", [](const PackedMatrix& m) { return py::make_tuple(m.inner(), m.columns()); })
      .def_property_readonly("version", &PackedMatrix::version, "How often it has been packed.");
  module.def("gemm", &gemm);
  module.def("measure_peak", &measure_peak,
             "Float multiply-adds of one thread at the level in force, in operations a second.");
}

}  // namespace ictus::bindings
