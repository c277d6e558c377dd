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

  // The slots of the next words are fetched into the cache while one is at work: the index is much
  // larger than that, and nearly every look-up would have to wait.
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
      const Word word(at, length);
      __builtin_prefetch(&slots_[HomeOf(static_cast<uint32_t>(word.hash))]);
      batch.push_back({word, at + length, size});
      at += length + size;
    }
    for (const Upcoming& next : batch) {
      Add(next.word, group.first_file, next.postings, next.size);
    }
  }
  return output.totals;
}

size_t Shard::SlotOf(const Word& word) const {
  size_t at = HomeOf(static_cast<uint32_t>(word.hash));
  for (; slots_[at].length != 0; at = (at + 1) & (slots_.size() - 1)) {
    const Slot& slot = slots_[at];
    if (slot.prefix == word.prefix && slot.length == word.length &&
        word.RestEquals(entries_[slot.entry].text)) {
      break;
    }
  }
  return at;
}

void Shard::Add(const Word& word, uint32_t first_file, const char* bytes, uint32_t size) {
  char* memory = bytes_.Allocate(sizeof(Postings) + size);
  auto* postings = new (memory) Postings{nullptr, first_file, size};
  std::memcpy(memory + sizeof(Postings), bytes, size);

  Slot& slot = slots_[SlotOf(word)];
  if (slot.length != 0) {
    Entry& entry = entries_[slot.entry];
    entry.last->next = postings;
    entry.last = postings;
    return;
  }
  slot = {word.prefix, static_cast<uint32_t>(word.length), static_cast<uint32_t>(entries_.size())};
  entries_.push_back({bytes_.Copy(word.text, word.length), slot.length,
                      static_cast<uint32_t>(word.hash), postings, postings});
  if (entries_.size() * 2 > slots_.size()) Grow();
}

void Shard::Grow() {
  std::vector<Slot> old(slots_.size() * 2);
  old.swap(slots_);
  for (const Slot& slot : old) {
    if (slot.length == 0) continue;
    size_t at = HomeOf(entries_[slot.entry].hash);
    while (slots_[at].length != 0) at = (at + 1) & (slots_.size() - 1);
    slots_[at] = slot;
  }
}

WordHits Shard::Find(const std::string& text, uint32_t max_files) const {
  std::string padded = text;
  padded.append(kPadding, '\0');
  const Slot& slot = slots_[SlotOf(Word(padded.data(), text.size()))];
  WordHits hits;
  if (slot.length == 0) return hits;

  std::vector<std::pair<uint64_t, uint32_t>> files;  // occurrences, number
  for (const Postings* next = entries_[slot.entry].first; next != nullptr; next = next->next) {
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
