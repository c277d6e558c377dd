// The first half of the work: the words of a group of files, sorted by the shard that they go to.
#pragma once

#include <manta/manta.h>

#include <cstdint>
#include <string>
#include <vector>

namespace code_search {

// Files that are read by one task. They have numbers, one after the other.
struct FileGroup {
  std::string root;         // an absolute directory
  uint32_t first_file = 0;  // the number of the first
  std::string paths;        // below the root, each ended by a zero byte
  uint64_t bytes = 0;       // as far as known before they are read
};

// What is counted on the way.
struct Totals {
  uint64_t files = 0;
  uint64_t bytes = 0;
  uint64_t words = 0;
  uint64_t unreadable = 0;  // files and directories, not counted above
  std::string first_error;  // why the first of those could not be read

  void Add(const Totals& other) {
    files += other.files;
    bytes += other.bytes;
    words += other.words;
    unreadable += other.unreadable;
    if (first_error.empty()) first_error = other.first_error;
  }
};

// What a group has for one shard. `bytes` holds for each word:
//   length of the word, length of its postings (varints), the word, its postings
// and then kPadding zeros. Postings are, for each file that has the word, in order of their numbers:
//   2 * distance from the file before (at first: from the group's first file), + 1 if the word
//   occurs more than once in it; then, if so, how often (varints)
//
// One array of bytes, rather than a map of strings, because it travels without being taken apart:
// the task writes it into shared memory, and the shard reads it there.
struct MapOutput {
  Totals totals;  // of the group; with the output for the first shard only
  uint32_t num_words = 0;
  manta::Array<char> bytes;
};

// The task. One output for each shard.
std::vector<MapOutput> MapFiles(const FileGroup& group, uint32_t shards);

}  // namespace code_search
