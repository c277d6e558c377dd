# Everything that is not a folder of src/: libmanta.so, the daemon, examples, benchmarks, tests that
# span processes, the folders of testing/, and the lint checks. Each of these functions does nothing
# while its sources do not exist yet.
include_guard(GLOBAL)

# libmanta.so: the whole of api and of what api uses, exporting only manta_* and __libc_start_main.
function(manta_shared_library)
  get_target_property(type manta_api TYPE)
  if(type STREQUAL "INTERFACE_LIBRARY")
    message(STATUS "manta: src/api has no sources yet, libmanta.so is left out")
    return()
  endif()
  manta_layer_closure(folders api)
  set(objects)
  foreach(folder IN LISTS folders)
    get_target_property(type manta_${folder} TYPE)
    if(type STREQUAL "STATIC_LIBRARY")
      list(APPEND objects $<TARGET_OBJECTS:manta_${folder}>)
    endif()
  endforeach()
  set(exports ${PROJECT_SOURCE_DIR}/cmake/libmanta.map)
  add_library(manta SHARED ${objects})
  add_library(manta::manta ALIAS manta)
  set_target_properties(manta PROPERTIES
    LINKER_LANGUAGE CXX
    VERSION ${PROJECT_VERSION}
    SOVERSION 0
    LINK_DEPENDS ${exports})
  target_link_libraries(manta PRIVATE $<BUILD_INTERFACE:manta_flags>)
  target_link_options(manta PRIVATE -Wl,--version-script=${exports})
  if(NOT MANTA_SANITIZE)
    target_link_options(manta PRIVATE -Wl,-z,defs)
  endif()
  target_compile_features(manta INTERFACE cxx_std_17)
  target_include_directories(manta INTERFACE
    $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include> $<INSTALL_INTERFACE:include>)
endfunction()

# The daemon, bin/manta (target manta_exe, because manta is the library).
function(manta_daemon)
  set(main ${PROJECT_SOURCE_DIR}/src/bin/main.cc)
  file(GLOB found CONFIGURE_DEPENDS ${main})
  if(NOT found)
    message(STATUS "manta: src/bin/main.cc does not exist yet, bin/manta is left out")
    return()
  endif()
  add_executable(manta_exe ${main})
  set_target_properties(manta_exe PROPERTIES OUTPUT_NAME manta)
  target_link_libraries(manta_exe PRIVATE manta_flags manta_bin)
endfunction()

# Compiles each public header alone, as C++17 (and *_c.h as C11, too). Headers in a folder detail/
# are parts of the others, and are compiled with them.
function(manta_public_header_check)
  file(GLOB_RECURSE headers RELATIVE ${PROJECT_SOURCE_DIR}/include CONFIGURE_DEPENDS
       ${PROJECT_SOURCE_DIR}/include/*.h)
  list(FILTER headers EXCLUDE REGEX "/detail/")
  if(NOT headers)
    return()
  endif()
  set(units)
  foreach(header IN LISTS headers)
    string(REGEX REPLACE "[^a-zA-Z0-9]" "_" name ${header})
    set(languages cc)
    if(header MATCHES "_c\\.h$")
      set(languages cc c)
    endif()
    foreach(extension IN LISTS languages)
      set(unit ${PROJECT_BINARY_DIR}/header_check/${name}.${extension})
      file(CONFIGURE OUTPUT ${unit} CONTENT "#include \"${header}\"\n")
      list(APPEND units ${unit})
    endforeach()
  endforeach()
  add_library(manta_public_headers OBJECT ${units})
  set_target_properties(manta_public_headers PROPERTIES CXX_STANDARD 17)
  target_link_libraries(manta_public_headers PRIVATE manta_flags)
  target_include_directories(manta_public_headers PRIVATE ${PROJECT_SOURCE_DIR}/include)
endfunction()

# testing/<sub>/: library manta_testing_<sub>, gtest executables from *_test.cc, programs from
# *_main.cc (named without _main, in build/<preset>/testing). Included as "testing/<sub>/x.h".
# A file testing/<x>_test.cc or testing/<x>.cc directly in testing/ links all the folders.
# A file testing/<sub>/settings.cmake may set
#   MANTA_TESTING_LABEL  CTest label of the tests                     (default: sim)
#   MANTA_TESTING_DEPS   folders of src/ that are linked              (default: as below)
#   MANTA_TESTING_LIBS   further libraries, e.g. manta_testing_other  (default: none)
#   MANTA_TESTING_TIMEOUT seconds a test may take                     (default: 120)
function(manta_testing_folders)
  file(GLOB entries CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/testing/*)
  foreach(dir IN LISTS entries)
    if(IS_DIRECTORY ${dir})
      manta_testing_folder(${dir})
      get_filename_component(sub ${dir} NAME)
      list(APPEND libs manta_testing_${sub})
    endif()
  endforeach()
  file(GLOB sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/testing/*.cc)
  foreach(source IN LISTS sources)
    manta_testing_program(${source} "${libs}" LABEL sim PREFIX "testing." TIMEOUT 120)
  endforeach()
endfunction()

# One program: a gtest executable when it is a *_test.cc (ARGN: as for manta_add_gtest).
function(manta_testing_program source libs)
  get_filename_component(name ${source} NAME_WE)
  string(REGEX REPLACE "_main$" "" name ${name})
  add_executable(${name} ${source})
  set_target_properties(${name} PROPERTIES
    RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/testing)
  target_link_libraries(${name} PRIVATE manta_flags ${libs})
  if(name MATCHES "_test$")
    target_link_libraries(${name} PRIVATE GTest::gtest_main)
    manta_add_gtest(${name} ${ARGN})
  endif()
endfunction()

function(manta_testing_folder dir)
  get_filename_component(sub ${dir} NAME)
  set(MANTA_TESTING_LABEL sim)
  set(MANTA_TESTING_DEPS base shm model)
  set(MANTA_TESTING_LIBS)
  set(MANTA_TESTING_TIMEOUT 120)
  file(GLOB settings CONFIGURE_DEPENDS ${dir}/settings.cmake)
  if(settings)
    include(${settings})
  endif()

  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${dir}/*.cc)
  set(programs ${sources})
  list(FILTER programs INCLUDE REGEX "_(test|main)\\.cc$")
  list(FILTER sources EXCLUDE REGEX "_(test|main)\\.cc$")

  set(target manta_testing_${sub})
  if(sources)
    add_library(${target} STATIC ${sources})
    target_link_libraries(${target} PRIVATE manta_flags)
    set(scope PUBLIC)
  else()
    add_library(${target} INTERFACE)
    set(scope INTERFACE)
  endif()
  list(TRANSFORM MANTA_TESTING_DEPS PREPEND manta_)
  target_include_directories(${target} ${scope} ${PROJECT_SOURCE_DIR})
  target_link_libraries(${target} ${scope} ${MANTA_TESTING_DEPS} ${MANTA_TESTING_LIBS})

  foreach(source IN LISTS programs)
    manta_testing_program(${source} ${target} LABEL ${MANTA_TESTING_LABEL} PREFIX "${sub}."
                          TIMEOUT ${MANTA_TESTING_TIMEOUT})
  endforeach()
  # The tests of a folder start its programs.
  set(mains ${programs})
  list(FILTER mains INCLUDE REGEX "_main\\.cc$")
  list(FILTER programs INCLUDE REGEX "_test\\.cc$")
  foreach(test IN LISTS programs)
    get_filename_component(test ${test} NAME_WE)
    foreach(main IN LISTS mains)
      get_filename_component(main ${main} NAME_WE)
      string(REGEX REPLACE "_main$" "" main ${main})
      add_dependencies(${test} ${main})
    endforeach()
  endforeach()
endfunction()

# examples/*.cc and examples/<name>/*.cc: each file, or folder, one user's program, built as users
# build theirs (C++17, no internals), in build/<preset>/examples.
function(manta_examples)
  if(NOT TARGET manta)
    return()
  endif()
  file(GLOB entries CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/examples/*)
  foreach(entry IN LISTS entries)
    get_filename_component(name ${entry} NAME_WE)
    if(IS_DIRECTORY ${entry})
      file(GLOB sources CONFIGURE_DEPENDS ${entry}/*.cc)
    elseif(entry MATCHES "\\.cc$")
      set(sources ${entry})
    else()
      set(sources)
    endif()
    if(NOT sources)
      continue()
    endif()
    add_executable(example_${name} ${sources})
    set_target_properties(example_${name} PROPERTIES
      OUTPUT_NAME ${name}
      CXX_STANDARD 17
      RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/examples)
    target_link_libraries(example_${name} PRIVATE manta_flags manta::manta Threads::Threads)
    if(TARGET manta_exe)
      add_dependencies(example_${name} manta_exe)
    endif()
    add_dependencies(tests_scenario example_${name})
  endforeach()
endfunction()

# bench/CMakeLists.txt: the benchmark, in build/<preset>/bench. It may include headers of src/.
function(manta_benchmarks)
  file(GLOB found CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/bench/CMakeLists.txt)
  if(TARGET manta AND found)
    add_subdirectory(${PROJECT_SOURCE_DIR}/bench)
  endif()
endfunction()

# tests/support/: what the tests that span processes share. MANTA_TEST_TIME_FACTOR stretches bounds.
function(manta_test_support)
  file(GLOB sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/support/*.cc)
  if(TARGET manta_tests_support OR NOT TARGET manta OR NOT sources)
    return()
  endif()
  add_library(manta_tests_support STATIC ${sources})
  target_include_directories(manta_tests_support PUBLIC ${PROJECT_SOURCE_DIR})
  target_compile_definitions(manta_tests_support
    PUBLIC MANTA_TEST_TIME_FACTOR=${MANTA_TIMEOUT_FACTOR}
           MANTA_INCLUDE_FOLDER="${PROJECT_SOURCE_DIR}/include")
  target_link_libraries(manta_tests_support
    PRIVATE manta_flags PUBLIC manta::manta GTest::gtest Threads::Threads)
endfunction()

# manta_cross_process_tests(<folder> LABEL <label>): tests/<folder>/*_test.cc, each one gtest
# executable that uses manta as a user does; other .cc files beside them are linked into each. They
# find the daemon through MANTA_EXECUTABLE, and run one at a time.
function(manta_cross_process_tests folder)
  cmake_parse_arguments(arg "" "LABEL" "" ${ARGN})
  set(dir ${PROJECT_SOURCE_DIR}/tests/${folder})
  file(GLOB sources CONFIGURE_DEPENDS ${dir}/*.cc)
  if(NOT TARGET manta OR NOT sources)
    return()
  endif()
  set(tests ${sources})
  list(FILTER tests INCLUDE REGEX "_test\\.cc$")
  list(FILTER sources EXCLUDE REGEX "_test\\.cc$")
  manta_test_support()
  set(support)
  if(TARGET manta_tests_support)
    set(support manta_tests_support)
  endif()
  if(sources)
    set(base_support ${support})
    set(support manta_tests_${folder})
    add_library(${support} STATIC ${sources})
    target_include_directories(${support} PUBLIC ${PROJECT_SOURCE_DIR})
    target_link_libraries(${support}
      PRIVATE manta_flags PUBLIC ${base_support} manta::manta GTest::gtest)
  endif()
  foreach(test IN LISTS tests)
    get_filename_component(name ${test} NAME_WE)
    set(target ${arg_LABEL}_${name})
    add_executable(${target} ${test})
    set_target_properties(${target} PROPERTIES
      RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests/${folder})
    target_include_directories(${target} PRIVATE ${PROJECT_SOURCE_DIR})
    target_link_libraries(${target} PRIVATE manta_flags ${support} manta::manta GTest::gtest_main)
    if(MANTA_KILL_POINTS)
      target_compile_definitions(${target} PRIVATE MANTA_KILL_POINTS)
    endif()
    if(TARGET manta_exe)
      add_dependencies(${target} manta_exe)
    endif()
    manta_add_gtest(${target} LABEL ${arg_LABEL} PREFIX "${arg_LABEL}." TIMEOUT 120 PROCESSORS 64
      PROPERTIES ENVIRONMENT "MANTA_EXECUTABLE=${PROJECT_BINARY_DIR}/bin/manta")
  endforeach()
endfunction()

# tests/fuzz/*_fuzz.cc: programs fuzz_<name>, see tests/fuzz/fuzz_target.h. With the preset `fuzz` they are libFuzzer's; otherwise
# each is also a test, fuzz.<name>, that tries a fixed number of inputs.
function(manta_fuzz_targets)
  set(dir ${PROJECT_SOURCE_DIR}/tests/fuzz)
  file(GLOB targets CONFIGURE_DEPENDS ${dir}/*_fuzz.cc)
  if(NOT targets OR NOT TARGET manta_fake_c)
    return()
  endif()
  add_custom_target(tests_fuzz)
  if(MANTA_LIBFUZZER)
    set(driver libfuzzer_seeds)
  else()
    set(driver fuzz_driver)
  endif()
  add_library(manta_fuzz OBJECT ${dir}/fuzz_common.cc ${dir}/${driver}.cc)
  target_link_libraries(manta_fuzz PRIVATE manta_flags)
  target_include_directories(manta_fuzz PUBLIC ${PROJECT_SOURCE_DIR} ${PROJECT_SOURCE_DIR}/include)
  add_library(manta_fuzz_world STATIC ${dir}/worker_world.cc)
  target_link_libraries(manta_fuzz_world PRIVATE manta_flags PUBLIC manta_worker manta_node)
  target_include_directories(manta_fuzz_world PUBLIC ${PROJECT_SOURCE_DIR})
  foreach(source IN LISTS targets)
    get_filename_component(name ${source} NAME_WE)
    string(REGEX REPLACE "_fuzz$" "" name ${name})
    set(target fuzz_${name})
    add_executable(${target} ${source} ${MANTA_FUZZ_SOURCES_${name}} $<TARGET_OBJECTS:manta_fuzz>)
    set_target_properties(${target} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests/fuzz)
    target_include_directories(${target} PRIVATE ${PROJECT_SOURCE_DIR})
    target_link_libraries(${target} PRIVATE manta_flags ${MANTA_FUZZ_LIBS_${name}})
    add_dependencies(tests_fuzz ${target})
    if(MANTA_LIBFUZZER)
      target_link_options(${target} PRIVATE -fsanitize=fuzzer)
    else()
      set(runs 100000)
      if(DEFINED MANTA_FUZZ_RUNS_${name})
        set(runs ${MANTA_FUZZ_RUNS_${name}})
      endif()
      add_test(NAME fuzz.${name}
               COMMAND ${target} -runs=${runs} -seed=1 -artifact_prefix=${PROJECT_BINARY_DIR}/tests/fuzz/${name}-)
      math(EXPR timeout "60 * ${MANTA_TIMEOUT_FACTOR}")
      set_tests_properties(fuzz.${name} PROPERTIES LABELS fuzz TIMEOUT ${timeout})
    endif()
  endforeach()
endfunction()

# The checks of the tree itself: layers (also as a step of the default build), exported symbols.
function(manta_lint)
  set(check_layers ${PROJECT_SOURCE_DIR}/tools/check_layers.py)
  file(GLOB_RECURSE inputs CONFIGURE_DEPENDS
       ${PROJECT_SOURCE_DIR}/src/*.h ${PROJECT_SOURCE_DIR}/src/*.cc
       ${PROJECT_SOURCE_DIR}/include/*.h)
  set(stamp ${PROJECT_BINARY_DIR}/check_layers.stamp)
  add_custom_command(
    OUTPUT ${stamp}
    COMMAND ${Python3_EXECUTABLE} ${check_layers} ${PROJECT_SOURCE_DIR}
    COMMAND ${CMAKE_COMMAND} -E touch ${stamp}
    DEPENDS ${check_layers} ${MANTA_LAYERS_FILE} ${inputs}
    COMMENT "Checking includes against layers.txt"
    VERBATIM)
  add_custom_target(check_layers ALL DEPENDS ${stamp})
  add_test(NAME lint.layers
           COMMAND ${Python3_EXECUTABLE} ${check_layers} ${PROJECT_SOURCE_DIR})
  add_test(NAME lint.planted
           COMMAND ${Python3_EXECUTABLE} ${PROJECT_SOURCE_DIR}/tools/planted.py check)
  set_tests_properties(lint.layers lint.planted PROPERTIES LABELS lint)
  if(TARGET manta AND NOT MANTA_SANITIZE)
    add_test(NAME lint.exports
             COMMAND ${Python3_EXECUTABLE} ${PROJECT_SOURCE_DIR}/tools/check_exports.py
                     $<TARGET_FILE:manta>)
    set_tests_properties(lint.exports PROPERTIES LABELS lint)
  endif()
endfunction()
