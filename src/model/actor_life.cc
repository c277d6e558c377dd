#include "model/actor_life.h"

namespace manta::model {

bool ActorLife::HostEnded(HostEnd end) {
  if (phase_ == ActorPhase::kDead) return false;
  if (end == HostEnd::kUnused && !retired_) return true;
  if (end == HostEnd::kForGood || !may_restart()) {
    phase_ = ActorPhase::kDead;
    return false;
  }
  // Counted without end, it stops counting before it overflows.
  if (restarts_ < INT32_MAX) ++restarts_;
  phase_ = ActorPhase::kRestarting;
  return true;
}

std::string ActorLife::Account() const {
  if (max_restarts_ == 0) return "";
  std::string text = "it had been restarted " + std::to_string(restarts_) + (restarts_ == 1 ? " time" : " times");
  if (max_restarts_ > 0) text += " (max_restarts = " + std::to_string(max_restarts_) + ")";
  return text;
}

}  // namespace manta::model
