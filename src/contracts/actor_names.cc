#include "contracts/actor_names.h"

namespace manta::contracts {

const char* ToString(ActorState state) {
  switch (state) {
    case ActorState::kPending: return "PENDING_CREATION";
    case ActorState::kAlive: return "ALIVE";
    case ActorState::kRestarting: return "RESTARTING";
    case ActorState::kDead: return "DEAD";
  }
  return "UNKNOWN";
}

}  // namespace manta::contracts
