// The list of results in a completion that does not fit inline (shm/channel.h): writing it and reading it.
#pragma once

#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

#include "shm/channel.h"

namespace manta::worker {

using shm::Align8;

class ResultWriter {
 public:
  explicit ResultWriter(std::vector<unsigned char>* out) : out_(out) { out_->clear(); }

  void Add(shm::ValueKind kind, const void* bytes, uint32_t size,
           std::span<const shm::WireReference> references = {}) {
    const shm::ResultHeader header{kind, size, static_cast<uint32_t>(references.size()), 0};
    Append(&header, sizeof header);
    Append(bytes, size);
    out_->resize(out_->size() + Align8(size) - size);
    Append(references.data(), references.size_bytes());
  }

  // Once, behind a list that is complete.
  static void AddKept(std::vector<unsigned char>* list, std::span<const shm::WireReference> references) {
    const uint64_t count = references.size();
    const auto* begin = reinterpret_cast<const unsigned char*>(&count);
    list->insert(list->end(), begin, begin + sizeof count);
    begin = reinterpret_cast<const unsigned char*>(references.data());
    list->insert(list->end(), begin, begin + references.size_bytes());
  }

 private:
  void Append(const void* bytes, size_t size) {
    if (size == 0) return;
    const auto* begin = static_cast<const unsigned char*>(bytes);
    out_->insert(out_->end(), begin, begin + size);
  }

  std::vector<unsigned char>* out_;
};

// Reads what another process wrote: every length is checked.
class ResultReader {
 public:
  struct Entry {
    shm::ValueKind kind = shm::ValueKind::kError;
    const unsigned char* bytes = nullptr;
    uint32_t size = 0;
    std::vector<shm::WireReference> references;
  };

  ResultReader(const unsigned char* bytes, size_t size) : at_(bytes), left_(size) {}

  // False when the list ends or is damaged.
  bool Next(Entry* entry) {
    shm::ResultHeader header;
    if (!Take(&header, sizeof header) || header.bytes > left_ || Align8(header.bytes) > left_) return false;
    entry->kind = header.kind;
    entry->bytes = at_;
    entry->size = header.bytes;
    Skip(Align8(header.bytes));
    return TakeReferences(header.nested, &entry->references);
  }

  std::vector<shm::WireReference> Kept() {
    std::vector<shm::WireReference> references;
    uint64_t count;
    if (Take(&count, sizeof count)) TakeReferences(count, &references);
    return references;
  }

 private:
  bool Take(void* into, size_t size) {
    if (size > left_) return false;
    std::memcpy(into, at_, size);
    Skip(size);
    return true;
  }
  void Skip(size_t size) {
    at_ += size;
    left_ -= size;
  }
  bool TakeReferences(uint64_t count, std::vector<shm::WireReference>* references) {
    references->clear();
    if (count > left_ / sizeof(shm::WireReference)) return false;
    references->resize(count);
    if (count > 0) Take(references->data(), count * sizeof(shm::WireReference));
    return true;
  }

  const unsigned char* at_;
  size_t left_;
};

}  // namespace manta::worker
