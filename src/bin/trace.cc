#include "bin/trace.h"

#include <string.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "bin/function_names.h"
#include "bin/past_processes.h"
#include "contracts/actor_names.h"
#include "shm/recorder_events.h"

namespace manta::bin {
namespace {

using Json = nlohmann::ordered_json;
using shm::EventKind;
using shm::EventOutcome;
using shm::RecorderRole;

// Rows of a process beside those of its threads (0 to 255).
constexpr uint32_t kLeaseRow = 1000;
constexpr uint32_t kActorRow = 1001;
// Pids that were used twice are told apart by this much.
constexpr int64_t kPidStep = 10'000'000;

const char* NameOf(EventOutcome outcome) {
  switch (outcome) {
    case EventOutcome::kOk: return "ok";
    case EventOutcome::kError: return "error";
    case EventOutcome::kCancelled: return "cancelled";
    case EventOutcome::kRefused: return "refused";
    case EventOutcome::kTimeout: return "timeout";
  }
  return "unknown";
}

const char* CategoryOf(EventKind kind) {
  switch (kind) {
    case EventKind::kTask: return "task";
    case EventKind::kActorCall: return "actor_call";
    case EventKind::kActorStart: return "actor_start";
    case EventKind::kInPlace: return "task,in_place";
    case EventKind::kGet:
    case EventKind::kWait: return "wait";
    case EventKind::kSpace: return "object";
    default: return "cluster";
  }
}

std::string HowItEnded(uint16_t how, bool for_good) {
  const int signal = how & 0xff;
  const int code = how >> 8;
  if (signal != 0) {
    const char* name = sigabbrev_np(signal);
    return "killed by SIG" + std::string(name != nullptr ? name : std::to_string(signal).c_str());
  }
  if (code != 0) return "exited with code " + std::to_string(code);
  return for_good ? "ended for good" : "ended";
}

// Of a constructor; that of a Python class is one of its methods.
std::string ClassOf(std::string constructor) {
  constexpr std::string_view kInit = ".__init__";
  if (constructor.ends_with(kInit)) constructor.resize(constructor.size() - kInit.size());
  return constructor;
}

struct ProcessRow {
  int64_t pid = 0;  // in the trace
  RecorderRole role = RecorderRole::kUnknown;
  uint32_t os_pid = 0;
  std::string name;
  int64_t gone_ns = 0;  // 0: not known to have ended
};

class Builder {
 public:
  Builder(const std::vector<SessionRecordings>& sessions, int64_t now_ns) : sessions_(sessions) {
    for (const SessionRecordings& session : sessions) {
      for (const shm::Recording& recording : session.recordings) {
        trace_.overwritten += recording.written - std::min<uint64_t>(recording.written, recording.events.size());
        for (const shm::RecordedEvent& event : recording.events) {
          const int64_t begin = BeginOf(recording, event.event);
          if (!any_) base_ns_ = begin;
          any_ = true;
          base_ns_ = std::min(base_ns_, begin);
          end_ns_ = std::max(end_ns_, event.monotonic_ns);
          const double before = static_cast<double>(event.monotonic_ns) - static_cast<double>(base_ns_);
          base_wall_ns_ = static_cast<double>(event.wall_ns) - before;
        }
      }
    }
    end_ns_ = std::max(end_ns_, now_ns);
  }

  Trace Build() {
    std::vector<FunctionNames> names;
    for (const SessionRecordings& session : sessions_) {
      FindProcesses(session, names.emplace_back(session.names));
    }
    for (size_t i = 0; i < sessions_.size(); ++i) {
      names_ = &names[i];
      for (const shm::Recording& recording : sessions_[i].recordings) AddRecording(recording);
      AddLeasesStillHeld();
    }
    AddRowNames();
    std::stable_sort(slices_.begin(), slices_.end(), [](const Slice& a, const Slice& b) {
      // Within a row: what contains others comes first.
      return std::tie(a.pid, a.row, a.begin_ns, b.end_ns) < std::tie(b.pid, b.row, b.begin_ns, a.end_ns);
    });
    std::string text = "{\"displayTimeUnit\":\"ns\",\"otherData\":" + Dump(OtherData()) + ",\"traceEvents\":[";
    const char* separator = "\n";
    const auto add = [&](const Json& json) {
      text += separator;
      text += Dump(json);
      separator = ",\n";
    };
    for (const Json& json : head_) add(json);
    for (const Slice& slice : slices_) add(slice.json);
    text += "\n]}\n";
    trace_.json = std::move(text);
    trace_.processes = rows_.size();
    trace_.events = slices_.size();
    return std::move(trace_);
  }

 private:
  struct Slice {
    int64_t pid;
    uint32_t row;
    int64_t begin_ns;
    int64_t end_ns;
    Json json;
  };

  // Names are whatever somebody has written.
  static std::string Dump(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

  static int64_t BeginOf(const shm::Recording& recording, const shm::RecorderEvent& event) {
    const uint64_t duration = shm::HasDuration(shm::KindOf(event)) ? shm::DurationOf(event) : 0;
    return recording.MonotonicAt(event.ticks - duration);
  }

  Json OtherData() const {
    Json json;
    json["manta"] = "timeline";
    json["start_unix_seconds"] = base_wall_ns_ / 1e9;
    json["overwritten_events"] = trace_.overwritten;
    for (const SessionRecordings& session : sessions_) json["sessions"].push_back(session.session);
    return json;
  }

  // As doubles: garbage may be anywhere, and what is no garbage is exact.
  static double Between(int64_t begin_ns, int64_t end_ns) {
    return (static_cast<double>(end_ns) - static_cast<double>(begin_ns)) / 1000;
  }
  double Microseconds(int64_t ns) const { return Between(base_ns_, ns); }

  // ---- Processes

  void FindProcesses(const SessionRecordings& session, const FunctionNames& names) {
    for (const auto& [id, process] : PastProcessesOf(session)) {
      ProcessRow& row = RowOf(id, process.pid);
      row.role = process.role;
      if (process.gone) row.gone_ns = process.gone->monotonic_ns;
      row.name = process.program;
      if (process.constructor != 0) row.name = ClassOf(names.Of(process.constructor).shown);
    }
  }

  ProcessRow& RowOf(ProcessId process, uint32_t os_pid) {
    const auto [found, is_new] = rows_.try_emplace(process.value);
    ProcessRow& row = found->second;
    if (is_new) {
      row.os_pid = os_pid;
      row.pid = os_pid;
      while (!pids_.insert(row.pid).second) row.pid += kPidStep;
    }
    return row;
  }

  std::string Who(ProcessId process) const {
    const auto found = rows_.find(process.value);
    const RecorderRole role = found == rows_.end() ? RecorderRole::kUnknown : found->second.role;
    const char* what = role == RecorderRole::kDriver   ? "driver "
                       : role == RecorderRole::kWorker ? "worker "
                       : role == RecorderRole::kDaemon ? "node daemon "
                                                       : "process ";
    std::string text = what + std::to_string(static_cast<uint32_t>(process.value));
    if (NodeIndexOf(process) > 1) text += " of node " + std::to_string(NodeIndexOf(process));
    return text;
  }

  void AddRowNames() {
    for (const auto& [id, row] : rows_) {
      const std::string who = Who(ProcessId{id}) + (row.name.empty() ? "" : ": " + row.name);
      AddMetadata("process_name", row.pid, 0, {{"name", who}});
      AddMetadata("process_labels", row.pid, 0, {{"labels", "pid " + std::to_string(row.os_pid)}});
      AddMetadata("process_sort_index", row.pid, 0,
                  {{"sort_index", row.role == RecorderRole::kDaemon ? 1'000'000 : static_cast<uint32_t>(id)}});
    }
    std::set<int64_t> workers;
    for (const auto& [id, row] : rows_) {
      if (row.role == RecorderRole::kWorker) workers.insert(row.pid);
    }
    std::set<std::pair<int64_t, uint32_t>> seen;
    for (const Slice& slice : slices_) {
      if (!seen.emplace(slice.pid, slice.row).second) continue;
      const std::string name = slice.row == kLeaseRow    ? "lease"
                               : slice.row == kActorRow  ? "actors"
                               : slice.row == 0          ? workers.contains(slice.pid) ? "tasks" : "process"
                                                         : "thread " + std::to_string(slice.row);
      AddMetadata("thread_name", slice.pid, slice.row, {{"name", name}});
    }
  }

  void AddMetadata(const char* name, int64_t pid, uint32_t row, const Json& args) {
    head_.push_back({{"name", name}, {"ph", "M"}, {"pid", pid}, {"tid", row}, {"args", args}});
  }

  // ---- Events

  void AddSlice(const std::string& name, const char* category, int64_t pid, uint32_t row, int64_t begin, int64_t end,
                Json args) {
    end = std::max(begin, end);
    slices_.push_back({pid, row, begin, end,
                       {{"name", name},
                        {"cat", category},
                        {"ph", "X"},
                        {"ts", Microseconds(begin)},
                        {"dur", Between(begin, end)},
                        {"pid", pid},
                        {"tid", row},
                        {"args", std::move(args)}}});
  }

  void AddInstant(const std::string& name, int64_t pid, uint32_t row, int64_t at, Json args) {
    slices_.push_back({pid, row, at, at,
                       {{"name", name},
                        {"cat", "cluster"},
                        {"ph", "i"},
                        {"s", "p"},
                        {"ts", Microseconds(at)},
                        {"pid", pid},
                        {"tid", row},
                        {"args", std::move(args)}}});
  }

  Json TaskArgs(const shm::TaskFacts& facts, const std::string& signature, const char* outcome) const {
    return {{"outcome", outcome},
            {"owner", Who(facts.owner)},
            {"task", std::to_string(static_cast<uint32_t>(facts.owner.value)) + "." + std::to_string(facts.first_result) +
                         "." + std::to_string(facts.generation)},
            {"attempt", facts.attempt},
            {"function", signature}};
  }

  void AddRecording(const shm::Recording& recording) {
    const ProcessRow& row = RowOf(recording.process, recording.pid);
    uint64_t last_begin = 0;  // of the executing thread's outermost tasks
    for (const shm::RecordedEvent& event : recording.events) {
      const EventKind kind = shm::KindOf(event.event);
      if (shm::HasDuration(kind)) {
        AddWork(recording, row, event);
        if (shm::IsTask(kind) && kind != EventKind::kInPlace && shm::ThreadOf(event.event) == 0) {
          last_begin = event.event.ticks - shm::DurationOf(event.event);
        }
      } else {
        AddNews(recording, event);
      }
    }
    if (recording.running && recording.running->event.ticks > last_begin) AddRunning(recording, row);
  }

  void AddWork(const shm::Recording& recording, const ProcessRow& row, const shm::RecordedEvent& recorded) {
    const shm::RecorderEvent& event = recorded.event;
    const EventKind kind = shm::KindOf(event);
    const auto outcome = static_cast<EventOutcome>(event.a & 7);
    std::string name;
    Json args;
    if (shm::IsTask(kind)) {
      const shm::TaskFacts facts = shm::TaskOf(event);
      const FunctionNames::Name function = names_->Of(facts.function);
      name = function.shown;
      args = TaskArgs(facts, function.signature, NameOf(outcome));
      ++trace_.tasks;
    } else if (kind == EventKind::kSpace) {
      name = "space for an object";
      args = {{"bytes", event.c}, {"outcome", NameOf(outcome)}};
    } else {
      name = kind == EventKind::kGet ? "Get" : "Wait";
      args = {{"objects", event.c}, {"outcome", NameOf(outcome)}};
      ++trace_.waits;
    }
    AddSlice(name, CategoryOf(kind), row.pid, shm::ThreadOf(event), BeginOf(recording, event), recorded.monotonic_ns,
             std::move(args));
  }

  // A task without an end: it runs still, or its process has died in it.
  void AddRunning(const shm::Recording& recording, const ProcessRow& row) {
    const shm::RecorderEvent event = shm::BegunTask(recording.running->event);
    const shm::TaskFacts facts = shm::TaskOf(event);
    const FunctionNames::Name function = names_->Of(facts.function);
    ++trace_.tasks;
    AddSlice(function.shown, CategoryOf(shm::KindOf(event)), row.pid, 0, recording.running->monotonic_ns,
             row.gone_ns != 0 ? row.gone_ns : end_ns_,
             TaskArgs(facts, function.signature, row.gone_ns != 0 ? "lost with its process" : "unfinished"));
  }

  // What a daemon tells.
  void AddNews(const shm::Recording& recording, const shm::RecordedEvent& recorded) {
    const shm::RecorderEvent& event = recorded.event;
    const int64_t at = recorded.monotonic_ns;
    const ProcessId subject{event.c};
    const int64_t daemon = RowOf(recording.process, recording.pid).pid;
    switch (shm::KindOf(event)) {
      case EventKind::kJoined: return AddInstant("joined", RowOf(subject, event.b).pid, 0, at, {{"process", Who(subject)}});
      case EventKind::kGone:
        EndLease(subject, at, "its process ended");
        return AddInstant(HowItEnded(event.a, event.d != 0), RowOf(subject, event.b).pid, 0, at, {{"process", Who(subject)}});
      case EventKind::kDemand: {
        const std::string name = "workers wanted by " + Who(subject);
        slices_.push_back({daemon, 0, at, at,
                           {{"name", name},
                            {"cat", "lease"},
                            {"ph", "C"},
                            {"ts", Microseconds(at)},
                            {"pid", daemon},
                            {"args", {{"shape " + std::to_string(event.a), event.b}}}}});
        return;
      }
      case EventKind::kLeaseGranted:
        EndLease(subject, at, "granted anew");
        held_[subject.value] = {at, MakeProcessId(NodeIndexOf(recording.process), event.b), event.d};
        return;
      case EventKind::kLeaseRevoked: return AddInstantOfWorker("lease revoked", subject, at, event.d);
      case EventKind::kLeaseReturned: return EndLease(subject, at, "returned");
      case EventKind::kLeaseLost: return EndLease(subject, at, "lost");
      case EventKind::kActor: {
        const auto state = static_cast<contracts::ActorState>(std::min(event.a & 15, 3));
        const std::string actor = std::to_string(static_cast<uint32_t>(event.c)) + "-" + std::to_string(event.b);
        return AddInstant("actor " + actor + " " + contracts::ToString(state), daemon, kActorRow, at,
                          {{"created_by", Who(subject)},
                           {"restarts", event.a >> 4},
                           {"host", event.d == 0 ? "none" : Who(ProcessId{event.d})}});
      }
      default: return;  // of a later version
    }
  }

  void AddInstantOfWorker(const char* name, ProcessId worker, int64_t at, uint64_t lease) {
    const auto row = rows_.find(worker.value);
    if (row != rows_.end()) AddInstant(name, row->second.pid, kLeaseRow, at, {{"lease", lease}});
  }

  // ---- Leases: a worker has one at a time

  struct Held {
    int64_t since;
    ProcessId owner;
    uint64_t lease;
  };

  void EndLease(ProcessId worker, int64_t at, const char* how) {
    const auto held = held_.find(worker.value);
    if (held == held_.end()) return;
    const auto row = rows_.find(worker.value);
    if (row != rows_.end()) {
      AddSlice("leased to " + Who(held->second.owner), "lease", row->second.pid, kLeaseRow, held->second.since, at,
               {{"lease", held->second.lease}, {"end", how}});
    }
    held_.erase(held);
  }

  void AddLeasesStillHeld() {
    while (!held_.empty()) EndLease(ProcessId{held_.begin()->first}, end_ns_, "none so far");
  }

  const std::vector<SessionRecordings>& sessions_;
  const FunctionNames* names_ = nullptr;  // of the session at hand
  Trace trace_;
  bool any_ = false;
  int64_t base_ns_ = 0;
  double base_wall_ns_ = 0;
  int64_t end_ns_ = INT64_MIN;
  std::map<uint64_t, ProcessRow> rows_;  // by process
  std::set<int64_t> pids_;
  std::map<uint64_t, Held> held_;  // by worker
  std::vector<Json> head_;
  std::vector<Slice> slices_;
};

}  // namespace

Trace BuildTrace(const std::vector<SessionRecordings>& sessions, int64_t now_ns) {
  return Builder(sessions, now_ns).Build();
}

}  // namespace manta::bin
