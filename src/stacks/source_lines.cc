#include "stacks/source_lines.h"

#include <dlfcn.h>
#include <unistd.h>

#include <memory>

namespace manta::stacks {
namespace {

// As <elfutils/libdwfl.h> has them, so that building needs no elfutils.
struct DwflCallbacks {
  void* find_elf;
  int (*find_debuginfo)(void* module, void** user_data, const char* name, uint64_t base, const char* file,
                        const char* link, uint32_t crc, char** result);
  void* section_address;
  char** debuginfo_path;
};

// What the module itself does not have is not looked for: the standard way may ask servers.
int NoOtherFiles(void*, void**, const char*, uint64_t, const char*, const char*, uint32_t, char**) { return -1; }

}  // namespace

struct SourceLines::Library {
  DwflCallbacks callbacks{};
  void* (*begin)(const DwflCallbacks*);
  void (*end)(void*);
  void (*report_begin)(void*);
  int (*linux_proc_report)(void*, pid_t);
  int (*report_end)(void*, void*, void*);
  void* (*address_module)(void*, uint64_t);
  void* (*module_source)(void*, uint64_t);
  const char* (*line_info)(void*, uint64_t*, int*, int*, uint64_t*, uint64_t*);
  void* (*next_unit)(void*, void*, uint64_t*);
  int (*unit_has)(void*, uint64_t);
  void* (*unit_line)(void*, uint64_t);
  const char* (*line_file)(void*, uint64_t*, uint64_t*);
  int (*line_number)(void*, int*);

  SourceLine FindInUnits(void* module, uintptr_t address) const;

  static std::unique_ptr<Library> Load() {
    void* handle = dlopen("libdw.so.1", RTLD_NOW | RTLD_LOCAL);
    if (handle == nullptr) return nullptr;
    auto library = std::make_unique<Library>();
    bool all = true;
    const auto find = [&](const char* name, auto* out) {
      *out = reinterpret_cast<std::remove_reference_t<decltype(*out)>>(dlsym(handle, name));
      all = all && *out != nullptr;
    };
    find("dwfl_begin", &library->begin);
    find("dwfl_end", &library->end);
    find("dwfl_report_begin_add", &library->report_begin);
    find("dwfl_linux_proc_report", &library->linux_proc_report);
    find("dwfl_report_end", &library->report_end);
    find("dwfl_addrmodule", &library->address_module);
    find("dwfl_module_getsrc", &library->module_source);
    find("dwfl_lineinfo", &library->line_info);
    find("dwfl_module_nextcu", &library->next_unit);
    find("dwarf_haspc", &library->unit_has);
    find("dwarf_getsrc_die", &library->unit_line);
    find("dwarf_linesrc", &library->line_file);
    find("dwarf_lineno", &library->line_number);
    find("dwfl_linux_proc_find_elf", &library->callbacks.find_elf);
    library->callbacks.find_debuginfo = NoOtherFiles;
    return all ? std::move(library) : nullptr;
  }
};

// Clang writes no table of which unit has which address.
SourceLine SourceLines::Library::FindInUnits(void* module, uintptr_t address) const {
  uint64_t bias = 0;
  for (void* unit = next_unit(module, nullptr, &bias); unit != nullptr; unit = next_unit(module, unit, &bias)) {
    if (unit_has(unit, address - bias) <= 0) continue;
    void* found = unit_line(unit, address - bias);
    const char* file = found == nullptr ? nullptr : line_file(found, nullptr, nullptr);
    int line = 0;
    if (file == nullptr || line_number(found, &line) != 0) return {};
    return {file, line};
  }
  return {};
}

SourceLines::SourceLines() : library_(Library::Load().release()) {
  if (library_ != nullptr) modules_ = library_->begin(&library_->callbacks);
}

SourceLines::~SourceLines() {
  if (modules_ != nullptr) library_->end(modules_);
  delete library_;
}

// Tells libdw of the modules that this process has loaded by now.
bool SourceLines::Report() {
  library_->report_begin(modules_);
  const bool read = library_->linux_proc_report(modules_, getpid()) == 0;
  return library_->report_end(modules_, nullptr, nullptr) == 0 && read;
}

SourceLine SourceLines::Find(uintptr_t address) {
  if (modules_ == nullptr) return {};
  void* module = library_->address_module(modules_, address);
  if (module == nullptr && Report()) module = library_->address_module(modules_, address);
  if (module == nullptr) return {};
  void* source = library_->module_source(module, address);
  if (source == nullptr) return library_->FindInUnits(module, address);
  int line = 0;
  const char* file = library_->line_info(source, nullptr, &line, nullptr, nullptr, nullptr);
  if (file == nullptr) return {};
  return {file, line};
}

}  // namespace manta::stacks
