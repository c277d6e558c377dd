#include "bin/function_names.h"

#include <algorithm>
#include <cstdio>
#include <set>
#include <utility>
#include <vector>

#include "bin/symbols.h"
#include "stacks/function_name.h"

namespace manta::bin {
namespace {

// Where the code is that gives a function its name; no module: its type does.
std::pair<uint32_t, uint64_t> PlaceOf(const contracts::RecorderNames::Function& function) {
  const manta_function_id& id = function.id;
  if (id.target_module != 0) return {id.target_module, id.target};
  // Lambdas, function objects and constructors have types that say what they are.
  if (!function.type.empty()) return {0, 0};
  return {id.module, id.invoker};
}

using Symbols = std::map<std::pair<uint32_t, uint64_t>, std::string>;

// The names at all places of all functions, as far as the modules are still the same.
Symbols FindSymbols(const contracts::RecorderNames& names) {
  Symbols symbols;
  for (const auto& module : names.modules) {
    std::vector<uint64_t> addresses;
    for (const auto& function : names.functions) {
      const auto [hash, address] = PlaceOf(function);
      if (hash == module.hash) addresses.push_back(address);
    }
    if (addresses.empty()) continue;
    const Result<std::vector<std::string>> found = FunctionsOfModule(module.path, module.build_id, addresses);
    if (!found) continue;
    for (size_t i = 0; i < addresses.size(); ++i) symbols[{module.hash, addresses[i]}] = found.value()[i];
  }
  return symbols;
}

}  // namespace

FunctionNames::FunctionNames(const contracts::RecorderNames& names) {
  const Symbols symbols = FindSymbols(names);
  std::set<uint32_t> have_types;
  for (const auto& function : names.functions) {
    if (!function.type.empty()) have_types.insert(function.key);
  }
  std::set<std::pair<uint32_t, std::string>> signatures;
  for (const auto& function : names.functions) {
    // A process that cannot tell the type names what calls the function, which may stand for several.
    if (function.type.empty() && have_types.contains(function.key)) continue;
    const auto symbol = symbols.find(PlaceOf(function));
    Name name{function.type, function.type};
    if (symbol != symbols.end() && !symbol->second.empty()) name = {stacks::WithoutSignature(symbol->second), symbol->second};
    if (name.shown.empty() || !signatures.emplace(function.key, name.signature).second) continue;
    Name& known = names_[function.key];
    if (known.shown.empty()) {
      known = name;
    } else {
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
