// The processes of the node that have said Hello (workers from the moment they are asked for), and those of the other node: who they
// are and how to reach them.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/ids.h"
#include "node/connection.h"

namespace manta::node {

struct Process {
  ProcessId id;
  wire::Role role = wire::Role::Tool;
  pid_t pid = 0;
  JobId job;
  // The driver's program, or what the worker runs. One number per driver: a worker never serves a second job.
  ExecutableId executable;
  std::optional<uint32_t> page;  // in the control arena; tools have none
  std::shared_ptr<Connection> connection;
  std::string name;           // for people: program, class of the actor
  std::string ray_namespace;
  Nanoseconds since = 0;
  bool log_to_driver = true;  // drivers
  uint64_t output_skipped = 0;  // drivers: bytes of the other node's workers, because it does not read
  bool dedicated = false;     // a worker that runs an actor
  bool detached = false;      // which outlives its creator
  std::string actor_account;  // of the actor that died with it, for those who call it
  bool has_spoken = false;     // said something after its Hello
  bool far = false;            // of the other node: no connection, messages go over the trunk
  bool group_removed = false;  // it is killed, since the placement group that it ran in is gone
  bool ends_for_good = false;  // it was told to end, or said goodbye: its actor does not start again
};

class ProcessTable {
 public:
  explicit ProcessTable(uint32_t node_index) : node_index_(node_index) {}

  // A number that no process of this node had before.
  ProcessId NextId() { return MakeProcessId(node_index_, ++last_serial_); }

  // Where frames for processes of the other node go.
  using FarRoute = std::function<bool(ProcessId to, std::vector<uint8_t> frame)>;
  // `pending`: how many bytes wait on that way.
  void set_far_route(FarRoute route, std::function<size_t()> pending) {
    far_route_ = std::move(route);
    far_pending_ = std::move(pending);
  }

  // The reference is valid until Remove.
  Process& Add(Process process);
  void Remove(ProcessId id);
  Process* Find(ProcessId id) {
    const auto found = processes_.find(id);
    return found == processes_.end() ? nullptr : &found->second;
  }
  const Process* Find(ProcessId id) const { return const_cast<ProcessTable*>(this)->Find(id); }

  const Process* DriverOf(JobId job) const {
    const auto found = drivers_.find(job);
    return found == drivers_.end() ? nullptr : Find(found->second);
  }

  // Of its driver; while the job outlives that, of the processes that have it from there. Empty: there is none of the job's.
  std::string NamespaceOf(JobId job) const;

  // It has neither a driver nor, as far as this daemon knows, a detached actor.
  bool IsOver(JobId job) const;

  // False: there is no such process any more; that is no error, its death is on its way to everybody.
  template <class MessageT>
  bool Send(ProcessId to, MessageT&& message) {
    Process* process = Find(to);
    if (process != nullptr && process->far) {
      return far_route_ && far_route_(to, contracts::Encode(std::forward<MessageT>(message)));
    }
    if (process == nullptr || process->connection == nullptr || !process->connection->open()) {
      return false;
    }
    process->connection->Send(std::forward<MessageT>(message));
    return true;
  }

  // Bytes that wait to be sent to it; for a process of the other node, to that.
  size_t Pending(const Process& process) const {
    if (process.far) return far_pending_ ? far_pending_() : 0;
    return process.connection == nullptr ? 0 : process.connection->pending_output();
  }

  // "worker 12 (Counter, pid 4711)"
  std::string Describe(ProcessId id) const;

  const std::unordered_map<ProcessId, Process>& all() const { return processes_; }

 private:
  uint32_t node_index_;
  FarRoute far_route_;
  std::function<size_t()> far_pending_;
  uint32_t last_serial_ = 1;  // serial 1 is the daemon
  std::unordered_map<ProcessId, Process> processes_;
  std::unordered_map<JobId, ProcessId> drivers_;
};

}  // namespace manta::node
