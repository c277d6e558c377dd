#include "bin/function_names.h"

#include <cstdio>
#include <optional>
#include <utility>

namespace manta::bin {
namespace {

// The symbol tables of modules, each read when it is first asked for.
class Modules {
 public:
  explicit Modules(const contracts::RecorderNames& names) : names_(names) {}

  std::string SymbolAt(uint32_t module, uint32_t offset) {
    const auto [known, is_new] = symbols_.try_emplace(module);
    if (is_new) {
      for (const auto& one : names_.modules) {
        if (one.hash != module) continue;
        if (Result<Symbols> read = Symbols::Read(one.path, one.build_id)) known->second = std::move(*read);
      }
    }
    return known->second ? known->second->NameAt(offset) : std::string();
  }

 private:
  const contracts::RecorderNames& names_;
  std::map<uint32_t, std::optional<Symbols>> symbols_;
};

}  // namespace

FunctionNames::FunctionNames(const contracts::RecorderNames& names) {
  Modules modules(names);
  for (const auto& function : names.functions) {
    const manta_function_id& id = function.id;
    std::string symbol;
    if (id.target_module != 0) symbol = modules.SymbolAt(id.target_module, id.target);
    // Lambdas, function objects and constructors have types that say what they are.
    if (symbol.empty() && function.type.empty()) symbol = modules.SymbolAt(id.module, id.invoker);
    const Name name = symbol.empty() ? Name{function.type, function.type} : Name{WithoutSignature(symbol), symbol};
    if (name.shown.empty()) continue;
    Name& known = names_[function.key];
    if (known.shown.empty()) {
      known = name;
    } else if (known.signature != name.signature) {
      known.shown += " or " + name.shown;
      known.signature += " or " + name.signature;
    }
  }
}

FunctionNames::Name FunctionNames::Of(uint32_t key) const {
  if (const auto found = names_.find(key); found != names_.end()) return found->second;
  char text[32];
  std::snprintf(text, sizeof text, "function %08x", key);
  return {text, text};
}

}  // namespace manta::bin
