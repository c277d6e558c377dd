#include "node/object_space.h"

#include <spdlog/logger.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <utility>
#include <vector>

#include "base/kill_point.h"

namespace manta::node {
namespace {

constexpr Nanoseconds kFirstRetry = kMillisecond;
constexpr Nanoseconds kSlowestRetry = kSecond;  // for pins that are held for long
constexpr Nanoseconds kSlowestWhileWaiting = 10 * kMillisecond;

constexpr const char* kMoreRoom =
    "give the object store more memory where the cluster starts: in the options of the program, or by --object-store-memory of "
    "`manta start`";

// Rounded up, so that nothing is 0.0 MiB but nothing.
std::string Mebibytes(uint64_t bytes) {
  if (bytes < 1 << 20) return std::to_string((bytes + 1023) >> 10) + " KiB";
  const uint64_t tenths = bytes * 10 >> 20;
  return std::to_string(tenths / 10) + "." + std::to_string(tenths % 10) + " MiB";
}

}  // namespace

ObjectSpace::ObjectSpace(EventLoop& loop, spdlog::logger& log, ProcessTable& processes,
                         ControlArena& control, Nanoseconds wait)
    : loop_(loop),
      log_(log),
      processes_(processes),
      control_(control),
      wait_(wait),
      reclaim_(loop, [this] { Reclaim(); }),
      expiry_(loop, [this] { ExpireWaiting(); }) {}

Result<std::unique_ptr<ObjectSpace>> ObjectSpace::Create(EventLoop& loop, spdlog::logger& log,
                                                         ProcessTable& processes,
                                                         ControlArena& control, uint64_t bytes,
                                                         Nanoseconds wait) {
  Result<MemoryFile> file = MemoryFile::Create("manta-objects", bytes);
  if (!file) return file.error();
  std::unique_ptr<ObjectSpace> space(new ObjectSpace(loop, log, processes, control, wait));
  space->file_ = std::move(file).value();
  space->slots_ = ObjectTable::SlotsFor(bytes);
  // The daemon needs the table alone; nothing of the arena is touched before it is used.
  const Result<unsigned char*> slots =
      space->file_.Map(uint64_t{space->slots_} * sizeof(ObjectTable::Slot));
  if (!slots) return slots.error();
  space->table_ = std::make_unique<ObjectTable>(
      std::span(reinterpret_cast<ObjectTable::Slot*>(slots.value()), space->slots_), bytes);
  return space;
}

void ObjectSpace::Allocate(const Process& lessee, ProcessId owner, uint64_t request,
                           uint64_t size) {
  Request({lessee.id, owner, request, size, EventLoop::Now() + wait_, {}});
}

void ObjectSpace::AllocateFor(ProcessId lessee, ProcessId owner, uint64_t size, Answer answer) {
  Request({lessee, owner, 0, size, EventLoop::Now() + wait_, std::move(answer)});
}

void ObjectSpace::Request(Waiting waiting) {
  const uint64_t size = waiting.size;
  if (!table_->CanEverFit(size)) {
    return Refuse(waiting, MANTA_ERROR_OBJECT_TOO_LARGE,
                  "an object of " + Mebibytes(size) + " is larger than the whole object store (" +
                      Mebibytes(table_->capacity()) + "); " + kMoreRoom);
  }
  if (TryAllocate(waiting)) return;
  if (table_->HasDying()) {
    Reclaim();
    if (TryAllocate(waiting)) return;
  }
  if (MakeRoomFor(waiting)) return;
  if (wait_ <= 0 || waiting_.size() >= kMaxWaiting) {
    return Refuse(waiting, MANTA_ERROR_OBJECT_STORE_FULL, WhyFull(size));
  }
  waiting_.push_back(std::move(waiting));
  if (reclaim_.armed() || make_room_) reclaim_.ExpireAfter(kFirstRetry);
  if (!expiry_.armed()) expiry_.ExpireAt(waiting_.front().deadline);
}

bool ObjectSpace::TryAllocate(const Waiting& request) {
  const auto grant = table_->Allocate(request.lessee, request.owner, request.size);
  if (!grant) return false;
  MANTA_KILL_POINT("daemon.space_granted");
  if (request.answer) {
    loop_.Post([answer = request.answer, handle = shm::SharedHandle{grant->slot, grant->generation,
                                                                    grant->offset, grant->size}] {
      answer(handle);
    });
    return true;
  }
  wire::ObjectAllocatedT allocated;
  allocated.request = request.request;
  allocated.slot = grant->slot;
  allocated.generation = grant->generation;
  allocated.offset = grant->offset;
  allocated.size = grant->size;
  processes_.Send(request.lessee, std::move(allocated));
  return true;
}

// Pieces that are freed need not lie side by side: it goes on until the request fits, or nothing is left to free.
bool ObjectSpace::MakeRoomFor(const Waiting& request) {
  while (make_room_ && make_room_(request.size)) {
    if (ReclaimUnpinned() && TryAllocate(request)) return true;
  }
  return false;
}

void ObjectSpace::Refuse(const Waiting& request, manta_error_kind kind,
                         const std::string& message) {
  if (request.answer) {
    return loop_.Post([answer = request.answer, kind, message] { answer(MakeError(kind, message)); });
  }
  wire::ObjectRefusedT refused;
  refused.request = request.request;
  refused.kind = kind;
  refused.message = message;
  processes_.Send(request.lessee, std::move(refused));
}

void ObjectSpace::Seal(const shm::SharedHandle& handle) {
  table_->Slots()[handle.slot].word.store(
      shm::ObjectWord(handle.generation, shm::ObjectState::kSealed), std::memory_order_release);
}

bool ObjectSpace::IsSealed(uint32_t slot, uint32_t generation) const {
  return slot < slots_ && table_->Slots()[slot].word.load(std::memory_order_acquire) ==
                              shm::ObjectWord(generation, shm::ObjectState::kSealed);
}

bool ObjectSpace::IsSealed(const shm::SharedHandle& handle) const {
  if (!IsSealed(handle.slot, handle.generation)) return false;
  const ObjectTable::Slot& slot = table_->Slots()[handle.slot];
  return slot.offset == handle.offset && slot.size == handle.size;
}

bool ObjectSpace::Read(const shm::SharedHandle& handle, uint64_t offset,
                       std::span<uint8_t> into) const {
  if (offset > handle.size || into.size() > handle.size - offset) return false;
  return pread(file_.fd(), into.data(), into.size(), static_cast<off_t>(handle.offset + offset)) ==
         static_cast<ssize_t>(into.size());
}

bool ObjectSpace::Write(const shm::SharedHandle& handle, uint64_t offset,
                        std::span<const uint8_t> bytes) {
  if (offset > handle.size || bytes.size() > handle.size - offset) return false;
  return pwrite(file_.fd(), bytes.data(), bytes.size(),
                static_cast<off_t>(handle.offset + offset)) == static_cast<ssize_t>(bytes.size());
}

std::string ObjectSpace::WhyFull(uint64_t size) const {
  char limit[32];
  std::snprintf(limit, sizeof limit, "%.3g", static_cast<double>(wait_) / kSecond);
  std::string text = "no room for an object of " + Mebibytes(size) + " within " + limit + " s: the object store has " +
                     Mebibytes(table_->capacity()) + ", " + Mebibytes(table_->used()) +
                     " in use by " + std::to_string(table_->objects()) +
                     " objects, largest free piece " + Mebibytes(table_->largest_free());
  bool readers = false;
  const std::vector<ObjectTable::Holding> holders =
      table_->LargestHolders(3, control_.PinsByProcess());
  for (size_t i = 0; i < holders.size(); ++i) {
    text += i == 0 ? "; " : ", ";
    text += Mebibytes(holders[i].bytes) + " in " + std::to_string(holders[i].objects) + " objects " +
            (holders[i].reads ? "still read in place by " : "held by ") +
            processes_.Describe(holders[i].process);
    readers = readers || holders[i].reads;
  }
  text += "; drop references that are not needed";
  if (readers) text += ", and values that were read in place";
  return text + ", or " + kMoreRoom;
}

void ObjectSpace::Free(ProcessId by, uint32_t slot, uint32_t generation) {
  if (!table_->Free(by, slot, generation)) {
    log_.debug("free ignored process={} slot={} generation={}", SerialOf(by), slot, generation);
    return;
  }
  ReclaimSoon();
}

std::vector<ObjectSpace::Wait> ObjectSpace::Waits(size_t most) const {
  std::vector<Wait> waits;
  for (const Waiting& one : waiting_) {
    if (waits.size() == most) break;
    waits.push_back({one.lessee, one.size, one.deadline - wait_, one.deadline});
  }
  return waits;
}

std::map<ProcessId, SlotList> ObjectSpace::ProcessGone(ProcessId process) {
  std::erase_if(waiting_, [&](const Waiting& waiting) {
    if (waiting.lessee == process) return true;
    if (waiting.owner != process) return false;
    // Nobody would free it.
    Refuse(waiting, MANTA_ERROR_OWNER_DIED, "the process that asked for the object is gone");
    return true;
  });
  std::map<ProcessId, SlotList> missed = table_->ProcessGone(process);
  // Also for others' slots that it alone had pinned.
  if (table_->HasDying()) ReclaimSoon();
  return missed;
}

// One scan of the pins serves all that was freed in this turn of the loop.
void ObjectSpace::ReclaimSoon() {
  reclaim_delay_ = 0;
  reclaim_.ExpireAfter(0);
}

bool ObjectSpace::ReclaimUnpinned() {
  table_->MarkDoomed();
  shm::RealAtomics::Fence();
  return table_->Reclaim(control_.AllPins());
}

void ObjectSpace::Reclaim() {
  MANTA_KILL_POINT("daemon.object_freed");
  const bool freed = ReclaimUnpinned();
  MANTA_KILL_POINT("daemon.space_reclaimed");
  if (freed) ServeWaiting();
  const bool waited = make_room_ && !waiting_.empty();
  while (!waiting_.empty() && MakeRoomFor(waiting_.front())) waiting_.pop_front();
  if (waited) ServeWaiting();  // what was freed and does not do for the first
  if (!table_->HasDying() && (!make_room_ || waiting_.empty())) {
    reclaim_.Cancel();
    return;
  }
  reclaim_delay_ = std::clamp(reclaim_delay_ * 2, kFirstRetry,
                              waiting_.empty() ? kSlowestRetry : kSlowestWhileWaiting);
  reclaim_.ExpireAfter(reclaim_delay_);
}

// In order of arrival, but who asks for less may pass: the wait of those in front is bounded, and what would free room may depend on the
// small ones.
void ObjectSpace::ServeWaiting() {
  std::erase_if(waiting_, [&](const Waiting& waiting) { return TryAllocate(waiting); });
}

void ObjectSpace::ExpireWaiting() {
  const Nanoseconds now = EventLoop::Now();
  while (!waiting_.empty() && waiting_.front().deadline <= now) {
    const Waiting waiting = waiting_.front();
    waiting_.pop_front();
    log_.warn("object refused process={} bytes={} used={}", SerialOf(waiting.lessee), waiting.size,
              table_->used());
    Refuse(waiting, MANTA_ERROR_OBJECT_STORE_FULL, WhyFull(waiting.size));
  }
  if (!waiting_.empty()) expiry_.ExpireAt(waiting_.front().deadline);
}

}  // namespace manta::node
