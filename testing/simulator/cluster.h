// The simulated cluster: virtual time, processes, links between them, and what goes wrong.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <queue>
#include <set>
#include <string>
#include <vector>

#include "base/ids.h"
#include "testing/simulator/config.h"
#include "testing/simulator/oracle.h"
#include "testing/simulator/random.h"

namespace manta::simulator {

class Node;
class Process;

class Cluster {
 public:
  using Event = std::function<void()>;

  Cluster(const Config& config, bool verbose);
  ~Cluster();

  // Runs until all drivers are done and everything is at rest, or something is violated.
  void Run();

  const Config& config() const { return config_; }
  Random& random() { return random_; }
  Oracle& oracle() { return oracle_; }
  Nanoseconds now() const { return now_; }
  uint64_t events() const { return events_; }
  uint64_t NextTask() { return ++last_task_; }

  // ---- Time

  void After(Nanoseconds delay, Event event);
  // For a process: not when it is dead, later when it is paused.
  void AfterFor(ProcessId process, Nanoseconds delay, Event event);

  // ---- Messages

  // Keeps the order of the link and takes some time. A daemon has the id of its node.
  void Send(ProcessId from, ProcessId to, Event event);
  // Something in shared memory that wakes the other side.
  void Wake(ProcessId process, Event event);

  // ---- Processes

  static ProcessId DaemonOf(uint32_t node) { return MakeProcessId(node, 0); }
  Process* Find(ProcessId process);  // nullptr: dead
  Node* FindNode(uint32_t index);    // nullptr: dead
  ProcessId Start(uint32_t node, JobId job, ExecutableId executable);
  // Of itself, by the daemon, or by a crash. What it had sent may or may not arrive.
  void Kill(ProcessId process, const char* why);
  // A process ends in order: nobody will miss it.
  void Retire(ProcessId process);
  bool all_done() const { return drivers_.empty(); }

  bool verbose() const { return verbose_; }
  void Log(const std::string& line);

 private:
  struct Timed {
    Nanoseconds time;
    uint64_t order;
    Event event;
    bool operator>(const Timed& other) const {
      return time != other.time ? time > other.time : order > other.order;
    }
  };
  struct Link {
    Nanoseconds last = 0;  // arrival of the latest message
    bool cut = false;      // the sender died, and what is on its way is lost
  };
  struct Paused {
    std::vector<Event> waiting;
  };

  void StartDrivers();
  void Bury(ProcessId process);
  void PlanFaults(ProcessId process, bool is_driver);
  void KillNode(uint32_t index);
  void TellDeath(ProcessId process);
  void Pause(ProcessId process, Nanoseconds time);
  void RunFor(ProcessId process, Event event);
  void Undeliverable(ProcessId from, ProcessId to);
  void CheckRegularly();
  void CheckAtRest();

  const Config config_;
  const bool verbose_;
  Random random_;
  Oracle oracle_;
  Nanoseconds now_ = 0;
  uint64_t events_ = 0;
  uint64_t order_ = 0;
  uint64_t last_task_ = 0;
  std::priority_queue<Timed, std::vector<Timed>, std::greater<>> queue_;
  std::map<std::pair<ProcessId, ProcessId>, std::shared_ptr<Link>> links_;
  std::map<uint32_t, std::unique_ptr<Node>> nodes_;
  std::map<ProcessId, std::unique_ptr<Process>> processes_;
  std::vector<std::unique_ptr<Process>> graveyard_;  // events may be inside of them
  std::map<ProcessId, Paused> paused_;
  std::map<uint32_t, uint32_t> serials_;
  std::set<ProcessId> drivers_;
};

}  // namespace manta::simulator
