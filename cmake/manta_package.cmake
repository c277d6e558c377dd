# cmake --install, and the relocatable package find_package(manta) -> manta::manta.
include_guard(GLOBAL)
