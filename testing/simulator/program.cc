// What the users' code does: choices by chance, made as it goes. Nobody waits for something that
// may wait for itself: arguments are older than the task, and handles that workers keep are only
// dropped.
#include <algorithm>

#include "testing/simulator/process.h"

namespace manta::simulator {
namespace {

// Keys of Process::DemandOf.
constexpr uint32_t kGpuKey = 3;
constexpr uint32_t kFirstActorKey = 10;
constexpr size_t kMostHandles = 30;

// Phases of a driver.
enum : uint32_t { kSubmit = 0, kGetAll = 1, kDropAll = 2 };

}  // namespace

void Process::Advance(Activity* activity) {
  if (executable_) {
    AdvanceTask(activity);
  } else if (cluster_->config().fairness) {
    AdvanceFairDriver(activity);
  } else {
    AdvanceDriver(activity);
  }
}

void Process::AfterComputing(Activity* activity, Nanoseconds time) {
  cluster_->AfterFor(id_, time, [this, id = activity->id] {
    Continue(id);
    Settle();
  });
}

// ---- Tasks

void Process::AdvanceTask(Activity* activity) {
  switch (activity->phase) {
    case 0:
      for (const ObjectId argument : activity->task.arguments) {
        if (!Knows(argument)) continue;
        Retain(argument);
        activity->handles.push_back(argument);
      }
      activity->phase = 1;
      return AfterComputing(activity, activity->task.spec.duration / 2);
    case 1:
      SubmitChildren(activity);
      ChooseGets(activity);
      activity->phase = 2;
      [[fallthrough]];
    case 2:
      if (!GetNext(activity)) return;
      activity->phase = 3;
      return AfterComputing(activity, activity->task.spec.duration / 2);
    default:
      return FinishTask(activity);
  }
}

void Process::SubmitChildren(Activity* activity) {
  if (activity->task.spec.depth == 0) return;
  const uint64_t count = random().Below(cluster_->config().children + 1);
  for (uint64_t i = 0; i < count; ++i) {
    uint32_t key = static_cast<uint32_t>(random().Below(4));
    if (random().Chance(50)) key = activity->key < kGpuKey ? activity->key : 0;
    TaskSpec spec;
    spec.id = cluster_->NextTask();
    spec.depth = key == kGpuKey ? 0 : activity->task.spec.depth - 1;
    spec.retries = static_cast<uint32_t>(random().Below(cluster_->config().retries + 1));
    spec.duration = random().Skewed(cluster_->config().duration);
    spec.blocks = key != kGpuKey;
    const ObjectId child = Submit(node(), key, spec, SomeOf(activity->handles, 30),
                                  SomeOf(activity->children, 20));
    activity->handles.push_back(child);
    activity->children.push_back(child);
  }
}

void Process::ChooseGets(Activity* activity) {
  if (!activity->task.spec.blocks) return;
  for (const ObjectId object : activity->handles) {
    const bool is_child = object.owner == id_;
    if (random().Chance(is_child ? 60 : 30)) activity->to_get.push_back(object);
  }
}

bool Process::GetNext(Activity* activity) {
  while (!activity->to_get.empty()) {
    const ObjectId object = activity->to_get.front();
    Local& local = objects_[object];
    if (!local.ready) {
      const uint64_t id = activity->id;
      Wait(activity, object);
      if (Find(id)->waits_for) return false;
      continue;
    }
    activity->to_get.pop_front();
    Look(activity, object);
  }
  return true;
}

// Takes handles of what the value contains.
void Process::Look(Activity* activity, ObjectId object) {
  const Value value = objects_[object].value;
  oracle().OnGet(now(), object, value.outcome);
  for (const ObjectId inner : value.inners) {
    if (!Knows(inner)) {
      oracle().Fail(now(), "the value of " + Hex(object) + " contains " + Hex(inner) + ", which " +
                               Name() + " does not hold");
      return;
    }
    if (activity->handles.size() >= kMostHandles && executable_) return;
    Retain(inner);
    activity->handles.push_back(inner);
    if (!executable_) activity->to_get.push_back(inner);
  }
}

void Process::FinishTask(Activity* activity) {
  if (random().Chance(cluster_->config().user_errors)) {
    return EndActivity(activity, Outcome::kTaskError, {});
  }
  std::vector<ObjectId> returned = SomeOf(activity->handles, 15);
  if (random().Chance(20) && activity->key != kGpuKey) {
    const ObjectId put = NewObject();
    const std::vector<ObjectId> inners = SomeOf(activity->handles, 20);
    table_.Put(put, inners);
    Resolve(put, {Outcome::kValue, inners});
    activity->handles.push_back(put);
    returned.push_back(put);
  }
  for (const ObjectId object : SomeOf(activity->handles, 10)) KeepForAWhile(object);
  EndActivity(activity, Outcome::kValue, returned);
}

std::vector<ObjectId> Process::SomeOf(const std::vector<ObjectId>& handles, uint32_t percent) {
  std::set<ObjectId> some;
  for (const ObjectId handle : handles) {
    if (random().Chance(percent) && Knows(handle)) some.insert(handle);
  }
  return {some.begin(), some.end()};
}

// In a global variable of the user's.
void Process::KeepForAWhile(ObjectId object) {
  Retain(object);
  kept_.push_back(object);
  cluster_->AfterFor(id_, random().Skewed(100 * kMillisecond), [this, object] {
    const auto found = std::find(kept_.begin(), kept_.end(), object);
    if (found != kept_.end()) {
      kept_.erase(found);
      Release(object);
    }
    Settle();
  });
}

// ---- Drivers

void Process::RunDriver() {
  Activity activity;
  activity.tasks_left = cluster_->config().tasks;
  actors_ = cluster_->config().actors ? static_cast<uint32_t>(random().Below(3)) : 0;
  Start(std::move(activity));
}

void Process::AdvanceDriver(Activity* activity) {
  switch (activity->phase) {
    case kSubmit:
      if (activity->tasks_left > 0) {
        SubmitFromDriver(activity);
        return AfterComputing(activity, random().Skewed(10 * kMillisecond));
      }
      activity->to_get.assign(activity->handles.begin(), activity->handles.end());
      activity->phase = kGetAll;
      [[fallthrough]];
    case kGetAll:
      if (!GetNext(activity)) return;
      activity->phase = kDropAll;
      DropHandles(activity);
      return AfterComputing(activity, kMillisecond);
    default:
      // All references are dropped; it leaves when nobody needs anything of it.
      for (auto& [name, target] : targets_) target.finished = true;
      Settle();
      if (tasks_.empty() && table_.empty()) return cluster_->Retire(id_);
      return AfterComputing(activity, kMillisecond);
  }
}

void Process::SubmitFromDriver(Activity* activity) {
  const uint32_t count = static_cast<uint32_t>(random().Between(1, 5));
  for (uint32_t i = 0; i < count && activity->tasks_left > 0; ++i) {
    --activity->tasks_left;
    uint32_t key = static_cast<uint32_t>(random().Below(4));
    if (actors_ > 0 && random().Chance(30)) {
      key = kFirstActorKey + static_cast<uint32_t>(random().Below(actors_));
    }
    uint32_t at = node();
    if (key < kFirstActorKey && random().Chance(30)) {
      at = static_cast<uint32_t>(random().Between(1, cluster_->config().nodes));
    }
    TaskSpec spec;
    spec.id = cluster_->NextTask();
    spec.depth = key == kGpuKey ? 0 : cluster_->config().depth;
    spec.retries = static_cast<uint32_t>(random().Below(cluster_->config().retries + 1));
    // A later call may wait for this one; another attempt would come after it.
    if (key >= kFirstActorKey) spec.retries = 0;
    spec.duration = random().Skewed(cluster_->config().duration);
    spec.blocks = cluster_->config().blocking && key != kGpuKey;
    activity->handles.push_back(Submit(at, key, spec, SomeOf(activity->handles, 15),
                                       SomeOf(activity->handles, 5)));
  }
  // Some are dropped before they are ready.
  for (const ObjectId object : SomeOf(activity->handles, 10)) {
    activity->handles.erase(
        std::find(activity->handles.begin(), activity->handles.end(), object));
    Release(object);
  }
}

void Process::DropHandles(Activity* activity) {
  for (const ObjectId handle : std::exchange(activity->handles, {})) Release(handle);
}

// Keeps more tasks waiting than can run, for half a second; results are of no interest.
void Process::AdvanceFairDriver(Activity* activity) {
  if (now() < cluster_->config().fairness_time) {
    while (tasks_.size() < 10 * cluster_->config().cpus) {
      TaskSpec spec;
      spec.id = cluster_->NextTask();
      spec.duration = random().Between(cluster_->config().duration / 2,
                                       cluster_->config().duration);
      spec.blocks = false;
      Release(Submit(node(), 0, spec, {}, {}));
    }
  } else {
    activity->phase = kDropAll;
    AdvanceDriver(activity);
    return;
  }
  AfterComputing(activity, kMillisecond);
}

}  // namespace manta::simulator
