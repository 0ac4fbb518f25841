// The fibres of scheduler.h.
#include "scheduler.h"

#include <sys/mman.h>

#include <algorithm>
#include <map>
#include <mutex>
#include <stdexcept>
#include <string>
#include <vector>

#include "cuda_runtime.h"
#include "switch.h"

namespace ictus::emulation {

Thread* current = nullptr;
dim3 grid_size, block_size;

namespace {

constexpr std::size_t kStackBytes = 64 << 10;
constexpr std::size_t kGuardBytes = 256;
constexpr unsigned char kGuard = 0xA5, kPoison = 0xFF;  // floats of poison are NaN

std::mutex turn;
Order order_of_threads = Order::forward;
void* scheduler_stack = nullptr;
void (*body_of_threads)(const void*) = nullptr;
const void* closure_of_threads = nullptr;

std::string place_of(const Site& site) {
  return std::string(site.what) + " at " + site.file + ":" + std::to_string(site.line);
}

std::string name_of(const Thread& t) {
  const auto three = [](const uint3& v) {
    return "(" + std::to_string(v.x) + ", " + std::to_string(v.y) + ", " + std::to_string(v.z) +
           ")";
  };
  return "thread " + three(t.thread) + " of block " + three(t.block);
}

void enter() {
  body_of_threads(closure_of_threads);
  current->done = true;
  ictus_switch(&current->stack_pointer, scheduler_stack);
}

// Stacks are kept from launch to launch: a kernel without barriers uses one for all its threads.
std::vector<unsigned char*> free_stacks;

unsigned char* take_stack() {
  if (free_stacks.empty()) {
    void* memory = mmap(nullptr, kStackBytes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) throw std::bad_alloc();
    return static_cast<unsigned char*>(memory);
  }
  unsigned char* stack = free_stacks.back();
  free_stacks.pop_back();
  return stack;
}

// Blocks that run together: one, or all of a cooperative launch.
class Cohort {
 public:
  Cohort(const std::vector<uint3>& blocks, std::size_t shared_bytes, bool cooperative)
      : cooperative_(cooperative),
        block_threads_(static_cast<int>(block_size.x * block_size.y * block_size.z)),
        block_warps_((block_threads_ + kWarp - 1) / kWarp),
        shared_bytes_(shared_bytes),
        threads_(blocks.size() * block_threads_),
        warps_(blocks.size() * block_warps_),
        shared_(blocks.size()) {
    for (std::size_t b = 0; b < blocks.size(); ++b) {
      shared_[b].assign(shared_bytes + kGuardBytes, kPoison);
      std::fill(shared_[b].begin() + shared_bytes, shared_[b].end(), kGuard);
      for (int i = 0; i < block_threads_; ++i) {
        Thread& t = threads_[b * block_threads_ + i];
        const unsigned n = static_cast<unsigned>(i);
        t.thread = {n % block_size.x, n / block_size.x % block_size.y,
                    n / (block_size.x * block_size.y)};
        t.block = blocks[b];
        t.warp = &warps_[b * block_warps_ + i / kWarp];
        t.warp->lanes = std::min(kWarp, block_threads_ - i / kWarp * kWarp);
        t.lane = i % kWarp;
        t.shared = shared_[b].data();
      }
    }
  }

  ~Cohort() {
    for (Thread& t : threads_) give_back(t);
  }

  void run() {
    for (;;) {
      if (order_of_threads == Order::forward) {
        for (std::size_t i = 0; i < threads_.size(); ++i) step(threads_[i]);
      } else {
        for (std::size_t i = threads_.size(); i-- > 0;) step(threads_[i]);
      }
      if (left_ == 0) break;
      if (!release()) stuck();
    }
    for (const auto& shared : shared_) {
      for (std::size_t i = shared_bytes_; i < shared.size(); ++i) {
        if (shared[i] != kGuard) {
          throw std::runtime_error("a write beyond the " + std::to_string(shared_bytes_) +
                                   " bytes of shared memory");
        }
      }
    }
  }

 private:
  void give_back(Thread& t) {
    if (t.stack != nullptr) free_stacks.push_back(t.stack);
    t.stack = nullptr;
  }

  void step(Thread& t) {
    if (t.done || t.waiting != Thread::nowhere) return;
    if (t.stack == nullptr) {
      t.stack = take_stack();
      t.stack_pointer = first_frame(t.stack + kStackBytes, enter);
    }
    current = &t;
    ictus_switch(&scheduler_stack, t.stack_pointer);
    current = nullptr;
    if (!t.done) return;
    --left_;
    give_back(t);
  }

  // Lets those go on whose company is complete.
  bool release() {
    bool any = false;
    for (std::size_t first = 0; first < threads_.size(); first += block_threads_) {
      for (int i = 0; i < block_threads_; i += kWarp) {
        any |= together(first + i, threads_[first + i].warp->lanes, Thread::at_warp);
      }
      any |= together(first, block_threads_, Thread::at_block);
    }
    if (!cooperative_) return any;
    return any | together(0, static_cast<int>(threads_.size()), Thread::at_grid);
  }

  bool together(std::size_t first, int count, Thread::Waiting where) {
    const Site& site = threads_[first].site;
    for (int i = 0; i < count; ++i) {
      const Thread& t = threads_[first + i];
      if (t.done || t.waiting != where) return false;
    }
    for (int i = 0; i < count; ++i) {
      Thread& t = threads_[first + i];
      if (t.site.line != site.line || std::strcmp(t.site.file, site.file) != 0) {
        throw std::runtime_error("threads of one block wait at different places: " +
                                 place_of(site) + " and " + name_of(t) + " in " + place_of(t.site));
      }
      t.waiting = Thread::nowhere;
    }
    return true;
  }

  [[noreturn]] void stuck() {
    const Thread *waits = nullptr, *other = nullptr;
    for (const Thread& t : threads_) {
      if (!t.done && waits == nullptr) waits = &t;
    }
    for (const Thread& t : threads_) {
      if (other == nullptr && (t.done || t.waiting != waits->waiting)) other = &t;
    }
    std::string text = name_of(*waits) + " waits for ever in " + place_of(waits->site);
    if (other != nullptr) {
      text += "; " + name_of(*other) +
              (other->done ? std::string(" has ended") : " is in " + place_of(other->site));
    }
    throw std::runtime_error(text);
  }

  bool cooperative_;
  int block_threads_, block_warps_;
  std::size_t shared_bytes_;
  std::vector<Thread> threads_;
  std::vector<Warp> warps_;
  std::vector<std::vector<unsigned char>> shared_;
  std::size_t left_ = threads_.size();
};

std::vector<uint3> blocks_of(dim3 grid) {
  std::vector<uint3> blocks;
  for (unsigned z = 0; z < grid.z; ++z) {
    for (unsigned y = 0; y < grid.y; ++y) {
      for (unsigned x = 0; x < grid.x; ++x) blocks.push_back({x, y, z});
    }
  }
  return blocks;
}

}  // namespace

void set_order(Order order) { order_of_threads = order; }

void run(dim3 grid, dim3 block, std::size_t shared_bytes, bool cooperative,
         void (*body)(const void*), const void* closure) {
  const std::uint64_t threads = std::uint64_t{block.x} * block.y * block.z;
  if (threads == 0 || threads > 1024 || block.z > 64) {
    throw std::runtime_error("a block of " + std::to_string(threads) + " threads");
  }
  if (grid.x == 0 || grid.y == 0 || grid.z == 0 || grid.y > 65535 || grid.z > 65535 ||
      grid.x > 0x7FFFFFFFu) {
    throw std::runtime_error("a grid of (" + std::to_string(grid.x) + ", " +
                             std::to_string(grid.y) + ", " + std::to_string(grid.z) + ") blocks");
  }
  if (shared_bytes > static_cast<std::size_t>(kSharedBytes)) {
    throw std::runtime_error("a block with " + std::to_string(shared_bytes) +
                             " bytes of shared memory");
  }
  const std::lock_guard<std::mutex> lock(turn);
  grid_size = grid;
  block_size = block;
  body_of_threads = body;
  closure_of_threads = closure;
  const std::vector<uint3> blocks = blocks_of(grid);
  if (cooperative) {
    Cohort(blocks, shared_bytes, true).run();
  } else {
    for (const uint3& each : blocks) Cohort({each}, shared_bytes, false).run();
  }
}

void wait(Thread::Waiting where, const Site& site) {
  Thread& t = *current;
  t.waiting = where;
  t.site = site;
  ictus_switch(&t.stack_pointer, scheduler_stack);
}

const std::uint64_t (*exchange(unsigned mask, const void* value, std::size_t bytes,
                               const Site& site))[2] {
  Thread& t = *current;
  std::uint64_t (*slots)[2] = t.warp->slot[t.exchanges++ & 1];
  std::memcpy(slots[t.lane], value, bytes);
  const unsigned all = t.warp->lanes == kWarp ? 0xFFFFFFFFu : (1u << t.warp->lanes) - 1;
  wait((mask & all) == all ? Thread::at_warp : Thread::for_ever, site);
  return slots;
}

// --- what runtime.h needs
// -------------------------------------------------------------------------

namespace {
std::map<std::uintptr_t, std::pair<std::size_t, int>> places;
std::mutex places_mutex;
}  // namespace

void place(const void* data, std::size_t bytes, int device) {
  const std::lock_guard<std::mutex> lock(places_mutex);
  const auto address = reinterpret_cast<std::uintptr_t>(data);
  if (device == 0) {
    places.erase(address);
  } else {
    places[address] = {bytes, device};
  }
}

int device_of(const void* data) {
  const std::lock_guard<std::mutex> lock(places_mutex);
  const auto address = reinterpret_cast<std::uintptr_t>(data);
  auto next = places.upper_bound(address);
  if (next == places.begin()) return 0;
  --next;
  return address < next->first + next->second.first ? next->second.second : 0;
}

int& current_device() {
  thread_local int device = 0;
  return device;
}

std::size_t& allocations_left() {
  static std::size_t left = ~std::size_t{0};
  return left;
}

}  // namespace ictus::emulation
