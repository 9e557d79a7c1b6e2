# Code that is compiled once for each of the processor's instruction sets.

# Sanitizers leave AVX-512 out: its kernels take them minutes to compile, most machines can't run
# them, and its vectors run emulated.
option(STATPOOL_AVX512 "Compile the kernels for AVX-512" ON)

set(STATPOOL_INSTRUCTION_SETS baseline)
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
  set(STATPOOL_FLAGS_avx2 -mavx2 -mfma -mf16c)
  set(
    STATPOOL_FLAGS_avx512
    ${STATPOOL_FLAGS_avx2}
    -mavx512f
    -mavx512bw
    -mavx512dq
    -mavx512vl
  )
  list(APPEND STATPOOL_INSTRUCTION_SETS avx2)
  if(STATPOOL_AVX512)
    list(APPEND STATPOOL_INSTRUCTION_SETS avx512)
  endif()
endif()

# Adds to a target the source's object for an instruction set: with its name, STATPOOL_ISA, and flags.
function(statpool_add_instruction_set target source name)
  set(object ${target}_${name})
  add_library(${object} OBJECT ${source})
  target_link_libraries(${object} PRIVATE statpool_options)
  target_compile_definitions(${object} PRIVATE STATPOOL_ISA=${name})
  # The first two change no value: square roots and comparisons vectorise without errno and traps.
  # Vectors wider than the instruction set's registers never cross a function call, and GCC's own
  # AVX-512 headers trip its uninitialised-variable warning.
  target_compile_options(
    ${object}
    PRIVATE
      -fno-math-errno
      -fno-trapping-math
      -Wno-psabi
      $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>
      ${STATPOOL_FLAGS_${name}}
  )
  # Some threads have little stack: no pass takes more than its largest tile, and a little.
  if(NOT CMAKE_BUILD_TYPE STREQUAL "Debug")
    target_compile_options(${object} PRIVATE -O3 -Wframe-larger-than=57344)
  endif()
  target_sources(${target} PRIVATE $<TARGET_OBJECTS:${object}>)
endfunction()
