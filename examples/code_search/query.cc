// `code_search query`: another process than the one that built the index asks its shards.
#include <manta/manta.h>

#include <cstdio>
#include <optional>

#include "cluster.h"
#include "commands.h"
#include "directory.h"
#include "report.h"
#include "shard.h"
#include "words.h"

namespace code_search {
namespace {

constexpr uint32_t kBestFiles = 10;
constexpr const char* kNoIndex = "there is no index yet: `code_search build DIR` makes one";

manta::ActorHandle<Shard> ShardOfWord(const Index& index, const std::string& word) {
  std::string padded = word;
  padded.append(kPadding, '\0');
  const uint64_t hash = Word(padded.data(), word.size()).hash;
  const std::string name = ShardName(index.generation, ShardOf(hash, index.shards));
  const std::optional<manta::ActorHandle<Shard>> shard = manta::GetActor<Shard>(name);
  if (!shard) throw UserError("the index has lost its " + name + ": build it again");
  return *shard;
}

void Print(const std::string& word, const WordHits& hits) {
  std::printf("%s: %s in %s\n", word.c_str(),
              Plural(hits.occurrences, "occurrence", "occurrences").c_str(),
              Plural(hits.files, "file", "files").c_str());
  for (const WordHits::File& file : hits.best) {
    std::printf("%10s  %s\n", WithCommas(file.occurrences).c_str(), file.path.c_str());
  }
  if (hits.files > hits.best.size()) {
    std::printf("            and %s more\n",
                Plural(hits.files - hits.best.size(), "file", "files").c_str());
  }
}

std::optional<manta::ActorHandle<Directory>> FindDirectory() {
  return JoinCluster() ? manta::GetActor<Directory>(kDirectoryName) : std::nullopt;
}

// A killed actor is dead a moment later; until then its name still leads to it.
void AwaitEnd(const manta::ActorHandle<Directory>& directory) {
  try {
    for (;;) manta::Get(directory.Task(&Directory::OwnCluster).Remote());
  } catch (const manta::ActorDiedError&) {
  }
}

// None while another process stops it, either.
Index CurrentIndex() {
  const auto directory = FindDirectory();
  if (!directory) return {};
  try {
    return *manta::Get(directory->Task(&Directory::Current).Remote());
  } catch (const manta::ActorDiedError&) {
    return {};
  }
}

}  // namespace

int RunQuery(const std::vector<std::string>& words) {
  for (const std::string& word : words) {
    if (IsWord(word)) continue;
    throw UserError("'" + word + "' is no word: only letters, digits and _ are indexed");
  }
  const Index index = CurrentIndex();
  if (index.generation == 0) throw UserError(kNoIndex);

  // All calls first, so that the shards look at the same time.
  std::vector<manta::ObjectRef<WordHits>> calls;
  for (const std::string& word : words) {
    calls.push_back(ShardOfWord(index, word).Task(&Shard::Find).Remote(word, kBestFiles));
  }
  try {
    for (size_t i = 0; i < words.size(); ++i) Print(words[i], *manta::Get(calls[i]));
  } catch (const manta::ActorDiedError& error) {
    throw UserError(std::string("the index has lost a shard: build it again (") + error.what() + ")");
  }
  manta::Shutdown();
  return 0;
}

int RunStop() {
  const auto directory = FindDirectory();
  if (!directory) {
    std::printf("There is no index, nothing to stop.\n");
    manta::Shutdown();
    return 0;
  }
  const std::vector<Index> indices = *manta::Get(directory->Task(&Directory::All).Remote());
  for (const Index& index : indices) RemoveShards(index);
  const std::string own_cluster = *manta::Get(directory->Task(&Directory::OwnCluster).Remote());
  directory->Kill();
  AwaitEnd(*directory);
  manta::Shutdown();
  if (own_cluster.empty()) {
    std::printf("The index is gone; the cluster goes on, because build did not start it.\n");
  } else {
    StopCluster(own_cluster);
    std::printf("The index is gone, and the cluster that build started for it.\n");
  }
  return 0;
}

}  // namespace code_search
