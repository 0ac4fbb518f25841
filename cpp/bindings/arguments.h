// The only argument checks and their messages. Every message has one style:
//
//     gemm: b must have shape (784, 500), got (500, 784)
//
// TypeError: not an array, or the wrong dtype. ValueError: everything else. All checks happen while
// the GIL is held; kernels check nothing.
//
// The families' bindings are compiled for _core and for _cuda. What an array is, and what belongs
// to a call beside its arguments (on a GPU: device, stream, errors of a launch), is said by
// bindings/arguments.cpp for the one and cuda/arguments.cpp for the other.
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <type_traits>

namespace ictus::bindings {

namespace py = pybind11;

constexpr std::int64_t kAny = -1;  // an extent that is not prescribed
constexpr int kMaxRank = 4;

// A NumPy array seen by a kernel; strides count elements.
template <class T>
struct View {
  T* data = nullptr;
  int rank = 0;
  std::int64_t shape[kMaxRank] = {};
  std::int64_t stride[kMaxRank] = {};

  std::int64_t size() const {
    std::int64_t product = 1;
    for (int i = 0; i < rank; ++i) product *= shape[i];
    return product;
  }
};

enum class Access { read, write };

// What an array says about itself, before anything is checked. Strides count bytes.
struct ArrayFacts {
  void* data;
  int rank;
  std::int64_t shape[32], stride[32];
  char kind;  // f, i, u, b as in NumPy; another letter where no kernel takes the type
  int item;   // bytes of an element
  bool native_order, aligned, writeable;
};

// The checks of one call; `function` opens every message.
class Check {
 public:
  explicit Check(const char* function);
  ~Check();
  Check(const Check&) = delete;
  Check& operator=(const Check&) = delete;

  // Throws what the kernels of this call reported: errors of a GPU. After the last of them.
  void finish() const;

  // Reads an array; false where the object is none that this module can use.
  bool read(const char* name, py::handle object, ArrayFacts& facts) const;
  bool read_on_host(const char* name, py::handle object, ArrayFacts& facts) const;
  static bool read_numpy(py::handle object, ArrayFacts& facts);

  // A C-contiguous array that the host reads: the few numbers that say how a call is made. It may
  // lie on a GPU too, and is then fetched, which waits; the copy lasts as long as the call.
  template <class T>
  View<const T> on_host(const char* name, py::handle object,
                        std::initializer_list<std::int64_t> shape) const;

  // Whether all elements of a vector are in [low, high); the number of the first that is not,
  // else -1. Its value goes to `value`.
  template <class T>
  static std::int64_t first_outside(const View<const T>& vector, std::int64_t low,
                                    std::int64_t high, std::int64_t& value);

  // Memory that the binding has from core/memory.h, which a GPU's is not the host's: zeros, copies
  // of arrays into it, and copies of it that the host reads, which waits.
  static void clear(void* memory, std::size_t bytes);
  static void copy(void* to, const void* from, std::size_t bytes);
  static void copy_to_host(void* to, const void* from, std::size_t bytes);

  // Whether `object` is None.
  static bool absent(py::handle object) { return object.is_none(); }

  // A strided array of the given shape (kAny: any extent), any strides.
  template <class T>
  View<T> strided(const char* name, py::handle object, std::initializer_list<std::int64_t> shape,
                  Access access = Access::read) const;

  // The same, with the last axis contiguous and the others non-negative and not overlapping: what a
  // kernel can write rows into.
  template <class T>
  View<T> rows(const char* name, py::handle object, std::initializer_list<std::int64_t> shape,
               Access access = Access::read) const;

  // The same, C-contiguous as a whole.
  template <class T>
  View<T> contiguous(const char* name, py::handle object, std::initializer_list<std::int64_t> shape,
                     Access access = Access::read) const;

  // Refuses two arrays whose memory ranges meet.
  template <class A, class B>
  void disjoint(const char* name, const View<A>& a, const char* other, const View<B>& b) const;

  // The same, but `a` may be exactly `b`: the same elements at the same places.
  template <class A, class B>
  void same_or_disjoint(const char* name, const View<A>& a, const char* other,
                        const View<B>& b) const;

  // A number within [low, high]; `expected` says so in words, for example "in [0, 1)".
  void require(bool condition, const char* name, const char* expected, double got) const;

  // True for float32, false for float64; TypeError otherwise. The first array of a call decides.
  bool is_float(const char* name, py::handle object) const;

  [[noreturn]] void not_an_array(const char* name, py::handle object) const;
  [[noreturn]] void type_error(const char* name, const std::string& text) const;
  [[noreturn]] void value_error(const char* name, const std::string& text) const;

 private:
  template <class T>
  View<T> view(const char* name, py::handle object, std::initializer_list<std::int64_t> shape,
               Access access) const;
  template <class T>
  View<T> view_of(const char* name, py::handle object, const ArrayFacts& facts,
                  std::initializer_list<std::int64_t> shape, Access access) const;
  template <class T>
  View<T> without_gaps(const char* name, const View<T>& v) const;
  const char* function_;
};

// Calls body(T{}) with the scalar type of `object`.
template <class Body>
auto with_scalar(const Check& check, const char* name, py::handle object, Body&& body) {
  if constexpr (std::is_void_v<decltype(body(float{}))>) {
    check.is_float(name, object) ? body(float{}) : body(double{});
    check.finish();
  } else {
    auto result = check.is_float(name, object) ? body(float{}) : body(double{});
    check.finish();
    return result;
  }
}

// Releases the GIL where the work (in arithmetic operations) is long enough to pay for it.
class ReleaseGil {
 public:
  explicit ReleaseGil(double operations) {
    if (operations > 4e5) state_ = PyEval_SaveThread();
  }
  ~ReleaseGil() {
    if (state_ != nullptr) PyEval_RestoreThread(state_);
  }
  ReleaseGil(const ReleaseGil&) = delete;
  ReleaseGil& operator=(const ReleaseGil&) = delete;

 private:
  PyThreadState* state_ = nullptr;
};

// --- implementation
// -------------------------------------------------------------------------------

std::string shape_text(const std::int64_t* extents, int rank);
std::string dtype_text(py::handle array);

// The letter of NumPy for the kind of a type.
template <class T>
constexpr char kind_of() {
  return std::is_same_v<T, bool>       ? 'b'
         : std::is_floating_point_v<T> ? 'f'
         : std::is_signed_v<T>         ? 'i'
                                       : 'u';
}

template <class T>
View<T> Check::view(const char* name, py::handle object, std::initializer_list<std::int64_t> shape,
                    Access access) const {
  ArrayFacts facts;
  if (!read(name, object, facts)) not_an_array(name, object);
  return view_of<T>(name, object, facts, shape, access);
}

template <class T>
View<T> Check::view_of(const char* name, py::handle object, const ArrayFacts& facts,
                       std::initializer_list<std::int64_t> shape, Access access) const {
  using Plain = std::remove_const_t<T>;
  if (facts.kind != kind_of<Plain>() || facts.item != static_cast<int>(sizeof(Plain)) ||
      !facts.native_order) {
    type_error(name, std::string("must have dtype ") +
                         py::str(py::dtype::of<Plain>()).template cast<std::string>() + ", got " +
                         dtype_text(object));
  }
  View<T> result;
  result.rank = facts.rank;
  bool fits = facts.rank == static_cast<int>(shape.size());
  for (int i = 0; fits && i < facts.rank; ++i) {
    const std::int64_t wanted = shape.begin()[i];
    result.shape[i] = facts.shape[i];
    result.stride[i] = facts.stride[i] / static_cast<std::int64_t>(sizeof(T));
    fits = wanted == kAny || wanted == facts.shape[i];
  }
  if (!fits) {
    value_error(name, "must have shape " +
                          shape_text(shape.begin(), static_cast<int>(shape.size())) + ", got " +
                          shape_text(facts.shape, facts.rank < 32 ? facts.rank : 32));
  }
  if (!facts.aligned) {
    value_error(name, "must be aligned to its items, got a misaligned view");
  }
  if (access == Access::write && !facts.writeable) {
    value_error(name, "must be writeable, got a read-only array");
  }
  result.data = static_cast<T*>(facts.data);
  return result;
}

template <class T>
View<T> Check::strided(const char* name, py::handle object,
                       std::initializer_list<std::int64_t> shape, Access access) const {
  return view<T>(name, object, shape, access);
}

template <class T>
View<T> Check::rows(const char* name, py::handle object, std::initializer_list<std::int64_t> shape,
                    Access access) const {
  const View<T> v = view<T>(name, object, shape, access);
  const int last = v.rank - 1;
  bool fits = v.shape[last] <= 1 || v.stride[last] == 1;
  std::int64_t inner = v.shape[last];
  for (int i = last - 1; fits && i >= 0; --i) {
    fits = v.shape[i] <= 1 || v.stride[i] >= inner;
    inner = v.shape[i] <= 1 ? inner : v.stride[i] * v.shape[i];
  }
  if (!fits && v.size() > 0) {
    value_error(name, "must have contiguous rows that do not overlap, got strides " +
                          shape_text(v.stride, v.rank) + " (in items)");
  }
  return v;
}

template <class T>
View<T> Check::contiguous(const char* name, py::handle object,
                          std::initializer_list<std::int64_t> shape, Access access) const {
  return without_gaps(name, view<T>(name, object, shape, access));
}

template <class T>
View<const T> Check::on_host(const char* name, py::handle object,
                             std::initializer_list<std::int64_t> shape) const {
  ArrayFacts facts;
  if (!read_on_host(name, object, facts)) not_an_array(name, object);
  return without_gaps(name, view_of<const T>(name, object, facts, shape, Access::read));
}

template <class T>
View<T> Check::without_gaps(const char* name, const View<T>& v) const {
  std::int64_t expected = 1;
  for (int i = v.rank - 1; i >= 0 && v.size() > 0; --i) {
    if (v.shape[i] > 1 && v.stride[i] != expected) {
      value_error(name, "must be C-contiguous, got strides " + shape_text(v.stride, v.rank) +
                            " (in items)");
    }
    expected *= v.shape[i];
  }
  return v;
}

// The bytes an array spans, as [first, last).
template <class T>
void byte_range(const View<T>& v, std::uintptr_t& first, std::uintptr_t& last) {
  std::int64_t low = 0;
  std::int64_t high = 1;
  for (int i = 0; i < v.rank; ++i) {
    const std::int64_t reach = (v.shape[i] - 1) * v.stride[i];
    (reach < 0 ? low : high) += reach;
  }
  first = reinterpret_cast<std::uintptr_t>(v.data + low);
  last = reinterpret_cast<std::uintptr_t>(v.data + high);
}

template <class A, class B>
void Check::disjoint(const char* name, const View<A>& a, const char* other,
                     const View<B>& b) const {
  if (a.size() == 0 || b.size() == 0) return;
  std::uintptr_t a_first, a_last, b_first, b_last;
  byte_range(a, a_first, a_last);
  byte_range(b, b_first, b_last);
  if (a_first < b_last && b_first < a_last) {
    value_error(name, std::string("must not overlap ") + other);
  }
}

template <class A, class B>
void Check::same_or_disjoint(const char* name, const View<A>& a, const char* other,
                             const View<B>& b) const {
  bool same = static_cast<const void*>(a.data) == static_cast<const void*>(b.data) &&
              sizeof(A) == sizeof(B) && a.rank == b.rank;
  for (int i = 0; same && i < a.rank; ++i) {
    same = a.shape[i] == b.shape[i] && (a.shape[i] <= 1 || a.stride[i] == b.stride[i]);
  }
  if (!same) disjoint(name, a, other, b);
}

}  // namespace ictus::bindings
