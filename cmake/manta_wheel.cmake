# What a wheel contains beside the Python modules (pyproject.toml), below its folder manta/:
#   _manta.so   bin/manta   lib/libmanta.so   lib/cmake/manta   include/manta/*.h
# A wheel has no symbolic links, so the library has one name; and shared libraries that a machine may lack come along.
include_guard(GLOBAL)
include(CMakePackageConfigHelpers)

set_property(TARGET manta PROPERTY SOVERSION)
set_property(TARGET manta PROPERTY VERSION)
set_target_properties(manta_python PROPERTIES INSTALL_RPATH "$ORIGIN/lib")
set_target_properties(manta_exe PROPERTIES INSTALL_RPATH "$ORIGIN/../lib")

install(TARGETS manta_python COMPONENT wheel LIBRARY DESTINATION .)
install(TARGETS manta_exe COMPONENT wheel RUNTIME DESTINATION bin)
install(TARGETS manta EXPORT manta-targets COMPONENT wheel LIBRARY DESTINATION lib)
install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/ DESTINATION include COMPONENT wheel FILES_MATCHING PATTERN "*.h")
install(EXPORT manta-targets NAMESPACE manta:: DESTINATION lib/cmake/manta COMPONENT wheel)
configure_package_config_file(
  ${PROJECT_SOURCE_DIR}/cmake/manta_config.cmake.in ${PROJECT_BINARY_DIR}/manta-config.cmake
  INSTALL_DESTINATION lib/cmake/manta)
write_basic_package_version_file(${PROJECT_BINARY_DIR}/manta-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/manta-config.cmake ${PROJECT_BINARY_DIR}/manta-config-version.cmake
        DESTINATION lib/cmake/manta COMPONENT wheel)

# The daemon's, under the names by which it asks for them.
install(CODE [[
  file(GET_RUNTIME_DEPENDENCIES EXECUTABLES "$<TARGET_FILE:manta_exe>" RESOLVED_DEPENDENCIES_VAR found
       POST_INCLUDE_REGEXES "lib(spdlog|fmt)\\.so" POST_EXCLUDE_REGEXES ".*")
  foreach(library IN LISTS found)
    get_filename_component(name "${library}" NAME)
    file(REAL_PATH "${library}" file)
    file(INSTALL DESTINATION "${CMAKE_INSTALL_PREFIX}/lib" TYPE PROGRAM RENAME "${name}" FILES "${file}")
  endforeach()
]] COMPONENT wheel)
