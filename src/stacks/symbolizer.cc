#include "stacks/symbolizer.h"

#include <fcntl.h>
#include <link.h>
#include <unistd.h>

#include <algorithm>
#include <climits>

#include "stacks/elf_functions.h"
#include "stacks/function_name.h"

namespace manta::stacks {
namespace {

// A program that throws from more places than this begins anew.
constexpr size_t kMaxKnown = 8192;

struct Module {
  uintptr_t base = 0;
  std::string path;     // to show
  std::string to_open;  // may differ: the file of the running program may have been replaced
};

std::string PathOfProgram() {
  char path[PATH_MAX];
  const ssize_t size = readlink("/proc/self/exe", path, sizeof path);
  return size > 0 ? std::string(path, static_cast<size_t>(size)) : "the program";
}

struct Search {
  uintptr_t address;
  Module* module;
};

int LookAt(dl_phdr_info* info, size_t, void* data) {
  const auto& search = *static_cast<Search*>(data);
  for (int i = 0; i < info->dlpi_phnum; ++i) {
    const ElfW(Phdr)& segment = info->dlpi_phdr[i];
    if (segment.p_type != PT_LOAD ||
        search.address - info->dlpi_addr - segment.p_vaddr >= segment.p_memsz) {
      continue;
    }
    const bool is_program = info->dlpi_name == nullptr || info->dlpi_name[0] == '\0';
    search.module->base = info->dlpi_addr;
    search.module->path = is_program ? PathOfProgram() : info->dlpi_name;
    search.module->to_open = is_program ? "/proc/self/exe" : info->dlpi_name;
    return 1;
  }
  return 0;
}

// Without a path if `address` is in none.
Module ModuleOf(uintptr_t address) {
  Module module;
  Search search{address, &module};
  dl_iterate_phdr(LookAt, &search);
  return module;
}

}  // namespace

Symbolizer& Symbolizer::OfThisProcess() {
  static auto* const symbolizer = new Symbolizer;  // never destroyed: threads may still throw at exit
  return *symbolizer;
}

std::vector<Frame> Symbolizer::Describe(std::span<const uintptr_t> addresses) {
  std::lock_guard guard(mutex_);
  if (known_.size() + addresses.size() > kMaxKnown) known_.clear();
  std::vector<uintptr_t> fresh;
  for (const uintptr_t address : addresses) {
    if (!known_.contains(address)) fresh.push_back(address);
  }
  if (!fresh.empty()) Learn(fresh);
  std::vector<Frame> frames;
  frames.reserve(addresses.size());
  for (const uintptr_t address : addresses) frames.push_back(known_[address]);
  return frames;
}

std::string Symbolizer::FunctionAt(uintptr_t address) {
  std::lock_guard guard(mutex_);
  if (const auto known = functions_.find(address); known != functions_.end()) return known->second;
  if (functions_.size() >= kMaxKnown) functions_.clear();
  std::string& function = functions_[address];
  const Module module = ModuleOf(address);
  const int fd = module.to_open.empty() ? -1 : open(module.to_open.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return function;
  const uint64_t offset[] = {address - module.base};
  function = Demangled(FunctionsAt(fd, offset).front());
  close(fd);
  return function;
}

// Module by module, since a pass over a symbol table is what costs.
void Symbolizer::Learn(std::span<const uintptr_t> addresses) {
  std::unordered_map<std::string, std::vector<uintptr_t>> of_module;
  std::unordered_map<std::string, Module> modules;
  for (const uintptr_t address : addresses) {
    const Module module = ModuleOf(address);
    Frame& frame = known_[address];
    frame.module = module.path;
    frame.offset = address - module.base;
    frame.source = lines_.Find(address);
    of_module[module.to_open].push_back(address);
    modules.try_emplace(module.to_open, module);
  }
  for (const auto& [file, inside] : of_module) {
    const int fd = file.empty() ? -1 : open(file.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) continue;
    std::vector<uint64_t> offsets;
    for (const uintptr_t address : inside) offsets.push_back(address - modules[file].base);
    const std::vector<std::string> symbols = FunctionsAt(fd, offsets);
    close(fd);
    for (size_t i = 0; i < inside.size(); ++i) {
      known_[inside[i]].symbol = symbols[i];
      known_[inside[i]].function = Demangled(symbols[i]);
    }
  }
}

}  // namespace manta::stacks
