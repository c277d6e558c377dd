#include "node/object_copies.h"

#include <algorithm>
#include <string>
#include <utility>

namespace manta::node {
namespace {

// Lists of results travel whole; larger ones are refused.
constexpr uint64_t kMostInOneFrame = 32u << 20;

}  // namespace

// ---- Getting ------------------------------------------------------------------------------------------

void ObjectCopies::Copy(const shm::SharedHandle& origin, Answer answer) {
  const Name name{origin.slot, origin.generation};
  if (const auto known = copies_.find(name); known != copies_.end()) {
    known->second.asked_at = EventLoop::Now();
    return answer(Local{*known->second.local, known->second.local});
  }
  if (const auto under_way = copying_.find(name); under_way != copying_.end()) {
    pulling_.at(under_way->second).answers.push_back(std::move(answer));
    return;
  }
  copying_[name] = Start(origin, self_, false, std::move(answer));
}

void ObjectCopies::Lend(const shm::SharedHandle& origin, Answer answer) {
  Copy(origin, [this, name = Name{origin.slot, origin.generation}, answer = std::move(answer)](const Result<Local>& local) {
    if (local) copies_.at(name).lent_until = EventLoop::Now() + kLoan;
    answer(local);
  });
}

void ObjectCopies::Move(const shm::SharedHandle& origin, ProcessId owner, Answer answer) {
  Start(origin, owner, true, std::move(answer));
}

uint64_t ObjectCopies::Start(const shm::SharedHandle& origin, ProcessId owner, bool move,
                             Answer answer) {
  const uint64_t request = ++last_request_;
  Pulling& pulling = pulling_[request];
  pulling.origin = origin;
  pulling.move = move;
  pulling.answers.push_back(std::move(answer));
  objects_.AllocateFor(self_, owner, origin.size, [this, request](const auto& local) {
    const auto found = pulling_.find(request);
    if (found == pulling_.end()) {  // its node has died meanwhile
      if (local) {
        objects_.Seal(local.value());
        objects_.Free(self_, local.value().slot, local.value().generation);
      }
      return;
    }
    if (!local) return Finish(request, local);
    found->second.local = local.value();
    if (link_ == nullptr) return;
    link_->Send(trunk::FrameKind::kPull,
                trunk::BytesOf(trunk::PullFrame{request, found->second.origin}));
  });
  return request;
}

bool ObjectCopies::OnChunk(std::span<const uint8_t> body) {
  trunk::ChunkFrame chunk;
  if (!trunk::Take(&body, &chunk)) return false;
  const auto found = pulling_.find(chunk.request);
  if (found == pulling_.end()) return true;
  Pulling& pulling = found->second;
  if (chunk.offset != pulling.received || !objects_.Write(pulling.local, chunk.offset, body)) {
    return false;
  }
  pulling.received += body.size();
  if (pulling.received == pulling.origin.size) Finish(chunk.request, pulling.local);
  return true;
}

bool ObjectCopies::OnPullFailed(std::span<const uint8_t> body) {
  uint64_t request;
  if (!trunk::Take(&body, &request)) return false;
  if (!pulling_.contains(request)) return true;
  Finish(request, MakeError(MANTA_ERROR_OBJECT_LOST, std::string(body.begin(), body.end())));
  return true;
}

void ObjectCopies::Finish(uint64_t request, const Result<shm::SharedHandle>& outcome) {
  auto node = pulling_.extract(request);
  if (node.empty()) return;
  Pulling& pulling = node.mapped();
  const Name origin{pulling.origin.slot, pulling.origin.generation};
  if (!pulling.move) copying_.erase(origin);
  if (pulling.local.generation != 0) objects_.Seal(pulling.local);
  Result<Local> local = Local{pulling.local, nullptr};
  if (!outcome) {
    local = outcome.error();
    if (pulling.local.generation != 0) objects_.Free(self_, pulling.local.slot, pulling.local.generation);
  } else if (!pulling.move) {
    const auto copy = std::make_shared<const shm::SharedHandle>(pulling.local);
    copies_[origin] = {copy, EventLoop::Now(), 0};
    local.value().use = copy;
  }
  // Moved, or of no more use to anybody.
  if (pulling.move && link_ != nullptr) {
    link_->Send(trunk::FrameKind::kFreeOrigin, trunk::BytesOf(origin));
  }
  for (const Answer& answer : pulling.answers) answer(local);
}

void ObjectCopies::DropCopy(const Name& origin) {
  const auto copy = copies_.find(origin);
  if (copy == copies_.end()) return;
  const shm::SharedHandle local = *copy->second.local;
  copies_.erase(copy);
  objects_.Free(self_, local.slot, local.generation);
  OriginFreed(local.slot, local.generation);  // it may have been passed back
}

void ObjectCopies::Make(ProcessId owner, std::vector<uint8_t> bytes, Answer answer) {
  const uint64_t size = bytes.size();
  objects_.AllocateFor(self_, owner, size,
                       [this, bytes = std::move(bytes), answer = std::move(answer)](const auto& local) {
                         if (local) {
                           (void)objects_.Write(local.value(), 0, bytes);
                           objects_.Seal(local.value());
                         }
                         answer(local ? Result<Local>(Local{local.value(), nullptr}) : local.error());
                       });
}

bool ObjectCopies::FreeIdle(uint64_t bytes) {
  if (copies_.empty()) return false;
  const std::vector<uint64_t> pins = objects_.AllPins();
  const Nanoseconds now = EventLoop::Now();
  std::vector<std::pair<Nanoseconds, Name>> idle;
  for (const auto& [origin, copy] : copies_) {
    const shm::SharedHandle& local = *copy.local;
    if (copy.local.use_count() > 1 || copy.lent_until > now) continue;
    if (std::binary_search(pins.begin(), pins.end(), shm::PinWord(local.slot, local.generation))) continue;
    idle.emplace_back(copy.asked_at, origin);
  }
  std::sort(idle.begin(), idle.end());
  uint64_t freed = 0;
  for (const auto& [asked_at, origin] : idle) {
    if (freed >= bytes) break;
    freed += copies_.at(origin).local->size;
    DropCopy(origin);
  }
  return freed > 0;
}

// ---- Giving -------------------------------------------------------------------------------------------

Result<std::vector<uint8_t>> ObjectCopies::Read(const shm::SharedHandle& handle, const char* what) const {
  if (handle.size > kMostInOneFrame) {
    return MakeError(MANTA_ERROR_OBJECT_TOO_LARGE,
                     std::string("the ") + what + " of one task come to " + std::to_string(handle.size >> 20) +
                         " MiB in values of at most 64 KiB each: more than can go to another node at once");
  }
  std::vector<uint8_t> bytes(handle.size);
  if (objects_.IsSealed(handle) && objects_.Read(handle, 0, bytes)) return bytes;
  return MakeError(MANTA_ERROR_OBJECT_LOST, std::string("the list of ") + what + " is gone");
}

Result<std::vector<uint8_t>> ObjectCopies::Consume(const shm::SharedHandle& handle, const char* what) {
  Result<std::vector<uint8_t>> bytes = Read(handle, what);
  if (objects_.IsSealed(handle)) Free(handle);
  return bytes;
}

bool ObjectCopies::OnPull(std::span<const uint8_t> body) {
  trunk::PullFrame pull;
  if (!trunk::Take(&body, &pull)) return false;
  exposed_.insert({pull.handle.slot, pull.handle.generation});
  serving_.push_back({pull.request, pull.handle});
  Pump();
  return true;
}

// Round robin among the objects that are asked for.
void ObjectCopies::Pump() {
  std::vector<uint8_t> bytes;
  while (link_ != nullptr && !serving_.empty() && link_->pending() < TrunkLink::kDrained) {
    Serving serving = serving_.front();
    serving_.pop_front();
    // Objects are freed by this thread alone: what is sealed now stays until this turn is over.
    bytes.resize(std::min<uint64_t>(trunk::kChunkBytes, serving.handle.size - serving.sent));
    if (!objects_.IsSealed(serving.handle) || !objects_.Read(serving.handle, serving.sent, bytes)) {
      static constexpr std::string_view kGone = "the object was freed before another node had it";
      link_->Send(trunk::FrameKind::kPullFailed, trunk::BytesOf(serving.request),
                  {reinterpret_cast<const uint8_t*>(kGone.data()), kGone.size()});
      continue;
    }
    link_->Send(trunk::FrameKind::kChunk,
                trunk::BytesOf(trunk::ChunkFrame{serving.request, serving.sent}), bytes);
    serving.sent += bytes.size();
    if (serving.sent < serving.handle.size) serving_.push_back(serving);
  }
}

void ObjectCopies::OriginFreed(uint32_t slot, uint32_t generation) {
  const Name name{slot, generation};
  if (exposed_.erase(name) == 0 || link_ == nullptr) return;
  link_->Send(trunk::FrameKind::kOriginFreed, trunk::BytesOf(name));
}

void ObjectCopies::LookAtOrigins() {
  std::vector<Name> gone;
  for (const Name& name : exposed_) {
    if (!objects_.IsSealed(name.slot, name.generation)) gone.push_back(name);
  }
  for (const Name& name : gone) OriginFreed(name.slot, name.generation);
}

bool ObjectCopies::OnFrame(const trunk::FrameView& frame) {
  std::span<const uint8_t> body = frame.body;
  Name name;
  switch (frame.kind) {
    case trunk::FrameKind::kPull: return OnPull(body);
    case trunk::FrameKind::kChunk: return OnChunk(body);
    case trunk::FrameKind::kPullFailed: return OnPullFailed(body);
    case trunk::FrameKind::kFreeOrigin:
      if (!trunk::Take(&body, &name)) return false;
      exposed_.erase(name);
      moving_.erase(name);
      objects_.Free(self_, name.slot, name.generation);
      return true;
    case trunk::FrameKind::kOriginFreed:
      if (!trunk::Take(&body, &name)) return false;
      DropCopy(name);
      return true;
    default: return false;
  }
}

void ObjectCopies::Disconnect(const Error& error) {
  link_.reset();
  serving_.clear();
  exposed_.clear();
  for (const Name& name : std::exchange(moving_, {})) objects_.Free(self_, name.slot, name.generation);
  while (!copies_.empty()) DropCopy(copies_.begin()->first);
  std::vector<uint64_t> requests;
  for (const auto& [request, pulling] : pulling_) requests.push_back(request);
  for (uint64_t request : requests) Finish(request, error);
}

}  // namespace manta::node
