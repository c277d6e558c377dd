// The memory that logical processes of an exploration share: a model of C++20's, made of views.
//
// Each atomic location keeps all its messages (stores) in modification order. Each process knows,
// per location, the oldest message that it may still read, and a vector clock of what happened
// before. A load may return any message that is not older; a store may go anywhere behind what its
// process knows. Release stores carry their process's knowledge, acquire loads take it over.
// Sequentially consistent operations and fences agree on one order (the order of the exploration),
// which two more views enforce:
//   an access reads or writes nothing older than what earlier such accesses of the location
//   touched, nor than what any process knew at an earlier fence; a fence takes over both.
// Compared with C++20 this leaves out executions with a cycle of program order and reads-from (load
// buffering), and those whose order of sequentially consistent operations contradicts program order
// and relaxed reads-from together.
//
// Under kSequential a load returns the newest message and a store appends.
//
// Plain data has one value. Two accesses, one of them a write, without happens-before between them
// are a data race.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

namespace manta::explorer {

enum class MemoryModel { kSequential, kWeak };

// Bounds of a scenario. Exceeding one ends the exploration with a violation.
inline constexpr uint32_t kMaxLocations = 42;  // atomics
inline constexpr uint32_t kMaxProcesses = 6;   // with the set-up, which is process 0
inline constexpr uint32_t kMaxMessages = 250;  // per location
inline constexpr uint32_t kMaxSteps = 250;     // per process

// What happened before a point of a process.
struct Knowledge {
  std::array<uint8_t, kMaxLocations> seen{};   // by location: the oldest readable message
  std::array<uint8_t, kMaxProcesses> clock{};  // by process: how many of its steps

  void Join(const Knowledge& other) {
    // All of it in one loop, which compilers make three instructions of.
    auto* into = reinterpret_cast<uint8_t*>(this);
    const auto* from = reinterpret_cast<const uint8_t*>(&other);
    for (uint32_t i = 0; i < 48; ++i) into[i] = into[i] < from[i] ? from[i] : into[i];
  }
};
static_assert(sizeof(Knowledge) == 48);

// Which message an operation reads, or behind which one it writes.
struct Variant {
  uint8_t position = 0;
  bool succeeds = true;  // false: a compare-and-swap that finds another value
};

enum class UpdateKind : uint8_t { kExchange, kCompareExchange, kAdd, kSub, kAnd, kOr, kXor };

class Memory {
 public:
  // Has one process, the set-up.
  explicit Memory(MemoryModel model);

  // As new.
  void Reset();

  // A process that knows what the set-up has done so far.
  void AddProcess() { views_.push_back(views_[0]); }
  // Return the new location's number. `bytes`: of its type, 1 to 8.
  uint32_t AddAtomic(uint64_t value, uint32_t bytes);
  uint32_t AddPlain(uint64_t value);
  uint32_t locations() const { return location_count_; }

  // What `process` may do next with an atomic location; never empty (but for an update, see
  // Variants).
  void LoadVariants(uint32_t process, uint32_t location, std::memory_order order,
                    std::vector<Variant>* out) const;
  void StoreVariants(uint32_t process, uint32_t location, std::memory_order order,
                     std::vector<Variant>* out) const;
  void UpdateVariants(uint32_t process, uint32_t location, UpdateKind kind, uint64_t expected,
                      std::memory_order success, std::memory_order failure,
                      std::vector<Variant>* out) const;

  // Does it. Each is one step of the process. Load and Update return the value that was read.
  uint64_t Load(uint32_t process, uint32_t location, std::memory_order order, Variant variant);
  void Store(uint32_t process, uint32_t location, std::memory_order order, Variant variant,
             uint64_t value);
  uint64_t Update(uint32_t process, uint32_t location, UpdateKind kind, uint64_t operand,
                  std::memory_order success, std::memory_order failure, Variant variant);
  void Fence(uint32_t process);
  // A step that touches no memory.
  void Step(uint32_t process) { ++Of(process).current.clock[process]; }
  uint32_t Steps(uint32_t process) const { return Of(process).current.clock[process]; }
  // Forgets the steps since there were `steps`: they were loads of atomics, so that nobody can have
  // noted them.
  void ForgetSteps(uint32_t process, uint32_t steps) {
    Of(process).current.clock[process] = Of(process).acquirable.clock[process] = steps;
  }

  // The newest value, and the variant that names it.
  uint64_t Newest(uint32_t location) const;
  Variant NewestVariant(uint32_t location) const;
  // Whether a message exists that is newer than what `process` last read or wrote there.
  bool HasNewer(uint32_t process, uint32_t location) const;
  // Makes one of them the oldest that it may read.
  void Advance(uint32_t process, uint32_t location);

  // Plain data. They return the process at the other end of a data race, or kNoProcess.
  static constexpr uint32_t kNoProcess = ~0u;
  uint32_t ReadPlain(uint32_t process, uint32_t plain, uint64_t* value);
  uint32_t WritePlain(uint32_t process, uint32_t plain, uint64_t value);
  uint64_t PlainValue(uint32_t plain) const { return plains_[plain].value; }

  // `process` now knows all that `other` knew.
  void Inherit(uint32_t process, uint32_t other);

  // Equal for states that no continuation can tell apart, but for HasNewer under kSequential;
  // `live` are the processes that may still take steps.
  uint64_t Hash(const std::vector<uint32_t>& live) const;

  // Empty, or which bound of a scenario was exceeded.
  const std::string& exhausted() const { return exhausted_; }

 private:
  struct Message {
    uint64_t value;
    Knowledge released;  // what an acquire load of it takes over
    bool glued;          // an update that read the message before it: nothing comes between
  };
  struct Location {
    std::vector<Message> messages;  // in modification order
    uint64_t mask;                  // of the bits of its type
  };
  struct View {
    Knowledge current;     // what happened before the process's next operation
    Knowledge acquirable;  // what would, after an acquire fence
    Knowledge released;    // what happened before its last release fence
  };
  struct Plain {
    uint64_t value = 0;
    uint8_t writer = 0;  // the last write,
    uint8_t write_clock = 0;
    std::array<uint8_t, kMaxProcesses> read_clock{};  // and the last read by each process
  };

  View& Of(uint32_t process) { return views_[process]; }
  const View& Of(uint32_t process) const { return views_[process]; }
  uint32_t Oldest(uint32_t process, uint32_t location, std::memory_order order) const;
  void ReadMessage(uint32_t process, uint32_t location, std::memory_order order, uint32_t position);
  void Insert(uint32_t process, uint32_t location, std::memory_order order, uint32_t position,
              uint64_t value, const Knowledge* continued);
  void Touch(uint32_t location, std::memory_order order, uint32_t position);

  MemoryModel model_;
  std::vector<View> views_;
  std::vector<Location> locations_;  // the first location_count_; others keep their capacity
  uint32_t location_count_ = 0;
  std::vector<Plain> plains_;
  Knowledge sc_accessed_;  // by sequentially consistent accesses
  Knowledge sc_fenced_;    // known at sequentially consistent fences
  std::string exhausted_;
  mutable std::vector<const Knowledge*> scratch_;
};

// One step of a 64-bit hash.
constexpr uint64_t Mix(uint64_t hash, uint64_t value) {
  hash ^= value + 0x9e3779b97f4a7c15 + (hash << 6) + (hash >> 2);
  hash ^= hash >> 32;
  hash *= 0xd6e8feb86659fd93;
  hash ^= hash >> 32;
  return hash;
}

}  // namespace manta::explorer
