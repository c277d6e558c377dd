// What ray::Init takes, and the program's own flags --ray_*.
#pragma once

#include <algorithm>
#include <cstdlib>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "manta/runtime.h"
#include "ray/api/ray_exception.h"
#include "ray/api/runtime_env.h"

#if __has_include(<boost/optional.hpp>)
#include <boost/optional.hpp>
#else
#include <optional>
namespace boost {
template <class T>
using optional = std::optional<T>;
}  // namespace boost
#endif

namespace ray {

enum class ActorLifetime {
  NON_DETACHED,
  DETACHED,
};

class RayConfig {
 public:
  // As manta::Config::address; "host:port" of a cluster on another machine is not there yet.
  std::string address = "";
  // A cluster of its own, on this machine, whatever RAY_ADDRESS says.
  bool local_mode = false;
  // Where Python's modules are that this program calls (manta::Config::code_search_path). Code of C++
  // need not be here: workers run the program itself, with the libraries that it is linked with.
  std::vector<std::string> code_search_path;
  // Arguments of `ray start`: --num-cpus, --num-gpus, --resources, --object-store-memory. Others
  // throw NotSupportedError. Used if this program starts the cluster.
  std::vector<std::string> head_args = {};
  ActorLifetime default_actor_lifetime = ActorLifetime::NON_DETACHED;
  boost::optional<RuntimeEnv> runtime_env;
  // There is no Redis, so these are not used.
  boost::optional<std::string> redis_username_;
  boost::optional<std::string> redis_password_;
  bool is_worker_ = false;
  std::string ray_namespace = "";
};

namespace internal {

// Of the arguments --NAME VALUE, --NAME=VALUE (or with one dash) of a list.
class FlagReader {
 public:
  explicit FlagReader(std::vector<std::string> arguments) : arguments_(std::move(arguments)) {}

  // The next flag; false at the end. Other arguments are passed over.
  bool Next() {
    while (at_ < arguments_.size()) {
      std::string text = arguments_[at_++];
      const size_t dashes = text.compare(0, 2, "--") == 0 ? 2 : text[0] == '-' ? 1 : 0;
      if (dashes == 0) continue;
      text.erase(0, dashes);
      const size_t equals = text.find('=');
      name_ = text.substr(0, equals);
      has_value_ = equals != std::string::npos;
      value_ = has_value_ ? text.substr(equals + 1) : std::string();
      return true;
    }
    return false;
  }
  const std::string& name() const { return name_; }
  // Throws InvalidArgumentError when there is none.
  const std::string& Value() {
    if (!has_value_) {
      if (at_ == arguments_.size()) {
        throw manta::InvalidArgumentError("--" + name_ + " needs a value: --" + name_ + "=VALUE");
      }
      value_ = arguments_[at_++];
      has_value_ = true;
    }
    return value_;
  }
  double Number() {
    const std::string& text = Value();
    char* end = nullptr;
    const double number = std::strtod(text.c_str(), &end);
    if (text.empty() || *end != '\0') {
      throw manta::InvalidArgumentError("--" + name_ + " needs a number, not '" + text + "'");
    }
    return number;
  }

 private:
  std::vector<std::string> arguments_;
  size_t at_ = 0;
  std::string name_;
  std::string value_;
  bool has_value_ = false;
};

inline std::vector<std::string> Split(const std::string& text, char separator) {
  std::vector<std::string> parts;
  size_t begin = 0;
  while (begin <= text.size()) {
    const size_t end = std::min(text.find(separator, begin), text.size());
    if (end > begin) parts.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return parts;
}

// {"disk": 2, "tape": 0.5}
inline std::map<std::string, double> ParseResources(const std::string& json) {
  std::map<std::string, double> resources;
  const auto fail = [&] {
    throw manta::InvalidArgumentError("--resources: write {\"NAME\": QUANTITY, ...}, not " + json);
  };
  std::string text = json;
  text.erase(std::remove_if(text.begin(), text.end(), [](char c) { return c == ' ' || c == '\''; }),
             text.end());
  if (text.size() < 2 || text.front() != '{' || text.back() != '}') fail();
  for (const std::string& entry : Split(text.substr(1, text.size() - 2), ',')) {
    const size_t colon = entry.rfind(':');
    const bool quoted = colon != std::string::npos && colon > 2 && entry[0] == '"' &&
                        entry[colon - 1] == '"';
    if (!quoted) fail();
    char* end = nullptr;
    const double quantity = std::strtod(entry.c_str() + colon + 1, &end);
    if (end == entry.c_str() + colon + 1 || *end != '\0') fail();
    resources[entry.substr(1, colon - 2)] = quantity;
  }
  return resources;
}

// Flags override what the program has set. Those that are not Ray's are left to the program.
inline void ReadFlags(RayConfig& config, int argc, char** argv) {
  FlagReader flags(std::vector<std::string>(argv + std::min(argc, 1), argv + argc));
  while (flags.Next()) {
    const std::string& name = flags.name();
    if (name.compare(0, 4, "ray_") != 0) continue;
    if (name == "ray_address") {
      config.address = flags.Value();
    } else if (name == "ray_job_namespace") {
      config.ray_namespace = flags.Value();
    } else if (name == "ray_code_search_path") {
      config.code_search_path = Split(flags.Value(), ':');
    } else if (name == "ray_head_args") {
      config.head_args = Split(flags.Value(), ' ');
    } else if (name == "ray_redis_username") {
      config.redis_username_ = flags.Value();
    } else if (name == "ray_redis_password") {
      config.redis_password_ = flags.Value();
    } else if (name == "ray_default_actor_lifetime") {
      const std::string& lifetime = flags.Value();
      if (lifetime != "DETACHED" && lifetime != "NON_DETACHED") {
        throw manta::InvalidArgumentError("--ray_default_actor_lifetime: '" + lifetime +
                                          "' is neither DETACHED nor NON_DETACHED");
      }
      config.default_actor_lifetime =
          lifetime == "DETACHED" ? ActorLifetime::DETACHED : ActorLifetime::NON_DETACHED;
    } else {
      throw manta::NotSupportedError("the flag --" + name + " is not there yet: leave it out");
    }
  }
}

inline manta::Config ToManta(const RayConfig& config) {
  if (config.runtime_env) RefuseRuntimeEnv(*config.runtime_env);
  manta::Config result;
  result.address = config.local_mode ? "local" : config.address;
  result.ray_namespace = config.ray_namespace;
  result.code_search_path = config.code_search_path;
  FlagReader flags(config.head_args);
  while (flags.Next()) {
    const std::string& name = flags.name();
    if (name == "num-cpus") {
      result.num_cpus = flags.Number();
    } else if (name == "num-gpus") {
      result.num_gpus = flags.Number();
    } else if (name == "resources") {
      result.resources = ParseResources(flags.Value());
    } else if (name == "object-store-memory") {
      result.object_store_bytes = static_cast<uint64_t>(flags.Number());
    } else {
      throw manta::NotSupportedError("head_args: --" + name +
                                     " is not there yet; there are --num-cpus, --num-gpus, "
                                     "--resources and --object-store-memory");
    }
  }
  return result;
}

}  // namespace internal
}  // namespace ray
