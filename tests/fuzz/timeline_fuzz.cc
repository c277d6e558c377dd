// What processes have left for `manta timeline`: events of any kind, and names.
#include <new>

#include "bin/trace.h"
#include "shm/recorder_events.h"
#include "tests/fuzz/fuzz_target.h"

namespace manta::fuzz {
namespace {

constexpr size_t kEventBytes = sizeof(shm::RecorderEvent);

std::string Bytes(const std::vector<shm::RecorderEvent>& events, const std::string& names) {
  std::string text(1, static_cast<char>(events.size()));
  text.append(reinterpret_cast<const char*>(events.data()), events.size() * kEventBytes);
  return text + names;
}

}  // namespace

std::vector<std::string> Seeds() {
  const shm::TaskFacts facts{MakeProcessId(1, 2), 3, 4, 5, 6, shm::EventOutcome::kOk};
  std::vector<shm::RecorderEvent> events = {PackTask(shm::EventKind::kTask, 0, facts, 100, 50)};
  for (uint8_t kind = 1; kind < 24; ++kind) {
    events.push_back({200, shm::KindWord(static_cast<shm::EventKind>(kind), kind), 1, 2, 3, 4});
  }
  return {Bytes({}, ""), Bytes(events, "function 00000005 1 2 0 0 F\nmodule 1 - /proc/self/exe\nprogram 7 p\n")};
}

}  // namespace manta::fuzz

// One byte: how many events; the events; names.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace manta;
  if (size == 0) return 0;
  const size_t count = std::min<size_t>(data[0], (size - 1) / fuzz::kEventBytes);
  bin::SessionRecordings session;
  session.session = "/run/session_1";
  for (const auto role : {shm::RecorderRole::kDaemon, shm::RecorderRole::kWorker}) {
    shm::Recording recording;
    recording.process = MakeProcessId(1, static_cast<uint32_t>(role));
    recording.role = static_cast<uint32_t>(role);
    recording.subject = 7;
    for (size_t i = 0; i < count; ++i) {
      shm::RecordedEvent recorded;
      std::memcpy(&recorded.event, data + 1 + i * fuzz::kEventBytes, fuzz::kEventBytes);
      recorded.monotonic_ns = recording.MonotonicAt(recorded.event.ticks);
      recorded.wall_ns = recorded.monotonic_ns;
      recording.events.push_back(recorded);
    }
    if (count > 0) recording.running = recording.events.front();
    session.recordings.push_back(std::move(recording));
  }
  const size_t rest = 1 + count * fuzz::kEventBytes;
  session.names = contracts::ParseRecorderNames({reinterpret_cast<const char*>(data) + rest, size - rest});
  session.names.modules.clear();  // no files of the machine
  const bin::Trace trace = bin::BuildTrace({session}, 0);
  fuzz::Require(trace.json.starts_with("{") && trace.json.ends_with("]}\n"), "a trace is a JSON object");
  return 0;
}
