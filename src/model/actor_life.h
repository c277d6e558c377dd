// When an actor starts again after the process that hosted it has ended. Kept by the actor's creator. Pure.
#pragma once

#include <cstdint>
#include <string>

namespace manta::model {

enum class ActorPhase : uint8_t {
  kPending,     // no process yet, or its creation task is not done
  kAlive,
  kRestarting,  // as kPending, for the second time or later
  kDead,        // final
};

// How a process that hosted the actor ended.
enum class HostEnd : uint8_t {
  kUnused,   // before it began the creation task: as if it had never been there
  kCrash,    // by a signal, by exit(), or by Kill with no_restart = false
  kForGood,  // by Kill or ExitActor: the actor is not wanted any more
};

class ActorLife {
 public:
  // -1: without end.
  explicit ActorLife(int32_t max_restarts = 0) : max_restarts_(max_restarts) {}

  // The creation task has ended well.
  void Created() {
    if (phase_ != ActorPhase::kDead) phase_ = ActorPhase::kAlive;
  }
  // Whether another process is wanted for it; else it is dead.
  bool HostEnded(HostEnd end);
  // No process will host it from now on, or none after the one that does.
  void Die() { phase_ = ActorPhase::kDead; }
  void Retire() { retired_ = true; }
  bool retired() const { return retired_; }

  ActorPhase phase() const { return phase_; }
  bool may_restart() const {
    return phase_ != ActorPhase::kDead && !retired_ && (max_restarts_ < 0 || restarts_ < max_restarts_);
  }
  uint32_t restarts() const { return static_cast<uint32_t>(restarts_); }
  // For people, behind the cause of its death: "it had been restarted 2 times, as often as max_restarts allows". Empty for an actor
  // that was never to restart.
  std::string Account() const;

 private:
  int32_t max_restarts_;
  int32_t restarts_ = 0;
  ActorPhase phase_ = ActorPhase::kPending;
  bool retired_ = false;
};

}  // namespace manta::model
