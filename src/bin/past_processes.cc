#include "bin/past_processes.h"

namespace manta::bin {
namespace {

using shm::EventKind;
using shm::RecorderRole;

void ReadDaemon(const shm::Recording& recording, std::map<ProcessId, PastProcess>* processes) {
  for (const shm::RecordedEvent& recorded : recording.events) {
    const EventKind kind = shm::KindOf(recorded.event);
    if (kind != EventKind::kJoined && kind != EventKind::kGone) continue;
    PastProcess& process = (*processes)[ProcessId{recorded.event.c}];
    process.pid = recorded.event.b;
    if (kind == EventKind::kGone) {
      process.gone = {recorded.monotonic_ns, recorded.wall_ns};
    } else {
      process.role = static_cast<RecorderRole>(recorded.event.a);
      process.job = recorded.event.d;
    }
  }
}

}  // namespace

std::map<ProcessId, PastProcess> PastProcessesOf(const SessionRecordings& session) {
  std::map<ProcessId, PastProcess> processes;
  for (const shm::Recording& recording : session.recordings) {
    PastProcess& process = processes[recording.process];
    process.role = static_cast<RecorderRole>(recording.role);
    process.pid = recording.pid;
  }
  for (const shm::Recording& recording : session.recordings) {
    if (static_cast<RecorderRole>(recording.role) == RecorderRole::kDaemon) ReadDaemon(recording, &processes);
  }
  for (const shm::Recording& recording : session.recordings) {
    if (recording.subject == 0) continue;
    PastProcess& process = processes[recording.process];
    if (process.role == RecorderRole::kWorker) process.constructor = recording.subject;
    for (const auto& program : session.names.programs) {
      if (program.key == recording.subject) process.program = program.path.substr(program.path.rfind('/') + 1);
    }
  }
  return processes;
}

}  // namespace manta::bin
