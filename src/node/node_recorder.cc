#include "node/node_recorder.h"

#include <spdlog/logger.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>
#include <vector>

#include "contracts/recorder_files.h"
#include "node/event_loop.h"
#include "node/process_table.h"
#include "shm/recorder_events.h"

namespace manta::node {
namespace {

using shm::EventKind;

constexpr uint32_t kEvents = 4096;  // 128 KiB
// How far readers of a later boot have to extrapolate.
constexpr uint64_t kCalibrateEvery = 10 * kSecond;

constexpr uint16_t Word(EventKind kind) { return shm::KindWord(kind, 0); }

constexpr uint16_t Clamped(uint32_t value, uint32_t most) {
  return static_cast<uint16_t>(std::min(value, most));
}

}  // namespace

NodeRecorder::NodeRecorder(spdlog::logger& log, const std::string& session_directory, ProcessId process)
    : log_(log), session_(session_directory), process_(process) {
  const std::string directory = contracts::RecorderDirectory(session_);
  if (mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST) {
    Missing("all", ErrnoError("making the directory " + directory, errno).message);
    return;
  }
  Result<shm::FlightRecorder> recorder = shm::CreateRecorderFile(
      contracts::RecorderFile(session_, process, contracts::RecorderThreads::kExecuting), kEvents);
  if (!recorder) {
    Missing("the daemon", recorder.error().message);
    return;
  }
  recorder->SetProcess(process);
  recorder->SetRole(static_cast<uint32_t>(shm::RecorderRole::kDaemon));
  recorder_.emplace(std::move(*recorder));
}

void NodeRecorder::Record(uint16_t kind, uint16_t a, uint32_t b, uint64_t c, uint64_t d) {
  if (!recorder_) return;
  recorder_->Record(kind, a, b, c, d);
  const auto now = static_cast<uint64_t>(EventLoop::Now());
  if (now - calibrated_at_ < kCalibrateEvery) return;
  calibrated_at_ = now;
  recorder_->Calibrate();
}

void NodeRecorder::Joined(const Process& process) {
  if (process.far) return;
  const auto role = process.role == wire::Role::Driver ? shm::RecorderRole::kDriver : shm::RecorderRole::kWorker;
  Record(Word(EventKind::kJoined), static_cast<uint16_t>(role), static_cast<uint32_t>(process.pid), process.id.value,
         process.job.value);
}

void NodeRecorder::Gone(const Process& process, const wire::CauseT& cause) {
  if (process.far || process.role == wire::Role::Tool) return;
  const uint32_t how = (static_cast<uint32_t>(cause.signal) & 0xff) | (static_cast<uint32_t>(cause.exit_code) & 0xff) << 8;
  Record(Word(EventKind::kGone), static_cast<uint16_t>(how), static_cast<uint32_t>(process.pid), process.id.value,
         cause.for_good ? 1 : 0);
  Keep(process.id);
}

void NodeRecorder::Demand(ProcessId owner, uint32_t key, uint32_t wanted, bool dedicated) {
  Record(Word(EventKind::kDemand), Clamped(key, UINT16_MAX), wanted, owner.value, dedicated ? 1 : 0);
}

void NodeRecorder::LeaseGranted(LeaseId lease, ProcessId owner, ProcessId worker, bool dedicated) {
  Record(Word(EventKind::kLeaseGranted), dedicated ? 1 : 0, static_cast<uint32_t>(owner.value), worker.value,
         lease.value);
}

void NodeRecorder::LeaseRevoked(LeaseId lease, ProcessId worker) {
  Record(Word(EventKind::kLeaseRevoked), 0, 0, worker.value, lease.value);
}

void NodeRecorder::LeaseReturned(LeaseId lease, ProcessId worker) {
  Record(Word(EventKind::kLeaseReturned), 0, 0, worker.value, lease.value);
}

void NodeRecorder::LeaseLost(LeaseId lease, ProcessId worker) {
  Record(Word(EventKind::kLeaseLost), 0, 0, worker.value, lease.value);
}

void NodeRecorder::ActorChanged(const contracts::ActorEntry& actor) {
  const uint32_t state = static_cast<uint32_t>(actor.state) & 15;
  Record(Word(EventKind::kActor), static_cast<uint16_t>(state | uint32_t{Clamped(actor.restarts, 4095)} << 4),
         static_cast<uint32_t>(actor.id.serial), actor.id.creator.value, actor.process.value);
}

void NodeRecorder::Keep(ProcessId process) {
  for (const auto threads : {contracts::RecorderThreads::kExecuting, contracts::RecorderThreads::kOthers}) {
    const std::string path = contracts::RecorderFile(session_, process, threads);
    struct stat status;
    if (lstat(path.c_str(), &status) != 0) continue;  // it had nothing to tell
    kept_.push_back({path, static_cast<uint64_t>(status.st_size)});
    kept_bytes_ += kept_.back().bytes;
  }
  while (kept_.size() > kKeptFiles || kept_bytes_ > kKeptBytes) {
    unlink(kept_.front().path.c_str());
    kept_bytes_ -= kept_.front().bytes;
    kept_.pop_front();
  }
}

void NodeRecorder::AllGone(const ProcessTable& processes) {
  std::vector<std::pair<bool, ProcessId>> left;
  for (const auto& [id, process] : processes.all()) {
    if (!process.far) left.emplace_back(process.role == wire::Role::Driver, id);
  }
  std::sort(left.begin(), left.end());
  for (const auto& [is_driver, id] : left) Keep(id);
  if (recorder_) recorder_->Calibrate();
}

void NodeRecorder::Missing(const std::string& who, const std::string& reason) {
  if (++missing_ > 1) return;
  missing_reason_ = reason;
  log_.warn("flight recorder missing of=\"{}\" reason=\"{}\"; further ones are counted in `manta status --json`", who,
            reason);
}

}  // namespace manta::node
