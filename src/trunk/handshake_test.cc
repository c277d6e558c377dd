#include "trunk/handshake.h"

#include <gtest/gtest.h>

#include "trunk/frames.h"

namespace manta::trunk {
namespace {

HandshakeOptions With(const std::string& secret, uint8_t seed) {
  HandshakeOptions options;
  options.secret = secret;
  options.nonce.fill(seed);
  return options;
}

const wire::Frame& FrameOf(const std::vector<uint8_t>& bytes) {
  return *wire::GetSizePrefixedFrame(bytes.data());
}

std::vector<uint8_t> Welcome(uint32_t index, const std::string& head_id = "00ff") {
  wire::TrunkWelcomeT welcome;
  welcome.node_index = index;
  welcome.node_id = head_id;
  return contracts::Encode(std::move(welcome));
}

TEST(Hmac, IsTheOneOfRfc4231) {
  // Test case 2.
  const std::string_view message = "what do ya want for nothing?";
  const Digest digest = HmacSha256("Jefe", {{reinterpret_cast<const uint8_t*>(message.data()), message.size()}});
  EXPECT_EQ(digest[0], 0x5b);
  EXPECT_EQ(digest[1], 0xdc);
  EXPECT_EQ(digest[31], 0x43);
}

TEST(Handshake, LetsInWhoKnowsTheSecret) {
  Initiator node(With("secret", 1));
  Acceptor head(With("secret", 2));
  const HandshakeStep challenge = head.OnFrame(FrameOf(node.Start()));
  ASSERT_FALSE(challenge.refused);
  EXPECT_FALSE(challenge.done) << "the node has proved nothing yet";
  const HandshakeStep proof = node.OnFrame(FrameOf(challenge.reply));
  ASSERT_FALSE(proof.refused);
  EXPECT_TRUE(head.OnFrame(FrameOf(proof.reply)).done);
  EXPECT_TRUE(node.OnFrame(FrameOf(Welcome(2))).done);
  EXPECT_EQ(node.node_index(), 2u);
  EXPECT_EQ(node.head_id(), "00ff");
  EXPECT_TRUE(node.OnFrame(FrameOf(Welcome(2, "00ff\ntrunk=elsewhere"))).refused);
}

TEST(Handshake, TellsTheNodeThatItsSecretIsWrong) {
  Initiator node(With("wrong", 1));
  Acceptor head(With("secret", 2));
  const HandshakeStep proof = node.OnFrame(FrameOf(head.OnFrame(FrameOf(node.Start())).reply));
  ASSERT_TRUE(proof.refused);
  EXPECT_EQ(proof.refused->kind, MANTA_ERROR_AUTHENTICATION);
  EXPECT_NE(proof.refused->message.find("secret"), std::string::npos);
}

TEST(Handshake, DoesNotTakeTheHeadsOwnProofBack) {
  Initiator node(With("unknown", 1));
  Acceptor head(With("secret", 2));
  const std::vector<uint8_t> reply = head.OnFrame(FrameOf(node.Start())).reply;
  const auto* challenge = FrameOf(reply).message_as_TrunkChallenge();
  wire::TrunkProofT proof;
  proof.proof.assign(challenge->proof()->begin(), challenge->proof()->end());
  const HandshakeStep step = head.OnFrame(FrameOf(contracts::Encode(std::move(proof))));
  ASSERT_TRUE(step.refused);
  EXPECT_FALSE(step.done);
  EXPECT_EQ(step.refused->kind, MANTA_ERROR_AUTHENTICATION);
}

TEST(Handshake, DoesNotTakeTheProofOfAnotherConnection) {
  Initiator node(With("secret", 1));
  Acceptor before(With("secret", 2));
  const HandshakeStep overheard = node.OnFrame(FrameOf(before.OnFrame(FrameOf(node.Start())).reply));
  Acceptor head(With("secret", 3));
  head.OnFrame(FrameOf(node.Start()));
  EXPECT_TRUE(head.OnFrame(FrameOf(overheard.reply)).refused);
}

TEST(Handshake, NamesBothVersionsWhenTheyDoNotMeet) {
  HandshakeOptions old = With("secret", 1);
  HandshakeOptions recent = With("secret", 2);
  recent.protocol_min = recent.protocol_max = 7;
  Initiator node(old);
  Acceptor head(recent);
  const HandshakeStep step = head.OnFrame(FrameOf(node.Start()));
  ASSERT_TRUE(step.refused);
  const HandshakeStep heard = node.OnFrame(FrameOf(step.reply));
  ASSERT_TRUE(heard.refused);
  EXPECT_EQ(heard.refused->kind, MANTA_ERROR_VERSION_MISMATCH);
  EXPECT_NE(heard.refused->message.find("protocol 1, the head speaks 7"), std::string::npos)
      << heard.refused->message;
}

TEST(Handshake, DoesNotLetAMiddleManChooseAnOlderVersion) {
  HandshakeOptions both = With("secret", 1);
  both.protocol_max = 2;
  Initiator node(both);
  HandshakeOptions at_head = With("secret", 2);
  at_head.protocol_max = 2;
  Acceptor head(at_head);
  wire::TrunkHelloT hello;
  FrameOf(node.Start()).message_as_TrunkHello()->UnPackTo(&hello);
  hello.protocol_max = 1;  // changed on the way
  const HandshakeStep challenge = head.OnFrame(FrameOf(contracts::Encode(std::move(hello))));
  EXPECT_TRUE(node.OnFrame(FrameOf(challenge.reply)).refused) << "the head proved another conversation";
}

TEST(Handshake, RefusesEverythingElse) {
  for (const std::vector<uint8_t>& frame :
       {contracts::Encode(wire::TrunkProofT()), contracts::Encode(wire::TrunkHelloT()),
        contracts::Encode(wire::NodeFactsT()), contracts::Encode(wire::HelloT())}) {
    Acceptor head(With("secret", 2));
    const HandshakeStep step = head.OnFrame(FrameOf(frame));
    EXPECT_TRUE(step.refused);
    EXPECT_FALSE(step.done);
  }
  Initiator node(With("secret", 1));
  EXPECT_TRUE(node.OnFrame(FrameOf(Welcome(2))).refused) << "before the head has proved itself";
}

}  // namespace
}  // namespace manta::trunk
