#include "testing/simulator/cluster.h"

#include <algorithm>
#include <cstdio>

#include "testing/simulator/node.h"
#include "testing/simulator/process.h"

namespace manta::simulator {
namespace {

constexpr uint64_t kMostEvents = 1'000'000;
constexpr Nanoseconds kLongest = 30 * kSecond;

}  // namespace

Cluster::Cluster(const Config& config, bool verbose)
    : config_(config), verbose_(verbose), random_(config.seed * 0x9e3779b9 + 7), oracle_(config) {
  for (uint32_t i = 1; i <= config.nodes; ++i) nodes_[i] = std::make_unique<Node>(this, i);
  StartDrivers();
  for (uint32_t i = 2; i <= config.nodes; ++i) {
    if (!random_.Chance(config.node_crashes)) continue;
    After(random_.Skewed(300 * kMillisecond), [this, i] { KillNode(i); });
  }
  CheckRegularly();
}

Cluster::~Cluster() = default;

void Cluster::StartDrivers() {
  for (uint32_t i = 0; i < config_.drivers; ++i) {
    const uint32_t node = 1 + i % config_.nodes;
    const ProcessId driver = Start(node, JobId{i + 1}, {});
    drivers_.insert(driver);
    AfterFor(driver, random_.Below(kMillisecond), [this, driver] { Find(driver)->RunDriver(); });
  }
}

void Cluster::Log(const std::string& line) {
  if (!verbose_) return;
  std::printf("%10.3f ms  %s\n", static_cast<double>(now_) / kMillisecond, line.c_str());
}

// ---- Time

void Cluster::Run() {
  Nanoseconds rest_from = -1;
  while (!queue_.empty() && oracle_.violation().empty()) {
    Timed next = std::move(const_cast<Timed&>(queue_.top()));
    queue_.pop();
    now_ = next.time;
    if (++events_ > kMostEvents || now_ > kLongest) {
      oracle_.Fail(now_, "it does not come to an end: something waits for ever");
      for (const auto& [index, node] : nodes_) Log(node->Describe());
      for (const auto& [id, process] : processes_) Log(process->Describe());
      return;
    }
    if (all_done() && rest_from < 0) rest_from = now_;
    // Long enough for idle workers to be stopped and for handles that workers keep to be dropped.
    if (rest_from >= 0 && now_ > rest_from + 2 * kSecond) break;
    next.event();
    graveyard_.clear();
  }
  if (!oracle_.violation().empty()) return;
  if (!all_done()) {
    oracle_.Fail(now_, "a driver is not done, but nothing happens any more");
    return;
  }
  CheckAtRest();
}

void Cluster::After(Nanoseconds delay, Event event) {
  queue_.push({now_ + delay, ++order_, std::move(event)});
}

void Cluster::AfterFor(ProcessId process, Nanoseconds delay, Event event) {
  After(delay, [this, process, event = std::move(event)] { RunFor(process, event); });
}

void Cluster::RunFor(ProcessId process, Event event) {
  if (!processes_.contains(process)) return;
  const auto paused = paused_.find(process);
  if (paused != paused_.end()) {
    paused->second.waiting.push_back(std::move(event));
  } else {
    event();
  }
}

void Cluster::Pause(ProcessId process, Nanoseconds time) {
  if (!processes_.contains(process) || paused_.contains(process)) return;
  Log("pause " + Hex(process.value));
  paused_[process];
  After(time, [this, process] {
    const auto paused = paused_.extract(process);
    if (paused.empty()) return;
    for (const Event& event : paused.mapped().waiting) RunFor(process, event);
  });
}

// ---- Messages

void Cluster::Send(ProcessId from, ProcessId to, Event event) {
  std::shared_ptr<Link>& entry = links_[{from, to}];
  if (entry == nullptr) entry = std::make_shared<Link>();
  const std::shared_ptr<Link> link = entry;
  const Nanoseconds delay = 1 + random_.Skewed(config_.delay);
  link->last = std::max(link->last + 1, now_ + delay);
  const bool to_daemon = to == DaemonOf(NodeIndexOf(to));
  After(link->last - now_, [this, link, from, to, to_daemon, event = std::move(event)] {
    if (link->cut) return;
    if (to_daemon) {
      if (FindNode(NodeIndexOf(to)) != nullptr) return event();
      Undeliverable(from, to);
    } else if (processes_.contains(to)) {
      RunFor(to, event);
    } else {
      Undeliverable(from, to);
    }
  });
}

// Who started after a death was not told of it. It learns of it when it sends something to the dead
// process or node.
void Cluster::Undeliverable(ProcessId from, ProcessId to) {
  if (!processes_.contains(from)) return;
  if (to == DaemonOf(NodeIndexOf(to))) {
    Send(DaemonOf(NodeIndexOf(from)), from, [this, from, to] {
      Find(from)->OnNodeGone(NodeIndexOf(to));
    });
    return;
  }
  Send(DaemonOf(NodeIndexOf(from)), from, [this, from, to] { Find(from)->OnProcessGone(to); });
}

void Cluster::Wake(ProcessId process, Event event) {
  AfterFor(process, 1 + random_.Skewed(100 * kMicrosecond), std::move(event));
}

// ---- Processes

Process* Cluster::Find(ProcessId process) {
  const auto found = processes_.find(process);
  return found == processes_.end() ? nullptr : found->second.get();
}

Node* Cluster::FindNode(uint32_t index) {
  const auto found = nodes_.find(index);
  return found == nodes_.end() ? nullptr : found->second.get();
}

ProcessId Cluster::Start(uint32_t node, JobId job, ExecutableId executable) {
  const ProcessId id = MakeProcessId(node, ++serials_[node]);
  processes_[id] = std::make_unique<Process>(this, id, job, executable);
  Log("start " + Hex(id.value));
  PlanFaults(id, !executable);
  return id;
}

void Cluster::PlanFaults(ProcessId process, bool is_driver) {
  if (random_.Chance(is_driver ? config_.driver_crashes : config_.worker_crashes)) {
    const Nanoseconds when = random_.Skewed(is_driver ? 200 * kMillisecond : 50 * kMillisecond);
    After(when, [this, process] { Kill(process, "crash"); });
  }
  if (random_.Chance(config_.pauses)) {
    const Nanoseconds time = random_.Skewed(100 * kMillisecond);
    After(random_.Skewed(50 * kMillisecond), [this, process, time] { Pause(process, time); });
  }
}

void Cluster::Kill(ProcessId process, const char* why) {
  if (!processes_.contains(process)) return;
  Log(std::string(why) + ": " + Hex(process.value) + " ends");
  oracle_.OnDeath();
  Bury(process);
}

void Cluster::Retire(ProcessId process) {
  Log("done: " + Hex(process.value) + " ends");
  Bury(process);
}

void Cluster::Bury(ProcessId process) {
  graveyard_.push_back(std::move(processes_.at(process)));
  processes_.erase(process);
  paused_.erase(process);
  drivers_.erase(process);
  TellDeath(process);
}

// The daemon sees it first, and relays what it learned; so what arrives from the dead process
// arrives before.
void Cluster::TellDeath(ProcessId process) {
  const bool lost = random_.Chance(50);
  for (auto& [ends, link] : links_) {
    if (ends.first == process && ends.second != DaemonOf(NodeIndexOf(process))) link->cut = lost;
  }
  Send(process, DaemonOf(NodeIndexOf(process)), [this, process] {
    FindNode(NodeIndexOf(process))->OnProcessGone(process);
  });
  // With the messages of the dead process, in their order; where they are lost, on a link of its own.
  const auto renew = [this, process](ProcessId to) {
    std::shared_ptr<Link>& link = links_[{process, to}];
    if (link != nullptr && link->cut) link = nullptr;
  };
  for (const auto& [id, other] : processes_) {
    renew(id);
    Send(process, id, [this, id, process] { Find(id)->OnProcessGone(process); });
  }
  for (const auto& [index, node] : nodes_) {
    if (index == NodeIndexOf(process)) continue;
    renew(DaemonOf(index));
    Send(process, DaemonOf(index), [this, index, process] {
      FindNode(index)->OnProcessGone(process);
    });
  }
}

void Cluster::KillNode(uint32_t index) {
  if (!nodes_.contains(index)) return;
  Log("crash: node " + std::to_string(index));
  std::vector<ProcessId> victims;
  for (const auto& [id, process] : processes_) {
    if (NodeIndexOf(id) == index) victims.push_back(id);
  }
  nodes_.erase(index);
  oracle_.OnNodeGone(index);
  for (const ProcessId victim : victims) Kill(victim, "node crash");
  for (const auto& [id, process] : processes_) {
    Send(DaemonOf(index), id, [this, id = id, index] { Find(id)->OnNodeGone(index); });
  }
}

// ---- Checks

void Cluster::CheckRegularly() {
  for (const auto& [index, node] : nodes_) node->Check();
  for (const auto& [id, process] : processes_) process->Check();
  if (all_done()) return;
  After(config_.quantum / 2 + 1, [this] { CheckRegularly(); });
}

void Cluster::CheckAtRest() {
  for (const auto& [index, node] : nodes_) {
    node->Check();
    oracle_.CheckNodeAtRest(now_, index, node->table());
  }
  for (const auto& [id, process] : processes_) process->CheckAtRest();
}

}  // namespace manta::simulator
