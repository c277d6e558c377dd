// What ray::Actor returns: manta::ActorCreator with Ray's further setters and Ray's lifetime.
#pragma once

#include <mutex>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "manta/actor.h"
#include "ray/api/runtime_env.h"
#include "ray/api/task_options.h"

namespace ray {
namespace internal {

// A Ray C++ program's actors live until they are killed or their creator leaves, whether it holds
// handles or not; Manta's live as long as their handles. So one handle to each is kept until
// Shutdown.
class KeptActors {
 public:
  static KeptActors& Instance() {
    static KeptActors* const kept = new KeptActors();
    return *kept;
  }
  void Keep(manta_actor* actor) {
    if (actor == nullptr) return;
    manta_actor_retain(actor);
    const std::lock_guard<std::mutex> guard(mutex_);
    actors_.push_back(actor);
  }
  void ReleaseAll() {
    std::vector<manta_actor*> actors;
    {
      const std::lock_guard<std::mutex> guard(mutex_);
      actors.swap(actors_);
    }
    for (manta_actor* actor : actors) manta_actor_release(actor);
  }
  bool detached_by_default = false;  // RayConfig::default_actor_lifetime

 private:
  std::mutex mutex_;
  std::vector<manta_actor*> actors_;
};

// Remote and errors: see manta::ActorCreator.
template <class F>
class ActorCreator {
 public:
  explicit ActorCreator(F factory) : creator_(manta::Actor(std::move(factory))) {
    creator_.SetDetached(KeptActors::Instance().detached_by_default);
  }

  template <class... Args>
  auto Remote(Args&&... args) const {
    auto handle = creator_.Remote(std::forward<Args>(args)...);
    KeptActors::Instance().Keep(handle.handle());
    return handle;
  }
  ActorCreator& SetName(const std::string& name) {
    creator_.SetName(name);
    return *this;
  }
  ActorCreator& SetName(const std::string& name, const std::string& ray_namespace) {
    creator_.SetName(name, ray_namespace);
    return *this;
  }
  ActorCreator& SetResource(const std::string& name, double quantity) {
    creator_.SetResource(name, quantity);
    return *this;
  }
  ActorCreator& SetResources(const std::unordered_map<std::string, double>& resources) {
    creator_.SetResources(resources);
    return *this;
  }
  ActorCreator& SetMaxRestarts(int restarts) {
    creator_.SetMaxRestarts(restarts);
    return *this;
  }
  ActorCreator& SetMaxConcurrency(int threads) {
    creator_.SetMaxConcurrency(threads);
    return *this;
  }
  // In the bundle with this index, or in any (-1).
  ActorCreator& SetPlacementGroup(const PlacementGroup& group, int bundle_index) {
    creator_.SetPlacementGroup(ToManta(group), bundle_index);
    return *this;
  }
  ActorCreator& SetRuntimeEnv(const RuntimeEnv& env) {
    RefuseRuntimeEnv(env);
    return *this;
  }

 private:
  manta::ActorCreator<F> creator_;
};

}  // namespace internal
}  // namespace ray
