// A hash table of words, which keeps its own copy of them. Words are never removed one by one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "arena.h"
#include "words.h"

namespace code_search {

template <class Value>
class WordTable {
 public:
  struct Entry {
    const char* text = nullptr;
    uint64_t prefix = 0;  // as Word has it
    uint64_t hash = 0;
    uint32_t length = 0;
    Value value{};
  };

  WordTable() { Clear(); }

  // The entry of the word; a new one, with an empty value, if there was none.
  uint32_t FindOrAdd(const Word& word) {
    const size_t at = SlotOf(word);
    if (slots_[at].entry != kFree) return slots_[at].entry;
    return Add(word, at);
  }
  // Null if there is none.
  const Entry* Find(const Word& word) const {
    const Slot& slot = slots_[SlotOf(word)];
    return slot.entry == kFree ? nullptr : &(*this)[slot.entry];
  }

  // Entries are numbered in the order in which they were added.
  Entry& operator[](uint32_t entry) { return chunks_[entry / kChunk][entry % kChunk]; }
  const Entry& operator[](uint32_t entry) const { return chunks_[entry / kChunk][entry % kChunk]; }
  uint32_t size() const { return size_; }

  // Forgets all words, but keeps memory for as many again.
  void Clear() {
    size_ = 0;
    texts_.Clear();
    slots_.assign(kFirstSlots, Slot());
  }

  // What FindOrAdd of the word will look at first, and (when that has arrived) next.
  void PrefetchSlot(const Word& word) const { __builtin_prefetch(&slots_[Home(word.hash)]); }
  void PrefetchEntry(const Word& word) const {
    const uint32_t entry = slots_[Home(word.hash)].entry;
    if (entry != kFree) __builtin_prefetch(&(*this)[entry]);
  }

 private:
  static constexpr uint32_t kFree = UINT32_MAX;
  static constexpr size_t kFirstSlots = 1024;
  static constexpr uint32_t kChunk = 4096;

  // Half of the hash is enough to know nearly always whether this is the word, and to grow without
  // a look at the entries.
  struct Slot {
    uint32_t hash = 0;
    uint32_t entry = kFree;
  };

  size_t Home(uint64_t hash) const { return static_cast<uint32_t>(hash) & (slots_.size() - 1); }
  size_t Next(size_t at) const { return (at + 1) & (slots_.size() - 1); }

  // The slot that the word has, or the free one where it would go.
  size_t SlotOf(const Word& word) const {
    size_t at = Home(word.hash);
    for (; slots_[at].entry != kFree; at = Next(at)) {
      if (slots_[at].hash != static_cast<uint32_t>(word.hash)) continue;
      const Entry& entry = (*this)[slots_[at].entry];
      if (entry.prefix == word.prefix && entry.length == word.length &&
          word.RestEquals(entry.text)) {
        break;
      }
    }
    return at;
  }

  uint32_t Add(const Word& word, size_t at) {
    const uint32_t index = size_++;
    if (index / kChunk == chunks_.size()) chunks_.emplace_back(new Entry[kChunk]);
    slots_[at] = {static_cast<uint32_t>(word.hash), index};
    Entry& entry = (*this)[index];
    entry.text = texts_.Copy(word.text, word.length);
    entry.prefix = word.prefix;
    entry.hash = word.hash;
    entry.length = static_cast<uint32_t>(word.length);
    entry.value = Value{};
    if (size_t{size_} * 3 > slots_.size() * 2) Grow();
    return index;
  }

  void Grow() {
    std::vector<Slot> old(slots_.size() * 2);
    old.swap(slots_);
    for (const Slot& slot : old) {
      if (slot.entry == kFree) continue;
      size_t at = Home(slot.hash);
      while (slots_[at].entry != kFree) at = Next(at);
      slots_[at] = slot;
    }
  }

  std::vector<Slot> slots_;
  std::vector<std::unique_ptr<Entry[]>> chunks_;
  uint32_t size_ = 0;
  Arena texts_;
};

}  // namespace code_search
