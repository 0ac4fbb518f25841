// How _core reads an array: NumPy's alone, and nothing belongs to a call beside its arguments.
#include "bindings/arguments.h"

#include <cstring>
#include <new>

#include "bindings/model.h"
#include "core/memory.h"

namespace ictus::bindings {

// Kernels report no errors: the one thing that they may lack is made sure of here.
Check::Check(const char* function) : function_(function) {
  if (thread_scratch() == nullptr) throw std::bad_alloc();
}
Check::~Check() = default;
void Check::finish() const {}

bool Check::read(const char*, py::handle object, ArrayFacts& facts) const {
  return read_numpy(object, facts);
}

bool Check::read_on_host(const char*, py::handle object, ArrayFacts& facts) const {
  return read_numpy(object, facts);
}

void Check::not_an_array(const char* name, py::handle object) const {
  type_error(name, std::string("must be a NumPy array, got ") + Py_TYPE(object.ptr())->tp_name);
}

template <class T>
std::int64_t Check::first_outside(const View<const T>& vector, std::int64_t low, std::int64_t high,
                                  std::int64_t& value) {
  for (std::int64_t i = 0; i < vector.shape[0]; ++i) {
    value = vector.data[i * vector.stride[0]];
    if (value < low || value >= high) return i;
  }
  return -1;
}
template std::int64_t Check::first_outside(const View<const std::int64_t>&, std::int64_t,
                                           std::int64_t, std::int64_t&);
template std::int64_t Check::first_outside(const View<const std::int32_t>&, std::int64_t,
                                           std::int64_t, std::int64_t&);
template std::int64_t Check::first_outside(const View<const std::uint16_t>&, std::int64_t,
                                           std::int64_t, std::int64_t&);

void Check::clear(void* memory, std::size_t bytes) { std::memset(memory, 0, bytes); }
void Check::copy(void* to, const void* from, std::size_t bytes) { std::memcpy(to, from, bytes); }
void Check::copy_to_host(void* to, const void* from, std::size_t bytes) {
  std::memcpy(to, from, bytes);
}

void* thread_workspace(std::int64_t bytes) {
  thread_local Workspace workspace;
  return workspace.reserve(bytes);
}

}  // namespace ictus::bindings
