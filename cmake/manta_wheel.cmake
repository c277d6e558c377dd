# What a wheel contains beside the Python modules (pyproject.toml), below its folder manta/: the extension and the package of manta_package.
# A wheel has no symbolic links, so the library has one name; and shared libraries that a machine may lack come along.
include_guard(GLOBAL)
include(manta_package)

set_property(TARGET manta PROPERTY SOVERSION)
set_property(TARGET manta PROPERTY VERSION)
set_target_properties(manta_python PROPERTIES INSTALL_RPATH "$ORIGIN/lib")
set_target_properties(manta_exe PROPERTIES INSTALL_RPATH "$ORIGIN/../lib")

install(TARGETS manta_python COMPONENT package LIBRARY DESTINATION .)

# The daemon's, under the names by which it asks for them.
install(CODE [[
  file(GET_RUNTIME_DEPENDENCIES EXECUTABLES "$<TARGET_FILE:manta_exe>" RESOLVED_DEPENDENCIES_VAR found
       POST_INCLUDE_REGEXES "lib(spdlog|fmt)\\.so" POST_EXCLUDE_REGEXES ".*")
  foreach(library IN LISTS found)
    get_filename_component(name "${library}" NAME)
    file(REAL_PATH "${library}" file)
    file(INSTALL DESTINATION "${CMAKE_INSTALL_PREFIX}/lib" TYPE PROGRAM RENAME "${name}" FILES "${file}")
  endforeach()
]] COMPONENT package)
