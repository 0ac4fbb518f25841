// The results of a search as keys (ictus/hamming.h): buffers that keep the smallest, and their way
// to distances and numbers.
#pragma once

#include <cstdint>
#include <cstring>

#include "ictus/hamming.h"

namespace ictus::ICTUS_LEVEL {
namespace {

constexpr std::int32_t kNoDistance = 0x7fffffff;
constexpr std::uint64_t kNumberMask = (std::uint64_t{1} << kKeyBits) - 1;

inline std::uint64_t make_key(std::int64_t distance, std::int64_t number) {
  return static_cast<std::uint64_t>(distance) << kKeyBits | static_cast<std::uint64_t>(number);
}
inline std::int64_t key_distance(std::uint64_t key) {
  return static_cast<std::int64_t>(key >> kKeyBits);
}
inline std::int64_t key_number(std::uint64_t key) {
  return static_cast<std::int64_t>(key & kNumberMask);
}

inline bool is_removed(const std::uint8_t* removed, std::int64_t number) {
  return removed != nullptr && (removed[number >> 3] >> (number & 7) & 1) != 0;
}

inline void write_result(std::uint64_t key, std::int32_t* distance, std::int64_t* number) {
  *distance = static_cast<std::int32_t>(key_distance(key));
  *number = key_number(key);
}

// What one query has found in one part of the codes, in the order of the numbers. Only codes nearer
// than `limit` are of use. Once k have been found, the limit is the k-th distance: of codes at the
// same distance the first ones count, so a later one must be nearer.
struct Candidates {
  std::uint64_t* keys;
  std::int64_t room, count, limit;
  std::int64_t below;        // how many are nearer than the limit
  std::uint32_t* histogram;  // how many were found at each distance

  void add(std::int64_t distance, std::int64_t number, std::int64_t k) {
    if (count == room) drop_others(k);
    keys[count++] = make_key(distance, number);
    ++histogram[distance];
    for (++below; below >= k; below -= histogram[limit]) --limit;
  }

  // Without a k: all are counted, and kept as far as there is room.
  void add(std::int64_t distance, std::int64_t number) {
    if (count < room) keys[count] = make_key(distance, number);
    ++count;
  }

  // Keeps those that may be among the k nearest.
  void drop_others(std::int64_t k) {
    std::int64_t equal = k - below, kept = 0;  // of those at the limit, how many still fit
    for (std::int64_t i = 0; i < count; ++i) {
      const std::int64_t d = key_distance(keys[i]);
      const bool stays = d < limit || (d == limit && equal-- > 0);
      keys[kept] = keys[i];
      kept += stays;
    }
    count = kept;
  }
};

// A heap with the largest key on top: the `room` smallest keys of all that were added, in any
// order.
struct BoundedHeap {
  std::uint64_t* keys;
  std::int64_t room, count;

  void sink(std::int64_t place, std::int64_t end) {
    const std::uint64_t key = keys[place];
    for (std::int64_t child; (child = 2 * place + 1) < end; place = child) {
      if (child + 1 < end && keys[child + 1] > keys[child]) ++child;
      if (keys[child] <= key) break;
      keys[place] = keys[child];
    }
    keys[place] = key;
  }

  void add(std::uint64_t key) {
    if (count == room) {
      if (key >= keys[0]) return;
      keys[0] = key;
      sink(0, count);
      return;
    }
    std::int64_t place = count++;
    for (std::int64_t above; place > 0 && keys[above = (place - 1) / 2] < key; place = above) {
      keys[place] = keys[above];
    }
    keys[place] = key;
  }

  void sort() {
    for (std::int64_t end = count - 1; end > 0; --end) {
      const std::uint64_t last = keys[end];
      keys[end] = keys[0];
      keys[0] = last;
      sink(0, end);
    }
  }
};

// Sorts any keys in place.
inline void sort_keys(std::uint64_t* keys, std::int64_t count) {
  BoundedHeap heap = {keys, count, count};
  for (std::int64_t i = count / 2 - 1; i >= 0; --i) heap.sink(i, count);
  heap.sort();
}

}  // namespace
}  // namespace ictus::ICTUS_LEVEL
