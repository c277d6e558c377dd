#include "shm/flight_recorder.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cmath>
#include <cstring>

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace manta::shm {
namespace {

// Below this, the distance between two calibrations says too little about the counter's rate.
constexpr uint64_t kShortestBaselineNs = 10'000'000;

uint64_t NowNs(clockid_t clock) {
  timespec now;
  clock_gettime(clock, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(now.tv_nsec);
}

// A counter that runs at one rate on all cores, through sleep states.
RecorderClock BestClock() {
#if defined(__x86_64__)
  unsigned a, b, c, d = 0;
  const bool invariant = __get_cpuid(0x80000007, &a, &b, &c, &d) != 0 && (d & 1u << 8) != 0;
  return invariant ? RecorderClock::kTsc : RecorderClock::kMonotonic;
#elif defined(__aarch64__)
  return RecorderClock::kCntvct;
#else
  return RecorderClock::kMonotonic;
#endif
}

uint64_t ReadClock(RecorderClock clock) {
#if defined(__x86_64__)
  if (clock == RecorderClock::kTsc) return __rdtsc();
#elif defined(__aarch64__)
  if (clock == RecorderClock::kCntvct) {
    uint64_t ticks;
    asm volatile("mrs %0, cntvct_el0" : "=r"(ticks));
    return ticks;
  }
#endif
  return NowNs(CLOCK_MONOTONIC);
}

// A hash of the kernel's boot id; 0 if there is none.
uint64_t BootId() {
  const int file = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
  if (file < 0) return 0;
  char text[64];
  const ssize_t length = read(file, text, sizeof text);
  close(file);
  uint64_t hash = 0xcbf29ce484222325;
  for (ssize_t i = 0; i < length; ++i) {
    hash = (hash ^ static_cast<unsigned char>(text[i])) * 0x100000001b3;
  }
  return hash;
}

struct Moment {
  uint64_t ticks;
  uint64_t monotonic_ns;
  uint64_t wall_ns;
};

Moment Now(RecorderClock clock) {
  // The reading in between is within half of what the other two took; the best of some tries.
  Moment best{};
  uint64_t shortest = UINT64_MAX;
  for (int i = 0; i < 4; ++i) {
    const uint64_t before = ReadClock(clock);
    const uint64_t monotonic_ns = NowNs(CLOCK_MONOTONIC);
    const uint64_t after = ReadClock(clock);
    if (after - before >= shortest) continue;
    shortest = after - before;
    best = {before + shortest / 2, monotonic_ns, NowNs(CLOCK_REALTIME)};
  }
  return best;
}

void Store(const Moment& moment, RecorderMoment* out) {
  out->ticks.store(moment.ticks, std::memory_order_release);
  out->monotonic_ns.store(moment.monotonic_ns, std::memory_order_release);
  out->wall_ns.store(moment.wall_ns, std::memory_order_release);
}

Moment Load(const RecorderMoment& moment) {
  return {moment.ticks.load(std::memory_order_acquire),
          moment.monotonic_ns.load(std::memory_order_acquire),
          moment.wall_ns.load(std::memory_order_acquire)};
}

// The last calibration, or `created`. As ReadRecorderRing: what changed meanwhile is read again.
Moment LastCalibration(const RecorderHeader& header, const Moment& created) {
  for (int tries = 0; tries < 16; ++tries) {
    const uint64_t count = header.calibrations.load(std::memory_order_acquire);
    if (count == 0) return created;
    const Moment moment = Load(header.recent[count % 2]);
    if (header.calibrations.load(std::memory_order_acquire) == count) return moment;
  }
  return created;
}

// What has begun, unless something else begins all the time.
std::optional<RecorderEvent> RunningIn(const RecorderHeader& header) {
  for (int tries = 0; tries < 16; ++tries) {
    RecorderEvent running;
    running.ticks = header.running_since.load(std::memory_order_acquire);
    if (running.ticks == 0) continue;
    running.c = header.running_c.load(std::memory_order_acquire);
    running.d = header.running_d.load(std::memory_order_acquire);
    if (header.running_since.load(std::memory_order_acquire) == running.ticks) return running;
  }
  return std::nullopt;
}

double NsPerTick(const Moment& from, const Moment& to) {
  if (to.ticks <= from.ticks || to.monotonic_ns < from.monotonic_ns + kShortestBaselineNs) return 0;
  return static_cast<double>(to.monotonic_ns - from.monotonic_ns) /
         static_cast<double>(to.ticks - from.ticks);
}

// The rate of this machine's counter: what a recording leaves open when it is young.
double MeasureNsPerTick(RecorderClock clock) {
  const Moment from = Now(clock);
  timespec pause{0, static_cast<long>(kShortestBaselineNs + kShortestBaselineNs / 10)};
  nanosleep(&pause, nullptr);
  return NsPerTick(from, Now(clock));
}

// Garbage in, garbage out, but no overflow.
int64_t Shifted(uint64_t base_ns, double delta_ns) {
  const auto base = static_cast<int64_t>(std::min(base_ns, uint64_t{1} << 62));
  return base + std::llround(std::clamp(delta_ns, -4e18, 4e18));
}

Error NoRecording(const std::string& why) {
  return MakeError(MANTA_ERROR_INVALID_ARGUMENT, "not a flight recording: " + why);
}

// A descriptor, for the length of a function.
struct File {
  explicit File(int fd) : fd(fd) {}
  File(const File&) = delete;
  ~File() {
    if (fd >= 0) close(fd);
  }
  int fd;
};

}  // namespace

FlightRecorder::FlightRecorder(RecorderHeader* header, uint32_t log2_events)
    : header_(header),
      reads_counter_(header->clock != RecorderClock::kMonotonic),
      writer_(&header->written, reinterpret_cast<RecorderSlot<RealAtomics>*>(header + 1),
              log2_events) {}

FlightRecorder::~FlightRecorder() {
  if (mapped_bytes_ != 0) munmap(header_, mapped_bytes_);
}

void FlightRecorder::Calibrate() {
  const uint64_t count = header_->calibrations.load(std::memory_order_relaxed) + 1;
  Store(Now(header_->clock), &header_->recent[count % 2]);
  header_->calibrations.store(count, std::memory_order_release);
}

Result<FlightRecorder> CreateRecorder(void* region, uint64_t bytes) {
  if (reinterpret_cast<uintptr_t>(region) % alignof(RecorderHeader) != 0) {
    return MakeError(MANTA_ERROR_INVALID_ARGUMENT,
                     "a flight recorder starts at a multiple of 64");
  }
  if (bytes < RecorderBytes(std::countr_zero(kMinRecorderEvents))) {
    return MakeError(MANTA_ERROR_INVALID_ARGUMENT,
                     "a flight recorder needs " +
                         std::to_string(RecorderBytes(std::countr_zero(kMinRecorderEvents))) +
                         " bytes, not " + std::to_string(bytes));
  }
  const uint64_t events =
      std::min<uint64_t>((bytes - sizeof(RecorderHeader)) / sizeof(RecorderEvent),
                         kMaxRecorderEvents);
  const auto log2_events = static_cast<uint32_t>(std::bit_width(events) - 1);
  auto* header = static_cast<RecorderHeader*>(region);
  header->version = kRecorderVersion;
  header->log2_events = log2_events;
  header->pid = static_cast<uint32_t>(getpid());
  header->clock = BestClock();
  header->boot = BootId();
  Store(Now(header->clock), &header->created);
  header->magic.store(kRecorderMagic, std::memory_order_release);
  return FlightRecorder(header, log2_events);
}

Result<FlightRecorder> CreateRecorderFile(const std::string& path, uint32_t events) {
  const uint32_t size = std::bit_ceil(std::clamp(events, kMinRecorderEvents, kMaxRecorderEvents));
  const uint64_t bytes = RecorderBytes(static_cast<uint32_t>(std::countr_zero(size)));
  // A new file: who still maps one of the same name keeps it.
  if (unlink(path.c_str()) != 0 && errno != ENOENT) {
    return ErrnoError("cannot replace the flight recorder " + path, errno);
  }
  const File file(open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (file.fd < 0) return ErrnoError("cannot create the flight recorder " + path, errno);
  const auto give_up = [&](int error_number) {
    unlink(path.c_str());
    return ErrnoError("cannot allocate " + std::to_string(bytes) +
                          " bytes for the flight recorder " + path,
                      error_number);
  };
  if (const int error_number = posix_fallocate(file.fd, 0, static_cast<off_t>(bytes));
      error_number != 0) {
    return give_up(error_number);
  }
  void* region = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file.fd, 0);
  if (region == MAP_FAILED) return give_up(errno);
  Result<FlightRecorder> recorder = CreateRecorder(region, bytes);
  recorder->mapped_bytes_ = bytes;
  return recorder;
}

Result<Recording> ReadRecorder(const void* region, uint64_t bytes) {
  if (bytes < sizeof(RecorderHeader)) return NoRecording("it is too short");
  if (reinterpret_cast<uintptr_t>(region) % alignof(RecorderHeader) != 0) {
    return NoRecording("it does not start at a multiple of 64");
  }
  const auto& header = *static_cast<const RecorderHeader*>(region);
  if (header.magic.load(std::memory_order_acquire) != kRecorderMagic) {
    return NoRecording("it does not start with the magic number");
  }
  if (header.version != kRecorderVersion) {
    return NoRecording("its version is " + std::to_string(header.version) +
                       ", this program reads version " + std::to_string(kRecorderVersion));
  }
  // What is checked is what is used: the region may change all the time.
  const uint32_t log2_events = header.log2_events;
  const RecorderClock clock = header.clock;
  if (log2_events > static_cast<uint32_t>(std::countr_zero(kMaxRecorderEvents)) ||
      RecorderBytes(log2_events) > bytes) {
    return NoRecording("its size is damaged");
  }
  if (header.written.load(std::memory_order_acquire) >= uint64_t{1} << 62) {
    return NoRecording("its count of events is damaged");
  }

  Recording recording;
  recording.pid = header.pid;
  recording.process = ProcessId{header.process.load(std::memory_order_acquire)};
  const Moment created = Load(header.created);
  const Moment last = LastCalibration(header, created);
  recording.role = header.role.load(std::memory_order_acquire);
  recording.subject = header.subject.load(std::memory_order_acquire);
  recording.created_wall_ns = Shifted(created.wall_ns, 0);

  double ns_per_tick = 1;
  if (clock != RecorderClock::kMonotonic) {
    ns_per_tick = NsPerTick(created, last);
    if (ns_per_tick == 0 && header.boot == BootId() && clock == BestClock()) {
      ns_per_tick = NsPerTick(created, Now(clock));
    }
    if (ns_per_tick == 0) ns_per_tick = MeasureNsPerTick(BestClock());
  }
  recording.ns_per_tick = ns_per_tick;
  recording.anchor_ticks = last.ticks;
  recording.anchor_monotonic_ns = Shifted(last.monotonic_ns, 0);
  const auto timed = [&](uint64_t index, const RecorderEvent& event) -> RecordedEvent {
    const double delta_ns =
        static_cast<double>(static_cast<int64_t>(event.ticks - last.ticks)) * ns_per_tick;
    return {index, Shifted(last.monotonic_ns, delta_ns), Shifted(last.wall_ns, delta_ns), event};
  };
  if (const std::optional<RecorderEvent> running = RunningIn(header)) {
    recording.running = timed(0, *running);
  }
  recording.written = ReadRecorderRing<RealAtomics>(
      header.written,
      reinterpret_cast<const RecorderSlot<RealAtomics>*>(
          static_cast<const unsigned char*>(region) + sizeof(RecorderHeader)),
      log2_events, [&](uint64_t index, const RecorderEvent& event) {
        if (event.kind != 0) recording.events.push_back(timed(index, event));
      });
  return recording;
}

int64_t Recording::MonotonicAt(uint64_t ticks) const {
  const double delta_ns = static_cast<double>(static_cast<int64_t>(ticks - anchor_ticks)) * ns_per_tick;
  return anchor_monotonic_ns + std::llround(std::clamp(delta_ns, -4e18, 4e18));
}

Result<Recording> ReadRecorderFile(const std::string& path) {
  // Whatever is in the way of a recording, opening it waits for nobody.
  const File file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (file.fd < 0) return ErrnoError("cannot open " + path, errno);
  struct stat status;
  if (fstat(file.fd, &status) != 0) return ErrnoError("cannot stat " + path, errno);
  if (!S_ISREG(status.st_mode)) return NoRecording(path + " is not a file");
  const auto bytes = static_cast<uint64_t>(status.st_size);
  if (bytes < sizeof(RecorderHeader)) return NoRecording(path + " is too short");
  void* region = mmap(nullptr, bytes, PROT_READ, MAP_SHARED, file.fd, 0);
  if (region == MAP_FAILED) return ErrnoError("cannot map " + path, errno);
  Result<Recording> recording = ReadRecorder(region, bytes);
  munmap(region, bytes);
  return recording;
}

}  // namespace manta::shm
