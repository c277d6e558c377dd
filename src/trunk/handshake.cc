#include "trunk/handshake.h"

#include <algorithm>
#include <cstring>
#include <span>
#include <string_view>
#include <utility>

namespace manta::trunk {
namespace {

constexpr std::string_view kLabel = "manta trunk 1";

struct Transcript {
  uint32_t protocol_min;
  uint32_t protocol_max;
  uint32_t protocol;
  Nonce joiner;
  Nonce head;
};

std::span<const uint8_t> Bytes(std::string_view text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

// `role` has four letters.
Digest Proof(const std::string& secret, std::string_view role, const Transcript& said) {
  uint8_t numbers[12];
  const uint32_t versions[3] = {said.protocol_min, said.protocol_max, said.protocol};
  std::memcpy(numbers, versions, sizeof numbers);
  return HmacSha256(secret, {Bytes(kLabel), Bytes(role), numbers, said.joiner, said.head});
}

std::optional<Nonce> NonceOf(const flatbuffers::Vector<uint8_t>* bytes) {
  if (bytes == nullptr || bytes->size() != kNonceBytes) return std::nullopt;
  Nonce nonce;
  std::copy(bytes->begin(), bytes->end(), nonce.begin());
  return nonce;
}

bool Proves(const Digest& expected, const flatbuffers::Vector<uint8_t>* given) {
  return given != nullptr && SameDigest(expected, {given->data(), given->size()});
}

bool IsHex(std::string_view text) { return text.find_first_not_of("0123456789abcdef") == text.npos; }

HandshakeStep Refuse(manta_error_kind kind, const std::string& message, bool tell_peer) {
  HandshakeStep step;
  step.refused = MakeError(kind, message);
  if (tell_peer) {
    wire::RefusedT refused;
    refused.kind = kind;
    refused.message = message;
    step.reply = contracts::Encode(std::move(refused));
  }
  return step;
}

std::string Range(uint32_t low, uint32_t high) {
  return low == high ? std::to_string(low) : std::to_string(low) + " to " + std::to_string(high);
}

}  // namespace

// ---- The head ------------------------------------------------------------------------------------------

HandshakeStep Acceptor::OnFrame(const wire::Frame& frame) {
  const wire::TrunkHello* hello = frame.message_as_TrunkHello();
  if (hello != nullptr && !expected_) return OnHello(*hello);
  const wire::TrunkProof* proof = frame.message_as_TrunkProof();
  if (proof != nullptr && expected_) return OnProof(*proof);
  return Refuse(MANTA_ERROR_AUTHENTICATION, "a trunk begins with TrunkHello and TrunkProof", true);
}

HandshakeStep Acceptor::OnHello(const wire::TrunkHello& hello) {
  const uint32_t protocol = std::min(options_.protocol_max, hello.protocol_max());
  if (hello.protocol_min() > hello.protocol_max() || protocol < options_.protocol_min ||
      protocol < hello.protocol_min()) {
    return Refuse(MANTA_ERROR_VERSION_MISMATCH,
                  "this node speaks trunk protocol " +
                      Range(hello.protocol_min(), hello.protocol_max()) + ", the head speaks " +
                      Range(options_.protocol_min, options_.protocol_max) +
                      ": use the same release of Manta for both",
                  true);
  }
  const std::optional<Nonce> nonce = NonceOf(hello.nonce());
  if (!nonce) return Refuse(MANTA_ERROR_AUTHENTICATION, "a TrunkHello without a nonce", true);
  const Transcript said{hello.protocol_min(), hello.protocol_max(), protocol, *nonce,
                        options_.nonce};
  expected_ = Proof(options_.secret, "node", said);
  const Digest own = Proof(options_.secret, "head", said);
  wire::TrunkChallengeT challenge;
  challenge.protocol = protocol;
  challenge.nonce.assign(options_.nonce.begin(), options_.nonce.end());
  challenge.proof.assign(own.begin(), own.end());
  HandshakeStep step;
  step.reply = contracts::Encode(std::move(challenge));
  return step;
}

HandshakeStep Acceptor::OnProof(const wire::TrunkProof& proof) const {
  if (!Proves(*expected_, proof.proof())) {
    return Refuse(MANTA_ERROR_AUTHENTICATION, "the node does not know the cluster's secret", true);
  }
  HandshakeStep step;
  step.done = true;
  return step;
}

// ---- The joining side ----------------------------------------------------------------------------------

std::vector<uint8_t> Initiator::Start() const {
  wire::TrunkHelloT hello;
  hello.protocol_min = options_.protocol_min;
  hello.protocol_max = options_.protocol_max;
  hello.nonce.assign(options_.nonce.begin(), options_.nonce.end());
  return contracts::Encode(std::move(hello));
}

HandshakeStep Initiator::OnFrame(const wire::Frame& frame) {
  if (const wire::Refused* refused = frame.message_as_Refused()) {
    return Refuse(static_cast<manta_error_kind>(refused->kind()),
                  "the head refused: " +
                      (refused->message() != nullptr ? refused->message()->str() : "no reason"),
                  false);
  }
  const wire::TrunkChallenge* challenge = frame.message_as_TrunkChallenge();
  if (challenge != nullptr && !proved_) return OnChallenge(*challenge);
  const wire::TrunkWelcome* welcome = frame.message_as_TrunkWelcome();
  if (welcome != nullptr && proved_) {
    node_index_ = welcome->node_index();
    if (welcome->node_id() != nullptr) head_id_ = welcome->node_id()->str();
    // It goes into files.
    if (!IsHex(head_id_)) return Refuse(MANTA_ERROR_AUTHENTICATION, "the head's node id is none", false);
    HandshakeStep step;
    step.done = true;
    return step;
  }
  return Refuse(MANTA_ERROR_AUTHENTICATION, "the head does not speak the protocol of trunks", false);
}

HandshakeStep Initiator::OnChallenge(const wire::TrunkChallenge& challenge) {
  if (challenge.protocol() < options_.protocol_min || challenge.protocol() > options_.protocol_max) {
    return Refuse(MANTA_ERROR_VERSION_MISMATCH,
                  "the head chose trunk protocol " + std::to_string(challenge.protocol()) +
                      ", which was not offered",
                  false);
  }
  const std::optional<Nonce> nonce = NonceOf(challenge.nonce());
  if (!nonce) return Refuse(MANTA_ERROR_AUTHENTICATION, "a challenge without a nonce", false);
  const Transcript said{options_.protocol_min, options_.protocol_max, challenge.protocol(),
                        options_.nonce, *nonce};
  if (!Proves(Proof(options_.secret, "head", said), challenge.proof())) {
    return Refuse(MANTA_ERROR_AUTHENTICATION,
                  "the secret given is not that of the cluster: it stands in the file \"secret\" of "
                  "the head's session directory",
                  false);
  }
  proved_ = true;
  const Digest own = Proof(options_.secret, "node", said);
  wire::TrunkProofT proof;
  proof.proof.assign(own.begin(), own.end());
  HandshakeStep step;
  step.reply = contracts::Encode(std::move(proof));
  return step;
}

}  // namespace manta::trunk
