// Names of functions from the symbol table of an ELF file. Executables do not export their functions, so the dynamic
// linker (dladdr) does not know them; the file does, unless it was stripped.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace manta::stacks {

// For each of `addresses` (as the file has them, before it is loaded) the mangled name of the function whose code contains it;
// "" where none does, and everywhere if the file cannot be read, is no 64-bit ELF file of this byte order, or is damaged.
// One pass over the table in small pieces: time is linear in its size, memory is constant. Reads `fd`, does not move its
// position, does not close it.
std::vector<std::string> FunctionsAt(int fd, std::span<const uint64_t> addresses);

}  // namespace manta::stacks
