#include "worker/actor_links.h"

#include <mutex>
#include <utility>

#include "worker/runtime.h"

namespace manta::worker {
namespace {

std::string Text(const flatbuffers::String* text) { return text == nullptr ? "" : text->str(); }

}  // namespace

ActorLinks::ActorLinks(Runtime* runtime, Owner* owner, Dispatcher* dispatcher, ControlClient* control,
                       NodeMemory* memory)
    : runtime_(runtime), owner_(owner), dispatcher_(dispatcher), control_(control), memory_(memory) {}

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
  {
    std::lock_guard guard(owner_->lock());
    registration.serial = next_serial_++;
  }
  const ActorId id{owner_->process(), registration.serial};
  if (!registration.name.empty()) {
    registration.request = registrations_.NewRequest();
    control_->Queue(wire::RegisterActorT(registration));
    control_->Flush();
    Result<Found> holder = registrations_.Await(registration.request);
    if (!holder) return holder.error();
    if (holder->id && holder->id != id) {  // nil: the name was free
      if (options.get_if_exists == 0) {
        return MakeError(MANTA_ERROR_ACTOR_NAME_TAKEN,
                         "an actor with the name '" + registration.name + "' exists in namespace '" +
                             registration.ray_namespace +
                             "': choose another name, kill it, or set get_if_exists");
      }
      *existed = true;
      return Import(holder->id);
    }
    registration.request = 0;
  }
  std::lock_guard guard(owner_->lock());
  shape.actor = id;
  shape.name = registration.name.empty() ? class_name : registration.name;
  TaskTarget* target = dispatcher_->NewActorTarget(std::move(shape));
  ActorRecord* record = NewRecord(id, target);
  record->created_here = true;
  record->detached = options.detached != 0;
  record->max_pending_calls = options.max_pending_calls;
  placing_[target] = std::move(registration);
  return record;
}

void ActorLinks::Placed(TaskTarget* target, ProcessId worker) {
  const auto found = placing_.find(target);
  if (found == placing_.end()) return;
  wire::RegisterActorT registration = std::move(found->second);
  placing_.erase(found);
  registration.process = worker.value;
  control_->Queue(std::move(registration));
}

void ActorLinks::AskFor(const ActorId& id) {
  wire::FindActorT question;
  question.creator = id.creator.value;
  question.serial = id.serial;
  control_->Queue(std::move(question));
}

ActorRecord* ActorLinks::Import(const ActorId& id) {
  ActorRecord* record;
  {
    std::lock_guard guard(owner_->lock());
    if (const auto known = actors_.find(id); known != actors_.end()) {
      ++known->second->references;
      return known->second.get();
    }
    record = NewRecord(id, dispatcher_->NewForeignActorTarget());
    AskFor(id);
  }
  control_->Flush();
  return record;
}

Result<ActorRecord*> ActorLinks::Find(const std::string& name, const std::string& ray_namespace) {
  wire::FindActorT question;
  question.request = searches_.NewRequest();
  question.name = name;
  question.ray_namespace = ray_namespace.empty() ? runtime_->welcome().ray_namespace : ray_namespace;
  const std::string where = question.ray_namespace;
  const uint64_t request = question.request;
  control_->Queue(std::move(question));
  control_->Flush();
  Result<Found> found = searches_.Await(request);
  if (!found) return found.error();
  if (!found->id) {
    return MakeError(MANTA_ERROR_ACTOR_NOT_FOUND,
                     "there is no actor with the name '" + name + "' in namespace '" + where +
                         "': it was never created there, or has died");
  }
  return Import(found->id);
}

void ActorLinks::Retain(ActorRecord* actor) {
  std::lock_guard guard(owner_->lock());
  ++actor->references;
}

void ActorLinks::Release(ActorRecord* actor) {
  {
    std::lock_guard guard(owner_->lock());
    if (--actor->references > 0) return;
    if (actor->created_here && !actor->detached) dispatcher_->RetireActor(actor->target);
    // The record of an actor that goes on stays: its calls may be in flight, and a later handle keeps their order.
    if (actor->created_here && !actor->detached) actors_.erase(actor->id);
  }
  control_->Flush();
}

// Where the actor of another process runs, when no channel to it is open yet; nil if it has died, or has no place.
Result<ProcessId> ActorLinks::Locate(const ActorId& id) {
  wire::FindActorT question;
  question.request = searches_.NewRequest();
  question.creator = id.creator.value;
  question.serial = id.serial;
  const uint64_t request = question.request;
  control_->Queue(std::move(question));
  control_->Flush();
  Result<Found> found = searches_.Await(request);
  if (!found) return found.error();
  return found->process;
}

Result<> ActorLinks::Kill(ActorRecord* actor) {
  ProcessId located;
  bool is_connected;
  {
    std::lock_guard guard(owner_->lock());
    is_connected = !actor->target->foreign || !actor->target->channels.empty();
  }
  if (!is_connected) {
    Result<ProcessId> place = Locate(actor->id);
    if (!place) return place.error();
    located = *place;
  }
  {
    std::lock_guard guard(owner_->lock());
    ProcessId worker = dispatcher_->KillActor(actor->target);
    if (!worker) worker = located;
    if (worker) {
      wire::KillWorkerT message;
      message.worker = worker.value;
      message.reason = "the actor was killed by Kill";
      message.force = true;
      control_->Queue(std::move(message));
    }
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
      Found{{{message.existing_creator()}, message.existing_serial()}, {}});
}

void ActorLinks::OnFound(const wire::ActorFound& message) {
  const ActorId id{{message.creator()}, message.serial()};
  if (message.request() != 0) {
    searches_.Answer(message.request(), message.found() ? Found{id, {message.process()}} : Found{});
    return;
  }
  if (!message.found()) {
    Close(id, "the actor has died, or its creator has: nobody knows it any more");
    return;
  }
  std::lock_guard guard(owner_->lock());
  opening_[message.process()] = id;
  wire::OpenChannelT open;
  open.target = message.process();
  control_->Queue(std::move(open));
}

void ActorLinks::OnChannelOpened(const wire::ChannelOpened& message) {
  ActorId id;
  GrantedLease link{{}, {message.target()}, {}, memory_->Page(message.worker_page())};
  {
    std::lock_guard guard(owner_->lock());
    const auto found = opening_.find(message.target());
    if (found == opening_.end()) return;
    id = found->second;
    opening_.erase(found);
    const auto record = actors_.find(id);
    if (record == actors_.end()) return;
    if (Text(message.error()).empty() && link.worker_page != nullptr &&
        memory_->View(message.channel(), &link.channel)) {
      dispatcher_->ConnectActor(record->second->target, link);
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

}  // namespace manta::worker
