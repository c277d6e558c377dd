// Worker processes from birth to death, and the zygotes that they come from.
//
// A worker is asked for (its process id is its ticket), forked by its zygote, says Hello on a socket of its own, serves, and
// ends. Its end shows twice, as the end of its socket and as an exit status from the zygote; the pool waits a moment for the
// second, so that the cause is known when the death is reported.
//
// A worker that ends by itself before it has done anything was not started, whether it had said Hello or not. Starts that fail are
// tried again after a while (model::StartAttempts); after a few in a row those who wait are told, and later ones try anew.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/ids.h"
#include "model/start_attempts.h"
#include "node/connections.h"
#include "node/event_loop.h"
#include "node/kept_logs.h"
#include "node/log_tail.h"
#include "node/process_table.h"
#include "node/zygote_launcher.h"

namespace spdlog {
class logger;
}

namespace manta::node {

class WorkerPool {
 public:
  class Observer {
   public:
    virtual ~Observer() = default;
    // A worker that had said Hello is no more: nothing touches what it shared.
    virtual void OnWorkerDead(ProcessId worker, const wire::CauseT& cause) = 0;
    // Whether a worker that had said Hello has done anything since.
    virtual bool HasServed(ProcessId worker) const = 0;
    // A worker that was asked for will not come.
    virtual void OnStartFailed(ExecutableId executable) = 0;
    // None will in the near future: who waits for the first worker of this executable should be told. `starts` were asked for and
    // not answered yet; they are by this. Later Starts are tried again.
    virtual void OnStartsGivenUp(ExecutableId executable, uint32_t starts,
                                 const std::string& reason) = 0;
  };

  static constexpr Nanoseconds kZygoteHelloLimit = 60 * kSecond;  // on a busy machine an interpreter takes its time
  static constexpr Nanoseconds kWorkerHelloLimit = 30 * kSecond;
  static constexpr Nanoseconds kOtherSignOfDeath = 200 * kMillisecond;
  static constexpr Nanoseconds kGracefulStop = 5 * kSecond;

  WorkerPool(EventLoop& loop, spdlog::logger& log, ProcessTable& processes,
             Connections& connections, std::string log_directory, uint64_t file_limit,
             Observer& observer);
  ~WorkerPool();

  // Launches the program's zygote if there is none yet.
  void AddExecutable(ExecutableId executable, const Program& program);
  // Its job is over: kills its workers, and the zygote with the last executable that uses it. Returns how many starts stay
  // unanswered.
  uint32_t RemoveExecutable(ExecutableId executable);

  // Workers that nobody asked for yet; later Starts are served with them first.
  void Prestart(ExecutableId executable, uint32_t count);
  void Start(ExecutableId executable, uint32_t count);
  // By force: kills it. Otherwise asks it to end, and kills it if it does not. The reason becomes part of the cause of death.
  void Stop(ProcessId worker, bool force, const std::string& reason);
  // As a stop without force, but it ends only when nobody refers to the objects that it owns, however long that takes.
  void Retire(ProcessId id, const std::string& reason);

  std::optional<ExecutableId> ExecutableOf(ProcessId worker) const;

  // Events. False: this worker is unknown or was given up.
  bool OnWorkerHello(ProcessId worker, pid_t pid);
  // It gets no more work and ends by itself, when others have let go of its objects.
  void OnWorkerRetires(ProcessId id);
  void OnWorkerGoodbye(ProcessId worker, const std::string& reason);
  void OnWorkerLost(ProcessId worker, const std::string& reason);  // its socket is closed
  void OnZygoteHello(uint64_t zygote, const std::shared_ptr<Connection>& connection);
  void OnZygoteMessage(uint64_t zygote, const wire::Frame& frame);
  void OnZygoteLost(uint64_t zygote);
  // From waitpid: a zygote, or a worker whose zygote died first.
  void OnChildExit(pid_t pid, int status);

  void KillAll();

  // For listings.
  struct WorkerInfo {
    ProcessId worker;
    pid_t pid;
    const char* state;
    WorkerLog log;
  };
  std::vector<WorkerInfo> List() const;
  const Program* ProgramOf(ExecutableId executable) const;
  // Empty paths: no such worker.
  WorkerLog LogOf(ProcessId worker) const;

 private:
  struct Zygote {
    uint64_t id = 0;
    Program program;
    pid_t pid = 0;
    std::shared_ptr<Connection> connection;
    bool ready = false;
    bool lost = false;
    std::optional<int> exit_status;
    std::string log_path;
    std::set<ExecutableId> users;
    std::deque<ProcessId> waiting;  // workers to fork once it is ready
    std::unique_ptr<Timer> timer;
  };
  struct Worker {
    ProcessId id;
    ExecutableId executable;
    uint64_t zygote = 0;
    uint64_t round = 0;         // of the executable's attempts
    pid_t pid = 0;
    bool ready = false;         // said Hello
    bool retires = false;
    bool told_to_end = false;
    bool socket_closed = false;
    bool killed = false;
    bool said_goodbye = false;
    std::optional<int> exit_status;
    std::string stop_reason;
    WorkerLog log;
    std::unique_ptr<Timer> timer;
  };
  struct Executable {
    Program program;
    uint64_t zygote = 0;      // 0: to be launched
    uint32_t starting = 0;    // asked for, no Hello yet
    uint32_t delayed = 0;     // asked for, wait until `attempts` allows it
    uint32_t unclaimed = 0;   // of both: ahead of demand
    uint32_t unanswered = 0;  // Starts that neither a Hello nor a failure has answered
    model::StartAttempts attempts;
    std::unique_ptr<Timer> delay;
  };
  enum class Failure {
    kMayPass,
    kStays,  // trying again would be of no use
  };

  Zygote* EnsureZygote(ExecutableId id, Executable& executable);
  void StartWhenAllowed(ExecutableId id);
  void StartOne(ExecutableId id);
  void Fork(Zygote& zygote, Worker& worker);
  void Kill(Worker& worker);
  void CheckDeath(ProcessId id);
  void Finish(ProcessId id);
  void StartFailed(ProcessId id, const std::string& reason);
  void WillNotCome(ProcessId id, const std::string& reason);
  void ReportStartFailed(ExecutableId id);
  void AttemptFailed(ExecutableId id, uint64_t round, const std::string& reason,
                     const std::string& last_words, Failure failure = Failure::kMayPass);
  void GiveUp(ExecutableId id, const std::string& reason);
  bool MayStillServe(const Worker& worker) const;
  void CheckZygoteDeath(uint64_t id);
  void FinishZygote(uint64_t id);
  void LeaveZygote(ExecutableId id, uint64_t zygote);

  EventLoop& loop_;
  spdlog::logger& log_;
  ProcessTable& processes_;
  Connections& connections_;
  const std::string log_directory_;
  const uint64_t file_limit_;
  Observer& observer_;
  uint64_t last_zygote_ = 0;
  std::unordered_map<uint64_t, Zygote> zygotes_;
  std::unordered_map<ProcessId, Worker> workers_;
  std::unordered_map<pid_t, ProcessId> by_pid_;
  std::unordered_map<ExecutableId, Executable> executables_;
  KeptLogs kept_logs_;
};

}  // namespace manta::node
