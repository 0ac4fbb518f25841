// Arrays that an object of the native module keeps between calls.
#pragma once

#include <utility>
#include <vector>

#include "bindings/arguments.h"

namespace ictus::bindings {

// An array that a kernel uses long after it was checked. It is kept alive, and looked at again
// before each use: NumPy lets an array be resized, reshaped or given another dtype in place.
class HeldArray {
 public:
  HeldArray(const char* name, py::object array, Access access)
      : name_(name), array_(std::move(array)), access_(access) {
    ArrayFacts facts = read();
    data_ = facts.data;
    kind_ = facts.kind;
    item_ = facts.item;
    rank_ = facts.rank;
    for (int i = 0; i < rank_; ++i) shape_[i] = facts.shape[i];
  }

  const char* name() const { return name_; }

  void still_the_same(const Check& check) const {
    const ArrayFacts facts = read();
    bool same =
        facts.data == data_ && facts.rank == rank_ && facts.kind == kind_ && facts.item == item_;
    std::int64_t expected = item_;
    for (int i = rank_; same && i-- > 0;) {
      same = facts.shape[i] == shape_[i] && (shape_[i] <= 1 || facts.stride[i] == expected);
      expected *= shape_[i];
    }
    if (!same) check.value_error(name_, "was resized or reshaped since the model was made");
    if (access_ == Access::write && !facts.writeable) {
      check.value_error(name_, "must be writeable, got a read-only array");
    }
  }

  // The array's memory as a view of bytes, for checks of overlap.
  View<const char> bytes() const {
    View<const char> v;
    v.data = static_cast<const char*>(data_);
    v.rank = 1;
    v.stride[0] = 1;
    v.shape[0] = item_;
    for (int i = 0; i < rank_; ++i) v.shape[0] *= shape_[i];
    return v;
  }

 private:
  ArrayFacts read() const {
    ArrayFacts facts;
    const Check check(name_);
    if (!check.read(name_, array_, facts)) check.not_an_array(name_, array_);
    return facts;
  }

  const char* name_;
  py::object array_;
  Access access_;
  const void* data_;
  char kind_;
  int item_, rank_;
  std::int64_t shape_[kMaxRank] = {};
};

// Checks the new arrays of an object one by one and keeps them.
class HeldArrays {
 public:
  template <class T>
  View<T> add(const Check& check, const char* name, const py::object& array,
              std::initializer_list<std::int64_t> shape, Access access) {
    const View<T> v = check.contiguous<T>(name, array, shape, access);
    held_.emplace_back(name, array, access);
    return v;
  }
  // nullptr for None.
  template <class T>
  T* add_optional(const Check& check, const char* name, const py::object& array,
                  std::initializer_list<std::int64_t> shape, Access access) {
    return Check::absent(array) ? nullptr : add<T>(check, name, array, shape, access).data;
  }

  void still_the_same(const Check& check) const {
    for (const HeldArray& each : held_) each.still_the_same(check);
  }
  // Refuses an array that a call is given where its memory meets one of these.
  template <class T>
  void disjoint(const Check& check, const char* name, const View<T>& v) const {
    for (const HeldArray& each : held_) check.disjoint(name, v, each.name(), each.bytes());
  }
  void disjoint_in_pairs(const Check& check) const {
    for (std::size_t i = 0; i < held_.size(); ++i) {
      for (std::size_t j = 0; j < i; ++j) {
        check.disjoint(held_[i].name(), held_[i].bytes(), held_[j].name(), held_[j].bytes());
      }
    }
  }

 private:
  std::vector<HeldArray> held_;
};

}  // namespace ictus::bindings
