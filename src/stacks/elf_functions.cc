#include "stacks/elf_functions.h"

#include <elf.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cstring>

namespace manta::stacks {
namespace {

constexpr size_t kPiece = 1024;           // symbols per read
constexpr uint32_t kMaxSections = 65536;  // more are garbage
constexpr size_t kMaxName = 4096;
constexpr unsigned char kByteOrder = std::endian::native == std::endian::little ? ELFDATA2LSB : ELFDATA2MSB;

// False unless all of it is there.
bool ReadAt(int fd, uint64_t offset, void* out, size_t size) {
  if (offset > uint64_t{INT64_MAX} - size) return false;
  return pread(fd, out, size, static_cast<off_t>(offset)) == static_cast<ssize_t>(size);
}

struct Table {
  Elf64_Shdr symbols;
  Elf64_Shdr names;
};

// The full symbol table, or else the one of exported names, which stripping leaves.
bool FindTable(int fd, Table* out) {
  Elf64_Ehdr file;
  if (!ReadAt(fd, 0, &file, sizeof file)) return false;
  if (std::memcmp(file.e_ident, ELFMAG, SELFMAG) != 0 || file.e_ident[EI_CLASS] != ELFCLASS64 ||
      file.e_ident[EI_DATA] != kByteOrder || file.e_shentsize != sizeof(Elf64_Shdr)) {
    return false;
  }
  Elf64_Shdr first;
  if (!ReadAt(fd, file.e_shoff, &first, sizeof first)) return false;
  // A file with many sections keeps their number in the first one.
  const uint64_t count = file.e_shnum != 0 ? file.e_shnum : first.sh_size;
  if (count > kMaxSections) return false;
  std::vector<Elf64_Shdr> sections(count);
  if (!ReadAt(fd, file.e_shoff, sections.data(), count * sizeof(Elf64_Shdr))) return false;
  for (const uint32_t type : {SHT_SYMTAB, SHT_DYNSYM}) {
    for (const Elf64_Shdr& section : sections) {
      if (section.sh_type != type || section.sh_entsize != sizeof(Elf64_Sym) || section.sh_link >= count) continue;
      *out = {section, sections[section.sh_link]};
      return true;
    }
  }
  return false;
}

std::string NameAt(int fd, const Elf64_Shdr& names, uint32_t offset) {
  if (offset >= names.sh_size) return {};
  std::string name(std::min<uint64_t>(kMaxName, names.sh_size - offset), '\0');
  if (names.sh_offset > uint64_t{INT64_MAX} - offset) return {};
  const ssize_t got = pread(fd, name.data(), name.size(), static_cast<off_t>(names.sh_offset + offset));
  name.resize(got > 0 ? static_cast<size_t>(got) : 0);
  const size_t end = name.find('\0');
  if (end == std::string::npos) return {};  // cut off, and so no name
  name.resize(end);
  return name;
}

}  // namespace

std::vector<std::string> FunctionsAt(int fd, std::span<const uint64_t> addresses) {
  std::vector<std::string> result(addresses.size());
  Table table;
  if (!FindTable(fd, &table)) return result;

  std::vector<uint32_t> names(addresses.size(), 0);
  std::vector<Elf64_Sym> piece(kPiece);
  uint64_t at = table.symbols.sh_offset;
  for (uint64_t left = table.symbols.sh_size / sizeof(Elf64_Sym); left > 0;) {
    const size_t count = std::min<uint64_t>(left, kPiece);
    if (!ReadAt(fd, at, piece.data(), count * sizeof(Elf64_Sym))) break;
    for (size_t i = 0; i < count; ++i) {
      const Elf64_Sym& symbol = piece[i];
      if (ELF64_ST_TYPE(symbol.st_info) != STT_FUNC || symbol.st_shndx == SHN_UNDEF) continue;
      for (size_t k = 0; k < addresses.size(); ++k) {
        if (addresses[k] - symbol.st_value < symbol.st_size) names[k] = symbol.st_name;
      }
    }
    at += count * sizeof(Elf64_Sym);
    left -= count;
  }
  for (size_t k = 0; k < names.size(); ++k) {
    if (names[k] != 0) result[k] = NameAt(fd, table.names, names[k]);
  }
  return result;
}

}  // namespace manta::stacks
