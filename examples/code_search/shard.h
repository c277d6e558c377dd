// The second half of the work: one part of the index, for the words of one range of hashes.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "arena.h"
#include "map.h"
#include "word_table.h"
#include "words.h"

namespace code_search {

struct WordHits {
  uint64_t occurrences = 0;
  uint64_t files = 0;
  struct File {
    std::string path;
    uint64_t occurrences = 0;
  };
  std::vector<File> best;  // most occurrences first, then in order of paths
};

// Not thread-safe: the calls of an actor run one after the other.
class Shard {
 public:
  // Takes in what a group has for this shard. Groups come in the order of their files. Returns the
  // totals that came with it, so that the driver need not look at large values to know them.
  Totals Merge(const FileGroup& group, const MapOutput& output);

  // Different words so far.
  uint64_t NumWords() const { return words_.size(); }

  WordHits Find(const std::string& word, uint32_t max_files) const;

 private:
  // The postings of a group, as they came.
  struct Postings {
    Postings* next;
    uint32_t first_file;
    uint32_t size;
    // `size` bytes
  };
  struct PostingsList {
    Postings* first = nullptr;
    Postings* last = nullptr;
  };

  void Add(const Word& word, uint32_t first_file, const char* postings, uint32_t size);
  std::string PathOf(uint32_t file) const;

  WordTable<PostingsList> words_;
  Arena postings_;
  // The files of all groups: paths, each ended by a zero byte, and where each starts.
  std::string paths_;
  std::vector<size_t> path_starts_;
};

}  // namespace code_search
