# The Python package: the extension of src/bindings/python beside a copy of python/manta, in python/ of the build folder, and its tests.
include_guard(GLOBAL)

function(manta_python_extension)
  find_package(Python3 REQUIRED COMPONENTS Interpreter Development.Module)
  file(GLOB sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/bindings/python/*.cc)
  Python3_add_library(manta_python MODULE ${sources})
  target_include_directories(manta_python PRIVATE ${PROJECT_SOURCE_DIR}/src)
  target_link_libraries(manta_python PRIVATE manta_flags manta)
  # The types that Python calls back take their arguments as PyObject*, whatever the slot says.
  target_compile_options(manta_python PRIVATE -Wno-missing-field-initializers -Wno-cast-function-type)
  if(SKBUILD_SABI_VERSION)  # src/bindings/python/stable_abi.h; set for the versions that pyproject.toml names as wheel.py-api
    target_compile_definitions(manta_python PRIVATE Py_LIMITED_API=0x030C0000)
  endif()
  set_target_properties(manta_python PROPERTIES
    PREFIX "" OUTPUT_NAME _manta SUFFIX ".so" LIBRARY_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/python/manta)
endfunction()

# For the interpreter that `./dev setup` has prepared; without it the package is left out. In a wheel's build: for the one that makes it, and
# the extension alone.
function(manta_python)
  if(MANTA_WHEEL)
    manta_python_extension()
    return()
  endif()
  file(GLOB interpreter CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/build/python/bin/python3)
  if(MANTA_SANITIZE OR NOT interpreter)
    message(STATUS "manta: no build/python (./dev setup makes it), or a sanitizer: the Python package is left out")
    return()
  endif()
  set(Python3_EXECUTABLE ${interpreter})
  manta_python_extension()

  file(GLOB_RECURSE modules RELATIVE ${PROJECT_SOURCE_DIR}/python CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/python/manta/*.py)
  set(copies)
  foreach(module IN LISTS modules)
    add_custom_command(OUTPUT ${PROJECT_BINARY_DIR}/python/${module}
      COMMAND ${CMAKE_COMMAND} -E copy ${PROJECT_SOURCE_DIR}/python/${module} ${PROJECT_BINARY_DIR}/python/${module}
      DEPENDS ${PROJECT_SOURCE_DIR}/python/${module}
      VERBATIM)
    list(APPEND copies ${PROJECT_BINARY_DIR}/python/${module})
  endforeach()
  add_custom_target(manta_python_modules ALL DEPENDS ${copies})
  add_dependencies(manta_python manta_python_modules)

  set(environment "PYTHONPATH=${PROJECT_BINARY_DIR}/python;MANTA_EXECUTABLE=$<TARGET_FILE:manta_exe>;PYTHONDONTWRITEBYTECODE=1")
  file(GLOB tests CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/python/test_*.py)
  foreach(test IN LISTS tests)
    get_filename_component(name ${test} NAME_WE)
    string(REPLACE "test_" "" name ${name})
    add_test(NAME python.${name}
      COMMAND ${Python3_EXECUTABLE} -m pytest -q -x --no-header -p no:cacheprovider ${test}
      WORKING_DIRECTORY ${PROJECT_SOURCE_DIR}/tests/python)
    set_tests_properties(python.${name} PROPERTIES LABELS python TIMEOUT 180 ENVIRONMENT "${environment}")
  endforeach()

  add_test(NAME package.wheel
    COMMAND ${Python3_EXECUTABLE} ${PROJECT_SOURCE_DIR}/tools/check_wheel.py ${PROJECT_SOURCE_DIR} ${Python3_EXECUTABLE})
  set_tests_properties(package.wheel PROPERTIES LABELS package TIMEOUT 1200 PROCESSORS 64)

  # Programs that say `import ray` and use other packages; each checks its own results, and ends with 77 where its packages are missing.
  file(GLOB programs CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/ecosystem/*.py)
  foreach(program IN LISTS programs)
    get_filename_component(name ${program} NAME_WE)
    add_test(NAME ecosystem.${name} COMMAND ${Python3_EXECUTABLE} -m manta.as_ray ${program})
    set_tests_properties(ecosystem.${name} PROPERTIES LABELS python TIMEOUT 180 SKIP_RETURN_CODE 77 ENVIRONMENT "${environment}")
  endforeach()
endfunction()
