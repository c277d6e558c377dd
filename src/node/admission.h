// Whether a first frame opens the door. Pure.
#pragma once

#include <optional>
#include <string>

#include "contracts/frames.h"

namespace manta::node {

struct AdmissionRules {
  uint32_t protocol_min = contracts::kProtocolMin;
  uint32_t protocol_max = contracts::kProtocolMax;
  std::string secret;         // of the cluster, hex
  bool needs_secret = false;  // a stranger, who did not inherit the socket
  std::optional<wire::Role> role;  // that alone may speak here
};

// Nothing: come in. Otherwise what to answer before closing. `first` is not a Hello: the peer is no Manta process at all.
std::optional<wire::RefusedT> Refuse(const wire::Frame& first, const AdmissionRules& rules);

// The highest version that both sides understand; call only after Refuse let the peer in.
uint32_t NegotiatedProtocol(const wire::Hello& hello, const AdmissionRules& rules);

// Takes the same time wherever the texts differ.
bool ConstantTimeEqual(std::string_view left, std::string_view right);

}  // namespace manta::node
