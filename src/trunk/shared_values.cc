#include "trunk/shared_values.h"

#include <algorithm>
#include <cstring>
#include <string>

#include "model/error_codec.h"

namespace manta::trunk {
namespace {

using shm::Align8;

}  // namespace

std::optional<std::vector<uint32_t>> HandlesInTask(const shm::TaskBody& body,
                                                   std::span<const uint8_t> payload) {
  std::vector<uint32_t> handles;
  if (body.args_bytes > payload.size()) return std::nullopt;
  uint64_t at = Align8(uint64_t{body.args_bytes});
  for (uint32_t i = 0; i < body.dependencies; ++i) {
    shm::DependencyHeader header;
    if (at + sizeof header > payload.size()) return std::nullopt;
    std::memcpy(&header, payload.data() + at, sizeof header);
    at += sizeof header;
    if (at + header.bytes > payload.size()) return std::nullopt;
    if (header.kind == shm::ValueKind::kShared) {
      if (header.bytes != sizeof(shm::SharedHandle)) return std::nullopt;
      handles.push_back(static_cast<uint32_t>(at));
    }
    at += Align8(uint64_t{header.bytes});
  }
  return handles;
}

std::optional<std::vector<uint32_t>> HandlesInResults(std::span<const uint8_t> list,
                                                      uint32_t results) {
  std::vector<uint32_t> handles;
  uint64_t at = 0;
  for (uint32_t i = 0; i < results; ++i) {
    shm::ResultHeader header;
    if (at + sizeof header > list.size()) return std::nullopt;
    std::memcpy(&header, list.data() + at, sizeof header);
    at += sizeof header;
    if (at + header.bytes > list.size()) return std::nullopt;
    if (header.kind == shm::ValueKind::kShared) {
      if (header.bytes != sizeof(shm::SharedHandle)) return std::nullopt;
      handles.push_back(static_cast<uint32_t>(at));
    }
    at += Align8(uint64_t{header.bytes}) + uint64_t{header.nested} * sizeof(shm::WireReference);
  }
  return handles;
}

std::vector<uint8_t> ErrorList(const Error& error) {
  const std::string encoded = model::EncodeError(error);
  const shm::ResultHeader header{shm::ValueKind::kError, static_cast<uint32_t>(encoded.size()), 0,
                                 0};
  std::vector<uint8_t> list(sizeof header + Align8(encoded.size()));
  std::memcpy(list.data(), &header, sizeof header);
  std::memcpy(list.data() + sizeof header, encoded.data(), encoded.size());
  return list;
}

}  // namespace manta::trunk
