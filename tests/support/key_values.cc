#include "tests/support/key_values.h"

#include <cstring>

namespace manta_test {
namespace {

manta_bytes Bytes(const std::string& text) { return {text.data(), text.size()}; }

void Check(manta_error* error) {
  if (error == nullptr) return;
  const KeyValueError thrown{manta_error_get_kind(error), manta_error_message(error)};
  manta_error_free(error);
  throw thrown;
}

std::string Take(manta_blob* blob) {
  std::string text(static_cast<const char*>(manta_blob_data(blob)), manta_blob_size(blob));
  manta_blob_free(blob);
  return text;
}

}  // namespace

bool KvPut(const std::string& key, const std::string& value, int flags, const std::string& table) {
  int added = -1;
  Check(manta_kv_put(manta_current(), table.c_str(), Bytes(key), Bytes(value), flags, &added));
  return added != 0;
}

std::optional<std::string> KvGet(const std::string& key, const std::string& table) {
  manta_blob* blob = nullptr;
  Check(manta_kv_get(manta_current(), table.c_str(), Bytes(key), &blob));
  if (blob == nullptr) return std::nullopt;
  return Take(blob);
}

bool KvExists(const std::string& key, const std::string& table) {
  int exists = -1;
  Check(manta_kv_exists(manta_current(), table.c_str(), Bytes(key), &exists));
  return exists != 0;
}

uint64_t KvDelete(const std::string& key, bool by_prefix, const std::string& table) {
  uint64_t count = 0;
  Check(manta_kv_delete(manta_current(), table.c_str(), Bytes(key), by_prefix, &count));
  return count;
}

std::vector<std::string> KvKeys(const std::string& prefix, const std::string& table) {
  manta_blob* blob = nullptr;
  Check(manta_kv_keys(manta_current(), table.c_str(), Bytes(prefix), &blob));
  const std::string list = Take(blob);
  std::vector<std::string> keys;
  for (size_t at = 0; at < list.size();) {
    uint32_t size;
    std::memcpy(&size, list.data() + at, sizeof size);
    keys.push_back(list.substr(at + sizeof size, size));
    at += sizeof size + size;
  }
  return keys;
}

}  // namespace manta_test
