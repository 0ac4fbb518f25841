# The instruction-set levels: for each, the compiler flags and the width of its native vectors.
# A level is compiled as one OBJECT library over the same list of sources (ICTUS_FAMILIES); which
# level runs is decided at import from what the processor can do (cpp/core/level.cpp).

set(ICTUS_LEVELS baseline)
set(ICTUS_FLAGS_baseline "")
set(ICTUS_BYTES_baseline 16)

if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64|amd64")
  list(APPEND ICTUS_LEVELS avx2 avx512)
  set(ICTUS_FLAGS_avx2 -mavx2 -mfma)
  set(ICTUS_BYTES_avx2 32)
  # Every feature named here is tested at run time in cpp/core/level.cpp; keep the two lists equal.
  set(ICTUS_FLAGS_avx512 -mavx2 -mfma -mavx512f -mavx512bw -mavx512dq -mavx512vl)
  set(ICTUS_BYTES_avx512 64)
  # A level that only the families named here are compiled for; the others run at the level before.
  list(APPEND ICTUS_LEVELS avx512vpopcntdq)
  set(ICTUS_FLAGS_avx512vpopcntdq ${ICTUS_FLAGS_avx512} -mavx512vpopcntdq)
  set(ICTUS_BYTES_avx512vpopcntdq 64)
  set(ICTUS_FAMILIES_avx512vpopcntdq hamming)
endif()

# Kernels are compiled with at least -O2 in every preset: without it standard inline functions
# become weak symbols, and the linker might keep the copy of a level that the machine cannot run.
set(ICTUS_KERNEL_FLAGS
  -O3 -fno-math-errno -fno-trapping-math -ffp-contract=fast
  -fno-exceptions -fno-rtti -fno-threadsafe-statics -fvisibility=hidden)
if(ICTUS_SANITIZE OR ICTUS_COVERAGE)
  # Instrumented register tiles take GCC minutes each to optimise fully; no test needs their speed.
  # SHELL: keeps CMake from dropping the flag as a repetition of an earlier -O1.
  list(APPEND ICTUS_KERNEL_FLAGS SHELL:-O1)
endif()
# Levels that stay without sanitizers, for runs that do not test them.
set(ICTUS_PLAIN_LEVELS "" CACHE STRING "levels that are compiled without sanitizers and counts")
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # Vectors never cross a translation unit by value, so the note on their calling convention is moot.
  # The intrinsics of GCC 12 read a vector they leave undefined on purpose.
  list(APPEND ICTUS_KERNEL_FLAGS -Wno-psabi -Wno-uninitialized -Wno-maybe-uninitialized)
endif()

function(ictus_add_levels)
  foreach(level IN LISTS ICTUS_LEVELS)
    set(sources "")
    set(families ${ICTUS_FAMILIES})
    if(ICTUS_FAMILIES_${level})
      set(families ${ICTUS_FAMILIES_${level}})
    endif()
    foreach(family IN LISTS families)
      list(APPEND sources cpp/kernels/${family}.cpp)
    endforeach()
    add_library(ictus_${level} OBJECT ${sources})
    target_include_directories(ictus_${level} PRIVATE cpp cpp/include)
    target_compile_features(ictus_${level} PRIVATE cxx_std_17)
    target_compile_options(ictus_${level} PRIVATE ${ICTUS_WARNINGS} ${ICTUS_KERNEL_FLAGS} ${ICTUS_FLAGS_${level}})
    if(ICTUS_SANITIZE AND level IN_LIST ICTUS_PLAIN_LEVELS)
      target_compile_options(ictus_${level} PRIVATE -fno-sanitize=all -fno-profile-arcs -fno-test-coverage)
    endif()
    target_compile_definitions(ictus_${level} PRIVATE
      ICTUS_LEVEL=${level} ICTUS_VECTOR_BYTES=${ICTUS_BYTES_${level}})
    set_target_properties(ictus_${level} PROPERTIES POSITION_INDEPENDENT_CODE ON)
    target_link_libraries(ictus_core_objects INTERFACE $<TARGET_OBJECTS:ictus_${level}>)
  endforeach()
endfunction()
