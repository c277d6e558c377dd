// A node's daemon: the real lease table, and around it what starts, stops and mourns workers.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "base/ids.h"
#include "model/lease_table.h"
#include "testing/simulator/channel.h"
#include "testing/simulator/cluster.h"

namespace manta::simulator {

class Node {
 public:
  Node(Cluster* cluster, uint32_t index);

  // Messages of processes, of this node and of others.
  void OnDemand(JobId job, const model::Demand& demand);
  void OnReturn(LeaseId lease);
  void OnBlocked(ProcessId worker, bool blocked);
  void OnProcessGone(ProcessId process);

  void Check();
  std::string Describe() const;  // what waits for it
  const model::LeaseTable& table() const { return table_; }

 private:
  void Apply();
  void Do(const model::GrantLease& action);
  void Do(const model::RevokeLease& action);
  void Do(const model::StartWorkers& action);
  void Do(const model::StopWorker& action);
  void Do(const model::LeaseLost& action);
  // No simulated program makes placement groups: LeaseTableRandomTest does.
  void Do(const model::BundlesReserved&) {}
  void StartWorker(ExecutableId executable);
  void ScheduleTick();

  ProcessId self() const { return Cluster::DaemonOf(index_); }

  Cluster* const cluster_;
  const uint32_t index_;
  model::LeaseTable table_;
  std::map<ProcessId, std::shared_ptr<Channel>> channels_;  // by worker
  Nanoseconds next_tick_ = model::kNever;
};

// The executables of a job: workers serve one job.
constexpr ExecutableId ExecutableOf(JobId job, uint32_t kind) { return {job.value * 10 + kind}; }
constexpr JobId JobOf(ExecutableId executable) { return {executable.value / 10}; }

}  // namespace manta::simulator
