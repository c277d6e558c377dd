#include "worker/task_listing.h"

#include <memory>
#include <utility>

#include "worker/function_names.h"
#include "worker/owner_channel.h"
#include "worker/task_target.h"

namespace manta::worker {
namespace {

wire::TaskStage StageOf(const TaskRecord& task) {
  switch (task.state) {
    case TaskState::kWaiting: return wire::TaskStage::WaitsForArguments;
    case TaskState::kRunningHere: return wire::TaskStage::Running;
    case TaskState::kPushed:
      return task.channel->HasBegun(task) ? wire::TaskStage::Running : wire::TaskStage::Submitted;
    default:
      return task.unready > 0 ? wire::TaskStage::WaitsForArguments : wire::TaskStage::Queued;
  }
}

wire::TaskKind KindOf(const TaskRecord& task) {
  if ((task.body.flags & shm::kActorCreation) != 0) return wire::TaskKind::ActorCreation;
  return (task.body.flags & shm::kActorMethod) != 0 ? wire::TaskKind::ActorMethod : wire::TaskKind::Task;
}

wire::TaskEntryT EntryOf(const TaskRecord& task) {
  wire::TaskEntryT entry;
  entry.index = task.body.first_result;
  entry.generation = task.body.generation;
  entry.name = NameOfTask(task);
  entry.kind = KindOf(task);
  entry.stage = StageOf(task);
  entry.attempt = task.body.attempt;
  entry.cancelled = task.cancelled;
  if (task.channel != nullptr) entry.worker = task.channel->worker().value;
  if (task.target != nullptr) {
    entry.actor_creator = task.target->actor.creator.value;
    entry.actor_serial = task.target->actor.serial;
  }
  entry.parent_owner = task.parent.owner.value;
  entry.parent_index = task.parent.index;
  entry.parent_generation = task.parent.generation;
  return entry;
}

}  // namespace

wire::TaskListT ListTasks(const Owner& owner, size_t limit) {
  wire::TaskListT list;
  owner.ForEachTask([&](uint32_t, const TaskRecord& task) {
    if (task.state == TaskState::kFree || task.state == TaskState::kKept || task.state == TaskState::kAbandoned) return;
    ++list.outstanding;
    if (list.tasks.size() < limit) list.tasks.push_back(std::make_unique<wire::TaskEntryT>(EntryOf(task)));
  });
  return list;
}

wire::ObjectListT ListObjects(const Owner& owner, size_t limit) {
  wire::ObjectListT list;
  owner.ForEachObject([&](uint32_t index, const ObjectRecord& object) {
    const bool is_shared = object.state.load(std::memory_order_relaxed) == ValueState::kShared;
    if (!object.arena_owned || (!is_shared && !object.sealing) || list.objects.size() == limit) return;
    list.objects.emplace_back(index, object.generation, object.shared.slot, object.shared.generation);
  });
  return list;
}

}  // namespace manta::worker
