// The control store's tables of keys and values, as a node daemon uses them: what programs keep for the whole cluster beside their
// objects. Answers come by callback: today at once, later over a connection.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "base/result.h"

namespace manta::contracts {

inline constexpr size_t kMostKeyBytes = 4096;               // of a key, and of the name of a table
inline constexpr size_t kMostValueBytes = 8u << 20;         // so that one fits in a frame
inline constexpr size_t kMostListedBytes = kMostValueBytes;  // of keys in one answer, as ListOfKeys writes them
inline constexpr uint64_t kMostTablesBytes = 256u << 20;    // of all tables of a cluster

// Keys are bytes of any value, and may be empty.
struct KeyName {
  std::string table;
  std::string key;
  auto operator<=>(const KeyName&) const = default;
};

// Error INVALID_ARGUMENT: one is larger than allowed. The message names size and limit.
Result<> CheckEntrySize(size_t table_bytes, size_t key_bytes, size_t value_bytes);

// Each key behind its length, a little-endian u32.
std::string ListOfKeys(const std::vector<std::string>& keys);

// What is there stays until it is deleted, or as PutOptions says; nothing is evicted. How long beyond its process, if at all, is the
// implementation's. Keys and values that are too large are refused as by CheckEntrySize.
class KeyValues {
 public:
  struct PutOptions {
    bool overwrite = false;  // what is there; else it stays
    // The entry goes when this job and all others that have put it so are over. None: it stays, whoever has put it, too.
    JobId of_job;
  };

  virtual ~KeyValues() = default;

  // Whether the key is new. Error OBJECT_STORE_FULL: all tables together would be too large; then nothing has changed.
  using PutAnswer = std::function<void(const Result<bool>& added)>;
  virtual void Put(KeyName name, std::string value, const PutOptions& options, PutAnswer answer) = 0;

  // nullptr: there is none. Valid during the call.
  using GetAnswer = std::function<void(const Result<const std::string*>& value)>;
  virtual void Get(const KeyName& name, GetAnswer answer) = 0;

  using ExistsAnswer = std::function<void(const Result<bool>& exists)>;
  virtual void Exists(const KeyName& name, ExistsAnswer answer) = 0;

  // How many were there. `by_prefix`: all keys of the table that begin with `name.key`.
  using DeleteAnswer = std::function<void(const Result<uint64_t>& count)>;
  virtual void Delete(const KeyName& name, bool by_prefix, DeleteAnswer answer) = 0;

  // All keys of the table that begin with `prefix.key`, in order. Error INVALID_ARGUMENT: they are more than one answer holds.
  using KeysAnswer = std::function<void(const Result<std::vector<std::string>>& keys)>;
  virtual void Keys(const KeyName& prefix, KeysAnswer answer) = 0;

  // The job is over. Nothing is put of it any more.
  virtual void DropJob(JobId job) = 0;
};

}  // namespace manta::contracts
