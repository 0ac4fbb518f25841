// The pool of threads.h, and how many threads it may have.
#include "core/threads.h"

#include <pthread.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <new>
#include <thread>

#include "core/memory.h"
#if defined(__linux__)
#include <sched.h>
#endif

namespace ictus {
namespace {

thread_local bool inside_loop = false;

inline void pause_briefly() noexcept {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// Long enough to bridge the gap between two layers of a network, short enough not to be felt by
// another process on the same core.
constexpr auto kSpin = std::chrono::microseconds(30);

class Pool {
 public:
  // False where another thread is using the pool.
  bool try_run(std::int64_t chunks, void* context, ChunkFunction function) noexcept {
    if (!owner_.try_lock()) return false;
    start_workers();
    // First the last loop's ticket is taken away. A worker that read it when no chunk was left, and
    // reads the number of chunks of this loop, would otherwise claim a chunk that does not exist.
    ticket_.store((std::uint64_t{++epoch_} << 32) | kClosed, std::memory_order_seq_cst);
    function_.store(function, std::memory_order_relaxed);
    context_.store(context, std::memory_order_relaxed);
    finished_.store(0, std::memory_order_relaxed);
    chunks_.store(chunks, std::memory_order_release);
    const std::uint32_t epoch = ++epoch_;
    // The ticket is the epoch above the number of the next chunk: a worker that was descheduled
    // since the last loop cannot claim a chunk of this one by mistake.
    ticket_.store(std::uint64_t{epoch} << 32, std::memory_order_seq_cst);
    if (sleeping_.load(std::memory_order_seq_cst) > 0) wake(chunks - 1);
    work(epoch);
    wait_for(chunks);
    owner_.unlock();
    return true;
  }

 private:
  // The number of a chunk that no loop has.
  static constexpr std::uint64_t kClosed = 0xffffffffu;

  void start_workers() noexcept {
    const int wanted = num_threads() - 1;
    while (workers_ < wanted) {
      try {
        std::thread([this, index = workers_] { worker(index); }).detach();
      } catch (...) {
        return;  // the system has no thread or no memory for one: those there are do the work
      }
      ++workers_;
    }
  }

  void wake(std::int64_t others) noexcept {
    const std::lock_guard<std::mutex> lock(sleep_mutex_);
    if (others == 1) {
      sleep_.notify_one();
    } else {
      sleep_.notify_all();
    }
  }

  // Claims and runs chunks of the given epoch until none is left.
  void work(std::uint32_t epoch) noexcept {
    inside_loop = true;
    std::uint64_t ticket = ticket_.load(std::memory_order_acquire);
    while (static_cast<std::uint32_t>(ticket >> 32) == epoch) {
      const auto chunk = static_cast<std::int64_t>(ticket & 0xffffffffu);
      // Acquire: whoever sees the chunks of a later loop fails to claim one of this.
      if (chunk >= chunks_.load(std::memory_order_acquire)) break;
      if (!ticket_.compare_exchange_weak(ticket, ticket + 1, std::memory_order_acq_rel)) continue;
      // Claimed: the owner cannot leave the loop before this chunk is finished, so what is read
      // here belongs to this epoch.
      const ChunkFunction function = function_.load(std::memory_order_relaxed);
      function(context_.load(std::memory_order_relaxed), chunk);
      finished_.fetch_add(1, std::memory_order_acq_rel);
      ticket = ticket_.load(std::memory_order_acquire);
    }
    inside_loop = false;
  }

  void wait_for(std::int64_t chunks) noexcept {
    int rounds = 0;
    while (finished_.load(std::memory_order_acquire) < chunks) {
      if (++rounds < 4000) {
        pause_briefly();
      } else {
        std::this_thread::yield();  // whoever holds the last chunk may need this very core
      }
    }
  }

  bool has_work(std::uint32_t seen) const noexcept {
    return static_cast<std::uint32_t>(ticket_.load(std::memory_order_seq_cst) >> 32) != seen;
  }

  void worker(int index) noexcept {
    // Kernels count on it. Without it this thread ends, and the others do the work.
    if (thread_scratch() == nullptr) return;
    std::uint32_t seen = 0;
    for (;;) {
      const auto until = std::chrono::steady_clock::now() + kSpin;
      while (!has_work(seen) && std::chrono::steady_clock::now() < until) {
        for (int i = 0; i < 16; ++i) pause_briefly();
      }
      if (!has_work(seen)) {
        std::unique_lock<std::mutex> lock(sleep_mutex_);
        sleeping_.fetch_add(1, std::memory_order_seq_cst);
        sleep_.wait(lock, [&] { return has_work(seen); });
        sleeping_.fetch_sub(1, std::memory_order_seq_cst);
      }
      seen = static_cast<std::uint32_t>(ticket_.load(std::memory_order_acquire) >> 32);
      if (index < num_threads() - 1) work(seen);
    }
  }

  std::mutex owner_;
  int workers_ = 0;          // guarded by owner_
  std::uint32_t epoch_ = 0;  // guarded by owner_
  alignas(64) std::atomic<std::uint64_t> ticket_{0};
  std::atomic<std::int64_t> chunks_{0};
  std::atomic<ChunkFunction> function_{nullptr};
  std::atomic<void*> context_{nullptr};
  alignas(64) std::atomic<std::int64_t> finished_{0};
  alignas(64) std::atomic<int> sleeping_{0};
  std::mutex sleep_mutex_;
  std::condition_variable sleep_;
};

// The pool is never destroyed: its sleeping workers end with the process.
std::atomic<Pool*> the_pool{nullptr};
std::atomic<int> thread_count{0};

// In the child of a fork only the forking thread exists; the parent's pool, whose mutexes may be
// held by threads that are gone, is left behind untouched.
void forget_pool() noexcept {
  the_pool.store(nullptr, std::memory_order_relaxed);
  inside_loop = false;
}

Pool* pool() noexcept {
  Pool* current = the_pool.load(std::memory_order_acquire);
  if (current != nullptr) return current;
  static const int registered = pthread_atfork(nullptr, nullptr, forget_pool);
  (void)registered;
  Pool* fresh = new (std::nothrow) Pool;
  if (the_pool.compare_exchange_strong(current, fresh, std::memory_order_acq_rel)) return fresh;
  delete fresh;
  return current;
}

int from_environment(const char* name) noexcept {
  const char* text = std::getenv(name);
  return text == nullptr ? 0 : std::atoi(text);
}

int allowed_processors() noexcept {
#if defined(__linux__)
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0) return CPU_COUNT(&set);
#endif
  const unsigned count = std::thread::hardware_concurrency();
  return count == 0 ? 1 : static_cast<int>(count);
}

// Processors' worth of time that the control group may use, rounded up; 0 where there is no limit.
int cgroup_processors() noexcept {
  long quota = -1;
  long period = 0;
  if (std::FILE* file = std::fopen("/sys/fs/cgroup/cpu.max", "r")) {  // version 2
    if (std::fscanf(file, "%ld %ld", &quota, &period) != 2) quota = -1;
    std::fclose(file);
  } else {
    std::FILE* quota_file = std::fopen("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "r");
    std::FILE* period_file = std::fopen("/sys/fs/cgroup/cpu/cpu.cfs_period_us", "r");
    if (quota_file == nullptr || std::fscanf(quota_file, "%ld", &quota) != 1) quota = -1;
    if (period_file == nullptr || std::fscanf(period_file, "%ld", &period) != 1) period = 0;
    if (quota_file != nullptr) std::fclose(quota_file);
    if (period_file != nullptr) std::fclose(period_file);
  }
  return quota > 0 && period > 0 ? static_cast<int>((quota + period - 1) / period) : 0;
}

int clip(int threads) noexcept {
  return threads < 1 ? 1 : (threads > kMaxThreads ? kMaxThreads : threads);
}

}  // namespace

int default_num_threads() noexcept {
  if (const int own = from_environment("ICTUS_NUM_THREADS"); own > 0) return clip(own);
  int count = allowed_processors();
  if (const int limit = cgroup_processors(); limit > 0 && limit < count) count = limit;
  if (const int other = from_environment("OMP_NUM_THREADS"); other > 0 && other < count)
    count = other;
  return clip(count);
}

int num_threads() noexcept {
  const int count = thread_count.load(std::memory_order_relaxed);
  if (count > 0) return count;
  int unset = 0;
  thread_count.compare_exchange_strong(unset, default_num_threads(), std::memory_order_relaxed);
  return thread_count.load(std::memory_order_relaxed);
}

void set_num_threads(int threads) noexcept {
  thread_count.store(clip(threads), std::memory_order_relaxed);
}

void run_chunks(std::int64_t chunks, void* context, ChunkFunction function) noexcept {
  const bool alone = chunks <= 1 || inside_loop || num_threads() <= 1;
  Pool* const shared = alone ? nullptr : pool();
  if (shared != nullptr && shared->try_run(chunks, context, function)) return;
  for (std::int64_t chunk = 0; chunk < chunks; ++chunk) function(context, chunk);
}

}  // namespace ictus
