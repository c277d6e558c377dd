#include "node/process_table.h"

#include <algorithm>

namespace manta::node {

Process& ProcessTable::Add(Process process) {
  if (process.role == wire::Role::Driver) drivers_[process.job] = process.id;
  return processes_[process.id] = std::move(process);
}

void ProcessTable::Remove(ProcessId id) {
  const auto found = processes_.find(id);
  if (found == processes_.end()) return;
  if (found->second.role == wire::Role::Driver) drivers_.erase(found->second.job);
  processes_.erase(found);
}

std::string ProcessTable::NamespaceOf(JobId job) const {
  if (const Process* driver = DriverOf(job)) return driver->ray_namespace;
  for (const auto& [id, process] : processes_) {
    if (process.job == job && !process.ray_namespace.empty()) return process.ray_namespace;
  }
  return "";
}

bool ProcessTable::IsOver(JobId job) const {
  return DriverOf(job) == nullptr && std::none_of(processes_.begin(), processes_.end(), [&](const auto& entry) {
           return entry.second.detached && entry.second.job == job;
         });
}

std::string ProcessTable::Describe(ProcessId id) const {
  const Process* process = Find(id);
  // The daemon itself, which is in no table.
  if (process == nullptr && SerialOf(id) == 1) return "the node daemon, as copies of objects of the other node";
  if (process == nullptr) return "process " + std::to_string(SerialOf(id)) + " (gone)";
  std::string text;
  switch (process->role) {
    case wire::Role::Driver: text = "driver "; break;
    case wire::Role::Worker: text = "worker "; break;
    default: text = "process "; break;
  }
  text += std::to_string(SerialOf(id)) + " (";
  if (!process->name.empty()) text += process->name + ", ";
  return text + "pid " + std::to_string(process->pid) + ")";
}

}  // namespace manta::node
