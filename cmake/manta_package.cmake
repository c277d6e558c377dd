# cmake --install, and the relocatable package, which wheels contain too: find_package(manta) gives manta::manta.
#   PREFIX/include/manta/*.h   PREFIX/lib/libmanta.so   PREFIX/bin/manta   PREFIX/lib/cmake/manta
include_guard(GLOBAL)
include(CMakePackageConfigHelpers)

if(TARGET manta)
  install(TARGETS manta EXPORT manta-targets COMPONENT package LIBRARY DESTINATION lib)
  if(TARGET manta_exe)
    install(TARGETS manta_exe COMPONENT package RUNTIME DESTINATION bin)
  endif()
  install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/ DESTINATION include COMPONENT package FILES_MATCHING PATTERN "*.h")
  install(EXPORT manta-targets NAMESPACE manta:: DESTINATION lib/cmake/manta COMPONENT package)
  configure_package_config_file(
    ${PROJECT_SOURCE_DIR}/cmake/manta_config.cmake.in ${PROJECT_BINARY_DIR}/manta-config.cmake
    INSTALL_DESTINATION lib/cmake/manta)
  write_basic_package_version_file(
    ${PROJECT_BINARY_DIR}/manta-config-version.cmake COMPATIBILITY SameMinorVersion)
  install(FILES ${PROJECT_BINARY_DIR}/manta-config.cmake
                ${PROJECT_BINARY_DIR}/manta-config-version.cmake
          DESTINATION lib/cmake/manta COMPONENT package)
endif()

# A sanitized library needs a sanitized program, so the outside project is tried without only.
if(NOT MANTA_SANITIZE AND NOT MANTA_WHEEL)
  add_test(NAME package.outside_project
           COMMAND ${Python3_EXECUTABLE} ${PROJECT_SOURCE_DIR}/tools/check_package.py
                   ${PROJECT_SOURCE_DIR} ${PROJECT_BINARY_DIR})
  set_tests_properties(package.outside_project PROPERTIES
    LABELS package SKIP_RETURN_CODE 77 TIMEOUT 600 PROCESSORS 64)
  # The programs of the page for users of C++, each compiled, run and compared with what the page says.
  add_test(NAME package.cpp_guide
           COMMAND ${CMAKE_COMMAND} -E env CXX=${CMAKE_CXX_COMPILER}
                   ${Python3_EXECUTABLE} ${PROJECT_SOURCE_DIR}/tools/check_cpp_guide.py
                   ${PROJECT_SOURCE_DIR} ${PROJECT_BINARY_DIR})
  set_tests_properties(package.cpp_guide PROPERTIES
    LABELS package SKIP_RETURN_CODE 77 TIMEOUT 600 PROCESSORS 64)
endif()
