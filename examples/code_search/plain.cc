// `code_search plain`: the same work without Manta.
#include <algorithm>
#include <thread>
#include <utility>
#include <vector>

#include "commands.h"
#include "files.h"
#include "map.h"
#include "report.h"
#include "shard.h"

namespace code_search {

int RunPlain(const std::string& directory, unsigned given_shards) {
  const uint32_t num_shards =
      given_shards != 0 ? given_shards : std::max(1u, std::thread::hardware_concurrency());
  const std::string root = ResolveDirectory(directory);
  const Stopwatch clock;
  std::vector<FileGroup> groups;
  uint64_t total_bytes = 0;
  Totals totals = WalkTree(root, kGroupBytes, [&](FileGroup&& group) {
    total_bytes += group.bytes;
    groups.push_back(std::move(group));
    return true;
  });
  std::vector<Shard> shards(num_shards);
  uint64_t done_bytes = 0;
  {
    Progress progress;
    for (const FileGroup& group : groups) {
      const std::vector<MapOutput> outputs = MapFiles(group, num_shards);
      for (uint32_t i = 0; i < num_shards; ++i) totals.Add(shards[i].Merge(group, outputs[i]));
      done_bytes += group.bytes;
      progress.Update(done_bytes, total_bytes, true);
    }
  }
  uint64_t distinct_words = 0;
  for (const Shard& shard : shards) distinct_words += shard.NumWords();
  PrintFigures(totals, distinct_words, clock.seconds());
  return 0;
}

}  // namespace code_search
