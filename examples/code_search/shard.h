// The second half of the work: one part of the index, for the words of one range of hashes.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "arena.h"
#include "map.h"
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
  Shard() : slots_(kFirstSlots) {}

  // Takes in what a group has for this shard. Groups come in the order of their files. Returns the
  // totals that came with it, so that the driver need not look at large values to know them.
  Totals Merge(const FileGroup& group, const MapOutput& output);

  // Different words so far.
  uint64_t NumWords() const { return entries_.size(); }

  WordHits Find(const std::string& word, uint32_t max_files) const;

 private:
  // The postings of a group, as they came.
  struct Postings {
    Postings* next;
    uint32_t first_file;
    uint32_t size;
    // `size` bytes
  };
  struct Entry {
    const char* text;
    uint32_t length;
    uint32_t hash;
    Postings* first;
    Postings* last;
  };
  struct Slot {
    uint64_t prefix = 0;
    uint32_t length = 0;  // 0: free
    uint32_t entry = 0;
  };

  static constexpr size_t kFirstSlots = size_t{1} << 16;

  size_t HomeOf(uint32_t hash) const { return hash & (slots_.size() - 1); }
  // The slot that the word has, or the free one where it would go.
  size_t SlotOf(const Word& word) const;
  void Add(const Word& word, uint32_t first_file, const char* postings, uint32_t size);
  void Grow();
  std::string PathOf(uint32_t file) const;

  std::vector<Slot> slots_;
  std::vector<Entry> entries_;
  Arena bytes_;
  // The files of all groups: paths, each ended by a zero byte, and where each starts.
  std::string paths_;
  std::vector<size_t> path_starts_;
};

}  // namespace code_search
