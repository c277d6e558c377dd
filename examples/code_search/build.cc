// `code_search build`: tasks map groups of files, actors reduce what they found.
#include <manta/manta.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdio>
#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "cluster.h"
#include "commands.h"
#include "directory.h"
#include "files.h"
#include "report.h"
#include "shard.h"

namespace code_search {
namespace {

// Set by Ctrl-C; a second one ends the process at once.
std::atomic<bool> interrupted{false};

void CatchSignals() {
  struct sigaction action = {};
  action.sa_handler = [](int) { interrupted = true; };
  action.sa_flags = SA_RESETHAND | SA_RESTART;
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) sigaction(signal, &action, nullptr);
}

// Finds the files in a thread of its own, so that work begins with the first of them.
class GroupQueue {
 public:
  explicit GroupQueue(const std::string& root)
      : thread_([this, root] {
          Totals totals = WalkTree(root, kGroupBytes, [this](FileGroup&& group) {
            std::lock_guard<std::mutex> guard(mutex_);
            found_bytes_ += group.bytes;
            groups_.push_back(std::move(group));
            changed_.notify_one();
            return !cancelled_;
          });
          std::lock_guard<std::mutex> guard(mutex_);
          totals_ = std::move(totals);
          complete_ = true;
          changed_.notify_one();
        }) {}
  ~GroupQueue() {
    {
      std::lock_guard<std::mutex> guard(mutex_);
      cancelled_ = true;
    }
    thread_.join();
  }

  // The next group; nothing if there is none yet, or (see complete) none any more. Waits a moment
  // for it if `wait`.
  std::optional<FileGroup> Next(bool wait) {
    std::unique_lock<std::mutex> guard(mutex_);
    if (wait) {
      changed_.wait_for(guard, std::chrono::milliseconds(50),
                        [this] { return complete_ || !groups_.empty(); });
    }
    if (groups_.empty()) return std::nullopt;
    FileGroup group = std::move(groups_.front());
    groups_.pop_front();
    return group;
  }

  bool exhausted() {
    std::lock_guard<std::mutex> guard(mutex_);
    return complete_ && groups_.empty();
  }
  bool complete() {
    std::lock_guard<std::mutex> guard(mutex_);
    return complete_;
  }
  uint64_t found_bytes() {
    std::lock_guard<std::mutex> guard(mutex_);
    return found_bytes_;
  }
  // What could not be read while walking; once complete.
  Totals totals() {
    std::lock_guard<std::mutex> guard(mutex_);
    return totals_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<FileGroup> groups_;
  uint64_t found_bytes_ = 0;
  bool complete_ = false;
  bool cancelled_ = false;
  Totals totals_;
  std::thread thread_;  // last: it uses the others
};

// Map, shuffle and reduce of one group, under way.
struct Step {
  uint64_t bytes;
  std::vector<manta::ObjectRef<Totals>> merged;  // one for each shard
};

Step StartStep(const FileGroup& group, const std::vector<manta::ActorHandle<Shard>>& shards) {
  // The group is stored once, and its reference given to all who need it.
  const manta::ObjectRef<FileGroup> group_ref = manta::Put(group);
  const auto num_shards = static_cast<uint32_t>(shards.size());
  // One task, as many results as there are shards. Each is an object of its own, which goes from the
  // task to one shard through shared memory. This process holds the references, and never looks.
  const std::vector<manta::ObjectRef<MapOutput>> outputs =
      manta::Task(MapFiles).RemoteMany(num_shards, group_ref, num_shards);
  Step step;
  step.bytes = group.bytes;
  for (uint32_t i = 0; i < num_shards; ++i) {
    // The call waits in line until the task is done. The order of these calls is that of the groups,
    // whichever task ends first.
    step.merged.push_back(shards[i].Task(&Shard::Merge).Remote(group_ref, outputs[i]));
  }
  return step;
}

Totals IndexFiles(const std::string& root, const std::vector<manta::ActorHandle<Shard>>& shards,
                  size_t max_steps) {
  GroupQueue queue(root);
  std::deque<Step> steps;  // at most so many, which bounds the memory that is in use between them
  Totals totals;
  uint64_t done_bytes = 0;
  Progress progress;
  while (!steps.empty() || !queue.exhausted()) {
    if (interrupted) throw UserError("interrupted; an index that was there before is still there");
    while (steps.size() < max_steps) {
      const std::optional<FileGroup> group = queue.Next(steps.empty());
      if (!group) break;
      steps.push_back(StartStep(*group, shards));
    }
    progress.Update(done_bytes, queue.found_bytes(), queue.complete());
    if (steps.empty()) continue;
    // Steps end in order, because all shards merge in order.
    const Step& first = steps.front();
    const bool done = manta::WaitReady(first.merged, first.merged.size(),
                                       std::chrono::milliseconds(50)).size() == first.merged.size();
    if (!done) continue;
    for (const auto& result : manta::Get(first.merged)) totals.Add(*result);
    done_bytes += first.bytes;
    steps.pop_front();
  }
  totals.Add(queue.totals());
  return totals;
}

uint32_t NumCpus() try {
  const std::map<std::string, double> resources = manta::ClusterResources();
  const auto cpus = resources.find("CPU");
  return cpus == resources.end() ? 1 : std::max(1u, static_cast<uint32_t>(cpus->second));
} catch (const manta::NotSupportedError&) {
  return std::max(1u, std::thread::hardware_concurrency());
}

void Build(const std::string& root, unsigned num_shards, const std::string& own_cluster) {
  const Stopwatch clock;
  const uint32_t cpus = NumCpus();
  // Found, or created by the first build. It outlives this process, as all detached actors do.
  const auto directory = manta::Actor<Directory>()
                             .SetName(kDirectoryName)
                             .SetDetached()
                             .SetGetIfExists()
                             .SetMaxRestarts(-1)
                             .SetMaxTaskRetries(-1)
                             .Remote(own_cluster);
  const std::vector<Index> abandoned =
      *manta::Get(directory.Task(&Directory::TakeAbandoned).Remote());
  for (const Index& unfinished : abandoned) RemoveShards(unfinished);
  Index index;
  index.root = root;
  index.shards = std::min(kMostShards, num_shards != 0 ? num_shards : cpus);
  index = *manta::Get(directory.Task(&Directory::Begin).Remote(index, getpid()));

  std::vector<manta::ActorHandle<Shard>> shards;
  uint64_t distinct_words = 0;
  try {
    for (uint32_t i = 0; i < index.shards; ++i) {
      shards.push_back(manta::Actor<Shard>()
                           .SetName(ShardName(index.generation, i))
                           .SetDetached()
                           .Remote());
    }
    index.totals = IndexFiles(root, shards, std::max(8u, 4 * cpus));
    for (const auto& shard : shards) {
      distinct_words += *manta::Get(shard.Task(&Shard::NumWords).Remote());
    }
  } catch (...) {
    for (const auto& shard : shards) shard.Kill();
    manta::Get(directory.Task(&Directory::Abandon).Remote(index.generation));
    throw;
  }
  RemoveShards(*manta::Get(directory.Task(&Directory::Publish).Remote(index)));
  PrintFigures(index.totals, distinct_words, clock.seconds());
}

}  // namespace

int RunBuild(const std::string& directory, unsigned shards) {
  const std::string root = ResolveDirectory(directory);
  CatchSignals();
  std::string own_cluster;
  if (!JoinCluster()) {
    own_cluster = StartCluster();
    std::printf("Started a cluster: %s\n", own_cluster.c_str());
  }
  std::printf("Indexing %s\n", root.c_str());
  std::fflush(stdout);
  try {
    Build(root, shards, own_cluster);
  } catch (...) {
    // A cluster without an index is of no use.
    if (!own_cluster.empty()) {
      manta::Shutdown();
      StopCluster(own_cluster);
    }
    throw;
  }
  manta::Shutdown();
  return 0;
}

}  // namespace code_search
