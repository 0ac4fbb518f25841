// ictus-bench: takes Google Benchmark's arguments. ICTUS_ISA and ICTUS_NUM_THREADS choose the level
// and the threads (one thread if not set: peaks are measured for one).
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "bench/bench.h"

int main(int argc, char** argv) {
  using namespace ictus;
  if (const char* name = std::getenv("ICTUS_ISA"); name != nullptr && *name != '\0') {
    bool known = false;
    for (int i = 0; i < kLevels; ++i) {
      if (std::strcmp(name, level_name(static_cast<Level>(i))) == 0) {
        known = set_level(static_cast<Level>(i));
      }
    }
    if (!known) {
      std::fprintf(stderr, "ictus-bench: ICTUS_ISA=%s is not available here\n", name);
      return 2;
    }
  }
  set_num_threads(std::getenv("ICTUS_NUM_THREADS") == nullptr ? 1 : default_num_threads());
  benchmark::AddCustomContext("instruction_set", level_name(level()));
  benchmark::AddCustomContext("threads", std::to_string(num_threads()));
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return 0;
}
