// What ray::Task returns: manta::TaskCaller with Ray's further setters.
#pragma once

#include <string>
#include <utility>

#include "manta/task.h"
#include "ray/api/runtime_env.h"
#include "ray/api/task_options.h"

namespace ray {
namespace internal {

// Remote and errors: see manta::TaskCaller.
template <class F>
class TaskCaller {
 public:
  explicit TaskCaller(F function) : caller_(std::move(function)) {}

  template <class... Args>
  auto Remote(Args&&... args) const {
    return caller_.Remote(std::forward<Args>(args)...);
  }
  TaskCaller& SetName(const std::string& name) {
    caller_.SetName(name);
    return *this;
  }
  TaskCaller& SetResource(const std::string& name, double quantity) {
    caller_.SetResource(name, quantity);
    return *this;
  }
  TaskCaller& SetResources(const std::unordered_map<std::string, double>& resources) {
    caller_.SetResources(resources);
    return *this;
  }
  // In the bundle with this index, or in any (-1).
  TaskCaller& SetPlacementGroup(const PlacementGroup& group, int bundle_index) {
    caller_.SetPlacementGroup(ToManta(group), bundle_index);
    return *this;
  }
  TaskCaller& SetRuntimeEnv(const RuntimeEnv& env) {
    RefuseRuntimeEnv(env);
    return *this;
  }

 private:
  manta::TaskCaller<F> caller_;
};

}  // namespace internal
}  // namespace ray
