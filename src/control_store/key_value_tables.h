// The key-value tables of the cluster, in memory: they end with the daemon that keeps them. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <unordered_map>

#include "base/ids.h"
#include "contracts/key_values.h"

namespace manta::control_store {

class KeyValueTables final : public contracts::KeyValues {
 public:
  // What counts beside the bytes of table name, key and value.
  static constexpr uint64_t kEntryBytes = 256;
  static constexpr uint64_t kHolderBytes = 64;  // for each job that holds the entry

  explicit KeyValueTables(uint64_t most_bytes = contracts::kMostTablesBytes) : most_bytes_(most_bytes) {}

  void Put(contracts::KeyName name, std::string value, const PutOptions& options, PutAnswer answer) override;
  void Get(const contracts::KeyName& name, GetAnswer answer) override;
  void Exists(const contracts::KeyName& name, ExistsAnswer answer) override;
  void Delete(const contracts::KeyName& name, bool by_prefix, DeleteAnswer answer) override;
  void Keys(const contracts::KeyName& prefix, KeysAnswer answer) override;
  void DropJob(JobId job) override;

  uint64_t bytes() const { return bytes_; }  // as they count

 private:
  struct Entry {
    std::string value;
    std::set<JobId> holders;  // empty: it stays
  };
  using Entries = std::map<contracts::KeyName, Entry>;

  static uint64_t BytesOf(const contracts::KeyName& name, size_t value_bytes, size_t holders);
  Error Full(uint64_t more) const;
  void Hold(Entry* entry, JobId job);
  void LetGo(JobId job);
  Entries::iterator Erase(Entries::iterator entry);

  const uint64_t most_bytes_;
  uint64_t bytes_ = 0;
  Entries entries_;
  std::unordered_map<JobId, size_t> held_;  // how many entries each job holds
};

}  // namespace manta::control_store
