// The daemon and the directory of actors: who hosts which, under what name, and its end.
#include <utility>

#include "contracts/fields.h"
#include "node/daemon.h"

namespace manta::node {

using contracts::Text;

void Daemon::OnRegisterActor(Process& sender, const wire::RegisterActor& message) {
  contracts::ActorEntry actor;
  actor.id = {ProcessId{message.creator()}, message.serial()};
  actor.name = Text(message.name());
  actor.ray_namespace =
      message.ray_namespace() != nullptr ? Text(message.ray_namespace()) : sender.ray_namespace;
  actor.class_name = Text(message.class_name());
  actor.detached = message.detached();
  actor.restartable = message.restartable();
  actor.process = ProcessId{message.process()};
  using contracts::ActorState;
  actor.restarts = message.restarts();
  actor.max_task_retries = message.max_task_retries();
  actor.max_pending_calls = message.max_pending_calls();
  actor.overlapping = message.overlapping();
  actor.description = contracts::Bytes(message.description());
  actor.death = Text(message.death());
  actor.state = message.dead()           ? ActorState::kDead
                : message.created()      ? ActorState::kAlive
                : message.restarts() > 0 ? ActorState::kRestarting
                                         : ActorState::kPending;
  // News of a process that has died meanwhile: its creator hears of that, too, and decides.
  if (actor.process && processes_.Find(actor.process) == nullptr) {
    if (actor.state == ActorState::kAlive) actor.state = ActorState::kRestarting;
    actor.process = {};
  }
  recorder_->ActorChanged(actor);
  // Until its constructor is done its creator is needed, and its process ends with that.
  const bool lives_alone = actor.detached && actor.process && actor.state == ActorState::kAlive;
  if (lives_alone && cluster_->IsThere(actor.process)) {
    processes_.Find(actor.process)->detached = true;
    wire::DetachActorHostT detach;
    detach.process = actor.process.value;
    cluster_->SendToNode(std::move(detach));
  } else if (lives_alone) {
    const LeaseService::Lease* lease = leases_->LeaseOf(actor.process);
    if (lease != nullptr && lease->owner == sender.id && lease->dedicated) {
      processes_.Find(actor.process)->detached = true;
    }
  }
  actors_.Register(actor, [this, request = message.request(), id = sender.id](const auto& holder) {
    wire::ActorRegisteredT registered;
    registered.request = request;
    if (holder) {
      registered.error_kind = MANTA_ERROR_ACTOR_NAME_TAKEN;
      registered.error = "the name '" + holder->name + "' is taken in namespace '" +
                         holder->ray_namespace + "'";
      registered.existing_creator = holder->id.creator.value;
      registered.existing_serial = holder->id.serial;
    }
    processes_.Send(id, std::move(registered));
  });
}

void Daemon::OnFindActor(Process& sender, const wire::FindActor& message) {
  const std::string space =
      message.ray_namespace() != nullptr ? Text(message.ray_namespace()) : sender.ray_namespace;
  const ActorId actor{ProcessId{message.creator()}, message.serial()};
  const auto answer = [this, request = message.request(), id = sender.id,
                       asked = actor, describes = !message.await()](const auto& actor) {
    wire::ActorFoundT found;
    found.request = request;
    found.creator = asked.creator.value;
    found.serial = asked.serial;
    if (actor) {
      found.found = true;
      found.creator = actor->id.creator.value;
      found.serial = actor->id.serial;
      found.process = actor->process.value;
      found.state = contracts::ToString(actor->state);
      found.death = actor->death;
      found.max_task_retries = actor->max_task_retries;
      found.max_pending_calls = actor->max_pending_calls;
      found.overlapping = actor->overlapping;
      if (describes) found.description.assign(actor->description.begin(), actor->description.end());
    }
    processes_.Send(id, std::move(found));
  };
  if (!message.await()) return actors_.Find(Text(message.name()), space, actor, answer);
  bool known = false;
  actors_.Find("", "", actor, [&known](const auto& found) { known = found.has_value(); });
  if (!known) {
    // The creator knows: what it has sent about the actor comes first.
    wire::ActorUnknownT question;
    question.serial = actor.serial;
    if (!processes_.Send(actor.creator, std::move(question))) {
      wire::ActorFoundT none;
      none.request = message.request();
      none.creator = actor.creator.value;
      none.serial = actor.serial;
      processes_.Send(sender.id, std::move(none));
      return;
    }
  }
  actors_.Await(actor, answer);
}

void Daemon::OnWorkerGoodbye(Process& sender, const wire::Goodbye& message) {
  const std::string reason = Text(message.reason());
  sender.ends_for_good = true;
  if (!message.keeps_objects()) return workers_->OnWorkerGoodbye(sender.id, reason);
  if (cluster_->is_head()) {
    actors_.HostRetired(sender.id, reason);
  } else {
    wire::ActorHostRetiredT retired;
    retired.process = sender.id.value;
    retired.reason = reason;
    cluster_->SendToNode(std::move(retired));
  }
  workers_->OnWorkerRetires(sender.id);
  leases_->ActorEnded(sender.id, reason);
}

void Daemon::OnKillActor(const wire::KillActor& message) {
  const ActorId id{ProcessId{message.creator()}, message.serial()};
  actors_.Find("", "", id, [&](const auto& actor) {
    if (actor && actor->state == contracts::ActorState::kDead) return;
    Process* host = actor ? processes_.Find(actor->process) : nullptr;
    if (host == nullptr) {
      wire::KillActorT forwarded;
      forwarded.creator = message.creator();
      forwarded.serial = message.serial();
      forwarded.no_restart = message.no_restart();
      processes_.Send(id.creator, std::move(forwarded));
      return;
    }
    if (host->far) {
      wire::EndActorHostT end;
      end.process = host->id.value;
      end.for_good = message.no_restart();
      end.reason = "the actor was killed";
      return cluster_->SendToNode(std::move(end));
    }
    host->ends_for_good = host->ends_for_good || message.no_restart();
    workers_->Stop(host->id, true, "the actor was killed");
  });
}

}  // namespace manta::node
