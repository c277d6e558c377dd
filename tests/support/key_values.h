// The key-value tables of the C interface as functions of strings, for tests. What fails throws.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "manta/manta_c.h"

namespace manta_test {

struct KeyValueError {
  manta_error_kind kind;
  std::string message;
};

// All use the current runtime.
bool KvPut(const std::string& key, const std::string& value, int flags = 0, const std::string& table = "test");
std::optional<std::string> KvGet(const std::string& key, const std::string& table = "test");
bool KvExists(const std::string& key, const std::string& table = "test");
uint64_t KvDelete(const std::string& key, bool by_prefix = false, const std::string& table = "test");
std::vector<std::string> KvKeys(const std::string& prefix = "", const std::string& table = "test");

}  // namespace manta_test
