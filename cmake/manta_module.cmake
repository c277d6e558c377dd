# manta_module(<folder> [SOURCES file...] [LIBS external...] [TEST_LIBS lib...])
#
# Makes the static library manta_<folder> from src/<folder>/**/*.cc (an INTERFACE library when there
# are no sources), linked with exactly the folders that layers.txt allows it and with LIBS. Each
# *_test.cc beside the code goes into the gtest executable <folder>_test (label unit), each
# *_bench.cc into <folder>_bench when Google Benchmark is installed. FlatBuffers schemas (*.fbs) are
# compiled into the build folder and included as "<folder>/<name>_generated.h".
# A folder that does not exist yet is an empty INTERFACE library.
include_guard(GLOBAL)
include(GoogleTest)

set(MANTA_LAYERS_FILE ${PROJECT_SOURCE_DIR}/layers.txt)
set(MANTA_GENERATED_DIR ${PROJECT_BINARY_DIR}/generated)
set_property(DIRECTORY ${PROJECT_SOURCE_DIR} APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS
             ${MANTA_LAYERS_FILE})

# Sets MANTA_LAYER_<folder> for each line of layers.txt, and MANTA_LAYERS to all the folders.
set(MANTA_LAYERS)
file(STRINGS ${MANTA_LAYERS_FILE} _lines)
foreach(_line IN LISTS _lines)
  string(REGEX REPLACE "#.*" "" _line "${_line}")
  if(_line MATCHES "^ *([a-z_0-9]+) *:(.*)$")
    set(_folder ${CMAKE_MATCH_1})
    string(REGEX MATCHALL "[a-z_0-9]+" _deps "${CMAKE_MATCH_2}")
    list(REMOVE_ITEM _deps include)  # the public headers: no library
    set(MANTA_LAYER_${_folder} ${_deps})
    list(APPEND MANTA_LAYERS ${_folder})
  endif()
endforeach()

add_custom_target(tests_unit)
add_custom_target(tests_scenario)

# Registers the tests of a gtest executable. They are listed when ctest runs, not while building.
# The target tests_<label> builds all the executables of a label.
function(manta_add_gtest target)
  cmake_parse_arguments(arg "" "LABEL;PREFIX;TIMEOUT;PROCESSORS" "PROPERTIES" ${ARGN})
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 60)
  endif()
  if(NOT arg_PROCESSORS)
    set(arg_PROCESSORS 1)
  endif()
  if(NOT TARGET tests_${arg_LABEL})
    add_custom_target(tests_${arg_LABEL})
  endif()
  math(EXPR timeout "${arg_TIMEOUT} * ${MANTA_TIMEOUT_FACTOR}")
  gtest_discover_tests(${target}
    TEST_PREFIX "${arg_PREFIX}"
    DISCOVERY_MODE PRE_TEST
    DISCOVERY_TIMEOUT 60
    PROPERTIES LABELS ${arg_LABEL} TIMEOUT ${timeout} PROCESSORS ${arg_PROCESSORS}
               ${arg_PROPERTIES})
  add_dependencies(tests_${arg_LABEL} ${target})
endfunction()

# Compiles the schemas of a folder and adds the headers to its library.
function(manta_flatbuffers folder target)
  file(GLOB schemas CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/${folder}/*.fbs)
  if(NOT schemas)
    return()
  endif()
  set(out_dir ${MANTA_GENERATED_DIR}/${folder})
  set(headers)
  foreach(schema IN LISTS schemas)
    get_filename_component(name ${schema} NAME_WE)
    set(header ${out_dir}/${name}_generated.h)
    add_custom_command(
      OUTPUT ${header}
      COMMAND ${MANTA_FLATC} --cpp --scoped-enums --gen-object-api --cpp-std c++17
              --filename-suffix _generated -I ${PROJECT_SOURCE_DIR}/src -o ${out_dir} ${schema}
      DEPENDS ${schemas}
      COMMENT "flatc ${folder}/${name}.fbs"
      VERBATIM)
    list(APPEND headers ${header})
  endforeach()
  add_custom_target(${target}_schemas DEPENDS ${headers})
  add_dependencies(${target} ${target}_schemas)
endfunction()

function(manta_module folder)
  cmake_parse_arguments(arg "" "" "SOURCES;LIBS;TEST_LIBS" ${ARGN})
  if(NOT folder IN_LIST MANTA_LAYERS)
    message(FATAL_ERROR "manta_module(${folder}): layers.txt has no line for this folder")
  endif()
  set(dir ${PROJECT_SOURCE_DIR}/src/${folder})
  set(target manta_${folder})

  file(GLOB_RECURSE all_sources CONFIGURE_DEPENDS ${dir}/*.cc)
  set(tests ${all_sources})
  list(FILTER tests INCLUDE REGEX "_test\\.cc$")
  set(benches ${all_sources})
  list(FILTER benches INCLUDE REGEX "_bench\\.cc$")
  if(arg_SOURCES)
    list(TRANSFORM arg_SOURCES PREPEND ${dir}/ REGEX "^[^/]")
    set(sources ${arg_SOURCES})
  else()
    set(sources ${all_sources})
    list(FILTER sources EXCLUDE REGEX "_(test|bench)\\.cc$")
  endif()
  # The daemon's main file belongs to the executable only.
  list(REMOVE_ITEM sources ${PROJECT_SOURCE_DIR}/src/bin/main.cc)

  set(deps ${MANTA_LAYER_${folder}})
  list(TRANSFORM deps PREPEND manta_)
  if(sources)
    add_library(${target} STATIC ${sources})
    target_link_libraries(${target} PRIVATE manta_flags)
    if(MANTA_KILL_POINTS)
      target_compile_definitions(${target} PRIVATE MANTA_KILL_POINTS)
    endif()
    set(scope PUBLIC)
  else()
    add_library(${target} INTERFACE)
    set(scope INTERFACE)
  endif()
  target_include_directories(${target} ${scope}
    ${PROJECT_SOURCE_DIR}/src ${PROJECT_SOURCE_DIR}/include)
  target_include_directories(${target} SYSTEM ${scope} ${MANTA_GENERATED_DIR})
  target_link_libraries(${target} ${scope} ${deps} ${arg_LIBS})
  manta_flatbuffers(${folder} ${target})

  if(tests AND NOT MANTA_WHEEL)
    add_executable(${folder}_test ${tests})
    set_target_properties(${folder}_test PROPERTIES
      RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests)
    target_include_directories(${folder}_test PRIVATE ${PROJECT_SOURCE_DIR})  # for testing/
    target_link_libraries(${folder}_test
      PRIVATE manta_flags ${target} ${arg_TEST_LIBS} GTest::gtest_main)
    manta_add_gtest(${folder}_test LABEL unit PREFIX "${folder}.")
  endif()
  if(benches AND benchmark_FOUND)
    add_executable(${folder}_bench ${benches})
    set_target_properties(${folder}_bench PROPERTIES
      RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/bench)
    target_link_libraries(${folder}_bench
      PRIVATE manta_flags ${target} benchmark::benchmark_main)
  endif()
endfunction()

# manta_layer_closure(<out> <folder>...): the folders and all that they use, directly or not.
function(manta_layer_closure out)
  set(closure ${ARGN})
  set(todo ${ARGN})
  while(todo)
    list(POP_FRONT todo folder)
    foreach(dep IN LISTS MANTA_LAYER_${folder})
      if(NOT dep IN_LIST closure)
        list(APPEND closure ${dep})
        list(APPEND todo ${dep})
      endif()
    endforeach()
  endwhile()
  set(${out} ${closure} PARENT_SCOPE)
endfunction()
