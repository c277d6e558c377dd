#include "shard.h"

#include <algorithm>
#include <cstring>

#include "varint.h"

namespace code_search {

Totals Shard::Merge(const FileGroup& group, const MapOutput& output) {
  for (size_t at = 0; at < group.paths.size(); at += std::strlen(group.paths.data() + at) + 1) {
    path_starts_.push_back(paths_.size() + at);
  }
  paths_ += group.paths;

  // The index is much larger than any cache, and nearly every look-up would have to wait for memory.
  // So the words come in batches, and what they need is fetched while others are at work.
  struct Upcoming {
    Word word;
    const char* postings;
    uint32_t size;
  };
  std::vector<Upcoming> batch;
  const char* at = output.bytes.data();
  for (uint32_t left = output.num_words; left > 0;) {
    batch.clear();
    for (; left > 0 && batch.size() < 32; --left) {
      const size_t length = ReadVarint(at);
      const auto size = static_cast<uint32_t>(ReadVarint(at));
      batch.push_back({Word(at, length), at + length, size});
      words_.PrefetchSlot(batch.back().word);
      at += length + size;
    }
    for (const Upcoming& next : batch) words_.PrefetchEntry(next.word);
    for (const Upcoming& next : batch) {
      Add(next.word, group.first_file, next.postings, next.size);
    }
  }
  return output.totals;
}

void Shard::Add(const Word& word, uint32_t first_file, const char* bytes, uint32_t size) {
  char* memory = postings_.Allocate(sizeof(Postings) + size);
  auto* postings = new (memory) Postings{nullptr, first_file, size};
  std::memcpy(memory + sizeof(Postings), bytes, size);

  PostingsList& list = words_[words_.FindOrAdd(word)].value;
  (list.first == nullptr ? list.first : list.last->next) = postings;
  list.last = postings;
}

WordHits Shard::Find(const std::string& text, uint32_t max_files) const {
  std::string padded = text;
  padded.append(kPadding, '\0');
  const auto* entry = words_.Find(Word(padded.data(), text.size()));
  WordHits hits;
  if (entry == nullptr) return hits;

  std::vector<std::pair<uint64_t, uint32_t>> files;  // occurrences, number
  for (const Postings* next = entry->value.first; next != nullptr; next = next->next) {
    const char* at = reinterpret_cast<const char*>(next + 1);
    const char* end = at + next->size;
    for (uint32_t file = next->first_file; at != end;) {
      const uint64_t distance = ReadVarint(at);
      const uint64_t occurrences = distance % 2 == 0 ? 1 : ReadVarint(at);
      file += static_cast<uint32_t>(distance / 2);
      files.emplace_back(occurrences, file);
      hits.occurrences += occurrences;
    }
  }
  hits.files = files.size();
  const size_t count = std::min<size_t>(files.size(), max_files);
  std::partial_sort(files.begin(), files.begin() + static_cast<ptrdiff_t>(count), files.end(),
                    [](const auto& a, const auto& b) {
                      return a.first != b.first ? a.first > b.first : a.second < b.second;
                    });
  for (size_t i = 0; i < count; ++i) {
    hits.best.push_back({PathOf(files[i].second), files[i].first});
  }
  return hits;
}

std::string Shard::PathOf(uint32_t file) const { return paths_.data() + path_starts_[file]; }

}  // namespace code_search
