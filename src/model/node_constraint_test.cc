#include "model/node_constraint.h"

#include <gtest/gtest.h>

namespace manta::model {
namespace {

const NodeLabels kEurope{{"zone", "eu"}, {"arch", "x86"}};
const NodeLabels kAmerica{{"zone", "us"}};
const NodeLabels kNone;

bool Meets(const NodeLabels& labels, const char* name, const char* condition) {
  return LabelCondition::Parse(name, condition)->IsMetBy(labels);
}

NodeConstraint Parsed(std::string_view text) {
  Result<NodeConstraint> constraint = NodeConstraint::Parse(text);
  EXPECT_TRUE(constraint) << text << ": " << constraint.error().message;
  return constraint ? *constraint : NodeConstraint();
}

std::vector<size_t> Order(const char* constraint, const NodeLabels& first, const NodeLabels& second, bool first_can = true,
                          bool second_can = true) {
  const NodeConstraint::Node nodes[] = {{7, &first, first_can}, {3, &second, second_can}};
  return Parsed(constraint).InOrder(nodes);
}

using Places = std::vector<size_t>;

TEST(NodeLabels, HaveTheSyntaxOfKubernetes) {
  for (const std::string& name : {std::string("a"), std::string("Zone_1.b-c"), std::string("example.com/zone"), std::string(63, 'x'),
                                 std::string("ray.io/node-id")}) {
    EXPECT_TRUE(CheckLabelName(name)) << name;
  }
  for (const std::string& name : {std::string(), std::string("-a"), std::string("a_"), std::string("a b"), std::string("a=b"),
                                 std::string(64, 'x'), std::string("/zone"), std::string("example..com/zone"), std::string("a/"),
                                 std::string("a|b"), std::string("a:b"), std::string(254, 'x') + "/zone"}) {
    EXPECT_FALSE(CheckLabelName(name)) << name;
  }
  EXPECT_TRUE(CheckLabelValue("zone", ""));
  EXPECT_TRUE(CheckLabelValue("zone", "us-west1"));
  EXPECT_FALSE(CheckLabelValue("zone", "us west"));
  EXPECT_FALSE(CheckLabelValue("zone", "example.com/eu")) << "a value has no prefix";
}

TEST(NodeLabels, ThoseOfTheSystemAreNotForUsers) {
  EXPECT_TRUE(CheckUsersLabel("zone", "eu"));
  EXPECT_TRUE(CheckUsersLabel("example.com/zone", "eu"));
  const Result<> refused = CheckUsersLabel("ray.io/zone", "eu");
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("'ray.io/' are set by the system"), std::string::npos) << refused.error().message;
}

TEST(LabelCondition, IsMetByValuesAndAbsence) {
  EXPECT_TRUE(Meets(kEurope, "zone", "eu"));
  EXPECT_FALSE(Meets(kAmerica, "zone", "eu"));
  EXPECT_FALSE(Meets(kNone, "zone", "eu"));
  EXPECT_FALSE(Meets(kEurope, "zone", "!eu"));
  EXPECT_TRUE(Meets(kAmerica, "zone", "!eu"));
  EXPECT_TRUE(Meets(kNone, "zone", "!eu")) << "what is not there has no value";
  EXPECT_TRUE(Meets(kAmerica, "zone", "in(eu, us)"));
  EXPECT_FALSE(Meets(kAmerica, "zone", "in(eu,asia)"));
  EXPECT_TRUE(Meets(kAmerica, "zone", "(eu, us)"));
  EXPECT_FALSE(Meets(kAmerica, "zone", "!in(eu, us)"));
  EXPECT_TRUE(Meets(kAmerica, "zone", "!in(eu, asia)"));
  EXPECT_TRUE(Meets(kNone, "zone", "!in(eu, us)"));
  EXPECT_TRUE(Meets(kEurope, "arch", "exists()"));
  EXPECT_FALSE(Meets(kAmerica, "arch", "exists()"));
  EXPECT_TRUE(Meets(kAmerica, "arch", "!exists()"));
  EXPECT_FALSE(Meets(kEurope, "arch", "!exists()"));
  EXPECT_TRUE(Meets({{"gpu", ""}}, "gpu", ""));
  EXPECT_FALSE(Meets(kNone, "gpu", ""));
}

TEST(LabelCondition, RefusesWhatIsNone) {
  for (const char* text : {"-spot", "spot_", "in()", "in(spot,", "in(H100, TPU!GPU)", "!!eu", "!", "eu, us", "in(eu us)", "exists(a)", "in(,)",
                           "a=b", "a|b", "a&b", "not(eu)"}) {
    const Result<LabelCondition> condition = LabelCondition::Parse("zone", text);
    ASSERT_FALSE(condition) << text;
    EXPECT_NE(condition.error().message.find("'zone'"), std::string::npos) << condition.error().message;
  }
  EXPECT_FALSE(LabelCondition::Parse("zone|any", "eu"));
}

TEST(NodeConstraint, EqualOnesHaveEqualTexts) {
  EXPECT_EQ(Parsed("zone=in(us,eu,us)&arch=x86").text(), "arch=x86 & zone=in(eu, us)");
  EXPECT_EQ(Parsed("zone = (eu) |any"), Parsed("zone=eu | any"));
  EXPECT_EQ(Parsed("zone=eu & zone=eu").text(), "zone=eu");
  EXPECT_EQ(Parsed(" spread=7  fail-now fail patient: zone=!in(eu)").text(), "patient fail fail-now spread=7: zone=!eu");
  EXPECT_EQ(Parsed("gpu= & zone=!exists()").text(), "gpu= & zone=!exists()");
  for (const char* text : {"any", "zone=eu | any", "fail: ray.io/node-id=0f", "spread=0: any", "gpu= & zone=!exists() | zone=exists()"}) {
    EXPECT_EQ(Parsed(Parsed(text).text()), Parsed(text)) << text;
  }
}

TEST(NodeConstraint, AnyNodeIsNone) {
  EXPECT_TRUE(Parsed("").empty());
  EXPECT_TRUE(Parsed("any").empty());
  EXPECT_FALSE(Parsed("spread=0: any").empty());
  EXPECT_TRUE(NodeConstraint().IsMetBy(kNone));
  EXPECT_TRUE(Parsed("zone=eu | any").IsMetBy(kNone));
}

TEST(NodeConstraint, RefusesWhatIsNone) {
  for (const std::string& text : {std::string("zone"), std::string("zone=eu |"), std::string("|zone=eu"), std::string("zone=eu & "),
                                 std::string("spread=: any"), std::string("spread=-1: any"), std::string("spread=1x: any"),
                                 std::string("spreads: any"), std::string("spread==1: any"), std::string("often: any"), std::string(":"), std::string("any & zone=eu"),
                                 std::string("fail: patient: any"), "zone=in(" + std::string(NodeConstraint::kMostBytes, 'a') + ")"}) {
    EXPECT_FALSE(NodeConstraint::Parse(text)) << text.substr(0, 40);
  }
  std::string many = "a=b";
  for (size_t i = 0; i < NodeConstraint::kMostAlternatives; ++i) many += " | a=b";
  EXPECT_FALSE(NodeConstraint::Parse(many));
}

TEST(NodeConstraint, OnlyNodesThatDoAreAsked) {
  EXPECT_EQ(Order("zone=eu", kEurope, kAmerica), Places({0}));
  EXPECT_EQ(Order("zone=us", kEurope, kAmerica), Places({1}));
  EXPECT_EQ(Order("zone=asia", kEurope, kAmerica), Places({}));
  EXPECT_EQ(Order("zone=in(eu, us)", kEurope, kAmerica), Places({0, 1})) << "as they stand";
  EXPECT_EQ(Order("zone=in(eu, us)", kEurope, kAmerica, false), Places({1})) << "the other lacks resources";
}

TEST(NodeConstraint, AlternativesAreTriedInTheirOrder) {
  EXPECT_EQ(Order("zone=us | zone=eu", kEurope, kAmerica), Places({1, 0}));
  EXPECT_EQ(Order("zone=us | any", kEurope, kAmerica), Places({1, 0}));
  EXPECT_EQ(Order("zone=us | any", kEurope, kAmerica, true, false), Places({0}));
  EXPECT_EQ(Order("patient: zone=us | any", kEurope, kAmerica), Places({1})) << "waits for it, though another has room";
  EXPECT_EQ(Order("patient: zone=asia | any", kEurope, kAmerica), Places({0, 1})) << "none has it";
  EXPECT_EQ(Order("patient: zone=us | any", kEurope, kAmerica, true, false), Places({0})) << "the one that has it lacks resources";
  EXPECT_EQ(Order("patient: zone=us | any", kEurope, kAmerica, false, false), Places({}));
}

TEST(NodeConstraint, SpreadingGoesRoundInTheOrderOfTheCluster) {
  EXPECT_EQ(Order("spread=0: any", kEurope, kAmerica), Places({1, 0}));
  EXPECT_EQ(Order("spread=1: any", kEurope, kAmerica), Places({0, 1}));
  EXPECT_EQ(Order("spread=2: any", kEurope, kAmerica), Places({1, 0}));
  EXPECT_EQ(Parsed("spread: any"), Parsed("spread=0: any"));
  EXPECT_EQ(Parsed("spread: zone=eu").WithTurn(5), Parsed("spread=5: zone=eu"));
  EXPECT_EQ(Order("spread=1: any", kEurope, kAmerica, false), Places({1}));
  EXPECT_EQ(Order("spread=1: zone=us | any", kEurope, kAmerica), Places({1, 0})) << "within what is as good";
}

TEST(NodeConstraint, SaysWhatIsAskedForAndWhatIsThere) {
  const NodeConstraint constraint = Parsed("arch=arm & zone=in(eu, us) | zone=asia | any");
  EXPECT_EQ(constraint.Describe(), "a node with arch=arm and zone=in(eu, us), or one with zone=asia, or any");
  EXPECT_EQ(constraint.Shown(kAmerica), "no arch, zone=us");
  EXPECT_EQ(NodeConstraint().Describe(), "any node");
}

TEST(NodeConstraint, FailingIsAnOption) {
  EXPECT_FALSE(Parsed("zone=eu").fails());
  EXPECT_TRUE(Parsed("fail: zone=eu").fails());
  EXPECT_FALSE(Parsed("fail: zone=eu").fails_now());
  EXPECT_TRUE(Parsed("fail-now: zone=eu").fails());
  EXPECT_TRUE(Parsed("fail-now: zone=eu").fails_now());
}

}  // namespace
}  // namespace manta::model
