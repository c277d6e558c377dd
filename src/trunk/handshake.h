// How two daemons prove to each other that they know the cluster's secret, before anything else is said. Pure: frames in, frames
// out; one object per connection.
//
//   joining side                                  head
//   TrunkHello {versions, nonce}         ---->
//                                        <----    TrunkChallenge {version, nonce, HMAC("head", ...)}
//   TrunkProof {HMAC("node", ...)}       ---->
//                                        <----    TrunkWelcome {node index, head's id}, or Refused with the reason at any step
//
// Both proofs cover the roles, the versions offered and chosen, and both nonces: an answer of another connection, or one's own sent
// back, proves nothing, and nobody can push the two to an older version. The secret itself never travels.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "contracts/frames.h"
#include "trunk/hmac.h"

namespace manta::trunk {

inline constexpr uint32_t kTrunkProtocolMin = 1;
inline constexpr uint32_t kTrunkProtocolMax = 1;
inline constexpr size_t kNonceBytes = 32;

using Nonce = std::array<uint8_t, kNonceBytes>;

struct HandshakeOptions {
  std::string secret;  // not empty
  Nonce nonce;         // never used before
  uint32_t protocol_min = kTrunkProtocolMin;
  uint32_t protocol_max = kTrunkProtocolMax;
};

struct HandshakeStep {
  std::vector<uint8_t> reply;    // a control frame to send; empty: nothing
  bool done = false;             // the peer is who it says
  std::optional<Error> refused;  // close after the reply
};

// The head's side. After `done` the caller sends TrunkWelcome, or Refused.
class Acceptor {
 public:
  explicit Acceptor(HandshakeOptions options) : options_(std::move(options)) {}
  HandshakeStep OnFrame(const wire::Frame& frame);

 private:
  HandshakeStep OnHello(const wire::TrunkHello& hello);
  HandshakeStep OnProof(const wire::TrunkProof& proof) const;

  const HandshakeOptions options_;
  std::optional<Digest> expected_;  // once the Hello was there
};

// The joining side.
class Initiator {
 public:
  explicit Initiator(HandshakeOptions options) : options_(std::move(options)) {}
  std::vector<uint8_t> Start() const;  // the Hello
  HandshakeStep OnFrame(const wire::Frame& frame);
  // Once done.
  uint32_t node_index() const { return node_index_; }
  const std::string& head_id() const { return head_id_; }

 private:
  HandshakeStep OnChallenge(const wire::TrunkChallenge& challenge);

  const HandshakeOptions options_;
  bool proved_ = false;  // the head has
  uint32_t node_index_ = 0;
  std::string head_id_;
};

}  // namespace manta::trunk
