// Ray's runtime environments: a container of JSON fields. Setting one up is not there yet: giving
// one that is not empty to Init, a task or an actor throws NotSupportedError.
#pragma once

#include <string>

#include "ray/api/ray_exception.h"

#if __has_include(<nlohmann/json.hpp>)
#include <nlohmann/json.hpp>

namespace ray {

class RuntimeEnv {
 public:
  template <class T>
  void Set(const std::string& name, const T& value) {
    Try("set", name, [&] { fields_[name] = value; });
  }
  template <class T>
  T Get(const std::string& name) const {
    T value{};
    Try("get", name, [&] { value = Field(name).get<T>(); });
    return value;
  }
  void SetJsonStr(const std::string& name, const std::string& json) {
    Try("set", name, [&] { fields_[name] = nlohmann::json::parse(json); });
  }
  std::string GetJsonStr(const std::string& name) const { return Field(name).dump(); }

  bool Contains(const std::string& name) const { return fields_.contains(name); }
  // Whether there was such a field.
  bool Remove(const std::string& name) { return fields_.erase(name) > 0; }
  bool Empty() const { return fields_.empty(); }

  std::string Serialize() const { return fields_.dump(); }
  static RuntimeEnv Deserialize(const std::string& text) {
    RuntimeEnv env;
    Try("read", "all", [&] { env.fields_ = nlohmann::json::parse(text); });
    return env;
  }

 private:
  const nlohmann::json& Field(const std::string& name) const {
    const auto found = fields_.find(name);
    if (found == fields_.end()) {
      throw internal::RayRuntimeEnvException("The field " + name + " not found.");
    }
    return *found;
  }
  template <class Action>
  static void Try(const char* what, const std::string& name, const Action& action) {
    try {
      action();
    } catch (const nlohmann::json::exception& error) {
      throw internal::RayRuntimeEnvException("Failed to " + std::string(what) + " the field " +
                                             name + ": " + error.what());
    }
  }

  nlohmann::json fields_ = nlohmann::json::object();
};

}  // namespace ray

#else

namespace ray {

class RuntimeEnv {
 public:
  template <class T>
  void Set(const std::string&, const T&) {
    static_assert(sizeof(T) == 0, "manta: ray::RuntimeEnv needs <nlohmann/json.hpp>");
  }
  bool Empty() const { return true; }
};

}  // namespace ray

#endif

namespace ray {
namespace internal {

inline void RefuseRuntimeEnv(const RuntimeEnv& env) {
  if (env.Empty()) return;
  throw manta::NotSupportedError(
      "runtime environments are not there yet: workers have the driver's environment");
}

}  // namespace internal
}  // namespace ray
