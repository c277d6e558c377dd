#include "worker/actor_links.h"

#include <algorithm>
#include <mutex>
#include <utility>

#include "contracts/fields.h"
#include "worker/clock.h"
#include "worker/runtime.h"

namespace manta::worker {
namespace {

using contracts::Text;

// An actor is named by the object that stands for its life.
uint64_t SerialOf(const ObjectId& life) { return uint64_t{life.index} << 32 | life.generation; }
ObjectId LifeIdOf(const ActorId& actor) {
  return {actor.creator, static_cast<uint32_t>(actor.serial >> 32), static_cast<uint32_t>(actor.serial)};
}

}  // namespace

ActorLinks::ActorLinks(Runtime* runtime, Owner* owner, References* references, Dispatcher* dispatcher, ControlClient* control,
                       NodeMemory* memory)
    : runtime_(runtime), owner_(owner), references_(references), dispatcher_(dispatcher), control_(control), memory_(memory) {
  references_->set_life_listener([this](const ObjectId& life) { LifeEnded(life); });
}

ActorLinks::~ActorLinks() = default;

ActorRecord* ActorLinks::NewRecord(const ActorId& id, TaskTarget* target) {
  auto& record = actors_[id];
  record = std::make_unique<ActorRecord>();
  record->runtime = runtime_;
  record->id = id;
  record->target = target;
  return record.get();
}

Result<ActorRecord*> ActorLinks::Create(const std::string& class_name, TargetOptions shape,
                                        const manta_actor_options& options, bool* existed) {
  *existed = false;
  wire::RegisterActorT registration;
  registration.creator = owner_->process().value;
  registration.class_name = class_name;
  registration.detached = options.detached != 0;
  if (options.name != nullptr) registration.name = options.name;
  registration.ray_namespace = options.ray_namespace != nullptr ? options.ray_namespace
                                                                : runtime_->welcome().ray_namespace;
  registration.max_task_retries = options.max_task_retries;
  registration.max_pending_calls = options.max_pending_calls;
  registration.overlapping = options.max_concurrency > 1 || options.num_concurrency_groups > 0;
  ObjectRecord* life;
  {
    std::lock_guard guard(owner_->lock());
    life = owner_->NewObject();
    owner_->SetInline(life, "", 0);
    life->contains = true;
    registration.serial = SerialOf(owner_->IdOf(*life));
  }
  const ActorId id{owner_->process(), registration.serial};
  if (!registration.name.empty()) {
    // From here on other threads may find it.
    std::lock_guard guard(creating_mutex_);
    creating_.insert(id);
  }
  if (!registration.name.empty()) {
    const auto* const description = static_cast<const uint8_t*>(options.description.data);
    registration.description.assign(description, description + options.description.size);
    registration.request = registrations_.NewRequest();
    control_->Queue(wire::RegisterActorT(registration));
    control_->Flush();
    Result<ActorId> holder = registrations_.Await(registration.request, "the registration of an actor");
    if (!holder || (*holder && *holder != id)) {
      ConcludeCreation(id);
      Owner::Release(life);
    }
    if (!holder) return holder.error();
    if (*holder && *holder != id) {  // nil: the name was free
      if (options.get_if_exists == 0) {
        return MakeError(MANTA_ERROR_ACTOR_NAME_TAKEN,
                         "an actor with the name '" + registration.name + "' exists in namespace '" +
                             registration.ray_namespace +
                             "': choose another name, kill it, or set get_if_exists");
      }
      *existed = true;
      return Import(*holder, true);
    }
    registration.request = 0;
    registration.description.clear();  // once is enough
  }
  std::lock_guard guard(owner_->lock());
  shape.actor = id;
  shape.name = registration.name.empty() ? class_name : registration.name;
  TaskTarget* target = dispatcher_->NewActorTarget(id, std::move(shape), options.max_restarts);
  target->max_task_retries = options.max_task_retries;
  target->overlapping = registration.overlapping;
  if (options.max_pending_calls >= 0) target->max_pending = static_cast<uint32_t>(options.max_pending_calls);
  ActorRecord* record = NewRecord(id, target);
  record->created_here = true;
  record->life = life;
  record->detached = options.detached != 0;
  created_[id] = {target, std::move(registration)};
  Changed(*target, {});
  return record;
}

void ActorLinks::Changed(const TaskTarget& target, ProcessId host) {
  const auto found = created_.find(target.actor);
  if (found == created_.end()) return;
  wire::RegisterActorT registration = found->second.registration;
  registration.process = host.value;
  registration.created = target.life.phase() == model::ActorPhase::kAlive;
  registration.restartable = target.life.may_restart();
  registration.restarts = target.life.restarts();
  registration.dead = target.closed;
  // It ends after the calls that are under way: nobody shall find it any more.
  if (target.life.retired()) registration.name.clear();
  if (target.closed) {
    registration.death = target.death.message;
    created_.erase(found);
  }
  control_->Queue(std::move(registration));
  if (ends_with_last_actor_) control_->WakeTicker();
}

ActorRecord* ActorLinks::FindKnown(const ActorId& id) {
  std::lock_guard guard(owner_->lock());
  const auto known = actors_.find(id);
  if (known == actors_.end()) return nullptr;
  ++known->second->references;
  return known->second.get();
}

bool ActorLinks::BeginAdoption() {
  std::lock_guard guard(owner_->lock());
  if (ending_) return false;
  ++adoptions_;
  return true;
}

void ActorLinks::EndAdoption() {
  std::lock_guard guard(owner_->lock());
  --adoptions_;
  ends_with_last_actor_ = true;
  control_->WakeTicker();  // it may be dead already
}

void ActorLinks::OnUnknown(uint64_t serial) {
  std::lock_guard guard(owner_->lock());
  const ActorId id{owner_->process(), serial};
  if (created_.contains(id)) return;  // the news is under way
  wire::RegisterActorT registration;
  registration.creator = id.creator.value;
  registration.serial = serial;
  registration.dead = true;
  registration.death = "it ended long ago, or never existed";
  control_->Queue(std::move(registration));
}

void ActorLinks::OnKill(const ActorId& id, bool no_restart) {
  std::lock_guard guard(owner_->lock());
  const auto found = created_.find(id);
  if (found == created_.end()) return;
  if (!dispatcher_->KillHomelessActor(found->second.target, no_restart)) QueueKill(id, no_restart);
}

void ActorLinks::QueueKill(const ActorId& id, bool no_restart) {
  wire::KillActorT message;
  message.creator = id.creator.value;
  message.serial = id.serial;
  message.no_restart = no_restart;
  control_->Queue(std::move(message));
}

void ActorLinks::AskFor(const ActorId& id) {
  wire::FindActorT question;
  question.creator = id.creator.value;
  question.serial = id.serial;
  question.await = true;
  control_->Queue(std::move(question));
}

void ActorLinks::Acquire(ActorRecord* actor, bool weak) {
  ++actor->references;
  // One that was carried here outside of values, or is the actor's own, has no life that this process could hold.
  if (actor->life == nullptr && !weak) actor->life = references_->ImportKnown(LifeIdOf(actor->id));
}

void ActorLinks::ConcludeCreation(const ActorId& id) {
  std::lock_guard guard(creating_mutex_);
  if (creating_.erase(id) > 0) created_one_.notify_all();
}

ActorRecord* ActorLinks::Import(const ActorId& id, bool weak) {
  if (id.creator == owner_->process()) {
    std::unique_lock guard(creating_mutex_);
    created_one_.wait(guard, [&] { return !creating_.contains(id); });
  }
  ActorRecord* record;
  {
    std::lock_guard guard(owner_->lock());
    const auto known = actors_.find(id);
    if (known != actors_.end()) {
      Acquire(known->second.get(), weak);
      return known->second.get();
    }
    record = NewRecord(id, dispatcher_->NewForeignActorTarget(id));
    record->references = 0;
    Acquire(record, weak);
    AskFor(id);
  }
  control_->Flush();
  return record;
}

ObjectRecord* ActorLinks::LifeOf(const ActorRecord* actor) {
  std::lock_guard guard(owner_->lock());
  if (actor->life == nullptr) return nullptr;
  return (actor->created_here ? !actor->detached : actor->life->borrowed) ? actor->life : nullptr;
}

Result<ActorRecord*> ActorLinks::Find(const std::string& name, const std::string& ray_namespace) {
  if (name.size() > kMostName || ray_namespace.size() > kMostName) {
    return MakeError(MANTA_ERROR_ACTOR_NOT_FOUND, "names of actors and of namespaces have at most " + std::to_string(kMostName) + " bytes");
  }
  wire::FindActorT question;
  question.name = name;
  question.ray_namespace = ray_namespace.empty() ? runtime_->welcome().ray_namespace : ray_namespace;
  const std::string where = question.ray_namespace;
  Result<Found> found = Search(std::move(question));
  if (!found) return found.error();
  if (!found->id) {
    return MakeError(MANTA_ERROR_ACTOR_NOT_FOUND,
                     "there is no actor with the name '" + name + "' in namespace '" + where +
                         "': it was never created there, or has died");
  }
  return Import(found->id, true);
}

Result<std::string> ActorLinks::Describe(const ActorId& id) {
  wire::FindActorT question;
  question.creator = id.creator.value;
  question.serial = id.serial;
  Result<Found> found = Search(std::move(question));
  if (!found) return found.error();
  return std::move(found->description);
}

Result<ActorLinks::Found> ActorLinks::Search(wire::FindActorT question) {
  const uint64_t request = question.request = searches_.NewRequest();
  control_->Queue(std::move(question));
  control_->Flush();
  return searches_.Await(request, "an actor");
}

void ActorLinks::Retain(ActorRecord* actor) {
  std::lock_guard guard(owner_->lock());
  ++actor->references;
}

void ActorLinks::Release(ActorRecord* actor) {
  {
    std::lock_guard guard(owner_->lock());
    // The record stays: a later handle keeps the order of calls.
    if (--actor->references > 0 || actor->life == nullptr || actor->detached) return;
    if (!actor->created_here && actor->target->outstanding() > 0) {
      lingering_.push_back(actor);
      return;
    }
    owner_->ReleaseLocked(std::exchange(actor->life, nullptr));
    references_->Flush();
  }
  control_->Flush();
}

bool ActorLinks::Tick() {
  std::erase_if(lingering_, [this](ActorRecord* actor) {
    if (actor->references == 0 && actor->target->outstanding() > 0) return false;
    if (actor->references == 0 && actor->life != nullptr) owner_->ReleaseLocked(std::exchange(actor->life, nullptr));
    return true;
  });
  if (actors_.size() >= sweep_at_) SweepDead();
  if (!ends_with_last_actor_ || adoptions_ > 0) return false;
  const auto settled = static_cast<size_t>(std::count_if(created_.begin(), created_.end(), [](const auto& entry) {
    const model::ActorLife& life = entry.second.target->life;
    return life.phase() == model::ActorPhase::kAlive && !life.may_restart();
  }));
  if (settled < created_.size()) {
    settled_since_ = 0;
    return false;
  }
  // A process that hosts a dead actor still, since its constructor failed, is given back first: nobody else could.
  if (dispatcher_->leases() > settled) return true;
  if (settled_since_ == 0) settled_since_ = NowNs();
  if (settled > 0 && NowNs() - settled_since_ < kLingerNs) return true;
  QueueKill(runtime_->hosted_actor(), true);
  ending_ = true;
  ends_with_last_actor_ = false;
  return false;
}

// Records of dead actors that nobody here has a handle to; those of living ones stay, since a later handle keeps the order of calls.
void ActorLinks::SweepDead() {
  std::vector<ActorRecord*> dead;
  for (const auto& [id, actor] : actors_) {
    if (actor->references == 0 && actor->target->closed) dead.push_back(actor.get());
  }
  for (ActorRecord* actor : dead) {
    if (actor->life == nullptr) {
      Forget(actor);
    } else if (actor->created_here) {
      owner_->ReleaseLocked(std::exchange(actor->life, nullptr));  // LifeEnded does the rest
    }
  }
  sweep_at_ = std::max<size_t>(2 * actors_.size(), kFirstSweep);
}

// No process has a handle any more.
void ActorLinks::LifeEnded(const ObjectId& life) {
  const auto found = actors_.find({life.owner, SerialOf(life)});
  if (found == actors_.end() || !found->second->created_here) return;
  ActorRecord* actor = found->second.get();
  actor->life = nullptr;
  dispatcher_->RetireActor(actor->target);
  if (actor->references == 0) Forget(actor);  // else it was found by its name: such a handle does not keep the actor alive
  control_->WakeTicker();
}

void ActorLinks::Forget(ActorRecord* actor) {
  dispatcher_->DropActorTarget(actor->target);
  actors_.erase(ActorId(actor->id));
}

Result<> ActorLinks::Kill(ActorRecord* actor, bool no_restart) {
  {
    std::lock_guard guard(owner_->lock());
    TaskTarget* target = actor->target;
    if (target->foreign || !dispatcher_->KillHomelessActor(target, no_restart)) QueueKill(actor->id, no_restart);
    // No later call of this process overtakes the kill, and none waits for its news.
    if (no_restart) dispatcher_->CloseActor(target, MakeError(MANTA_ERROR_ACTOR_DIED, "the actor was killed"));
  }
  control_->Flush();
  return {};
}

// ---- Answers

void ActorLinks::OnRegistered(const wire::ActorRegistered& message) {
  if (message.request() == 0) return;
  if (message.error_kind() != 0 && message.error_kind() != MANTA_ERROR_ACTOR_NAME_TAKEN) {
    registrations_.Answer(message.request(), MakeError(static_cast<manta_error_kind>(message.error_kind()),
                                                       Text(message.error())));
    return;
  }
  registrations_.Answer(
      message.request(),
      ActorId{{message.existing_creator()}, message.existing_serial()});
}

void ActorLinks::OnFound(const wire::ActorFound& message) {
  const ActorId id{{message.creator()}, message.serial()};
  if (message.request() != 0) {
    searches_.Answer(message.request(), message.found() ? Found{id, contracts::Bytes(message.description())} : Found{});
    return;
  }
  if (!message.found()) {
    Close(id, "the actor has died, and its creator too: nobody knows it any more");
    return;
  }
  if (message.process() == 0) {
    Close(id, "the actor died: " + Text(message.death()));
    return;
  }
  std::lock_guard guard(owner_->lock());
  if (const auto known = actors_.find(id); known != actors_.end()) {
    TaskTarget& target = *known->second->target;
    target.max_task_retries = message.max_task_retries();
    target.overlapping = message.overlapping();
    if (message.max_pending_calls() >= 0) target.max_pending = static_cast<uint32_t>(message.max_pending_calls());
  }
  opening_[message.process()] = id;
  wire::OpenChannelT open;
  open.target = message.process();
  control_->Queue(std::move(open));
}

void ActorLinks::OnChannelOpened(const wire::ChannelOpened& message) {
  ActorId id;
  GrantedLease link{{}, {message.target()}, {}, message.channel(), memory_->Page(message.worker_page())};
  const bool usable = Text(message.error()).empty() && link.worker_page != nullptr &&
                      memory_->View(message.channel(), &link.channel);
  {
    std::lock_guard guard(owner_->lock());
    if (usable) dispatcher_->ChannelTo(link);
    const auto found = opening_.find(message.target());
    if (found == opening_.end()) return;
    id = found->second;
    opening_.erase(found);
    const auto record = actors_.find(id);
    if (record == actors_.end()) return;
    if (usable) {
      dispatcher_->ConnectActor(record->second->target, link);
      return;
    }
    if (message.gone()) {  // it has died since: the answer will be its next place, or its death
      AskFor(id);
      return;
    }
  }
  Close(id, "the actor cannot be reached: " + Text(message.error()));
}

void ActorLinks::Close(const ActorId& id, const std::string& reason) {
  std::lock_guard guard(owner_->lock());
  const auto found = actors_.find(id);
  if (found == actors_.end()) return;
  dispatcher_->CloseActor(found->second->target, MakeError(MANTA_ERROR_ACTOR_DIED, reason));
}

void ActorLinks::FailAll(const Error& error) {
  registrations_.FailAll(error);
  searches_.FailAll(error);
}

void ActorLinks::ForgetLives() {
  references_->set_life_listener({});
  for (const auto& [id, actor] : actors_) {
    if (actor->references > 0 && !actor->detached) continue;
    if (actor->life != nullptr) owner_->ReleaseLocked(std::exchange(actor->life, nullptr));
  }
  lingering_.clear();
}

}  // namespace manta::worker
