#include "bin/ended_tasks.h"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "base/ids.h"
#include "bin/function_names.h"
#include "bin/past_processes.h"
#include "shm/recorder_events.h"

namespace manta::bin {
namespace {

using Json = nlohmann::ordered_json;
using shm::EventKind;
using shm::EventOutcome;
using shm::RecorderRole;

constexpr int64_t kNsPerMs = 1'000'000;

// An attempt of a task; the text is its id.
using Attempt = std::pair<std::string, unsigned>;

// In Ray's words.
const char* TypeOf(EventKind kind) {
  switch (kind) {
    case EventKind::kActorCall: return "ACTOR_TASK";
    case EventKind::kActorStart: return "ACTOR_CREATION_TASK";
    default: return "NORMAL_TASK";
  }
}

const char* ErrorOf(EventKind kind, EventOutcome outcome) {
  switch (outcome) {
    case EventOutcome::kOk: return nullptr;
    case EventOutcome::kCancelled: return "TASK_CANCELLED";
    case EventOutcome::kRefused: return kind == EventKind::kActorCall ? "ACTOR_DIED" : "TASK_EXECUTION_EXCEPTION";
    default: return "TASK_EXECUTION_EXCEPTION";
  }
}

class Builder {
 public:
  explicit Builder(const SessionRecordings& session) : session_(session), names_(session.names), processes_(PastProcessesOf(session)) {}

  // Rows of what has ended, in no order, and when what runs has begun.
  void Read() {
    for (const shm::Recording& recording : session_.recordings) {
      uint64_t last_begin = 0;  // of the executing thread
      for (const shm::RecordedEvent& recorded : recording.events) {
        const EventKind kind = shm::KindOf(recorded.event);
        if (!shm::IsTask(kind)) continue;
        const uint64_t begin = recorded.event.ticks - shm::DurationOf(recorded.event);
        if (kind != EventKind::kInPlace && shm::ThreadOf(recorded.event) == 0) last_begin = begin;
        const int64_t took = recorded.monotonic_ns - recording.MonotonicAt(begin);
        AddEnded(recording.process, recorded.event, recorded.wall_ns - took, recorded.wall_ns,
                 ErrorOf(kind, static_cast<EventOutcome>(recorded.event.a & 7)));
      }
      if (recording.running && recording.running->event.ticks > last_begin) AddBegun(recording);
    }
  }

  struct Row {
    int64_t end_ns;
    Json json;
  };
  std::vector<Row> ended;
  std::set<Attempt> ended_attempts;
  std::map<Attempt, int64_t> begun_ms;

 private:
  PastProcess ProcessOf(ProcessId id) const {
    const auto found = processes_.find(id);
    return found == processes_.end() ? PastProcess() : found->second;
  }

  // As in the rows of node/listing.h.
  Json Described(ProcessId id) const {
    const PastProcess process = ProcessOf(id);
    std::string text = process.role == RecorderRole::kDriver   ? "driver "
                       : process.role == RecorderRole::kWorker ? "worker "
                                                               : "process ";
    text += std::to_string(SerialOf(id));
    const std::string program = process.program.empty() ? "" : process.program + ", ";
    if (process.pid != 0) text += " (" + program + "pid " + std::to_string(process.pid) + ")";
    Json json = {{"description", text}, {"process", SerialOf(id)}, {"node", NodeIndexOf(id)}};
    if (process.pid != 0) json["pid"] = process.pid;
    if (process.job != 0) json["job"] = process.job;
    return json;
  }

  static std::optional<Attempt> AttemptOf(const shm::TaskFacts& facts) {
    if (!facts.name_the_task()) return std::nullopt;
    return Attempt{Hex(ObjectId{facts.owner, facts.first_result, facts.generation}), facts.attempt};
  }

  void AddEnded(ProcessId worker, const shm::RecorderEvent& event, int64_t begin_ns, int64_t end_ns, const char* error) {
    const shm::TaskFacts facts = shm::TaskOf(event);
    Json row;
    if (const std::optional<Attempt> attempt = AttemptOf(facts)) {
      row["task"] = attempt->first;
      ended_attempts.insert(*attempt);
    }
    row["name"] = names_.Of(facts.function).shown;
    row["type"] = TypeOf(shm::KindOf(event));
    row["state"] = error == nullptr ? "FINISHED" : "FAILED";
    row["attempt"] = facts.attempt;
    row["owner"] = Described(facts.owner);
    row["worker"] = Described(worker);
    if (error != nullptr) row["error"] = error;
    row["start_time_ms"] = begin_ns / kNsPerMs;
    row["end_time_ms"] = end_ns / kNsPerMs;
    ended.push_back({end_ns, std::move(row)});
  }

  // It runs, or its process has died in it.
  void AddBegun(const shm::Recording& recording) {
    const shm::RecorderEvent event = shm::BegunTask(recording.running->event);
    const int64_t began_ns = recording.running->wall_ns;
    if (const auto& gone = ProcessOf(recording.process).gone) {
      return AddEnded(recording.process, event, began_ns, gone->wall_ns, "WORKER_DIED");
    }
    if (const auto attempt = AttemptOf(shm::TaskOf(event))) begun_ms[*attempt] = began_ns / kNsPerMs;
  }

  const SessionRecordings& session_;
  const FunctionNames names_;
  const std::map<ProcessId, PastProcess> processes_;
};

}  // namespace

ToolClient::Answer WithEndedTasks(const ToolClient::Answer& unfinished, const SessionRecordings& session, size_t most) {
  Builder builder(session);
  builder.Read();
  Json rows = Json::array();
  const Json given = Json::parse(unfinished.json, nullptr, false);
  if (!given.is_array()) return unfinished;  // an error, in words
  for (const Json& row : given) {
    const Attempt attempt{row.value("task", ""), row.value("attempt", 0u)};
    if (builder.ended_attempts.contains(attempt)) continue;
    rows.push_back(row);
    if (const auto begun = builder.begun_ms.find(attempt); begun != builder.begun_ms.end()) {
      rows.back()["start_time_ms"] = begun->second;
    }
  }
  std::sort(builder.ended.begin(), builder.ended.end(), [](const auto& a, const auto& b) { return a.end_ns > b.end_ns; });
  uint64_t left_out = unfinished.left_out;
  for (auto& row : builder.ended) {
    if (rows.size() < most) {
      rows.push_back(std::move(row.json));
    } else {
      ++left_out;
    }
  }
  // Names are whatever somebody has written.
  return {rows.dump(-1, ' ', false, Json::error_handler_t::replace), left_out};
}

}  // namespace manta::bin
