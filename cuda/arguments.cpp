// How _cuda reads an array: by its __cuda_array_interface__ (CuPy, PyTorch, Numba), else by DLPack.
// The first array of a call says on which device and in which stream the call runs; all others must
// be on that device. The device that was current before is current again after the call.
#include "bindings/arguments.h"

#include <map>
#include <new>
#include <utility>

#include "bindings/model.h"
#include "call.h"
#include "call_state.h"
#include "dlpack.h"
#include "labels.h"

namespace ictus::bindings {

using cuda::Call;
using cuda::call;

namespace {

void set_device(Call& c, int device) {
  if (c.former_device < 0) {
    int now = 0;
    if (!cuda::check(cudaGetDevice(&now), "current device")) return;
    c.former_device = now;
  }
  cuda::check(cudaSetDevice(device), "setting the device of the arrays");
}

// Puts the call on the device of its first array, and refuses another one.
void place(const Check& check, const char* name, int device) {
  Call& c = call();
  if (c.device < 0) {
    set_device(c, device);
    c.device = device;
  } else if (c.device != device) {
    check.value_error(name, "must be on device " + std::to_string(c.device) +
                                " as the arrays before it, got device " + std::to_string(device));
  }
}

void use_stream(cudaStream_t stream) {
  Call& c = call();
  if (c.stream_known) return;
  c.stream = stream;
  c.stream_known = true;
}

void fill_contiguous(ArrayFacts& facts) {
  std::int64_t bytes = facts.item;
  for (int i = facts.rank; i-- > 0;) {
    facts.stride[i] = bytes;
    bytes *= facts.shape[i];
  }
}

bool is_aligned(const ArrayFacts& facts) {
  bool aligned = reinterpret_cast<std::uintptr_t>(facts.data) % facts.item == 0;
  for (int i = 0; i < facts.rank; ++i) aligned = aligned && facts.stride[i] % facts.item == 0;
  return aligned;
}

int device_of(const void* data) {
  cudaPointerAttributes attributes = {};
  cuda::check(cudaPointerGetAttributes(&attributes, data), "device of an array");
  return attributes.device < 0 ? 0 : attributes.device;
}

void read_interface(const Check& check, const char* name, const py::dict& of, ArrayFacts& facts) {
  const auto type = of["typestr"].cast<std::string>();
  facts.native_order = type[0] != '>';
  facts.kind = type[1];
  facts.item = std::stoi(type.substr(2));
  const auto shape = of["shape"].cast<py::tuple>();
  facts.rank = static_cast<int>(shape.size());
  for (int i = 0; i < facts.rank && i < 32; ++i) facts.shape[i] = shape[i].cast<std::int64_t>();
  fill_contiguous(facts);
  if (of.contains("strides") && !of["strides"].is_none()) {
    const auto strides = of["strides"].cast<py::tuple>();
    for (int i = 0; i < facts.rank; ++i) facts.stride[i] = strides[i].cast<std::int64_t>();
  }
  const auto data = of["data"].cast<py::tuple>();
  facts.data = reinterpret_cast<void*>(data[0].cast<std::uintptr_t>());
  facts.writeable = !data[1].cast<bool>();
  facts.aligned = is_aligned(facts);
  if (facts.data != nullptr) place(check, name, device_of(facts.data));
  if (of.contains("stream") && !of["stream"].is_none()) {
    use_stream(reinterpret_cast<cudaStream_t>(of["stream"].cast<std::uintptr_t>()));
  }
}

// The producer makes our stream wait for what it has under way (numbers 1 and 2 are the default
// streams in the protocol and in CUDA alike). The memory is the array's, which the caller holds.
void read_capsule(const Check& check, const char* name, py::handle object, ArrayFacts& facts) {
  const auto where = object.attr("__dlpack_device__")().cast<py::tuple>();
  const int type = where[0].cast<int>(), device = where[1].cast<int>();
  if (type != cuda::kDlCuda && type != cuda::kDlCudaManaged) check.not_an_array(name, object);
  place(check, name, device);
  use_stream(call().default_stream);
  const auto stream = reinterpret_cast<std::uintptr_t>(call().stream);
  const py::object made = object.attr("__dlpack__")(py::arg("stream") = stream == 0 ? 1 : stream);
  auto* managed = static_cast<cuda::DlManagedTensor*>(PyCapsule_GetPointer(made.ptr(), "dltensor"));
  if (managed == nullptr) throw py::error_already_set();
  const cuda::DlTensor& tensor = managed->tensor;
  constexpr const char kKinds[] = "iufVVVb";
  facts.kind = tensor.type.code < 7 && tensor.type.lanes == 1 ? kKinds[tensor.type.code] : 'V';
  facts.item = tensor.type.bits / 8;
  facts.native_order = true;
  facts.rank = tensor.rank;
  for (int i = 0; i < facts.rank && i < 32; ++i) facts.shape[i] = tensor.shape[i];
  fill_contiguous(facts);
  if (tensor.strides != nullptr) {
    for (int i = 0; i < facts.rank; ++i) facts.stride[i] = tensor.strides[i] * facts.item;
  }
  facts.data = static_cast<char*>(tensor.data) + tensor.byte_offset;
  facts.writeable = true;
  facts.aligned = is_aligned(facts);
}

}  // namespace

Check::Check(const char* function) : function_(function) { ++call().depth; }

Check::~Check() {
  Call& c = call();
  if (--c.depth > 0) return;
  if (c.former_device >= 0) cudaSetDevice(c.former_device);
  const cudaStream_t kept = c.default_stream;
  c = Call();
  c.default_stream = kept;
}

void Check::finish() const {
  Call& c = call();
  if (!c.failed) return;
  const std::string text = std::string(function_) + ": CUDA: " + c.text;
  if (c.out_of_memory) {
    PyErr_SetString(PyExc_MemoryError, text.c_str());
    throw py::error_already_set();
  }
  throw std::runtime_error(text);
}

bool Check::read(const char* name, py::handle object, ArrayFacts& facts) const {
  if (py::hasattr(object, "__cuda_array_interface__")) {
    read_interface(*this, name, object.attr("__cuda_array_interface__").cast<py::dict>(), facts);
  } else if (py::hasattr(object, "__dlpack_device__") && py::hasattr(object, "__dlpack__")) {
    read_capsule(*this, name, object, facts);
  } else {
    return false;
  }
  use_stream(call().default_stream);
  if (facts.rank > 32) value_error(name, "must have at most 32 axes");
  return true;
}

bool Check::read_on_host(const char* name, py::handle object, ArrayFacts& facts) const {
  if (read_numpy(object, facts)) return true;
  if (!read(name, object, facts)) return false;
  std::int64_t bytes = facts.item, contiguous = facts.item;
  for (int i = facts.rank; i-- > 0;) {
    if (facts.shape[i] > 1 && facts.stride[i] != contiguous) return true;  // refused by its strides
    contiguous *= facts.shape[i];
    bytes *= facts.shape[i];
  }
  std::vector<char>& copy = call().fetched.emplace_back(static_cast<std::size_t>(bytes));
  if (bytes > 0) cuda::fetch(copy.data(), facts.data, copy.size());
  finish();
  facts.data = copy.data();
  return true;
}

void Check::not_an_array(const char* name, py::handle object) const {
  type_error(name, std::string("must be an array on a GPU, got ") + Py_TYPE(object.ptr())->tp_name);
}

template <class T>
std::int64_t Check::first_outside(const View<const T>& vector, std::int64_t low, std::int64_t high,
                                  std::int64_t& value) {
  return cuda::first_outside(vector.data, vector.shape[0], vector.stride[0], low, high, value);
}
template std::int64_t Check::first_outside(const View<const std::int64_t>&, std::int64_t,
                                           std::int64_t, std::int64_t&);
template std::int64_t Check::first_outside(const View<const std::int32_t>&, std::int64_t,
                                           std::int64_t, std::int64_t&);
template std::int64_t Check::first_outside(const View<const std::uint16_t>&, std::int64_t,
                                           std::int64_t, std::int64_t&);

void Check::clear(void* memory, std::size_t bytes) {
  cuda::check(cudaMemsetAsync(memory, 0, bytes, call().stream), "clearing memory");
}

void Check::copy(void* to, const void* from, std::size_t bytes) {
  cuda::check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToDevice, call().stream), "copy");
}

void Check::copy_to_host(void* to, const void* from, std::size_t bytes) {
  cuda::fetch(to, from, bytes);
}

void* thread_workspace(std::int64_t bytes) {
  thread_local std::map<std::pair<int, cudaStream_t>, Workspace> all;
  return all[{call().device, call().stream}].reserve(bytes);
}

}  // namespace ictus::bindings
