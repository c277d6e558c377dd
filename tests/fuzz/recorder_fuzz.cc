// A flight recording that a process has left behind.
#include "shm/flight_recorder.h"

#include <new>

#include "tests/fuzz/fuzz_target.h"

namespace manta::fuzz {
namespace {

constexpr uint32_t kLog2Events = 6;
constexpr uint64_t kBytes = shm::RecorderBytes(kLog2Events);

constexpr std::align_val_t kAlignment{shm::kCacheLine};

struct Free {
  void operator()(void* region) const { ::operator delete(region, kAlignment); }
};
using Region = std::unique_ptr<void, Free>;

// Zeroed, and exactly so many bytes.
Region MakeRegion(size_t bytes) {
  Region region(::operator new(bytes, kAlignment));
  std::memset(region.get(), 0, bytes);
  return region;
}

std::string Recorded(int events) {
  const Region region = MakeRegion(kBytes);
  Result<shm::FlightRecorder> recorder = shm::CreateRecorder(region.get(), kBytes);
  recorder->SetProcess(MakeProcessId(1, 2));
  for (int i = 0; i < events; ++i) recorder->Record(1, 2, 3, static_cast<uint64_t>(i), 5);
  recorder->Calibrate();
  return {static_cast<const char*>(region.get()), kBytes};
}

}  // namespace

std::vector<std::string> Seeds() { return {Recorded(0), Recorded(3), Recorded(200)}; }

}  // namespace manta::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace manta;
  const fuzz::Region region = fuzz::MakeRegion(size);
  if (size > 0) std::memcpy(region.get(), data, size);
  if (size >= sizeof(shm::RecorderHeader)) {
    // A damaged rate makes the reader measure the clock's, which takes 10 ms.
    static_cast<shm::RecorderHeader*>(region.get())->clock = shm::RecorderClock::kMonotonic;
  }
  const Result<shm::Recording> recording = shm::ReadRecorder(region.get(), size);
  if (!recording) return 0;
  const auto& events = recording.value().events;
  fuzz::Require(events.size() * sizeof(shm::RecorderEvent) <= size, "there are no more events than bytes");
  for (size_t i = 1; i < events.size(); ++i) {
    fuzz::Require(events[i - 1].index < events[i].index, "events come in order");
  }
  return 0;
}
