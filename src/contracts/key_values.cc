#include "contracts/key_values.h"

namespace manta::contracts {
namespace {

Error TooLarge(const std::string& what, size_t bytes, size_t most, const std::string& remedy) {
  return MakeError(MANTA_ERROR_INVALID_ARGUMENT, what + " has " + std::to_string(bytes) + " bytes, and at most " +
                                                     std::to_string(most) + " are allowed" + remedy);
}

}  // namespace

Result<> CheckEntrySize(size_t table_bytes, size_t key_bytes, size_t value_bytes) {
  if (table_bytes > kMostKeyBytes) return TooLarge("the name of the key-value table", table_bytes, kMostKeyBytes, "");
  if (key_bytes > kMostKeyBytes) return TooLarge("the key", key_bytes, kMostKeyBytes, "");
  if (value_bytes > kMostValueBytes) {
    return TooLarge("the value", value_bytes, kMostValueBytes, ": divide it among several keys, or put it into an object");
  }
  return {};
}

std::string ListOfKeys(const std::vector<std::string>& keys) {
  std::string list;
  for (const std::string& key : keys) {
    const auto size = static_cast<uint32_t>(key.size());
    for (int shift = 0; shift < 32; shift += 8) list.push_back(static_cast<char>(size >> shift & 0xff));
    list += key;
  }
  return list;
}

}  // namespace manta::contracts
