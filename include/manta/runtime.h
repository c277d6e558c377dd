// Connecting this process to a cluster, and asking where one is.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "manta/errors.h"
#include "manta/object_ref.h"
#include "manta/options.h"

namespace manta {
inline namespace v1 {

// How to connect. The defaults start a cluster on this machine, unless MANTA_ADDRESS or RAY_ADDRESS
// names one.
struct Config {
  // Empty: what the environment says, else a new cluster. "local": a new cluster. "auto": the one
  // of this machine (the newest), which must be there. Else the name of a cluster.
  std::string address;
  // Names of actors are unique within one. Empty: a fresh one for this job.
  std::string ray_namespace;
  // What the new cluster offers. Negative: what the machine (or the container) has. GPUs: a whole
  // number, at most 64; more than there are is allowed, to try a program without them.
  double num_cpus = -1;
  double num_gpus = -1;
  std::map<std::string, double> resources;
  // What its node is called by, for LabelSelectors. Names that begin with "ray.io/" are the system's.
  std::map<std::string, std::string> labels;
  // Shared memory for objects, in bytes. 0: 30 % of the memory.
  uint64_t object_store_bytes = 0;
  // Whether what workers print appears here.
  bool log_to_driver = true;
  // The interpreter that runs PyFunction and PyActorClass, a path or a name in $PATH; it needs the
  // package manta. Empty: $MANTA_PYTHON, else python3.
  std::string python;
  // Where it looks for modules, before the usual places: folders. Libraries (.so) here, or in them,
  // have the functions that Python calls by name (MANTA_REMOTE).
  std::vector<std::string> code_search_path;
};

// Connects this process. Throws InvalidArgumentError when it is connected already or a place of
// code_search_path is not there, StartFailedError, VersionMismatchError, AuthenticationError.
inline void Init(const Config& config) {
  const detail::Quantities quantities(config.resources.begin(), config.resources.end());
  const std::vector<manta_resource> resources = detail::AsResources(quantities);
  manta_config c_config;
  c_config.struct_size = sizeof(c_config);
  manta_config_init(&c_config);
  if (!config.address.empty()) {
    c_config.address = detail::CheckText("address", config.address).c_str();
  }
  if (!config.ray_namespace.empty()) {
    c_config.ray_namespace = detail::CheckText("ray_namespace", config.ray_namespace).c_str();
  }
  c_config.num_cpus = config.num_cpus;
  c_config.num_gpus = config.num_gpus;
  c_config.resources = resources.data();
  c_config.num_resources = resources.size();
  std::vector<manta_label> labels;
  for (const auto& [name, value] : config.labels) {
    labels.push_back(
        {detail::CheckText("labels", name).c_str(), detail::CheckText("labels", value).c_str()});
  }
  c_config.labels = labels.data();
  c_config.num_labels = labels.size();
  c_config.object_store_bytes = config.object_store_bytes;
  c_config.log_to_driver = config.log_to_driver ? 1 : 0;
  if (!config.python.empty()) c_config.python = config.python.c_str();
  std::vector<const char*> places;
  for (const std::string& place : config.code_search_path) places.push_back(place.c_str());
  c_config.code_search_path = places.data();
  c_config.num_code_search_path = places.size();
  detail::Check(manta_init(&c_config));
}
inline void Init() { Init(Config()); }

// Disconnects, and ends the cluster if Init started it. References that are still held become
// useless but may be destroyed. Does nothing when not connected; throws InvalidArgumentError inside
// of a task or an actor, whose connection is not the program's.
inline void Shutdown() { detail::Check(manta_shutdown()); }

inline bool IsInitialized() { return manta_is_initialized() != 0; }

// Where the calling code runs. Ids are in hexadecimal, empty where there is none.
class RuntimeContext {
 public:
  // All zeros in a driver outside of tasks and actors.
  std::string GetJobId() const { return Hex(context_.job_id); }
  std::string GetWorkerId() const { return Hex(context_.process_id); }
  std::string GetNodeId() const {
    std::string text;
    for (const uint8_t byte : context_.node_id) detail::AppendHex(text, byte, 2);
    return text;
  }
  std::string GetTaskId() const {
    const manta_object_id& id = context_.task_id;
    std::string text;
    if (id.owner == 0) return text;
    detail::AppendHex(text, id.owner, 16);
    detail::AppendHex(text, id.index, 8);
    detail::AppendHex(text, id.generation, 8);
    return text;
  }
  std::string GetActorId() const {
    const manta_actor_id& id = context_.actor_id;
    std::string text;
    if (id.creator == 0 && id.serial == 0) return text;
    detail::AppendHex(text, id.creator, 16);
    detail::AppendHex(text, id.serial, 16);
    return text;
  }
  const std::string& GetTaskName() const { return task_name_; }
  const std::string& GetNamespace() const { return namespace_; }
  const std::string& GetSessionDirectory() const { return session_directory_; }
  // Whether the actor that runs this was started again after its process died.
  bool WasCurrentActorRestarted() const { return context_.actor_was_restarted != 0; }
  int GetPid() const { return context_.pid; }
  // The GPUs of the node that the running task or actor may use, or has a share of: what was asked
  // for by SetNumGpus. CUDA_VISIBLE_DEVICES names them to CUDA. Empty in a driver.
  std::vector<int> GetGpuIds() const {
    std::vector<int> ids;
    for (int id = 0; id < 64; ++id) {
      if ((context_.gpus >> id & 1) != 0) ids.push_back(id);
    }
    return ids;
  }
  // What is reserved for the running task or actor, e.g. {"CPU": 1, "GPU": 0.5}. Empty in a driver.
  // Asks the node daemon.
  std::map<std::string, double> GetAssignedResources() const;
  // Of the node that this runs on: those that it was given, and the system's ("ray.io/node-id", ...).
  std::map<std::string, std::string> GetNodeLabels() const;
  bool IsDriver() const { return context_.is_driver != 0; }
  // Whether the task that asks was cancelled. One that computes for long asks now and then, and
  // ends when it is; where it waits (in Get or Wait), it is interrupted by a TaskCancelledError
  // instead.
  bool IsCancelled() const { return context_.is_cancelled != 0; }

 private:
  friend RuntimeContext GetRuntimeContext();

  static std::string Hex(uint64_t value) {
    std::string text;
    detail::AppendHex(text, value, 16);
    return text;
  }
  static std::string Text(const char* text) { return text != nullptr ? text : ""; }

  manta_context context_ = {};
  std::string task_name_;
  std::string namespace_;
  std::string session_directory_;
};

inline RuntimeContext GetRuntimeContext() {
  RuntimeContext context;
  context.context_.struct_size = sizeof(context.context_);
  detail::Check(manta_context_get(detail::CurrentRuntime("GetRuntimeContext"), &context.context_));
  context.task_name_ = RuntimeContext::Text(context.context_.task_name);
  context.namespace_ = RuntimeContext::Text(context.context_.ray_namespace);
  context.session_directory_ = RuntimeContext::Text(context.context_.session_directory);
  return context;
}

// The namespace in which names of actors are looked up by default.
inline std::string GetNamespace() { return GetRuntimeContext().GetNamespace(); }

// Inside of an actor: whether it was started again after its process died.
inline bool WasCurrentActorRestarted() { return GetRuntimeContext().WasCurrentActorRestarted(); }

namespace detail {

// Calls `fill(out, capacity, &count)` with enough room.
template <class Fill>
std::map<std::string, double> ReadResources(const Fill& fill) {
  std::vector<manta_resource> resources(16);
  for (;;) {
    size_t count = 0;
    Check(fill(resources.data(), resources.size(), &count));
    const bool is_complete = count <= resources.size();
    resources.resize(count);
    if (is_complete) break;
  }
  std::map<std::string, double> result;
  for (const manta_resource& resource : resources) result[resource.name] = resource.quantity;
  return result;
}

inline std::map<std::string, double> ResourcesOfCluster(bool available, const char* what) {
  manta_runtime* runtime = CurrentRuntime(what);
  return ReadResources([&](manta_resource* out, size_t capacity, size_t* count) {
    return manta_cluster_resources(runtime, available ? 1 : 0, out, capacity, count);
  });
}

}  // namespace detail

// What all nodes together have, and what of it is not in use now.
inline std::map<std::string, double> ClusterResources() {
  return detail::ResourcesOfCluster(false, "ClusterResources");
}
inline std::map<std::string, double> AvailableResources() {
  return detail::ResourcesOfCluster(true, "AvailableResources");
}

inline std::map<std::string, double> RuntimeContext::GetAssignedResources() const {
  manta_runtime* runtime = detail::CurrentRuntime("GetAssignedResources");
  return detail::ReadResources([&](manta_resource* out, size_t capacity, size_t* count) {
    return manta_assigned_resources(runtime, out, capacity, count);
  });
}

inline std::map<std::string, std::string> RuntimeContext::GetNodeLabels() const {
  manta_runtime* runtime = detail::CurrentRuntime("GetNodeLabels");
  size_t count = 0;
  detail::Check(manta_node_labels(runtime, nullptr, 0, &count));
  std::vector<manta_label> labels(count);
  detail::Check(manta_node_labels(runtime, labels.data(), labels.size(), &count));
  std::map<std::string, std::string> result;
  for (const manta_label& label : labels) result[label.name] = label.value;
  return result;
}

// GetRuntimeContext().GetGpuIds().
inline std::vector<int> GetGpuIds() { return GetRuntimeContext().GetGpuIds(); }

}  // namespace v1
}  // namespace manta
