#include "worker/function_registry.h"

#include <elf.h>
#include <link.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include "shm/recorder_events.h"

namespace manta::worker {
namespace {

uint32_t Fnv1a(std::string_view text) {
  uint32_t hash = 2166136261u;
  for (unsigned char c : text) hash = (hash ^ c) * 16777619u;
  return hash == 0 ? 1 : hash;
}

std::string BuildIdOf(const dl_phdr_info& info) {
  for (int i = 0; i < info.dlpi_phnum; ++i) {
    const ElfW(Phdr)& header = info.dlpi_phdr[i];
    if (header.p_type != PT_NOTE) continue;
    const char* at = reinterpret_cast<const char*>(info.dlpi_addr + header.p_vaddr);
    const char* end = at + header.p_memsz;
    while (at + sizeof(ElfW(Nhdr)) <= end) {
      ElfW(Nhdr) note;
      std::memcpy(&note, at, sizeof note);
      const char* name = at + sizeof note;
      const char* text = name + ((note.n_namesz + 3) & ~3u);
      if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == 4 && std::memcmp(name, "GNU", 4) == 0) {
        std::string hex;
        for (uint32_t k = 0; k < note.n_descsz; ++k) {
          char digits[3];
          std::snprintf(digits, sizeof digits, "%02x", static_cast<unsigned char>(text[k]));
          hex += digits;
        }
        return hex;
      }
      at = text + ((note.n_descsz + 3) & ~3u);
    }
  }
  return {};
}

std::string ExecutablePath() {
  char path[4096];
  const ssize_t size = readlink("/proc/self/exe", path, sizeof path);
  return size <= 0 ? std::string() : std::string(path, static_cast<size_t>(size));
}

}  // namespace

FunctionRegistry& FunctionRegistry::OfThisProcess() {
  // Static constructors of other modules use it before this library's own would have run.
  static FunctionRegistry* const registry = new FunctionRegistry();
  return *registry;
}

void FunctionRegistry::Register(manta_invoker invoker) {
  std::lock_guard guard(mutex_);
  invokers_.push_back(invoker);
  sorted_ = false;
}

void FunctionRegistry::RegisterLanguage(manta_language language, manta_invoker invoker) {
  std::lock_guard guard(mutex_);
  languages_[static_cast<uint32_t>(language)] = invoker;
}

bool FunctionRegistry::Speaks(manta_language language) {
  std::lock_guard guard(mutex_);
  return languages_.contains(static_cast<uint32_t>(language));
}

void FunctionRegistry::LoadModules() {
  modules_.clear();
  dl_iterate_phdr(
      [](dl_phdr_info* info, size_t, void* context) {
        auto& modules = *static_cast<std::vector<Module>*>(context);
        Module module{info->dlpi_addr, 0, 0, 0, 0, BuildIdOf(*info), info->dlpi_name};
        for (int i = 0; i < info->dlpi_phnum; ++i) {
          const ElfW(Phdr)& header = info->dlpi_phdr[i];
          if (header.p_type != PT_LOAD) continue;
          const uintptr_t begin = info->dlpi_addr + header.p_vaddr;
          const uintptr_t end = begin + header.p_memsz;
          module.end = std::max(module.end, end);
          if ((header.p_flags & PF_X) == 0) continue;
          module.code_begin = module.code_begin == 0 ? begin : std::min(module.code_begin, begin);
          module.code_end = std::max(module.code_end, end);
        }
        if (modules.empty() && module.path.empty()) module.path = "(program)";
        module.hash = Fnv1a(module.build_id.empty() ? module.path : module.build_id);
        if (module.end != 0) modules.push_back(std::move(module));
        return 0;
      },
      &modules_);
}

const FunctionRegistry::Module* FunctionRegistry::ModuleOf(uintptr_t address) {
  for (int round = 0; round < 2; ++round) {
    for (const Module& module : modules_) {
      if (address >= module.code_begin && address < module.code_end) return &module;
    }
    LoadModules();  // something was loaded since
  }
  return nullptr;
}

const FunctionRegistry::Module* FunctionRegistry::ModuleWith(uint32_t hash) {
  for (int round = 0; round < 2; ++round) {
    for (const Module& module : modules_) {
      if (module.hash == hash) return &module;
    }
    LoadModules();
  }
  return nullptr;
}

Result<manta_function_id> FunctionRegistry::Find(manta_invoker invoker, const void* target,
                                                 const char* name) {
  std::lock_guard guard(mutex_);
  const auto address = reinterpret_cast<uintptr_t>(invoker);
  const Module* module = ModuleOf(address);
  if (module == nullptr) {
    return MakeError(MANTA_ERROR_INVALID_ARGUMENT,
                     std::string("the code of '") + name + "' lies in no loaded module");
  }
  manta_function_id id{module->hash, static_cast<uint32_t>(address - module->base), 0, 0};
  if (target == nullptr) {
    Note(id, name);
    return id;
  }
  const auto target_address = reinterpret_cast<uintptr_t>(target);
  const Module* target_module = ModuleOf(target_address);
  if (target_module == nullptr) {
    return MakeError(MANTA_ERROR_INVALID_ARGUMENT,
                     std::string("the function '") + name +
                         "' lies in no loaded module (generated at run time?), so a worker cannot find it");
  }
  id.target_module = target_module->hash;
  id.target = static_cast<uint32_t>(target_address - target_module->base);
  Note(id, name);
  return id;
}

Result<FunctionRegistry::Code> FunctionRegistry::Resolve(const manta_function_id& id) {
  std::lock_guard guard(mutex_);
  if (id.module == 0) return ResolveLanguage(id);
  if (!sorted_) {
    std::sort(invokers_.begin(), invokers_.end());
    sorted_ = true;
  }
  const Module* module = ModuleWith(id.module);
  Code code;
  if (module != nullptr) code.invoker = reinterpret_cast<manta_invoker>(module->base + id.invoker);
  if (module == nullptr || !std::binary_search(invokers_.begin(), invokers_.end(), code.invoker)) {
    return MakeError(MANTA_ERROR_INVALID_ARGUMENT,
                     "the task names code that this worker's executable does not have: the driver "
                     "runs another build, or loaded a library with dlopen that the worker did not");
  }
  code.key = shm::FunctionKey(id);
  if (id.target_module == 0) {
    Note(id, "");
    return code;
  }
  const Module* target_module = ModuleWith(id.target_module);
  const uintptr_t address = target_module == nullptr ? 0 : target_module->base + id.target;
  if (target_module == nullptr || address < target_module->code_begin ||
      address >= target_module->code_end) {
    return MakeError(MANTA_ERROR_INVALID_ARGUMENT,
                     "the task names a function that this worker's executable does not have");
  }
  code.target = reinterpret_cast<const void*>(address);
  Note(id, "");
  return code;
}

Result<FunctionRegistry::Code> FunctionRegistry::ResolveLanguage(const manta_function_id& id) {
  const auto known = languages_.find(id.invoker);
  if (known == languages_.end()) {
    return MakeError(MANTA_ERROR_INVALID_ARGUMENT,
                     "a call of Python by name came to a worker that runs another language: is the actor one of C++?");
  }
  Code code;
  code.invoker = known->second;
  code.key = shm::FunctionKey(id);
  Note(id, "a call by another language");
  return code;
}

void FunctionRegistry::Note(const manta_function_id& id, const char* type) {
  const auto [known, is_new] = named_.try_emplace(shm::FunctionKey(id));
  NamedFunction& named = known->second;
  if (!is_new && (*type == '\0' || !named.type.empty())) return;
  named.id = id;
  named.type = type;
  named.module = id.target_module != 0 ? id.target_module : id.module;
  if (const Module* module = ModuleWith(named.module)) {
    named.build_id = module->build_id;
    named.path = module == &modules_.front() ? ExecutablePath() : module->path;
  }
  for (const auto& [who, told] : observers_) told(named);
}

void FunctionRegistry::Observe(const void* who, std::function<void(const NamedFunction&)> told) {
  std::lock_guard guard(mutex_);
  for (const auto& [key, named] : named_) told(named);
  observers_.emplace_back(who, std::move(told));
}

void FunctionRegistry::Forget(const void* who) {
  std::lock_guard guard(mutex_);
  std::erase_if(observers_, [&](const auto& observer) { return observer.first == who; });
}

std::string FunctionRegistry::ExecutableBuildId() {
  std::lock_guard guard(mutex_);
  if (modules_.empty()) LoadModules();
  const Module& program = modules_.front();
  if (!program.build_id.empty()) return program.build_id;
  char hex[9];
  std::snprintf(hex, sizeof hex, "%08x", program.hash);
  return hex;
}

}  // namespace manta::worker
