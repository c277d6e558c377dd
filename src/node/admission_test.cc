#include "node/admission.h"

#include <gtest/gtest.h>

namespace manta::node {
namespace {

class AdmissionTest : public testing::Test {
 protected:
  AdmissionTest() {
    hello.protocol_min = 3;
    hello.protocol_max = 5;
    hello.role = wire::Role::Driver;
    hello.secret = "secret";
    rules.protocol_min = 2;
    rules.protocol_max = 4;
    rules.secret = "secret";
    rules.needs_secret = true;
  }
  // "" when let in.
  std::string Verdict() {
    wire::HelloT copy = hello;
    return VerdictOn(contracts::Encode(std::move(copy)));
  }
  std::string VerdictOn(const std::vector<uint8_t>& frame) {
    const auto refused = Refuse(*wire::GetSizePrefixedFrame(frame.data()), rules);
    kind = refused ? refused->kind : 0;
    return refused ? refused->message : "";
  }

  wire::HelloT hello;
  AdmissionRules rules;
  uint32_t kind = 0;
};

TEST_F(AdmissionTest, LetsNeighboursIn) {
  EXPECT_EQ(Verdict(), "");
  const auto frame = contracts::Encode(wire::HelloT(hello));
  const auto* encoded = wire::GetSizePrefixedFrame(frame.data())->message_as_Hello();
  EXPECT_EQ(NegotiatedProtocol(*encoded, rules), 4u);
}

TEST_F(AdmissionTest, VersionsHaveToMeet) {
  hello.protocol_min = hello.protocol_max = 5;
  EXPECT_NE(Verdict().find("version 5"), std::string::npos);
  EXPECT_NE(Verdict().find("2 to 4"), std::string::npos);
  EXPECT_EQ(kind, static_cast<uint32_t>(MANTA_ERROR_VERSION_MISMATCH));
  hello.protocol_min = hello.protocol_max = 1;
  EXPECT_NE(Verdict(), "");
  hello.protocol_min = 4;
  hello.protocol_max = 2;
  EXPECT_NE(Verdict(), "");
  hello.protocol_min = hello.protocol_max = 2;
  EXPECT_EQ(Verdict(), "");
}

TEST_F(AdmissionTest, TheSecretHasToBeRight) {
  for (const char* wrong : {"", "secre", "secret2", "terces", "SECRET"}) {
    hello.secret = wrong;
    EXPECT_NE(Verdict(), "") << wrong;
    EXPECT_EQ(kind, static_cast<uint32_t>(MANTA_ERROR_AUTHENTICATION));
  }
  rules.secret = "";  // a daemon without one lets nobody in
  hello.secret = "";
  EXPECT_NE(Verdict(), "");
}

TEST_F(AdmissionTest, AnInheritedSocketIsProofEnough) {
  rules.needs_secret = false;
  hello.secret = "";
  EXPECT_EQ(Verdict(), "");
}

TEST_F(AdmissionTest, RolesAreKept) {
  hello.role = wire::Role::Worker;
  EXPECT_NE(Verdict(), "");
  hello.role = wire::Role::Zygote;
  EXPECT_NE(Verdict(), "");
  hello.role = wire::Role::Tool;
  EXPECT_EQ(Verdict(), "");
  rules.role = wire::Role::Driver;
  EXPECT_NE(Verdict(), "");
}

TEST_F(AdmissionTest, HelloComesFirst) {
  EXPECT_NE(VerdictOn(contracts::Encode(wire::BlockedT{})), "");
}

TEST(ConstantTimeEqualTest, ComparesWhole) {
  EXPECT_TRUE(ConstantTimeEqual("abc", "abc"));
  EXPECT_TRUE(ConstantTimeEqual("", ""));
  EXPECT_FALSE(ConstantTimeEqual("abc", "abd"));
  EXPECT_FALSE(ConstantTimeEqual("bbc", "abc"));
  EXPECT_FALSE(ConstantTimeEqual("ab", "abab"));
  EXPECT_FALSE(ConstantTimeEqual("abab", "ab"));
  EXPECT_FALSE(ConstantTimeEqual("", "a"));
  EXPECT_FALSE(ConstantTimeEqual("a", ""));
}

}  // namespace
}  // namespace manta::node
