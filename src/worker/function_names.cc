#include "worker/function_names.h"

#include <cstdint>

#include "stacks/function_name.h"
#include "stacks/symbolizer.h"
#include "worker/function_registry.h"

namespace manta::worker {

std::string NameOfFunction(const manta_function_id& id, const char* type) {
  if (id.target_module != 0) {
    if (auto code = FunctionRegistry::OfThisProcess().Resolve(id)) {
      const std::string function =
          stacks::Symbolizer::OfThisProcess().FunctionAt(reinterpret_cast<uintptr_t>(code->target));
      if (!function.empty()) return stacks::WithoutSignature(function);
    }
  }
  return type != nullptr ? type : "";
}

std::string NameOfTask(const TaskRecord& task) {
  if (task.nested != nullptr && !task.nested->name.empty()) return task.nested->name;
  return NameOfFunction(task.body.function, task.name);
}

}  // namespace manta::worker
