#include "node/admission.h"

#include <algorithm>

namespace manta::node {
namespace {

wire::RefusedT Refusal(manta_error_kind kind, std::string message) {
  wire::RefusedT refused;
  refused.kind = kind;
  refused.message = std::move(message);
  return refused;
}

std::string Range(uint32_t low, uint32_t high) {
  return low == high ? std::to_string(low) : std::to_string(low) + " to " + std::to_string(high);
}

}  // namespace

bool ConstantTimeEqual(std::string_view left, std::string_view right) {
  unsigned difference = left.size() == right.size() ? 0 : 1;
  for (size_t i = 0; i < right.size(); ++i) {
    const char other = left.empty() ? '\0' : left[i % left.size()];
    difference |= static_cast<unsigned char>(right[i]) ^ static_cast<unsigned char>(other);
  }
  return difference == 0;
}

std::optional<wire::RefusedT> Refuse(const wire::Frame& first, const AdmissionRules& rules) {
  const wire::Hello* hello = first.message_as_Hello();
  if (hello == nullptr) {
    return Refusal(MANTA_ERROR_VERSION_MISMATCH, "the first frame has to be a Hello");
  }
  if (hello->protocol_min() > hello->protocol_max() || hello->protocol_max() < rules.protocol_min ||
      hello->protocol_min() > rules.protocol_max) {
    return Refusal(MANTA_ERROR_VERSION_MISMATCH,
                   "this process speaks protocol version " +
                       Range(hello->protocol_min(), hello->protocol_max()) +
                       ", the node daemon speaks " +
                       Range(rules.protocol_min, rules.protocol_max) +
                       ": use the same release of Manta for both");
  }
  if (rules.role && hello->role() != *rules.role) {
    return Refusal(MANTA_ERROR_AUTHENTICATION,
                   std::string("this socket is for a ") + wire::EnumNameRole(*rules.role) +
                       ", not for a " + wire::EnumNameRole(hello->role()));
  }
  if (rules.needs_secret) {
    if (hello->role() != wire::Role::Driver && hello->role() != wire::Role::Tool) {
      return Refusal(MANTA_ERROR_AUTHENTICATION, "only drivers and tools may connect from outside");
    }
    const std::string_view given =
        hello->secret() == nullptr ? std::string_view() : hello->secret()->string_view();
    if (rules.secret.empty() || !ConstantTimeEqual(given, rules.secret)) {
      return Refusal(MANTA_ERROR_AUTHENTICATION,
                     given.empty() ? "the cluster's secret is missing: it stands in the file "
                                     "\"secret\" of the session directory"
                                   : "this is not the cluster's secret: was the cluster restarted?");
    }
  }
  return std::nullopt;
}

uint32_t NegotiatedProtocol(const wire::Hello& hello, const AdmissionRules& rules) {
  return std::min(hello.protocol_max(), rules.protocol_max);
}

}  // namespace manta::node
