#include "directory.h"

#include <signal.h>

#include <algorithm>
#include <cerrno>
#include <optional>
#include <utility>

#include "shard.h"

namespace code_search {

std::string ShardName(uint64_t generation, uint32_t shard) {
  return "shard " + std::to_string(generation) + "." + std::to_string(shard);
}

void RemoveShards(const Index& index) {
  for (uint32_t i = 0; i < index.shards; ++i) {
    const std::optional<manta::ActorHandle<Shard>> shard =
        manta::GetActor<Shard>(ShardName(index.generation, i));
    if (shard) shard->Kill();
  }
}

Directory::Directory(std::string own_cluster) : own_cluster_(std::move(own_cluster)) {
  if (manta::WasCurrentActorRestarted()) ForgetOfBeforeTheCrash();
}

void Directory::ForgetOfBeforeTheCrash() {
  constexpr uint64_t kLookedFor = 100;  // generations; their numbers are those of builds
  for (uint64_t generation = 1; generation <= kLookedFor; ++generation) {
    if (!manta::GetActor<Shard>(ShardName(generation, 0))) continue;
    RemoveShards({generation, kMostShards, {}, {}});
    last_generation_ = generation;
  }
}

Index Directory::Begin(const Index& planned, int64_t builder) {
  Index index = planned;
  index.generation = ++last_generation_;
  building_.push_back({index, builder});
  return index;
}

Index Directory::Publish(const Index& finished) {
  Abandon(finished.generation);
  return std::exchange(current_, finished);
}

void Directory::Abandon(uint64_t generation) {
  building_.erase(std::remove_if(building_.begin(), building_.end(),
                                 [&](const Building& building) {
                                   return building.index.generation == generation;
                                 }),
                  building_.end());
}

std::vector<Index> Directory::TakeAbandoned() {
  std::vector<Index> abandoned;
  for (const Building& building : building_) {
    const bool is_gone = kill(static_cast<pid_t>(building.builder), 0) != 0 && errno == ESRCH;
    if (is_gone) abandoned.push_back(building.index);
  }
  for (const Index& index : abandoned) Abandon(index.generation);
  return abandoned;
}

std::vector<Index> Directory::All() const {
  std::vector<Index> all;
  for (const Building& building : building_) all.push_back(building.index);
  if (current_.generation != 0) all.push_back(current_);
  return all;
}

}  // namespace code_search
