// The daemon's part of a session's flight recorders: its own recording (shm/recorder_events.h), the directory that all of them are in,
// and the bound on what ended processes leave there.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>

#include "base/ids.h"
#include "contracts/actor_names.h"
#include "contracts/frames.h"
#include "shm/flight_recorder.h"

namespace spdlog {
class logger;
}

namespace manta::node {

class ProcessTable;
struct Process;

// Never fails: what cannot be recorded is said once, in the log and in the listing "status".
class NodeRecorder {
 public:
  // Files of ended processes: the newest so many, and of these no more than so many bytes.
  static constexpr size_t kKeptFiles = 64;
  static constexpr uint64_t kKeptBytes = 4 << 20;

  // Both outlive it. `process`: the daemon's.
  NodeRecorder(spdlog::logger& log, const std::string& session_directory, ProcessId process);

  void Joined(const Process& process);
  // Its recordings stay until newer ones need the room.
  void Gone(const Process& process, const wire::CauseT& cause);
  void Demand(ProcessId owner, uint32_t key, uint32_t wanted, bool dedicated);
  void LeaseGranted(LeaseId lease, ProcessId owner, ProcessId worker, bool dedicated);
  void LeaseRevoked(LeaseId lease, ProcessId worker);
  void LeaseReturned(LeaseId lease, ProcessId worker);
  void LeaseLost(LeaseId lease, ProcessId worker);
  void ActorChanged(const contracts::ActorEntry& actor);
  // All that are left have ended, drivers last.
  void AllGone(const ProcessTable& processes);

  // Some process's recording is not there.
  void Missing(const std::string& who, const std::string& reason);
  // The first of these, and how many there were; "" for none.
  const std::string& missing_reason() const { return missing_reason_; }
  uint64_t missing() const { return missing_; }

 private:
  struct Kept {
    std::string path;
    uint64_t bytes;
  };
  void Record(uint16_t kind, uint16_t a, uint32_t b, uint64_t c, uint64_t d);
  void Keep(ProcessId process);

  spdlog::logger& log_;
  const std::string session_;
  const ProcessId process_;
  std::optional<shm::FlightRecorder> recorder_;
  uint64_t calibrated_at_ = 0;  // ns
  std::deque<Kept> kept_;       // oldest first
  uint64_t kept_bytes_ = 0;
  std::string missing_reason_;
  uint64_t missing_ = 0;
};

}  // namespace manta::node
