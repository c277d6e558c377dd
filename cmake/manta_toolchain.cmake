# Compiler settings shared by every target of this tree. None of them leaks to users of the package.
include_guard(GLOBAL)

if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE RelWithDebInfo CACHE STRING "Build type" FORCE)
endif()

option(MANTA_KILL_POINTS "Instants at which tests can kill processes (src/base/kill_point.h)" OFF)
set(MANTA_SANITIZE "" CACHE STRING "Sanitizers for -fsanitize=, e.g. address,undefined or thread")
option(MANTA_LIBFUZZER "Make the programs of tests/fuzz libFuzzer's (Clang)" OFF)

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_C_STANDARD 11)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_CXX_VISIBILITY_PRESET hidden)
set(CMAKE_C_VISIBILITY_PRESET hidden)
set(CMAKE_VISIBILITY_INLINES_HIDDEN ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

foreach(lang C CXX)
  set(CMAKE_${lang}_FLAGS_RELWITHDEBINFO "-O2 -g1 -DNDEBUG")
  set(CMAKE_${lang}_FLAGS_DEBUG "-O0 -g")
  set(CMAKE_${lang}_FLAGS_SANITIZE "-O1 -g -fno-omit-frame-pointer")
endforeach()

set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/bin)
set(CMAKE_LIBRARY_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/lib)
set(CMAKE_ARCHIVE_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/archives)

# Flags of our own code: linked privately into each of our targets.
add_library(manta_flags INTERFACE)
target_compile_options(manta_flags INTERFACE -Wall -Wextra)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  target_compile_options(manta_flags INTERFACE -Werror)
endif()
if(MANTA_LIBFUZZER)
  target_compile_options(manta_flags INTERFACE -fsanitize=fuzzer-no-link)
endif()
if(MANTA_SANITIZE)
  target_compile_options(manta_flags INTERFACE -fsanitize=${MANTA_SANITIZE})
  target_link_options(manta_flags INTERFACE -fsanitize=${MANTA_SANITIZE})
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # GCC's manual: with -fsanitize, -Wmaybe-uninitialized warns of variables that are initialized.
    target_compile_options(manta_flags INTERFACE -Wno-maybe-uninitialized)
  endif()
  if(MANTA_SANITIZE MATCHES "undefined")
    target_compile_options(manta_flags INTERFACE -fno-sanitize-recover=all)
  endif()
  if(MANTA_SANITIZE MATCHES "thread")
    # Fences are invisible to the thread sanitizer; the compiler says so where one is used.
    target_compile_options(manta_flags INTERFACE -Wno-error=tsan)
  endif()
endif()

# ccache, when there. The base directory makes its entries valid for a copy of the tree, too (which
# is what ./dev planted builds in).
find_program(MANTA_CCACHE ccache)
if(MANTA_CCACHE)
  foreach(lang C CXX)
    set(CMAKE_${lang}_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env
        CCACHE_BASEDIR=${PROJECT_SOURCE_DIR} CCACHE_NOHASHDIR=1 ${MANTA_CCACHE})
  endforeach()
endif()

# Seconds a test may take: sanitized code is slow.
if(MANTA_SANITIZE)
  set(MANTA_TIMEOUT_FACTOR 4)
else()
  set(MANTA_TIMEOUT_FACTOR 1)
endif()
