// Names for code that mean the same in every process of one executable: the module's build id and an offset in it.
#pragma once

#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/result.h"
#include "manta/manta_c.h"

namespace manta::worker {

// The code of this process. One per process, filled by static constructors; thread-safe.
class FunctionRegistry {
 public:
  static FunctionRegistry& OfThisProcess();

  void Register(manta_invoker invoker);
  // The one that runs the calls which other languages make, in workers of that language.
  void RegisterLanguage(manta_language language, manta_invoker invoker);
  // Whether this process is one of that language.
  bool Speaks(manta_language language);

  // Error INVALID_ARGUMENT for code that no worker would find again: an invoker that was not registered, a target outside of
  // every loaded module (generated code).
  Result<manta_function_id> Find(manta_invoker invoker, const void* target, const char* name);

  struct Code {
    manta_invoker invoker = nullptr;
    const void* target = nullptr;
    uint32_t key = 0;  // for people who look at recordings: shm::FunctionKey
  };
  // Error when the id names no registered code of this executable.
  Result<Code> Resolve(const manta_function_id& id);

  struct NamedFunction {
    manta_function_id id;
    std::string type;      // "": known by its id only
    uint32_t module;       // where its code is (the target's, if there is one)
    std::string build_id;  // of the module, hex; "" for none
    std::string path;
  };
  // Calls `told` for every function that was found or resolved so far, and for each new one from then on, until Forget(who). One
  // call at a time; from inside, the registry must not be called.
  void Observe(const void* who, std::function<void(const NamedFunction&)> told);
  void Forget(const void* who);

  // Hex of the main program's build id; of the path's hash when it was linked without one.
  std::string ExecutableBuildId();

 private:
  struct Module {
    uintptr_t base;
    uintptr_t end;       // of its highest segment
    uintptr_t code_begin;
    uintptr_t code_end;
    uint32_t hash;
    std::string build_id;
    std::string path;
  };
  void LoadModules();
  const Module* ModuleOf(uintptr_t address);
  const Module* ModuleWith(uint32_t hash);
  Result<Code> ResolveLanguage(const manta_function_id& id);
  void Note(const manta_function_id& id, const char* type);

  std::mutex mutex_;
  std::vector<manta_invoker> invokers_;  // sorted when resolving
  bool sorted_ = false;
  std::unordered_map<uint32_t, manta_invoker> languages_;
  std::vector<Module> modules_;
  std::unordered_map<uint32_t, NamedFunction> named_;  // by key
  std::vector<std::pair<const void*, std::function<void(const NamedFunction&)>>> observers_;
};

}  // namespace manta::worker
