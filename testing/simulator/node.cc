#include "testing/simulator/node.h"

#include <algorithm>

#include "testing/simulator/process.h"

namespace manta::simulator {
namespace {

model::ResourceSet TotalOf(const Config& config) {
  model::ResourceSet total;
  total.Set(model::kCpu, config.cpus * model::kResourceUnit);
  total.Set(model::kGpu, config.gpus * model::kResourceUnit);
  return total;
}

model::LeaseOptions OptionsOf(const Config& config) {
  model::LeaseOptions options;
  options.total = TotalOf(config);
  options.quantum = config.quantum;
  options.max_starting = config.max_starting;
  options.max_workers = config.max_workers;
  options.idle_workers_kept = config.idle_kept;
  options.idle_worker_ttl = config.idle_ttl;
  return options;
}

}  // namespace

Node::Node(Cluster* cluster, uint32_t index)
    : cluster_(cluster), index_(index), table_(OptionsOf(cluster->config())) {
  cluster_->oracle().OnNode(index, TotalOf(cluster->config()));
}

// ---- Inputs

void Node::OnDemand(JobId job, const model::Demand& demand) {
  // A daemon does not know the processes of other nodes before they ask.
  table_.AddOwner(demand.owner, job);
  cluster_->oracle().OnDemand(index_, demand, job);
  const Result<> result = table_.SetDemand(cluster_->now(), demand);
  if (!result) cluster_->oracle().Fail(cluster_->now(), result.error().message);
  Apply();
}

void Node::OnReturn(LeaseId lease) {
  cluster_->oracle().OnReturn(cluster_->now(), index_, lease);
  table_.ReturnLease(cluster_->now(), lease);
  Apply();
  cluster_->oracle().AfterReturn(index_);
}

void Node::OnBlocked(ProcessId worker, bool blocked) {
  cluster_->oracle().OnBlocked(index_, worker, blocked);
  if (blocked) {
    table_.WorkerBlocked(cluster_->now(), worker);
  } else {
    table_.WorkerResumed(cluster_->now(), worker);
  }
  const auto channel = channels_.find(worker);
  if (channel != channels_.end()) {
    const ProcessId owner = channel->second->owner;
    cluster_->Send(self(), owner, [cluster = cluster_, owner, name = channel->second->name,
                                   blocked] {
      cluster->Find(owner)->OnLeaseBlocked(name, blocked);
    });
  }
  Apply();
}

void Node::OnProcessGone(ProcessId process) {
  cluster_->oracle().OnOwnerGone(index_, process);
  cluster_->oracle().OnWorkerGone(index_, process);
  if (cluster_->random().Chance(50)) {
    table_.WorkerGone(cluster_->now(), process);
    table_.RemoveOwner(cluster_->now(), process);
  } else {
    table_.RemoveOwner(cluster_->now(), process);
    table_.WorkerGone(cluster_->now(), process);
  }
  Apply();
  channels_.erase(process);
}

void Node::Check() {
  table_.CheckInvariants();
  cluster_->oracle().CheckWaiting(cluster_->now(), index_, table_);
}

std::string Node::Describe() const {
  std::string text = "node " + std::to_string(index_) + ": " + table_.available().ToString() +
                     " is free";
  for (const model::UnmetDemand& unmet : table_.Unmet()) {
    text += "\n    key " + std::to_string(unmet.key) + " of " + Hex(unmet.owner.value) + " misses " +
            std::to_string(unmet.missing) + ": " + table_.ReasonOf(unmet);
  }
  return text;
}

// ---- Outputs

void Node::Apply() {
  for (const model::LeaseAction& action : table_.TakeActions()) {
    std::visit([this](const auto& specific) { Do(specific); }, action);
  }
  ScheduleTick();
}

void Node::Do(const model::GrantLease& grant) {
  cluster_->oracle().OnGrant(cluster_->now(), index_, grant);
  auto channel = std::make_shared<Channel>();
  channel->name = {index_, grant.lease};
  channel->key = grant.key;
  channel->owner = grant.owner;
  channel->worker = grant.worker;
  channels_[grant.worker] = channel;
  cluster_->Log("grant " + Hex(grant.lease.value) + " of node " + std::to_string(index_) + " to " +
                Hex(grant.owner.value) + ": worker " + Hex(grant.worker.value));
  cluster_->Send(self(), grant.worker, [cluster = cluster_, channel] {
    cluster->Find(channel->worker)->OnChannel(channel);
  });
  cluster_->Send(self(), grant.owner, [cluster = cluster_, channel] {
    cluster->Find(channel->owner)->OnGranted(channel);
  });
}

void Node::Do(const model::RevokeLease& revoke) {
  cluster_->oracle().OnRevoke(cluster_->now(), index_, revoke.lease);
  cluster_->Log("revoke " + Hex(revoke.lease.value) + " of node " + std::to_string(index_));
  cluster_->Send(self(), revoke.owner, [cluster = cluster_, index = index_, revoke] {
    cluster->Find(revoke.owner)->OnRevoked({index, revoke.lease});
  });
}

void Node::Do(const model::StartWorkers& start) {
  for (uint32_t i = 0; i < start.count; ++i) {
    const Nanoseconds time = cluster_->random().Between(100, 3000) * kMicrosecond;
    cluster_->After(time, [cluster = cluster_, index = index_, executable = start.executable] {
      if (Node* node = cluster->FindNode(index)) node->StartWorker(executable);
    });
  }
}

void Node::StartWorker(ExecutableId executable) {
  if (cluster_->random().Chance(cluster_->config().start_failures)) {
    table_.WorkerStartFailed(cluster_->now(), executable);
  } else {
    const ProcessId worker = cluster_->Start(index_, JobOf(executable), executable);
    table_.WorkerReady(cluster_->now(), worker, executable);
  }
  Apply();
}

void Node::Do(const model::StopWorker& stop) {
  cluster_->oracle().OnStop(index_, stop.worker);
  if (!stop.force) {
    cluster_->Send(self(), stop.worker, [cluster = cluster_, stop] {
      cluster->Find(stop.worker)->OnStop();
    });
    return;
  }
  cluster_->After(cluster_->random().Below(kMillisecond), [cluster = cluster_, stop] {
    cluster->Kill(stop.worker, "stopped by force");
  });
}

void Node::Do(const model::LeaseLost& lost) {
  cluster_->Send(self(), lost.owner, [cluster = cluster_, index = index_, lost] {
    cluster->Find(lost.owner)->OnLeaseLost({index, lost.lease});
  });
}

void Node::ScheduleTick() {
  const Nanoseconds deadline = table_.NextDeadline();
  if (deadline >= next_tick_ || deadline == model::kNever) return;
  next_tick_ = std::max(deadline, cluster_->now());
  cluster_->After(next_tick_ - cluster_->now(), [cluster = cluster_, index = index_,
                                                 at = next_tick_] {
    Node* node = cluster->FindNode(index);
    if (node == nullptr || node->next_tick_ != at) return;
    node->next_tick_ = model::kNever;
    node->table_.Tick(cluster->now());
    node->Apply();
  });
}

}  // namespace manta::simulator
