// Large objects across a trunk. A handle is good on its node only: what arrives with handles of the other node gets local copies of
// the objects, in chunks of which few are under way at a time, so that tasks do not wait behind them.
//
//  - Copy: for arguments and fetched values. One per origin, kept until the origin is freed (its node says so), its node dies, or it is
//    idle and its room is wanted.
//  - Move: for results, which were made there for an owner here. The origin is freed when the copy is complete.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <span>
#include <unordered_map>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "node/object_space.h"
#include "node/trunk_link.h"
#include "trunk/frames.h"

namespace manta::node {

class ObjectCopies {
 public:
  struct Local {
    shm::SharedHandle handle{};
    // As long as it is held, a copy is not idle. Empty for what was moved or made: its owner frees that.
    std::shared_ptr<const void> use;
  };
  using Answer = std::function<void(const Result<Local>&)>;
  static constexpr Nanoseconds kLoan = 100 * kMillisecond;

  // `self`: the daemon's own process id, which writes the copies. All arguments outlive this object.
  ObjectCopies(ObjectSpace& objects, ProcessId self) : objects_(objects), self_(self) {}

  void Connect(std::shared_ptr<TrunkLink> link) { link_ = std::move(link); }
  // Whatever was under way fails with `error`; copies of the other node's objects are freed.
  void Disconnect(const Error& error);

  void Copy(const shm::SharedHandle& origin, Answer answer);
  // The same for a process that is only told the handle: it pins the copy within kLoan as a rule. One that comes later may find it gone,
  // and asks again.
  void Lend(const shm::SharedHandle& origin, Answer answer);
  void Move(const shm::SharedHandle& origin, ProcessId owner, Answer answer);
  // Frees copies that nobody uses, those first that were asked for the longest ago, until they come to `bytes`. False: there are none.
  // Costs a look at all pins, if there are copies.
  bool FreeIdle(uint64_t bytes);
  // A new object of this node with these bytes.
  void Make(ProcessId owner, std::vector<uint8_t> bytes, Answer answer);
  // The bytes of an object of this node that holds `what` of a task; at most kMostInOneFrame of them.
  Result<std::vector<uint8_t>> Read(const shm::SharedHandle& handle, const char* what) const;
  // The same of an object that is freed.
  Result<std::vector<uint8_t>> Consume(const shm::SharedHandle& handle, const char* what);
  void Free(const shm::SharedHandle& handle) { objects_.Free(self_, handle.slot, handle.generation); }
  // A completion with this object goes to the other node: nobody frees it here before it has been moved.
  void LetMove(const shm::SharedHandle& handle) { moving_.insert({handle.slot, handle.generation}); }
  bool IsMoving(uint32_t slot, uint32_t generation) const { return moving_.contains({slot, generation}); }

  // An object of this node was freed, or may have been (all).
  void OriginFreed(uint32_t slot, uint32_t generation);
  void LookAtOrigins();

  // Frames of the other node. False: it breaks the protocol.
  bool OnFrame(const trunk::FrameView& frame);
  // The trunk has room again.
  void Pump();

 private:
  using Name = trunk::HandleName;
  struct Pulling {
    shm::SharedHandle origin;
    shm::SharedHandle local;
    uint64_t received = 0;
    bool move = false;
    std::vector<Answer> answers;
  };
  struct Serving {
    uint64_t request;
    shm::SharedHandle handle;
    uint64_t sent = 0;
  };

  struct Kept {
    std::shared_ptr<const shm::SharedHandle> local;  // held by its users, too
    Nanoseconds asked_at = 0;
    Nanoseconds lent_until = 0;
  };

  uint64_t Start(const shm::SharedHandle& origin, ProcessId owner, bool move, Answer answer);
  void Finish(uint64_t request, const Result<shm::SharedHandle>& outcome);
  bool OnPull(std::span<const uint8_t> body);
  bool OnChunk(std::span<const uint8_t> body);
  bool OnPullFailed(std::span<const uint8_t> body);
  void DropCopy(const Name& origin);

  ObjectSpace& objects_;
  const ProcessId self_;
  std::shared_ptr<TrunkLink> link_;
  uint64_t last_request_ = 0;
  std::unordered_map<uint64_t, Pulling> pulling_;
  std::map<Name, uint64_t> copying_;             // origin, request
  std::map<Name, Kept> copies_;                  // by origin
  std::deque<Serving> serving_;
  std::set<Name> exposed_;                       // objects of this node that the other one may have copies of
  std::set<Name> moving_;
};

}  // namespace manta::node
