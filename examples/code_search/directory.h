// What is where: the one actor whose name is fixed, so that every process finds the rest by it.
#pragma once

#include <manta/manta.h>

#include <cstdint>
#include <string>
#include <vector>

#include "map.h"

namespace code_search {

// An index, complete or not. Its shards are actors of the names ShardName(generation, 0), ...
struct Index {
  uint64_t generation = 0;  // 0: there is none
  uint32_t shards = 0;
  std::string root;
  Totals totals;
};

inline constexpr uint32_t kMostShards = 255;  // the number of a shard is a byte

std::string ShardName(uint64_t generation, uint32_t shard);

// Ends the shards of an index, those that exist.
void RemoveShards(const Index& index);

class Directory {
 public:
  // `own_cluster`: the address of the cluster if it was started for the index, else empty. A directory that was started again after a
  // crash still knows that; what it knew of indices is lost, and their shards end.
  explicit Directory(std::string own_cluster);

  // Announces an index that the process `builder` is about to build; its generation is assigned.
  Index Begin(const Index& planned, int64_t builder);
  // Its shards hold everything: from now on it is the current one. Returns the one before.
  Index Publish(const Index& finished);
  // It was not finished, and its shards are gone.
  void Abandon(uint64_t generation);

  Index Current() const { return current_; }
  // Those that were begun by processes that have died since; they are forgotten here.
  std::vector<Index> TakeAbandoned();
  // All that there are, finished or not.
  std::vector<Index> All() const;

  std::string OwnCluster() const { return own_cluster_; }

 private:
  void ForgetOfBeforeTheCrash();

  struct Building {
    Index index;
    int64_t builder;
  };

  const std::string own_cluster_;
  uint64_t last_generation_ = 0;
  Index current_;
  std::vector<Building> building_;
};

// The name of the directory's actor.
inline constexpr const char* kDirectoryName = "directory";

}  // namespace code_search
