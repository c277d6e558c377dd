#include "model/worker_pool.h"

#include <algorithm>
#include <cassert>

namespace manta::model {

using State = PoolWorker::State;

PoolWorker* WorkerPool::Find(ProcessId worker) {
  const auto found = workers_.find(worker);
  return found == workers_.end() ? nullptr : &found->second;
}

void WorkerPool::Add(Nanoseconds now, ProcessId worker, ExecutableId executable) {
  const auto [entry, added] = workers_.try_emplace(worker);
  if (!added) return;
  StartIsOver(executable);
  entry->second.id = worker;
  entry->second.executable = executable;
  entry->second.idle_since = now;
  Executable& group = executables_[executable];
  ++group.workers;
  group.idle.emplace(now, worker);
}

void WorkerPool::StartFailed(ExecutableId executable) {
  StartIsOver(executable);
  ForgetIfUnused(executable);
}

void WorkerPool::StartIsOver(ExecutableId id) {
  const auto found = executables_.find(id);
  // A worker may come unasked, e.g. one that was started before the first demand.
  if (found == executables_.end() || found->second.starting == 0) return;
  --found->second.starting;
  --starting_;
}

void WorkerPool::Remove(PoolWorker* worker) {
  if (worker->state == State::kIdle) LeaveIdle(worker);
  if (worker->state == State::kStopping) --stopping_;
  const ExecutableId executable = worker->executable;
  --executables_.at(executable).workers;
  workers_.erase(worker->id);
  ForgetIfUnused(executable);
}

void WorkerPool::ForgetIfUnused(ExecutableId id) {
  const auto found = executables_.find(id);
  if (found == executables_.end()) return;
  const Executable& executable = found->second;
  if (executable.workers == 0 && executable.starting == 0) executables_.erase(found);
}

void WorkerPool::LeaveIdle(PoolWorker* worker) {
  assert(worker->state == State::kIdle);
  executables_.at(worker->executable).idle.erase({worker->idle_since, worker->id});
}

PoolWorker* WorkerPool::Lease(ExecutableId executable, LeaseId lease, ProcessId other_than) {
  assert(HasIdle(executable, other_than));
  auto last = executables_.at(executable).idle.rbegin();
  if (last->second == other_than) ++last;
  PoolWorker* worker = Find(last->second);
  LeaveIdle(worker);
  worker->state = State::kLeased;
  worker->lease = lease;
  return worker;
}

void WorkerPool::MakeIdle(Nanoseconds now, PoolWorker* worker) {
  assert(worker->state == State::kLeased);
  worker->state = State::kIdle;
  worker->lease = {};
  worker->blocked = false;
  worker->idle_since = now;
  executables_.at(worker->executable).idle.emplace(now, worker->id);
}

void WorkerPool::MakeStopping(PoolWorker* worker) {
  assert(worker->state != State::kStopping);
  if (worker->state == State::kIdle) LeaveIdle(worker);
  worker->state = State::kStopping;
  worker->lease = {};
  worker->blocked = false;
  ++stopping_;
}

WorkerPool::Cover WorkerPool::CoverByStart(ExecutableId id) {
  Executable& executable = executables_[id];
  if (executable.round != round_) {
    executable.round = round_;
    executable.covered = 0;
  }
  if (executable.covered == executable.starting) {
    if (starting_ >= limits_.max_starting) return Cover::kMustWait;
    if (counted() >= limits_.max_workers) {
      ForgetIfUnused(id);
      return Cover::kWorkerLimit;
    }
    Start(id, &executable);
  }
  ++executable.covered;
  return Cover::kStarting;
}

void WorkerPool::StartAhead(ExecutableId id) {
  if (HasIdle(id, {}) || starting(id) > 0) return;
  if (starting_ >= limits_.max_starting || counted() >= limits_.max_workers) return;
  Start(id, &executables_[id]);
}

void WorkerPool::Start(ExecutableId id, Executable* executable) {
  ++executable->starting;
  ++starting_;
  if (executable->to_start++ == 0) starts_.push_back(id);
}

std::vector<std::pair<ExecutableId, uint32_t>> WorkerPool::TakeStarts() {
  std::vector<std::pair<ExecutableId, uint32_t>> starts;
  for (const ExecutableId id : std::exchange(starts_, {})) {
    starts.emplace_back(id, std::exchange(executables_.at(id).to_start, 0));
  }
  return starts;
}

bool WorkerPool::LimitBlocks(ExecutableId executable) const {
  return counted() >= limits_.max_workers && !HasIdle(executable, {}) && starting(executable) == 0;
}

std::vector<PoolWorker*> WorkerPool::IdleWorkers(ExecutableId other_than) {
  std::vector<std::pair<Nanoseconds, ProcessId>> idle;
  for (const auto& [id, executable] : executables_) {
    if (id == other_than) continue;
    idle.insert(idle.end(), executable.idle.begin(), executable.idle.end());
  }
  std::sort(idle.begin(), idle.end());
  std::vector<PoolWorker*> workers;
  for (const auto& [since, id] : idle) workers.push_back(Find(id));
  return workers;
}

std::vector<PoolWorker*> WorkerPool::Expired(Nanoseconds now) {
  std::vector<PoolWorker*> expired;
  for (const auto& [id, executable] : executables_) {
    size_t beyond = executable.idle.size();
    for (const auto& [since, worker] : executable.idle) {
      if (beyond-- <= Kept(id) || since + limits_.idle_ttl > now) break;
      expired.push_back(Find(worker));
    }
  }
  return expired;
}

void WorkerPool::Touch(Nanoseconds now, PoolWorker* worker) {
  LeaveIdle(worker);
  worker->idle_since = now;
  executables_.at(worker->executable).idle.emplace(now, worker->id);
}

Nanoseconds WorkerPool::NextExpiry() const {
  Nanoseconds next = kNever;
  for (const auto& [id, executable] : executables_) {
    if (executable.idle.size() <= Kept(id)) continue;
    next = std::min(next, executable.idle.begin()->first + limits_.idle_ttl);
  }
  return next;
}

uint32_t WorkerPool::starting(ExecutableId executable) const {
  const auto found = executables_.find(executable);
  return found == executables_.end() ? 0 : found->second.starting;
}

const char* WorkerPool::BrokenInvariant() const {
  uint32_t idle = 0, starting = 0, workers = 0, stopping = 0;
  for (const auto& [id, executable] : executables_) {
    idle += executable.idle.size();
    starting += executable.starting;
    workers += executable.workers;
  }
  for (const auto& [id, worker] : workers_) {
    const auto group = executables_.find(worker.executable);
    if (group == executables_.end()) return "a worker of no executable";
    const bool listed = group->second.idle.contains({worker.idle_since, id});
    if (listed != (worker.state == State::kIdle)) return "idle list and worker state disagree";
    if (listed) --idle;
    if (worker.state == State::kStopping) ++stopping;
    if ((worker.state == State::kLeased) != static_cast<bool>(worker.lease)) {
      return "a lease without a leased worker, or the other way round";
    }
    if (worker.state == State::kIdle && !worker.charged.empty()) return "an idle worker is charged";
    if (worker.blocked && worker.state != State::kLeased) return "a worker blocks without a lease";
  }
  if (idle != 0) return "an unknown worker is listed as idle";
  if (starting != starting_) return "the count of starting workers is wrong";
  if (stopping != stopping_) return "the count of stopping workers is wrong";
  if (workers != workers_.size()) return "the count of workers per executable is wrong";
  if (starting_ > limits_.max_starting) return "too many workers start";
  return nullptr;
}

}  // namespace manta::model
