#include "control_store/key_value_tables.h"

#include <utility>
#include <vector>

namespace manta::control_store {

using contracts::CheckEntrySize;
using contracts::KeyName;

uint64_t KeyValueTables::BytesOf(const KeyName& name, size_t value_bytes, size_t holders) {
  return kEntryBytes + name.table.size() + name.key.size() + value_bytes + holders * kHolderBytes;
}

Error KeyValueTables::Full(uint64_t more) const {
  return MakeError(MANTA_ERROR_OBJECT_STORE_FULL,
                   "the cluster's key-value tables are full: of at most " + std::to_string(most_bytes_) + " bytes " +
                       std::to_string(bytes_) + " are used, and the entry needs " + std::to_string(more) +
                       "; delete keys that are not needed any more, or put large values into objects");
}

void KeyValueTables::Put(KeyName name, std::string value, const PutOptions& options, PutAnswer answer) {
  if (Result<> valid = CheckEntrySize(name.table.size(), name.key.size(), value.size()); !valid) {
    return answer(valid.error());
  }
  const JobId job = options.of_job;
  const auto known = entries_.find(name);
  if (known == entries_.end()) {
    const uint64_t bytes = BytesOf(name, value.size(), job ? 1 : 0);
    if (bytes > most_bytes_ - bytes_) return answer(Full(bytes));
    bytes_ += bytes;
    Entry& entry = entries_[std::move(name)];
    entry.value = std::move(value);
    if (job) Hold(&entry, job);
    return answer(true);
  }
  Entry& entry = known->second;
  const bool stays = !job || entry.holders.empty();
  const size_t holders = stays ? 0 : entry.holders.size() + (entry.holders.contains(job) ? 0 : 1);
  const uint64_t before = BytesOf(name, entry.value.size(), entry.holders.size());
  const uint64_t after = BytesOf(name, options.overwrite ? value.size() : entry.value.size(), holders);
  if (after > before && after - before > most_bytes_ - bytes_) return answer(Full(after - before));
  bytes_ += after - before;
  if (options.overwrite) entry.value = std::move(value);
  if (stays) {
    for (JobId holder : entry.holders) LetGo(holder);
    entry.holders.clear();
  } else {
    Hold(&entry, job);
  }
  answer(false);
}

void KeyValueTables::Hold(Entry* entry, JobId job) {
  if (entry->holders.insert(job).second) ++held_[job];
}

void KeyValueTables::LetGo(JobId job) {
  const auto held = held_.find(job);
  if (--held->second == 0) held_.erase(held);
}

KeyValueTables::Entries::iterator KeyValueTables::Erase(Entries::iterator entry) {
  bytes_ -= BytesOf(entry->first, entry->second.value.size(), entry->second.holders.size());
  for (JobId holder : entry->second.holders) LetGo(holder);
  return entries_.erase(entry);
}

void KeyValueTables::Get(const KeyName& name, GetAnswer answer) {
  if (Result<> valid = CheckEntrySize(name.table.size(), name.key.size(), 0); !valid) return answer(valid.error());
  const auto found = entries_.find(name);
  answer(found == entries_.end() ? nullptr : &found->second.value);
}

void KeyValueTables::Exists(const KeyName& name, ExistsAnswer answer) {
  if (Result<> valid = CheckEntrySize(name.table.size(), name.key.size(), 0); !valid) return answer(valid.error());
  answer(entries_.contains(name));
}

void KeyValueTables::Delete(const KeyName& name, bool by_prefix, DeleteAnswer answer) {
  if (Result<> valid = CheckEntrySize(name.table.size(), name.key.size(), 0); !valid) return answer(valid.error());
  uint64_t count = 0;
  if (!by_prefix) {
    if (const auto found = entries_.find(name); found != entries_.end()) {
      Erase(found);
      count = 1;
    }
    return answer(count);
  }
  auto next = entries_.lower_bound(name);
  while (next != entries_.end() && next->first.table == name.table && next->first.key.starts_with(name.key)) {
    next = Erase(next);
    ++count;
  }
  answer(count);
}

void KeyValueTables::Keys(const KeyName& prefix, KeysAnswer answer) {
  if (Result<> valid = CheckEntrySize(prefix.table.size(), prefix.key.size(), 0); !valid) return answer(valid.error());
  std::vector<std::string> keys;
  size_t bytes = 0;
  for (auto next = entries_.lower_bound(prefix);
       next != entries_.end() && next->first.table == prefix.table && next->first.key.starts_with(prefix.key); ++next) {
    bytes += sizeof(uint32_t) + next->first.key.size();
    if (bytes > contracts::kMostListedBytes) {
      return answer(MakeError(MANTA_ERROR_INVALID_ARGUMENT,
                              "more keys of the table '" + prefix.table + "' begin with this prefix than one answer holds (" +
                                  std::to_string(contracts::kMostListedBytes) + " bytes): ask with longer prefixes"));
    }
    keys.push_back(next->first.key);
  }
  answer(std::move(keys));
}

void KeyValueTables::DropJob(JobId job) {
  // Every process of a job that has ended asks for this when it goes: after the first time it costs nothing.
  for (auto next = entries_.begin(); held_.contains(job) && next != entries_.end();) {
    Entry& entry = next->second;
    if (!entry.holders.contains(job)) {
      ++next;
    } else if (entry.holders.size() == 1) {
      next = Erase(next);
    } else {
      entry.holders.erase(job);
      LetGo(job);
      bytes_ -= kHolderBytes;
      ++next;
    }
  }
}

}  // namespace manta::control_store
