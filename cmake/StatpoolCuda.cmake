# Decides whether the CUDA kernels are built, and for which architectures.
#
# Sets STATPOOL_WITH_CUDA, STATPOOL_CUDA_VERSION (of nvcc) and STATPOOL_CUDA_CODE, what the kernels
# are built for, such as "sm_90;compute_90".

set(STATPOOL_CUDA AUTO CACHE STRING "Build the CUDA kernels: AUTO (where nvcc is found), ON or OFF")
set_property(CACHE STATPOOL_CUDA PROPERTY STRINGS AUTO ON OFF)
set(
  STATPOOL_CUDA_ARCHS
  ""
  CACHE STRING
  "As CMAKE_CUDA_ARCHITECTURES; native for the GPUs of this machine; empty for all from 7.5 up"
)

set(STATPOOL_WITH_CUDA OFF)
set(STATPOOL_CUDA_VERSION "")
set(STATPOOL_CUDA_CODE "")

if(NOT STATPOOL_CUDA MATCHES "^(AUTO|ON|OFF)$")
  message(
    FATAL_ERROR
    "STATPOOL_CUDA must be AUTO, ON or OFF, got '${STATPOOL_CUDA}'; leave it unset for AUTO."
  )
elseif(STATPOOL_CUDA STREQUAL "OFF")
  message(STATUS "CUDA kernels: left out (STATPOOL_CUDA=OFF)")
  return()
endif()

# Python packages bring a toolkit in folders that neither nvcc nor FindCUDAToolkit expects: lib
# instead of lib64, and no libcudart.so without a version.
function(_statpool_use_packaged_toolkit nvcc)
  get_filename_component(_toolkit ${nvcc}/../.. ABSOLUTE)
  file(GLOB _runtime ${_toolkit}/lib/libcudart.so.*)
  if(NOT EXISTS ${_toolkit}/lib64 AND _runtime)
    set(ENV{LIBRARY_PATH} "${_toolkit}/lib:$ENV{LIBRARY_PATH}")
    set(CUDA_CUDART ${_runtime} CACHE FILEPATH "The shared CUDA runtime")
    set(CUDA_cudart_LIBRARY ${_runtime} CACHE FILEPATH "The shared CUDA runtime")
    set(_static ${_toolkit}/lib/libcudart_static.a)
    set(CUDA_cudart_static_LIBRARY ${_static} CACHE FILEPATH "The static CUDA runtime")
  endif()
endfunction()

# CMake itself looks at CUDACXX and PATH alone.
if(NOT CMAKE_CUDA_COMPILER)
  set(_reason "no nvcc in CUDACXX, CUDA_HOME, PATH, /usr/local/cuda or this Python's packages")
  if(DEFINED ENV{CUDACXX})
    set(_nvcc $ENV{CUDACXX})
  else()
    find_program(
      _nvcc
      nvcc
      HINTS
      ENV CUDA_HOME
      PATHS /usr/local/cuda ${Python_SITEARCH}/nvidia/cu13
      PATH_SUFFIXES bin NO_CACHE
    )
  endif()
  if(_nvcc)
    set(_reason "'${_nvcc}' can't compile, see CMakeFiles/CMakeConfigureLog.yaml")
    set(ENV{CUDACXX} ${_nvcc})
    _statpool_use_packaged_toolkit(${_nvcc})
    include(CheckLanguage)
    check_language(CUDA)
  endif()
endif()
if(NOT CMAKE_CUDA_COMPILER)
  if(STATPOOL_CUDA STREQUAL "ON")
    message(
      FATAL_ERROR
      "STATPOOL_CUDA=ON needs nvcc: ${_reason}. Install the CUDA toolkit, name its nvcc in CUDACXX, or leave the CUDA kernels out with STATPOOL_CUDA=OFF."
    )
  endif()
  # What is found next time must not depend on this time.
  unset(CMAKE_CUDA_COMPILER CACHE)
  message(STATUS "CUDA kernels: left out, ${_reason}")
  return()
endif()

enable_language(CUDA)
find_package(CUDAToolkit REQUIRED)
set(CMAKE_CUDA_STANDARD 17)
set(CMAKE_CUDA_STANDARD_REQUIRED ON)
set(CMAKE_CUDA_EXTENSIONS OFF)
set(CMAKE_CUDA_VISIBILITY_PRESET hidden)

# Machine code for the first architecture of each generation, which runs on the others of it, and PTX
# of one for generations to come: the least that serves every card from 7.5 up. Which of them this
# nvcc knows.
function(_statpool_default_architectures result)
  execute_process(
    COMMAND ${CMAKE_CUDA_COMPILER} --list-gpu-arch
    OUTPUT_VARIABLE _known
    COMMAND_ERROR_IS_FATAL ANY
  )
  set(_chosen)
  foreach(
    _architecture
    75-real
    80-real
    90
    100-real
    120-real
  )
    string(REGEX MATCH "[0-9]+" _number ${_architecture})
    if(_known MATCHES "compute_${_number}[^0-9]")
      list(APPEND _chosen ${_architecture})
    endif()
  endforeach()
  set(${result} ${_chosen} PARENT_SCOPE)
endfunction()

if(STATPOOL_CUDA_ARCHS STREQUAL "")
  _statpool_default_architectures(CMAKE_CUDA_ARCHITECTURES)
elseif(STATPOOL_CUDA_ARCHS STREQUAL "native")
  set(CMAKE_CUDA_ARCHITECTURES ${CMAKE_CUDA_ARCHITECTURES_NATIVE})
else()
  string(REGEX REPLACE "[ ,]+" ";" CMAKE_CUDA_ARCHITECTURES "${STATPOOL_CUDA_ARCHS}")
endif()
foreach(_architecture IN LISTS CMAKE_CUDA_ARCHITECTURES)
  if(NOT _architecture MATCHES "^([0-9]+[af]?)(-real|-virtual)?$")
    message(
      FATAL_ERROR
      "STATPOOL_CUDA_ARCHS must list architectures such as 80-real, 90 or 120-virtual, or be native on a machine with a GPU, got '${STATPOOL_CUDA_ARCHS}'."
    )
  endif()
  if(NOT CMAKE_MATCH_2 STREQUAL "-virtual")
    list(APPEND STATPOOL_CUDA_CODE sm_${CMAKE_MATCH_1})
  endif()
  if(NOT CMAKE_MATCH_2 STREQUAL "-real")
    list(APPEND STATPOOL_CUDA_CODE compute_${CMAKE_MATCH_1})
  endif()
endforeach()

set(STATPOOL_WITH_CUDA ON)
set(STATPOOL_CUDA_VERSION ${CMAKE_CUDA_COMPILER_VERSION})
list(JOIN STATPOOL_CUDA_CODE " " _code)
message(STATUS "CUDA kernels: nvcc ${STATPOOL_CUDA_VERSION} for ${_code}")
