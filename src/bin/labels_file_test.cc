#include "bin/labels_file.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>

namespace manta::bin {
namespace {

using model::NodeLabels;

NodeLabels Read(std::string_view text) {
  Result<NodeLabels> labels = ParseLabelsFile(text);
  EXPECT_TRUE(labels) << text << ": " << labels.error().message;
  return labels ? *labels : NodeLabels();
}

std::string WhyNot(const Result<NodeLabels>& labels) {
  EXPECT_FALSE(labels);
  return labels ? "" : labels.error().message;
}

#define EXPECT_SAYS(message, part) EXPECT_NE((message).find(part), std::string::npos) << (message)

TEST(Labels, ArePairsWithCommasBetween) {
  const NodeLabels expected{{"zone", "eu"}, {"example.com/gpu", ""}};
  EXPECT_EQ(ParseLabels("zone=eu,example.com/gpu=").value(), expected);
  EXPECT_EQ(ParseLabels("\" zone = eu , example.com/gpu = \"").value(), expected) << "as shells may leave it";
  EXPECT_TRUE(ParseLabels("").value().empty());
}

TEST(Labels, SayWhatIsWrong) {
  EXPECT_SAYS(WhyNot(ParseLabels("zone")), "'zone' is no label: write NAME=VALUE");
  EXPECT_SAYS(WhyNot(ParseLabels("zone=eu=us")), "'zone=eu=us' is no label");
  EXPECT_SAYS(WhyNot(ParseLabels("zone=eu,")), "behind the last comma");
  EXPECT_SAYS(WhyNot(ParseLabels("zone=eu,zone=us")), "'zone' is given twice");
  EXPECT_SAYS(WhyNot(ParseLabels("{\"zone\": \"eu\"}")), "instead of JSON");
  EXPECT_SAYS(WhyNot(ParseLabels("ray.io/zone=eu")), "set by the system");
  EXPECT_SAYS(WhyNot(ParseLabels("zo ne=eu")), "'zo ne'");
  EXPECT_SAYS(WhyNot(ParseLabels("zone=-eu")), "cannot have the value '-eu'");
}

TEST(LabelsFile, IsAMappingInYaml) {
  const NodeLabels expected{{"gpu_type", "A100"}, {"region", "us"}, {"market-type", "spot"}, {"port", "80"}, {"none", ""}};
  EXPECT_EQ(Read("\"gpu_type\": \"A100\"\n\"region\": \"us\"\n\"market-type\": \"spot\"\nport: '80'\nnone: \"\""), expected);
  EXPECT_EQ(Read("---\n# of the machine\ngpu_type: A100  # eight of them\r\n\nregion : us\n'market-type' : spot\nport: \"80\" # a text\nnone: ''\n"),
            expected);
  EXPECT_EQ(Read("{\"gpu_type\": \"A100\", \"region\": \"us\", \"market-type\": \"spot\", \"port\": \"80\", \"none\": \"\"}"), expected);
  EXPECT_TRUE(Read("# nothing\n").empty());
  EXPECT_TRUE(Read("").empty());
}

TEST(LabelsFile, SaysTheLineAndWhatIsWrongWithIt) {
  EXPECT_SAYS(WhyNot(ParseLabelsFile("a: b\nzone eu\n")), "line 2: ");
  EXPECT_SAYS(WhyNot(ParseLabelsFile("zone:eu\n")), "line 1: this is no mapping; write one label a line");
  EXPECT_SAYS(WhyNot(ParseLabelsFile("zone:\n  name: eu\n")), "line 1: the value of 'zone' is not a text; write one label");
  EXPECT_SAYS(WhyNot(ParseLabelsFile("a: b\nzone: [eu]\n")), "line 2: the value of 'zone' is not a text; write one label");
  EXPECT_SAYS(WhyNot(ParseLabelsFile("a: b\nzone:\n")), "line 2: the value of 'zone' is not a text");
  EXPECT_SAYS(WhyNot(ParseLabelsFile("- zone\n")), "line 1: this is no mapping");
  for (const char* value : {"80", "1.5", "true", "No", "~", "null", "2026-11-30", "0x10", "-3"}) {
    EXPECT_SAYS(WhyNot(ParseLabelsFile(std::string("zone: ") + value)), "'zone' is not a text");
  }
  EXPECT_SAYS(WhyNot(ParseLabelsFile("zone: 80")), "write it in quotes, \"80\"");
  EXPECT_EQ(Read("zone: a100")["zone"], "a100");
  EXPECT_EQ(Read("zone: infra")["zone"], "infra");
  EXPECT_SAYS(WhyNot(ParseLabelsFile("\"zone: eu")), "line 1: ");
  EXPECT_SAYS(WhyNot(ParseLabelsFile("a: b\na: c")), "line 2: the label 'a' is given twice");
  EXPECT_SAYS(WhyNot(ParseLabelsFile("80: eu")), "line 1: the name is not a text");
  EXPECT_SAYS(WhyNot(ParseLabelsFile("ray.io/zone: eu")), "set by the system");
  EXPECT_SAYS(WhyNot(ParseLabelsFile("{\"zone\": 1}")), "the value of 'zone' is not a text");
  EXPECT_SAYS(WhyNot(ParseLabelsFile(std::string(100'000, '['))), "line 1: ");
}

TEST(LabelsFile, IsReadFromAFile) {
  const std::string path = testing::TempDir() + "labels-" + std::to_string(getpid()) + ".yaml";
  std::ofstream(path) << "zone: eu\n";
  EXPECT_EQ(ReadLabelsFile(path).value(), (NodeLabels{{"zone", "eu"}}));
  std::ofstream(path) << "zone eu\n";
  EXPECT_SAYS(WhyNot(ReadLabelsFile(path)), path + ": line 1: ");
  unlink(path.c_str());
  EXPECT_SAYS(WhyNot(ReadLabelsFile(path)), path + ": No such file");
  EXPECT_SAYS(WhyNot(ReadLabelsFile(testing::TempDir())), "Is a directory");
}

}  // namespace
}  // namespace manta::bin
