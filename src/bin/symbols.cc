#include "bin/symbols.h"

#include <cxxabi.h>
#include <elf.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include "node/unique_fd.h"

namespace manta::bin {
namespace {

// A file's bytes; whatever lies outside of them is not there.
class Image {
 public:
  static Result<Image> Map(const std::string& path) {
    const node::UniqueFd file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    struct stat status;
    if (!file || fstat(file.get(), &status) != 0) return ErrnoError("opening " + path, errno);
    if (!S_ISREG(status.st_mode) || status.st_size == 0) {
      return MakeError(MANTA_ERROR_INVALID_ARGUMENT, path + " is no program");
    }
    const auto size = static_cast<size_t>(status.st_size);
    void* bytes = mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file.get(), 0);
    if (bytes == MAP_FAILED) return ErrnoError("mapping " + path, errno);
    return Image(static_cast<const char*>(bytes), size);
  }
  Image(Image&& other) noexcept : bytes_(other.bytes_), size_(std::exchange(other.size_, 0)) {}
  Image(const Image&) = delete;
  ~Image() {
    if (size_ != 0) munmap(const_cast<char*>(bytes_), size_);
  }

  template <class T>
  bool Get(uint64_t offset, T* value) const {
    if (offset > size_ || sizeof(T) > size_ - offset) return false;
    std::memcpy(value, bytes_ + offset, sizeof(T));
    return true;
  }
  // Up to the zero byte, or nothing.
  std::string TextAt(uint64_t offset) const {
    if (offset >= size_) return {};
    const void* end = std::memchr(bytes_ + offset, 0, size_ - offset);
    return end == nullptr ? std::string() : std::string(bytes_ + offset);
  }
  std::string_view Bytes(uint64_t offset, uint64_t count) const {
    if (offset > size_ || count > size_ - offset) return {};
    return {bytes_ + offset, count};
  }

 private:
  Image(const char* bytes, size_t size) : bytes_(bytes), size_(size) {}
  const char* bytes_;
  size_t size_;
};

std::string BuildIdIn(std::string_view notes) {
  while (notes.size() >= sizeof(Elf64_Nhdr)) {
    Elf64_Nhdr note;
    std::memcpy(&note, notes.data(), sizeof note);
    const uint64_t name = (uint64_t{note.n_namesz} + 3) & ~uint64_t{3};
    const uint64_t text = (uint64_t{note.n_descsz} + 3) & ~uint64_t{3};
    if (name + text > notes.size() - sizeof note) return {};
    const std::string_view description = notes.substr(sizeof note + name, note.n_descsz);
    if (note.n_type == NT_GNU_BUILD_ID && notes.substr(sizeof note, 4) == std::string_view("GNU", 4)) {
      std::string hex;
      for (const char c : description) {
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

std::string Demangled(const std::string& name) {
  int status = 0;
  char* text = abi::__cxa_demangle(name.c_str(), nullptr, nullptr, &status);
  std::string readable = text != nullptr ? text : name;
  std::free(text);
  return readable;
}

}  // namespace

Result<Symbols> Symbols::Read(const std::string& path, const std::string& build_id) {
  Result<Image> image = Image::Map(path);
  if (!image) return image.error();
  Elf64_Ehdr header;
  if (!image->Get(0, &header) || std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 ||
      header.e_ident[EI_CLASS] != ELFCLASS64) {
    return MakeError(MANTA_ERROR_INVALID_ARGUMENT, path + " is no 64-bit ELF file");
  }
  std::string found_id;
  for (uint32_t i = 0; i < header.e_phnum && found_id.empty(); ++i) {
    Elf64_Phdr segment;
    if (!image->Get(header.e_phoff + i * sizeof segment, &segment)) break;
    if (segment.p_type == PT_NOTE) found_id = BuildIdIn(image->Bytes(segment.p_offset, segment.p_filesz));
  }
  if (found_id != build_id) {
    return MakeError(MANTA_ERROR_INVALID_ARGUMENT, path + " has been built anew since");
  }
  Symbols symbols;
  for (uint32_t i = 0; i < header.e_shnum; ++i) {
    Elf64_Shdr table, texts;
    if (!image->Get(header.e_shoff + i * sizeof table, &table)) break;
    if (table.sh_type != SHT_SYMTAB && table.sh_type != SHT_DYNSYM) continue;
    if (!image->Get(header.e_shoff + table.sh_link * sizeof texts, &texts)) continue;
    const uint64_t count = table.sh_size / sizeof(Elf64_Sym);
    for (uint64_t k = 0; k < count; ++k) {
      Elf64_Sym symbol;
      if (!image->Get(table.sh_offset + k * sizeof symbol, &symbol)) break;
      if (ELF64_ST_TYPE(symbol.st_info) != STT_FUNC || symbol.st_value == 0) continue;
      symbols.functions_.try_emplace(symbol.st_value, image->TextAt(texts.sh_offset + symbol.st_name));
    }
  }
  return symbols;
}

std::string Symbols::NameAt(uint64_t offset) const {
  const auto found = functions_.find(offset);
  return found == functions_.end() ? std::string() : Demangled(found->second);
}

std::string WithoutSignature(const std::string& demangled) {
  // The last ')' closes the parameters, whatever qualifiers follow; what is in front of its '(' is the name.
  size_t end = demangled.rfind(')');
  if (end == std::string::npos) return demangled;
  int depth = 0;
  do {
    depth += demangled[end] == ')' ? 1 : demangled[end] == '(' ? -1 : 0;
  } while (depth > 0 && end-- > 0);
  if (depth != 0 || end == 0) return demangled;
  const std::string name = demangled.substr(0, end);
  // Templates have their result type in front.
  size_t begin = 0;
  depth = 0;
  for (size_t i = 0; i < name.size(); ++i) {
    if (name[i] == '<' || name[i] == '(') ++depth;
    if (name[i] == '>' || name[i] == ')') --depth;
    if (name[i] == ' ' && depth == 0 && name.find("operator", begin) > i) begin = i + 1;
  }
  return name.substr(begin);
}

}  // namespace manta::bin
