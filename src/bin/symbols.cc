#include "bin/symbols.h"

#include <elf.h>
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string_view>

#include "base/unique_fd.h"
#include "stacks/elf_functions.h"
#include "stacks/function_name.h"

namespace manta::bin {
namespace {

constexpr uint64_t kMaxNoteBytes = 64 * 1024;  // more is garbage

// At most so many bytes.
std::string ReadAt(int fd, uint64_t offset, uint64_t size) {
  if (offset > INT64_MAX || size > kMaxNoteBytes) return {};
  std::string bytes(size, '\0');
  const ssize_t got = pread(fd, bytes.data(), size, static_cast<off_t>(offset));
  bytes.resize(got > 0 ? static_cast<size_t>(got) : 0);
  return bytes;
}

template <class T>
bool Get(int fd, uint64_t offset, T* value) {
  const std::string bytes = ReadAt(fd, offset, sizeof *value);
  if (bytes.size() != sizeof *value) return false;
  std::memcpy(value, bytes.data(), sizeof *value);
  return true;
}

std::string BuildIdIn(std::string_view notes) {
  Elf64_Nhdr note;
  while (notes.size() >= sizeof note) {
    std::memcpy(&note, notes.data(), sizeof note);
    const uint64_t name = (uint64_t{note.n_namesz} + 3) & ~uint64_t{3};
    const uint64_t text = (uint64_t{note.n_descsz} + 3) & ~uint64_t{3};
    if (name + text > notes.size() - sizeof note) return {};
    if (note.n_type == NT_GNU_BUILD_ID && notes.substr(sizeof note, 4) == std::string_view("GNU", 4)) {
      std::string hex;
      for (const char c : notes.substr(sizeof note + name, note.n_descsz)) {
        char digits[3];
        std::snprintf(digits, sizeof digits, "%02x", static_cast<unsigned char>(c));
        hex += digits;
      }
      return hex;
    }
    notes.remove_prefix(sizeof note + name + text);
  }
  return {};
}

// Of what is no ELF file, "".
std::string BuildIdOf(int fd) {
  Elf64_Ehdr header;
  if (!Get(fd, 0, &header) || std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0) return {};
  for (uint32_t i = 0; i < header.e_phnum; ++i) {
    Elf64_Phdr segment;
    if (!Get(fd, header.e_phoff + i * sizeof segment, &segment)) return {};
    if (segment.p_type != PT_NOTE) continue;
    if (std::string id = BuildIdIn(ReadAt(fd, segment.p_offset, segment.p_filesz)); !id.empty()) return id;
  }
  return {};
}

}  // namespace

Result<std::vector<std::string>> FunctionsOfModule(const std::string& path, const std::string& build_id,
                                                   std::span<const uint64_t> addresses) {
  const UniqueFd file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!file) return ErrnoError("opening " + path, errno);
  if (BuildIdOf(file.get()) != build_id) {
    return MakeError(MANTA_ERROR_INVALID_ARGUMENT, path + " has been built anew since");
  }
  std::vector<std::string> names = stacks::FunctionsAt(file.get(), addresses);
  for (std::string& name : names) name = stacks::Demangled(name);
  return names;
}

}  // namespace manta::bin
