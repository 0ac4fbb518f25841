// What the bindings of models share: workspaces, structs of pointers in either scalar, and arrays
// that may be absent.
#pragma once

#include <new>
#include <type_traits>

#include "bindings/arguments.h"
#include "core/memory.h"

namespace ictus::bindings {

// Memory that grows to the largest size asked for and stays.
class Workspace {
 public:
  Workspace() = default;
  ~Workspace() { aligned_free(data_); }
  Workspace(const Workspace&) = delete;
  Workspace& operator=(const Workspace&) = delete;

  void* reserve(std::int64_t bytes) {
    if (static_cast<std::size_t>(bytes) > capacity_) {
      aligned_free(data_);
      data_ = aligned_allocate(static_cast<std::size_t>(bytes));
      capacity_ = data_ == nullptr ? 0 : static_cast<std::size_t>(bytes);
      if (data_ == nullptr) throw std::bad_alloc();
    }
    return data_;
  }

 private:
  void* data_ = nullptr;
  std::size_t capacity_ = 0;
};

// Each thread's own, for calls that may come from several threads at a time; on a GPU also that of
// the call's device and stream.
void* thread_workspace(std::int64_t bytes);

// Either scalar's version of a struct, and the Python arrays it points into.
template <template <class> class S>
struct OfScalar {
  S<float> of_float = {};
  S<double> of_double = {};

  template <class T>
  S<T>& get() {
    if constexpr (std::is_same_v<T, float>)
      return of_float;
    else
      return of_double;
  }
  template <class T>
  const S<T>& get() const {
    return const_cast<OfScalar*>(this)->template get<T>();
  }
};

template <class T>
const T* optional_array(const Check& check, const char* name, py::handle object,
                        std::initializer_list<std::int64_t> shape) {
  return Check::absent(object) ? nullptr : check.contiguous<const T>(name, object, shape).data;
}

template <class T>
T* writable(const Check& check, const char* name, py::handle object,
            std::initializer_list<std::int64_t> shape) {
  return Check::absent(object) ? nullptr
                               : check.contiguous<T>(name, object, shape, Access::write).data;
}

template <class T>
T* required(const Check& check, const char* name, py::handle object,
            std::initializer_list<std::int64_t> shape) {
  return check.contiguous<T>(name, object, shape, Access::write).data;
}

}  // namespace ictus::bindings
