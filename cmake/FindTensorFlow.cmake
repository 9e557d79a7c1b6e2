# Finds the TensorFlow that TensorFlow_PYTHON imports, by default the build's own Python, and offers
# it as TensorFlow::framework, and as TensorFlow::compiler with what kernels inside XLA need.
#
# Sets TensorFlow_VERSION, TensorFlow_INCLUDE, TensorFlow_ABI (the C++11 ABI flag),
# TensorFlow_COMPILE_FLAGS, TensorFlow_TAG and, where there is no TensorFlow::compiler, the reason as
# TensorFlow_WHY_NO_COMPILER.

if(NOT TensorFlow_PYTHON)
  set(TensorFlow_PYTHON ${Python_EXECUTABLE})
endif()
execute_process(
  COMMAND
    ${TensorFlow_PYTHON} -c
    "import tensorflow as tf; s = tf.sysconfig
flags = [flag for flag in s.get_compile_flags() if not flag.startswith('-I')]
print('statpool', tf.__version__, s.get_include(), s.get_lib(), s.CXX11_ABI_FLAG, ' '.join(flags), sep='|')"
  OUTPUT_VARIABLE _output
  ERROR_VARIABLE _error
  RESULT_VARIABLE _result
  OUTPUT_STRIP_TRAILING_WHITESPACE
)

if(
  _result EQUAL 0
  AND _output MATCHES "statpool\\|([^|\n]*)\\|([^|\n]*)\\|([^|\n]*)\\|([^|\n]*)\\|([^|\n]*)"
)
  set(TensorFlow_VERSION ${CMAKE_MATCH_1})
  set(_include ${CMAKE_MATCH_2})
  set(TensorFlow_INCLUDE ${_include})
  set(_library_dir ${CMAKE_MATCH_3})
  set(TensorFlow_ABI ${CMAKE_MATCH_4})
  set(TensorFlow_COMPILE_FLAGS ${CMAKE_MATCH_5})
  # What python/statpool/_native.py looks for in the name of a library. Patch releases keep the ABI;
  # what comes before a release, such as 2.22.0-rc1, promises nothing.
  string(REGEX REPLACE "^([0-9]+\\.[0-9]+)\\.[0-9]+$" "\\1" _release ${TensorFlow_VERSION})
  set(TensorFlow_TAG tf${_release}-abi${TensorFlow_ABI})
  find_library(
    _framework
    NAMES tensorflow_framework libtensorflow_framework.so.2
    PATHS ${_library_dir} NO_CACHE
    NO_DEFAULT_PATH
  )
  find_library(
    _compiler
    NAMES tensorflow_cc libtensorflow_cc.so.2
    PATHS ${_library_dir} NO_CACHE
    NO_DEFAULT_PATH
  )
else()
  string(REGEX MATCH "[^\n]+\n*$" _error "${_error}")
  string(STRIP "${_error}" _error)
  set(
    _reason
    "No TensorFlow to build against: '${TensorFlow_PYTHON} -c \"import tensorflow\"' says '${_error}'. Run 'make build', or install TensorFlow into that Python and build with 'pip install --no-build-isolation'."
  )
endif()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(
  TensorFlow
  REQUIRED_VARS _framework _include
  VERSION_VAR TensorFlow_VERSION
  REASON_FAILURE_MESSAGE "${_reason}"
)

if(TensorFlow_FOUND AND NOT TARGET TensorFlow::framework)
  message(
    STATUS
    "TensorFlow ${TensorFlow_VERSION}, ABI ${TensorFlow_ABI}, flags ${TensorFlow_COMPILE_FLAGS}"
  )
  separate_arguments(_flags UNIX_COMMAND "${TensorFlow_COMPILE_FLAGS}")
  add_library(TensorFlow::framework SHARED IMPORTED)
  set_target_properties(TensorFlow::framework PROPERTIES IMPORTED_LOCATION ${_framework})
  target_include_directories(TensorFlow::framework SYSTEM INTERFACE ${_include})
  # Its macros write the names of files into messages: not this machine's paths.
  list(APPEND _flags -fmacro-prefix-map=${CMAKE_SOURCE_DIR}/=)
  target_compile_options(TensorFlow::framework INTERFACE ${_flags})
endif()

set(TensorFlow_WHY_NO_COMPILER "")
if(TensorFlow_VERSION VERSION_LESS 2.20)
  set(
    TensorFlow_WHY_NO_COMPILER
    "kernels inside XLA need headers of TensorFlow 2.20 or newer, got TensorFlow ${TensorFlow_VERSION}"
  )
elseif(NOT _compiler)
  set(TensorFlow_WHY_NO_COMPILER "kernels inside XLA need libtensorflow_cc.so.2 beside TensorFlow")
endif()

# Headers of XLA include those of two hash libraries, which the wheel keeps apart.
if(TensorFlow_FOUND AND NOT TensorFlow_WHY_NO_COMPILER AND NOT TARGET TensorFlow::compiler)
  add_library(TensorFlow::compiler SHARED IMPORTED)
  set_target_properties(TensorFlow::compiler PROPERTIES IMPORTED_LOCATION ${_compiler})
  foreach(_folder external/highwayhash external/farmhash_archive/src)
    if(EXISTS ${_include}/${_folder})
      target_include_directories(TensorFlow::compiler SYSTEM INTERFACE ${_include}/${_folder})
    endif()
  endforeach()
  target_link_libraries(TensorFlow::compiler INTERFACE TensorFlow::framework)
endif()
