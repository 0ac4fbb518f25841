// Search in binary codes by Hamming distance (ictus/hamming.h) on a GPU.
//
// A block scans a part of the codes for 8 queries: a thread has a code of a tile, whose words lie
// in shared memory once for all queries, and what comes below a query's limit is appended to the
// query's list in the order of the numbers. A list that is full is cut to the k nearest, which
// lowers the limit; few codes pass it after the first tiles. So codes are read once for 8 queries:
// bound by the memory's bandwidth for few queries, by population counts (16 a clock and
// multiprocessor) for many. A second kernel merges the lists of the parts and sorts.
#include "ictus/hamming.h"

#include "elements.h"
#include "launch.h"

namespace ictus::cuda {
namespace {

constexpr int kThreads = 256;  // and codes of a tile
constexpr int kWarps = kThreads / kWarpSize;
constexpr int kGroup = 8;  // queries of a block
constexpr int kSlice = 8;  // words of a code in shared memory at a time
constexpr int kPitch = kThreads + 1;
constexpr std::int64_t kSpare = 4 * kThreads;  // of a list, beside twice what is wanted
constexpr std::int64_t kMostBlocks = 1056;     // 8 for each multiprocessor of an H100
constexpr std::int64_t kLeastCodes = 2048;     // of a part
constexpr std::int32_t kNoDistance = 0x7FFFFFFF;

std::int64_t parts_of(std::int64_t count, std::int64_t queries) noexcept {
  const std::int64_t groups = (queries + kGroup - 1) / kGroup;
  const std::int64_t wanted = kMostBlocks / (groups > 0 ? groups : 1), most = count / kLeastCodes;
  const std::int64_t parts = wanted < most ? wanted : most;
  return parts > 1 ? parts : 1;
}

// Keys of a list: of those that a query keeps, twice, and room for tiles.
__host__ __device__ inline std::int64_t room_of(std::int64_t count, std::int64_t k) {
  return 2 * (k < count ? k : count) + kSpare;
}

std::int64_t sorted_room(std::int64_t count, std::int64_t k) {
  std::int64_t room = 1;
  while (room < (k < count ? k : count)) room *= 2;
  return room;
}

__device__ __forceinline__ std::int64_t distance_of(std::uint64_t key) {
  return static_cast<std::int64_t>(key >> kKeyBits);
}

// How many threads below this one have the flag, and how many there are in all. `room` has kWarps
// places and is free after the next barrier.
__device__ __forceinline__ int rank_in_block(bool flag, int* room, int& total) {
  const int lane = static_cast<int>(threadIdx.x) % kWarpSize,
            warp = static_cast<int>(threadIdx.x) / kWarpSize;
  const unsigned flags = __ballot_sync(kAllLanes, flag);
  if (lane == 0) room[warp] = __popc(flags);
  __syncthreads();
  int rank = __popc(flags & ((1u << lane) - 1));
  total = 0;
  for (int w = 0; w < kWarps; ++w) {
    if (w < warp) rank += room[w];
    total += room[w];
  }
  __syncthreads();
  return rank;
}

// Lists of keys one after another, `stride` apart; the number of each lies at its end.
struct Lists {
  std::uint64_t* keys;
  std::int64_t count, stride;
  __device__ std::uint64_t* list(std::int64_t i) const { return keys + i * stride; }
  __device__ std::int64_t length(std::int64_t i) const {
    return static_cast<std::int64_t>(list(i)[stride - 1]);
  }
};

// How many keys have a distance of at most `distance`, in every thread.
__device__ std::int64_t count_within(const Lists& lists, std::int64_t distance,
                                     std::int64_t* room) {
  std::int64_t count = 0;
  for (std::int64_t l = 0; l < lists.count; ++l) {
    const std::uint64_t* const keys = lists.list(l);
    const std::int64_t length = lists.length(l);
    for (std::int64_t i = threadIdx.x; i < length; i += kThreads) {
      count += distance_of(keys[i]) <= distance ? 1 : 0;
    }
  }
  return block_sum<kThreads>(count, room);
}

// Copies the k keys with the smallest (distance, number), in the order of the numbers; `to` may be
// the first list itself. Returns how many there are; `limit` becomes the distance that a later code
// must stay below.
__device__ std::int64_t keep_nearest(const Lists& lists, std::int64_t k, std::uint64_t* to,
                                     std::int64_t& limit, std::int64_t* sums, int* ranks) {
  std::int64_t low = -1, high = limit;  // within low are fewer than k, within high as many or all
  if (count_within(lists, limit, sums) < k) {
    low = high;
  } else {
    while (high - low > 1) {
      const std::int64_t middle = low + (high - low) / 2;
      (count_within(lists, middle, sums) < k ? low : high) = middle;
    }
    limit = high;
  }
  // All within low, and of those at the distance high the first ones.
  std::int64_t left = k - count_within(lists, low, sums), kept = 0;
  for (std::int64_t l = 0; l < lists.count; ++l) {
    const std::uint64_t* const keys = lists.list(l);
    const std::int64_t length = lists.length(l);
    for (std::int64_t first = 0; first < length; first += kThreads) {
      const std::int64_t i = first + threadIdx.x;
      const std::uint64_t key = i < length ? keys[i] : ~std::uint64_t{0};
      const bool below = i < length && distance_of(key) <= low;
      const bool equal = i < length && distance_of(key) == high && low < high;
      int equals = 0, taken = 0;
      const int equal_rank = rank_in_block(equal, ranks, equals);
      const bool take = below || (equal && equal_rank < left);
      const int rank = rank_in_block(take, ranks, taken);
      if (take) to[kept + rank] = key;  // all keys of this turn are read
      kept += taken;
      left -= equals < left ? equals : left;
    }
  }
  __syncthreads();
  return kept;
}

// Where a block's query appends; for `within` the caller's room, for `nearest` a list.
struct Target {
  std::uint64_t* keys;
  std::int64_t room, count, limit;
};

struct Scan {
  HammingScan scan;
  std::int64_t parts, k;  // k = 0: all within the radius
  const std::int64_t* offsets;
  std::uint64_t* keys;
  std::int64_t* counts;
};

__global__ void __launch_bounds__(kThreads) scan_codes(Scan a) {
  __shared__ std::uint64_t words[kSlice * kPitch];
  __shared__ std::uint64_t asked[kGroup * kSlice];
  __shared__ Target targets[kGroup];
  __shared__ std::int64_t sums[kWarps];
  __shared__ int ranks[kWarps];
  __shared__ unsigned seen[kWarps];
  const HammingScan& s = a.scan;
  const int thread = static_cast<int>(threadIdx.x);
  const std::int64_t part = blockIdx.x, first_query = std::int64_t{blockIdx.y} * kGroup;
  const int queries = static_cast<int>(min(std::int64_t{kGroup}, s.queries - first_query));
  const std::int64_t begin = s.count * part / a.parts, end = s.count * (part + 1) / a.parts;
  const std::int64_t room = room_of(s.count, a.k);
  if (thread < queries) {
    const std::int64_t list = (first_query + thread) * a.parts + part;
    if (a.k > 0) {
      targets[thread] = {a.keys + list * (room + 1), room, 0, s.radius + 1};
    } else {
      targets[thread] = {a.keys + a.offsets[list], a.offsets[list + 1] - a.offsets[list], 0,
                         s.radius + 1};
    }
  }
  for (std::int64_t first = begin; first < end; first += kThreads) {
    const std::int64_t i = first + thread;
    int distances[kGroup] = {};
    for (std::int64_t w0 = 0; w0 < s.words; w0 += kSlice) {
      const int width = static_cast<int>(min(std::int64_t{kSlice}, s.words - w0));
      __syncthreads();
      for (int n = thread; n < kThreads * width; n += kThreads) {  // neighbours read neighbours
        const int j = n / width, w = n % width;
        words[w * kPitch + j] = first + j < end ? s.codes[(first + j) * s.words + w0 + w] : 0;
      }
      if (thread < queries * width) {
        asked[thread / width * kSlice + thread % width] =
            s.query_codes[(first_query + thread / width) * s.words + w0 + thread % width];
      }
      __syncthreads();
      for (int w = 0; w < width; ++w) {
        const std::uint64_t word = words[w * kPitch + thread];
#pragma unroll
        for (int q = 0; q < kGroup; ++q) distances[q] += __popcll(word ^ asked[q * kSlice + w]);
      }
    }
    const bool there = i < end && (s.removed == nullptr || (s.removed[i / 8] >> (i % 8) & 1) == 0);
    // Which queries take the thread's code, then any code of the tile: mostly none.
    unsigned takers = 0;
#pragma unroll
    for (int q = 0; q < kGroup; ++q) {
      if (q < queries && there && distances[q] < targets[q].limit) takers |= 1u << q;
    }
    const unsigned own = takers;
    for (int lanes = kWarpSize / 2; lanes > 0; lanes /= 2) {
      takers |= __shfl_xor_sync(kAllLanes, takers, lanes);
    }
    if (thread % kWarpSize == 0) seen[thread / kWarpSize] = takers;
    __syncthreads();
    for (int w = 0; w < kWarps; ++w) takers |= seen[w];
#pragma unroll
    for (int q = 0; q < kGroup; ++q) {
      if ((takers >> q & 1) == 0) continue;
      const std::int64_t limit = targets[q].limit;
      const bool take = (own >> q & 1) != 0;
      int taken = 0;
      const std::int64_t at = targets[q].count + rank_in_block(take, ranks, taken);
      if (take && at < targets[q].room) {
        targets[q].keys[at] =
            static_cast<std::uint64_t>(distances[q]) << kKeyBits | static_cast<std::uint64_t>(i);
      }
      __syncthreads();
      if (thread == 0) targets[q].count += taken;
      __syncthreads();
      if (a.k == 0 || targets[q].count + kThreads <= targets[q].room) continue;
      if (thread == 0) targets[q].keys[room] = static_cast<std::uint64_t>(targets[q].count);
      __syncthreads();
      std::int64_t lower = limit;
      const std::int64_t kept =
          keep_nearest({targets[q].keys, 1, room + 1}, a.k, targets[q].keys, lower, sums, ranks);
      if (thread == 0) {
        targets[q].count = kept;
        targets[q].limit = lower;
      }
      __syncthreads();
    }
  }
  __syncthreads();
  if (thread >= queries) return;
  if (a.k > 0) {
    targets[thread].keys[room] = static_cast<std::uint64_t>(targets[thread].count);
  } else {
    a.counts[(first_query + thread) * a.parts + part] = targets[thread].count;
  }
}

// Sorts `size` keys, a power of two, ascending (Batcher 1968).
__device__ void sort_keys(std::uint64_t* keys, std::int64_t size) {
  for (std::int64_t run = 2; run <= size; run *= 2) {
    for (std::int64_t step = run / 2; step > 0; step /= 2) {
      for (std::int64_t n = threadIdx.x; n < size / 2; n += kThreads) {
        const std::int64_t i = n / step * 2 * step + n % step, j = i + step;
        const bool ascending = (i & run) == 0;
        const std::uint64_t a = keys[i], b = keys[j];
        if ((a > b) == ascending) {
          keys[i] = b;
          keys[j] = a;
        }
      }
      __syncthreads();
    }
  }
}

__global__ void __launch_bounds__(kThreads)
    merge_parts(HammingNearest a, std::int64_t parts, std::uint64_t* sorted, std::int64_t size) {
  __shared__ std::int64_t sums[kWarps];
  __shared__ int ranks[kWarps];
  const std::int64_t query = blockIdx.x, stride = room_of(a.scan.count, a.k) + 1;
  std::uint64_t* const keys = sorted + query * size;
  std::int64_t limit = a.scan.radius + 1;
  const std::int64_t kept =
      keep_nearest({a.keys + query * parts * stride, parts, stride}, a.k, keys, limit, sums, ranks);
  for (std::int64_t i = kept + threadIdx.x; i < size; i += kThreads) keys[i] = ~std::uint64_t{0};
  __syncthreads();
  sort_keys(keys, size);
  for (std::int64_t i = threadIdx.x; i < a.k; i += kThreads) {
    const bool there = i < kept;
    a.distances[query * a.k + i] =
        there ? static_cast<std::int32_t>(distance_of(keys[i])) : kNoDistance;
    a.numbers[query * a.k + i] =
        there ? static_cast<std::int64_t>(keys[i] & ((std::uint64_t{1} << kKeyBits) - 1)) : -1;
  }
}

// Lists of all queries and parts, then the sorted keys of the queries.
std::int64_t nearest_keys(std::int64_t count, std::int64_t queries, std::int64_t k) noexcept {
  return queries * (parts_of(count, queries) * (room_of(count, k) + 1) + sorted_room(count, k));
}

void launch_scan(const Scan& scan) {
  launch(scan_codes,
         {dim3(static_cast<unsigned>(scan.parts), blocks(scan.scan.queries, kGroup)), kThreads},
         scan);
}

void nearest(const HammingNearest& a) noexcept {
  const HammingScan& s = a.scan;
  // A launch has at most 65,535 groups of queries.
  constexpr std::int64_t kMostQueries = std::int64_t{65535} * kGroup;
  const std::int64_t parts = parts_of(s.count, s.queries);
  const std::int64_t lists = parts * (room_of(s.count, a.k) + 1), size = sorted_room(s.count, a.k);
  for (std::int64_t first = 0; first < s.queries; first += kMostQueries) {
    HammingNearest some = a;
    some.scan.queries = s.queries - first < kMostQueries ? s.queries - first : kMostQueries;
    some.scan.query_codes = s.query_codes + first * s.words;
    some.keys = a.keys + first * lists;
    some.distances = a.distances + first * a.k;
    some.numbers = a.numbers + first * a.k;
    launch_scan({some.scan, parts, a.k, nullptr, some.keys, nullptr});
    launch(merge_parts, {static_cast<unsigned>(some.scan.queries), kThreads}, some, parts,
           a.keys + s.queries * lists + first * size, size);
  }
}

void within(const HammingWithin& a) noexcept {
  constexpr std::int64_t kMostQueries = std::int64_t{65535} * kGroup;
  const HammingScan& s = a.scan;
  for (std::int64_t first = 0; first < s.queries; first += kMostQueries) {
    HammingScan some = s;
    some.queries = s.queries - first < kMostQueries ? s.queries - first : kMostQueries;
    some.query_codes = s.query_codes + first * s.words;
    launch_scan(
        {some, a.parts, 0, a.offsets + first * a.parts, a.keys, a.counts + first * a.parts});
  }
}

}  // namespace

extern const HammingKernels<float> hamming_float;
extern const HammingKernels<double> hamming_double;
const HammingKernels<float> hamming_float = {nearest_keys, nearest, parts_of, within};
const HammingKernels<double> hamming_double = {nearest_keys, nearest, parts_of, within};

}  // namespace ictus::cuda
