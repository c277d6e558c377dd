// The C interface of calls across languages.

#include <algorithm>
#include <cstring>

#include "api/handles.h"
#include "manta/manta_c.h"
#include "worker/function_registry.h"
#include "worker/named_functions.h"

using manta::worker::FunctionRegistry;
using manta::worker::NamedFunctions;

void manta_language_invoker_register(manta_language language, manta_invoker invoker) {
  FunctionRegistry::OfThisProcess().RegisterLanguage(language, invoker);
}

void manta_named_function_register(const char* names, uint32_t index, const manta_named_function* function) {
  manta_named_function complete{};
  std::memcpy(&complete, function, std::min(function->struct_size, sizeof complete));
  NamedFunctions::OfThisProcess().Register(names, index, complete);
}

manta_error* manta_named_function_find(const char* name, manta_named_function* out) {
  manta::Result<manta_named_function> found = NamedFunctions::OfThisProcess().Find(name);
  if (!found) return manta::api::Own(found.error());
  found->struct_size = out->struct_size;
  std::memcpy(out, &*found, std::min(out->struct_size, sizeof *found));
  return nullptr;
}
