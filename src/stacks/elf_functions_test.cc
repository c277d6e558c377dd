#include "stacks/elf_functions.h"

#include <elf.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <link.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstring>
#include <random>

// Not exported, and so in the symbol table of the file alone.
[[gnu::noinline]] static int SomewhereInThisProgram(int x) { return x * 3 + 1; }

namespace manta::stacks {
namespace {

class File {
 public:
  explicit File(const std::vector<unsigned char>& bytes) : fd_(memfd_create("elf", MFD_CLOEXEC)) {
    EXPECT_EQ(write(fd_, bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
  }
  explicit File(const char* path) : fd_(open(path, O_RDONLY | O_CLOEXEC)) {}
  ~File() { close(fd_); }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  int fd() const { return fd_; }

 private:
  int fd_;
};

// A file with the functions first [0x1000, 0x1010) and second [0x1010, 0x1020), and data at 0x1020.
struct Small {
  Elf64_Ehdr header{};
  Elf64_Shdr sections[3]{};
  Elf64_Sym symbols[4]{};
  char names[20] = "\0first\0second\0data";

  Small() {
    std::memcpy(header.e_ident, ELFMAG, SELFMAG);
    header.e_ident[EI_CLASS] = ELFCLASS64;
    header.e_ident[EI_DATA] = ELFDATA2LSB;
    header.e_shoff = offsetof(Small, sections);
    header.e_shentsize = sizeof(Elf64_Shdr);
    header.e_shnum = 3;
    sections[1].sh_type = SHT_SYMTAB;
    sections[1].sh_entsize = sizeof(Elf64_Sym);
    sections[1].sh_link = 2;
    sections[1].sh_offset = offsetof(Small, symbols);
    sections[1].sh_size = sizeof symbols;
    sections[2].sh_offset = offsetof(Small, names);
    sections[2].sh_size = sizeof names;
    symbols[1] = {1, ELF64_ST_INFO(STB_GLOBAL, STT_FUNC), 0, 1, 0x1000, 16};
    symbols[2] = {7, ELF64_ST_INFO(STB_LOCAL, STT_FUNC), 0, 1, 0x1010, 16};
    symbols[3] = {14, ELF64_ST_INFO(STB_LOCAL, STT_OBJECT), 0, 1, 0x1020, 16};
  }
  std::vector<unsigned char> bytes() const {
    const auto* begin = reinterpret_cast<const unsigned char*>(this);
    return {begin, begin + sizeof *this};
  }
};

using Names = std::vector<std::string>;

Names NamesIn(const std::vector<unsigned char>& bytes) {
  return FunctionsAt(File(bytes).fd(), std::vector<uint64_t>{0xfff, 0x1000, 0x100f, 0x1010, 0x1020, 0});
}

TEST(ElfFunctions, FindsTheFunctionThatContainsAnAddress) {
  EXPECT_EQ(NamesIn(Small().bytes()), (Names{"", "first", "first", "second", "", ""}));
}

TEST(ElfFunctions, FindsFunctionsThatThisProgramDoesNotExport) {
  uintptr_t base = 0;
  dl_iterate_phdr(
      [](dl_phdr_info* info, size_t, void* out) {
        *static_cast<uintptr_t*>(out) = info->dlpi_addr;
        return 1;  // the program comes first
      },
      &base);
  const uint64_t address = reinterpret_cast<uintptr_t>(&SomewhereInThisProgram) - base;
  const File program("/proc/self/exe");
  EXPECT_EQ(FunctionsAt(program.fd(), std::vector{address}), (Names{"_ZL22SomewhereInThisProgrami"}));
}

TEST(ElfFunctions, OfAStrippedFileThereAreTheExportedOnes) {
  Small small;
  small.sections[1].sh_type = SHT_DYNSYM;
  EXPECT_EQ(NamesIn(small.bytes())[1], "first");
  small.sections[1].sh_type = SHT_NOTE;
  EXPECT_EQ(NamesIn(small.bytes()), Names(6));
}

TEST(ElfFunctions, OtherFilesHaveNone) {
  EXPECT_EQ(FunctionsAt(-1, std::vector<uint64_t>{1}), Names(1));
  EXPECT_EQ(NamesIn({}), Names(6));
  Small other_class;
  other_class.header.e_ident[EI_CLASS] = ELFCLASS32;
  EXPECT_EQ(NamesIn(other_class.bytes()), Names(6));
}

TEST(ElfFunctions, NamesAndTablesOutOfTheFileAreLeftOut) {
  Small names;
  names.symbols[1].st_name = sizeof names.names;
  EXPECT_EQ(NamesIn(names.bytes()), (Names{"", "", "", "second", "", ""}));
  Small table;
  table.sections[1].sh_offset = UINT64_MAX - 8;
  EXPECT_EQ(NamesIn(table.bytes()), Names(6));
  Small sections;
  sections.header.e_shnum = 65535;
  EXPECT_EQ(NamesIn(sections.bytes()), Names(6));
  Small link;
  link.sections[1].sh_link = 3;
  EXPECT_EQ(NamesIn(link.bytes()), Names(6));
  Small huge;
  huge.sections[1].sh_size = UINT64_MAX;
  EXPECT_EQ(NamesIn(huge.bytes()), Names(6));
}

TEST(ElfFunctions, DamagedFilesDoNoHarm) {
  std::minstd_rand random(1);
  const std::vector<unsigned char> whole = Small().bytes();
  for (int i = 0; i < 3000; ++i) {
    std::vector<unsigned char> damaged = whole;
    for (int k = 0; k < 4; ++k) damaged[random() % damaged.size()] = static_cast<unsigned char>(random());
    damaged.resize(random() % 4 == 0 ? random() % damaged.size() : damaged.size());
    for (const std::string& name : NamesIn(damaged)) EXPECT_LE(name.size(), 4096u);
  }
}

}  // namespace
}  // namespace manta::stacks
