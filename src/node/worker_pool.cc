#include "node/worker_pool.h"

#include <fcntl.h>
#include <signal.h>
#include <spdlog/logger.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "node/exit_status.h"
#include "node/log_tail.h"

namespace manta::node {
namespace {

UniqueFd OpenLog(const std::string& path) {
  return UniqueFd(open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
}

bool MakeSocketPair(UniqueFd* ours, UniqueFd* theirs) {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) return false;
  *ours = UniqueFd(ends[0]);
  *theirs = UniqueFd(ends[1]);
  return true;
}

// "" when nothing was written.
std::string LastWords(const std::string& log_path, const std::string& tail) {
  return tail.empty() ? tail : "; its last output (" + log_path + "):\n" + tail;
}

std::string HowItEnded(int status) {
  return (WIFSIGNALED(status) ? "ended by " : "ended with ") + DescribeStatus(status);
}

}  // namespace

WorkerPool::WorkerPool(EventLoop& loop, spdlog::logger& log, ProcessTable& processes,
                       Connections& connections, std::string log_directory, uint64_t file_limit,
                       Observer& observer)
    : loop_(loop),
      log_(log),
      processes_(processes),
      connections_(connections),
      log_directory_(std::move(log_directory)),
      file_limit_(file_limit),
      observer_(observer) {}

WorkerPool::~WorkerPool() = default;

// ---- Executables and zygotes ---------------------------------------------------------------------------

void WorkerPool::AddExecutable(ExecutableId id, const Program& program) {
  Executable& executable = executables_[id];
  executable.program = program;
  EnsureZygote(id, executable);
}

WorkerPool::Zygote* WorkerPool::EnsureZygote(ExecutableId id, Executable& executable) {
  if (const auto found = zygotes_.find(executable.zygote); found != zygotes_.end()) {
    if (!found->second.lost) return &found->second;
    LeaveZygote(id, executable.zygote);
  }
  for (auto& [other, zygote] : zygotes_) {
    if (zygote.lost || zygote.program != executable.program) continue;
    zygote.users.insert(id);
    executable.zygote = other;
    return &zygote;
  }

  UniqueFd ours, theirs;
  const uint64_t zygote_id = ++last_zygote_;
  const std::string log_path = log_directory_ + "/zygote-" + std::to_string(zygote_id) + ".log";
  UniqueFd log = OpenLog(log_path);
  std::string failure;
  if (!log) {
    failure = ErrnoError("opening " + log_path, errno).message;
  } else if (!MakeSocketPair(&ours, &theirs)) {
    failure = ErrnoError("socketpair", errno).message;
  }
  Result<pid_t> pid = 0;
  if (failure.empty()) {
    pid = LaunchZygote(executable.program, theirs.get(), log.get(), file_limit_);
    if (!pid) failure = pid.error().message;
  }
  if (!failure.empty()) {
    AttemptFailed(id, executable.attempts.round(), failure, "");
    return nullptr;
  }

  Zygote& zygote = zygotes_[zygote_id];
  zygote.id = zygote_id;
  zygote.program = executable.program;
  zygote.pid = *pid;
  zygote.log_path = log_path;
  zygote.users.insert(id);
  zygote.timer = std::make_unique<Timer>(loop_, [this, zygote_id] {
    const auto found = zygotes_.find(zygote_id);
    if (found == zygotes_.end()) return;
    kill(found->second.pid, SIGKILL);
    FinishZygote(zygote_id);
  });
  zygote.timer->ExpireAfter(kZygoteHelloLimit);
  executable.zygote = zygote_id;
  Peer peer;
  peer.kind = Peer::Kind::kZygote;
  peer.zygote = zygote_id;
  peer.pid = *pid;
  zygote.connection = connections_.Add(std::move(ours), peer);
  log_.info("zygote started zygote={} pid={} program=\"{}\"", zygote_id, *pid,
            executable.program.path);
  return &zygote;
}

void WorkerPool::LeaveZygote(ExecutableId id, uint64_t zygote_id) {
  const auto found = zygotes_.find(zygote_id);
  if (found == zygotes_.end()) return;
  Zygote& zygote = found->second;
  zygote.users.erase(id);
  if (!zygote.users.empty()) return;
  // Its death is of no interest to anybody; OnChildExit takes its status away.
  kill(zygote.pid, SIGKILL);
  if (zygote.connection) connections_.Drop(zygote.connection->id());
  kept_logs_.WriterGone(zygote.log_path);
  zygotes_.erase(found);
}

uint32_t WorkerPool::RemoveExecutable(ExecutableId id) {
  const auto found = executables_.find(id);
  if (found == executables_.end()) return 0;
  const uint64_t zygote = found->second.zygote;
  const uint32_t unanswered = found->second.unanswered;
  executables_.erase(found);
  std::vector<ProcessId> workers;
  for (auto& [worker_id, worker] : workers_) {
    if (worker.executable == id) workers.push_back(worker_id);
  }
  for (ProcessId worker_id : workers) {
    Worker& worker = workers_.at(worker_id);
    worker.told_to_end = true;
    if (worker.stop_reason.empty()) worker.stop_reason = "its driver is gone";
    if (worker.pid != 0) {
      Kill(worker);
    } else if (const auto forking = zygotes_.find(worker.zygote);
               forking != zygotes_.end() && std::erase(forking->second.waiting, worker_id) > 0) {
      workers_.erase(worker_id);  // was not even asked for
    }
  }
  LeaveZygote(id, zygote);
  return unanswered;
}

void WorkerPool::OnZygoteHello(uint64_t id, const std::shared_ptr<Connection>& connection) {
  const auto found = zygotes_.find(id);
  if (found == zygotes_.end()) return;
  Zygote& zygote = found->second;
  zygote.connection = connection;
  zygote.ready = true;
  zygote.timer->Cancel();
  std::deque<ProcessId> waiting = std::exchange(zygote.waiting, {});
  for (ProcessId worker : waiting) {
    if (const auto next = workers_.find(worker); next != workers_.end()) Fork(zygote, next->second);
  }
}

void WorkerPool::OnZygoteMessage(uint64_t id, const wire::Frame& frame) {
  if (const auto* forked = frame.message_as_Forked()) {
    const ProcessId worker_id{forked->ticket()};
    const auto found = workers_.find(worker_id);
    if (found == workers_.end() || found->second.zygote != id || found->second.pid != 0) return;
    Worker& worker = found->second;
    if (forked->pid() <= 0) {
      const std::string error = forked->error() != nullptr ? forked->error()->str() : "no reason";
      return StartFailed(worker_id, "in the zygote: " + error);
    }
    worker.pid = forked->pid();
    by_pid_[worker.pid] = worker_id;
    // Given up while it was being forked: its driver left.
    if (!worker.stop_reason.empty()) Kill(worker);
  } else if (const auto* exited = frame.message_as_ChildExited()) {
    OnChildExit(exited->pid(), exited->status());
  } else {
    log_.warn("message ignored from=zygote zygote={} type={}", id,
              wire::EnumNameMessage(frame.message_type()));
  }
}

void WorkerPool::OnZygoteLost(uint64_t id) {
  const auto found = zygotes_.find(id);
  if (found == zygotes_.end() || found->second.lost) return;
  found->second.lost = true;
  CheckZygoteDeath(id);
}

void WorkerPool::CheckZygoteDeath(uint64_t id) {
  Zygote& zygote = zygotes_.at(id);
  if (zygote.exit_status) {
    FinishZygote(id);
  } else {
    zygote.timer->ExpireAfter(kOtherSignOfDeath);
  }
}

void WorkerPool::FinishZygote(uint64_t id) {
  const auto found = zygotes_.find(id);
  if (found == zygotes_.end()) return;
  Zygote zygote = std::move(found->second);
  zygotes_.erase(found);
  if (zygote.connection) connections_.Drop(zygote.connection->id());
  const bool silent = !zygote.exit_status && !zygote.lost;
  std::string what = "closed its connection";
  if (zygote.exit_status) {
    what = HowItEnded(*zygote.exit_status);
  } else if (silent) {
    what = "was silent for " + std::to_string(kZygoteHelloLimit / kSecond) + " s";
  }
  log_.warn("zygote ended zygote={} pid={} how=\"{}\"", id, zygote.pid, what);
  if (!zygote.exit_status) kill(zygote.pid, SIGKILL);  // nobody speaks with it any more

  std::string reason = "the zygote " + what;
  Failure failure = Failure::kMayPass;
  if (!zygote.ready) {
    reason += " before it said Hello";
    // It was not killed: so it ran something else than a zygote, or nothing at all.
    const bool exited = zygote.exit_status && WIFEXITED(*zygote.exit_status);
    if (exited) reason += "; is this a Manta program (does it link libmanta)?";
    if (exited || silent) failure = Failure::kStays;
  }
  const std::string last_words =
      zygote.ready ? "" : LastWords(zygote.log_path, ReadLogTail(zygote.log_path));
  kept_logs_.WriterGone(zygote.log_path);
  // Its workers die with it or live on; those that it had not yet forked need another zygote.
  std::vector<ProcessId> unborn;
  std::set<ExecutableId> failed = zygote.ready ? std::set<ExecutableId>() : zygote.users;
  for (const auto& [worker_id, worker] : workers_) {
    if (worker.zygote != id || worker.pid != 0) continue;
    unborn.push_back(worker_id);
    failed.insert(worker.executable);
  }
  for (ExecutableId user : zygote.users) {
    if (const auto executable = executables_.find(user); executable != executables_.end()) {
      executable->second.zygote = 0;
    }
  }
  for (ProcessId worker_id : unborn) WillNotCome(worker_id, reason);
  for (ExecutableId user : failed) {
    if (const auto executable = executables_.find(user); executable != executables_.end()) {
      AttemptFailed(user, executable->second.attempts.round(), reason, last_words, failure);
    }
  }
}

// Whether a start that seems to fail is not the executable's last hope.
bool WorkerPool::MayStillServe(const Worker& worker) const {
  if (worker.told_to_end || worker.killed || worker.exit_status || worker.socket_closed) return false;
  return !worker.ready || !observer_.HasServed(worker.id);
}

void WorkerPool::AttemptFailed(ExecutableId id, uint64_t round, const std::string& reason,
                               const std::string& last_words, Failure failure) {
  const auto found = executables_.find(id);
  if (found == executables_.end()) return;
  Executable& executable = found->second;
  bool others_may_serve = false;
  for (const auto& [worker_id, worker] : workers_) {
    if (worker.executable != id) continue;
    others_may_serve |= MayStillServe(worker);
    if (worker.ready && observer_.HasServed(worker_id)) executable.attempts.Served(worker.round);
  }
  executable.attempts.Failed(EventLoop::Now(), round);
  const uint64_t failures = executable.attempts.failures();
  if (failure == Failure::kStays) return GiveUp(id, reason + last_words);
  if (!executable.attempts.exhausted() || others_may_serve) return;
  GiveUp(id, reason + " (" + std::to_string(failures) + " times in a row; later calls try again)" + last_words);
}

void WorkerPool::GiveUp(ExecutableId id, const std::string& reason) {
  Executable& executable = executables_.at(id);
  executable.attempts.GiveUp(EventLoop::Now());
  const std::string text = "workers cannot be started: " + executable.program.path + ": " + reason;
  log_.error("starts given up {}", text);
  // Not from inside of the caller's Start.
  loop_.Post([this, id, text] {
    const auto given_up = executables_.find(id);
    if (given_up == executables_.end()) return;
    given_up->second.delayed = 0;
    given_up->second.unclaimed = std::min(given_up->second.unclaimed, given_up->second.starting);
    observer_.OnStartsGivenUp(id, std::exchange(given_up->second.unanswered, 0), text);
  });
}

const Program* WorkerPool::ProgramOf(ExecutableId id) const {
  const auto found = executables_.find(id);
  return found == executables_.end() ? nullptr : &found->second.program;
}

// ---- Births --------------------------------------------------------------------------------------------

void WorkerPool::Prestart(ExecutableId id, uint32_t count) {
  const auto found = executables_.find(id);
  if (found == executables_.end()) return;
  found->second.unclaimed += count;
  found->second.delayed += count;
  StartWhenAllowed(id);
}

void WorkerPool::Start(ExecutableId id, uint32_t count) {
  const auto found = executables_.find(id);
  if (found == executables_.end()) return;
  const uint32_t claimed = std::min(count, found->second.unclaimed);
  found->second.unclaimed -= claimed;
  found->second.unanswered += count;
  found->second.delayed += count - claimed;
  StartWhenAllowed(id);
}

void WorkerPool::StartWhenAllowed(ExecutableId id) {
  Executable& executable = executables_.at(id);
  while (executable.delayed > 0) {
    if (const Nanoseconds when = executable.attempts.not_before(); when > EventLoop::Now()) {
      if (!executable.delay) {
        executable.delay = std::make_unique<Timer>(loop_, [this, id] { StartWhenAllowed(id); });
      }
      return executable.delay->ExpireAt(when);
    }
    --executable.delayed;
    StartOne(id);
  }
}

void WorkerPool::StartOne(ExecutableId id) {
  Executable& executable = executables_.at(id);
  const uint64_t round = executable.attempts.round();
  Zygote* zygote = EnsureZygote(id, executable);
  if (zygote == nullptr) return ReportStartFailed(id);
  const ProcessId worker_id = processes_.NextId();
  Worker& worker = workers_[worker_id];
  worker.id = worker_id;
  worker.executable = id;
  worker.zygote = zygote->id;
  worker.round = round;
  worker.log = {log_directory_ + "/worker-" + std::to_string(SerialOf(worker_id))};
  ++executable.starting;
  if (zygote->ready) {
    Fork(*zygote, worker);
  } else {
    zygote->waiting.push_back(worker_id);
  }
}

void WorkerPool::Fork(Zygote& zygote, Worker& worker) {
  UniqueFd ours, theirs;
  UniqueFd out = OpenLog(worker.log.out());
  UniqueFd err = OpenLog(worker.log.err());
  if (!out || !err || !MakeSocketPair(&ours, &theirs)) {
    return StartFailed(worker.id, ErrnoError("opening its log or socket", errno).message);
  }
  const ProcessId id = worker.id;
  worker.timer = std::make_unique<Timer>(loop_, [this, id] { CheckDeath(id); });
  worker.timer->ExpireAfter(kWorkerHelloLimit);
  Peer peer;
  peer.kind = Peer::Kind::kWorker;
  peer.process = id;
  connections_.Add(std::move(ours), peer);
  wire::ForkWorkerT request;
  request.ticket = id.value;
  std::vector<UniqueFd> descriptors;
  descriptors.push_back(std::move(theirs));
  descriptors.push_back(std::move(out));
  descriptors.push_back(std::move(err));
  zygote.connection->Send(std::move(request), std::move(descriptors));
}

bool WorkerPool::OnWorkerHello(ProcessId id, pid_t pid) {
  const auto found = workers_.find(id);
  if (found == workers_.end()) return false;
  Worker& worker = found->second;
  if (worker.ready || worker.killed || !worker.stop_reason.empty()) return false;
  const auto executable = executables_.find(worker.executable);
  if (executable == executables_.end()) return false;
  // Its Hello may overtake the zygote's Forked: they come on different sockets.
  if (worker.pid == 0) {
    worker.pid = pid;
    by_pid_[pid] = id;
  }
  worker.ready = true;
  worker.timer->Cancel();
  Executable& owner = executable->second;
  if (owner.unanswered > 0) --owner.unanswered;
  if (owner.starting > 0) --owner.starting;
  owner.unclaimed = std::min(owner.unclaimed, owner.starting + owner.delayed);
  return true;
}

void WorkerPool::StartFailed(ProcessId id, const std::string& reason) {
  const auto found = workers_.find(id);
  if (found == workers_.end()) return;
  const ExecutableId executable = found->second.executable;
  const uint64_t round = found->second.round;
  const std::string last_words = LastWords(found->second.log.name(), found->second.log.Tail());
  const bool counts = !found->second.told_to_end;
  WillNotCome(id, reason);
  if (counts) AttemptFailed(executable, round, reason, last_words);
}

void WorkerPool::WillNotCome(ProcessId id, const std::string& reason) {
  const auto found = workers_.find(id);
  if (found == workers_.end()) return;
  const ExecutableId executable_id = found->second.executable;
  if (found->second.pid != 0) by_pid_.erase(found->second.pid);
  kept_logs_.WorkerGone(found->second.log);
  workers_.erase(found);
  log_.warn("worker not started worker={} reason=\"{}\"", SerialOf(id), reason);
  const auto executable = executables_.find(executable_id);
  if (executable == executables_.end()) return;
  Executable& owner = executable->second;
  if (owner.starting > 0) --owner.starting;
  owner.unclaimed = std::min(owner.unclaimed, owner.starting + owner.delayed);
  ReportStartFailed(executable_id);
}

// Not from inside of the caller's Start: who still wants a worker asks again at once, and is delayed then.
void WorkerPool::ReportStartFailed(ExecutableId id) {
  loop_.Post([this, id] {
    const auto found = executables_.find(id);
    if (found == executables_.end() || found->second.unanswered == 0) return;
    --found->second.unanswered;
    observer_.OnStartFailed(id);
  });
}

// ---- Deaths --------------------------------------------------------------------------------------------

void WorkerPool::Stop(ProcessId id, bool force, const std::string& reason) {
  const auto found = workers_.find(id);
  if (found == workers_.end()) return;
  Worker& worker = found->second;
  worker.told_to_end = true;
  if (worker.stop_reason.empty()) worker.stop_reason = reason;
  if (force) return Kill(worker);
  wire::StopT stop;
  stop.reason = reason;
  processes_.Send(id, std::move(stop));
  if (!worker.timer->armed()) worker.timer->ExpireAfter(kGracefulStop);
}

void WorkerPool::Retire(ProcessId id, const std::string& reason) {
  const auto found = workers_.find(id);
  if (found == workers_.end()) return;
  found->second.told_to_end = true;
  if (found->second.stop_reason.empty()) found->second.stop_reason = reason;
  wire::StopT stop;
  stop.reason = reason;
  stop.keeps_objects = true;
  processes_.Send(id, std::move(stop));
}

void WorkerPool::Kill(Worker& worker) {
  if (worker.pid == 0 || worker.exit_status) return;
  worker.killed = true;
  kill(worker.pid, SIGKILL);
  // Nothing outlives that for long. Its memory must not be reused while it runs, so the pool waits for its status.
  worker.timer->ExpireAfter(kSecond);
}

void WorkerPool::OnWorkerRetires(ProcessId id) {
  const auto found = workers_.find(id);
  if (found != workers_.end()) found->second.retires = found->second.told_to_end = true;
}

void WorkerPool::OnWorkerGoodbye(ProcessId id, const std::string& reason) {
  const auto found = workers_.find(id);
  if (found == workers_.end()) return;
  found->second.said_goodbye = true;
  if (found->second.stop_reason.empty()) found->second.stop_reason = reason;
}

void WorkerPool::OnWorkerLost(ProcessId id, const std::string& reason) {
  const auto found = workers_.find(id);
  if (found == workers_.end() || found->second.socket_closed) return;
  found->second.socket_closed = true;
  // The daemon broke it off: the worker ends itself then, and its exit status says nothing.
  if (reason != Connection::kClosed && found->second.stop_reason.empty()) {
    found->second.stop_reason = "its connection failed: " + reason;
  }
  // After a goodbye it may take its time: destructors of static objects run now.
  if (found->second.said_goodbye && !found->second.exit_status) {
    found->second.timer->ExpireAfter(kGracefulStop);
    return;
  }
  if (found->second.exit_status) return Finish(id);
  found->second.timer->ExpireAfter(kOtherSignOfDeath);
}

void WorkerPool::OnChildExit(pid_t pid, int status) {
  for (auto& [id, zygote] : zygotes_) {
    if (zygote.pid != pid) continue;
    zygote.exit_status = status;
    if (zygote.lost) FinishZygote(id);
    else zygote.timer->ExpireAfter(kOtherSignOfDeath);
    return;
  }
  const auto found = by_pid_.find(pid);
  if (found == by_pid_.end()) return;  // a zygote that was let go, or a grandchild of some worker
  const ProcessId id = found->second;
  by_pid_.erase(found);
  Worker& worker = workers_.at(id);
  worker.exit_status = status;
  if (worker.socket_closed || !worker.ready) return Finish(id);
  // What it wrote before it died is still in the socket.
  worker.timer->ExpireAfter(kOtherSignOfDeath);
}

// The timer of a worker: no Hello, or one sign of death without the other, or asked to stop and did not.
void WorkerPool::CheckDeath(ProcessId id) {
  const auto found = workers_.find(id);
  if (found == workers_.end()) return;
  Worker& worker = found->second;
  if (worker.exit_status || worker.killed) return Finish(id);
  if (worker.pid == 0) {
    const auto zygote = zygotes_.find(worker.zygote);
    const std::string pid = zygote == zygotes_.end() ? "" : " (pid " + std::to_string(zygote->second.pid) + ")";
    return StartFailed(id, "no answer from the zygote" + pid + ", the process that it is forked from; is that stopped? (ps, kill -CONT)");
  }
  if (worker.stop_reason.empty()) {
    if (!worker.ready) {
      worker.stop_reason = "it did not say Hello in time";
    } else {
      worker.stop_reason = "it closed its connection";
    }
  }
  Kill(worker);
}

void WorkerPool::Finish(ProcessId id) {
  const auto found = workers_.find(id);
  if (found == workers_.end()) return;
  if (!found->second.ready) {
    const std::optional<int> status = found->second.exit_status;
    return StartFailed(id, status ? "the worker " + HowItEnded(*status) + " before it said Hello"
                                  : "the worker did not say Hello");
  }
  const Worker worker = std::move(found->second);
  workers_.erase(found);
  by_pid_.erase(worker.pid);
  wire::CauseT cause = CauseOf(processes_.Describe(id), worker.exit_status, worker.stop_reason);
  cause.log_tail = worker.log.Tail();
  if (!cause.log_tail.empty()) cause.log_path = worker.log.name();
  if (const auto executable = executables_.find(worker.executable); executable != executables_.end()) {
    if (observer_.HasServed(id)) {
      executable->second.attempts.Served(worker.round);
    } else if (!worker.told_to_end && !worker.said_goodbye) {
      const std::string how = worker.exit_status ? HowItEnded(*worker.exit_status) : "closed its connection";
      AttemptFailed(worker.executable, worker.round, "the worker " + how + " before it did anything",
                    LastWords(worker.log.name(), cause.log_tail));
    }
  }
  observer_.OnWorkerDead(id, cause);
  kept_logs_.WorkerGone(worker.log);
}

void WorkerPool::KillAll() {
  for (auto& [id, zygote] : zygotes_) kill(zygote.pid, SIGKILL);
  for (auto& [id, worker] : workers_) Kill(worker);
}

// ---- Listings ------------------------------------------------------------------------------------------

std::vector<WorkerPool::WorkerInfo> WorkerPool::List() const {
  std::vector<WorkerInfo> list;
  for (const auto& [id, worker] : workers_) {
    const char* state = "ready";
    if (worker.exit_status || worker.killed || worker.socket_closed) {
      state = "ending";
    } else if (!worker.ready) {
      state = "starting";
    } else if (!worker.stop_reason.empty() || worker.retires) {
      state = "stopping";
    }
    list.push_back({id, worker.pid, state, worker.log});
  }
  std::sort(list.begin(), list.end(),
            [](const WorkerInfo& a, const WorkerInfo& b) { return a.worker < b.worker; });
  return list;
}

std::optional<ExecutableId> WorkerPool::ExecutableOf(ProcessId worker) const {
  const auto found = workers_.find(worker);
  if (found == workers_.end()) return std::nullopt;
  return found->second.executable;
}

WorkerLog WorkerPool::LogOf(ProcessId worker) const {
  const auto found = workers_.find(worker);
  return found == workers_.end() ? WorkerLog() : found->second.log;
}

}  // namespace manta::node
