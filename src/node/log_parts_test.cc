#include "node/log_parts.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

namespace manta::node {
namespace {

using Parts = std::vector<std::pair<std::string, std::string>>;

// Parts of the same task as one.
Parts Split(LogParts* parts, const std::vector<std::string>& chunks) {
  Parts all;
  const auto show = [&](const std::string& task, std::string_view bytes) {
    if (all.empty() || all.back().first != task) all.emplace_back(task, "");
    all.back().second += bytes;
  };
  for (const std::string& chunk : chunks) parts->Split(chunk, show);
  parts->Finish(show);
  return all;
}

Parts Split(const std::vector<std::string>& chunks) {
  LogParts parts;
  return Split(&parts, chunks);
}

TEST(LogPartsTest, NamesWhoWrote) {
  EXPECT_EQ(Split({"at first\n:task_name:f\none\ntwo\n:task_name:g\nthree"}), (Parts{{"", "at first\n"}, {"f", "one\ntwo\n"}, {"g", "three"}}));
  EXPECT_EQ(Split({":task_name:f\n:task_name:g\nx\n"}), (Parts{{"g", "x\n"}}));
  EXPECT_EQ(Split({":task_name:f\nx\n:task_name:\ny\n"}), (Parts{{"f", "x\n"}, {"", "y\n"}}));
}

TEST(LogPartsTest, AnActorNamesItself) {
  LogParts parts;
  EXPECT_EQ(Split(&parts, {"at first\n:actor_na", "me:Replica(index=1)\none\n:actor_name:"}), (Parts{{"", "at first\none\n:actor_name:"}}));
  EXPECT_EQ(parts.actor(), "Replica(index=1)");
}

TEST(LogPartsTest, OnlyWholeLinesAreMarks) {
  for (const std::string& text : std::vector<std::string>{"a :task_name:f\n", ":task_nam\n", ":task_name", ":", "\n\n", "::task_name:f\n",
                                 ":task_name:" + std::string(LogParts::kLongestName + 1, 'x') + "\n"}) {
    EXPECT_EQ(Split({text}), (Parts{{"", text}})) << text;
  }
}

TEST(LogPartsTest, WhereverTheBytesAreCut) {
  const std::string text = "one\n:task_name:f\n:two\n\n:task\n:actor_name:a\nthree\n:task_name:g\nfour\n:task_name:h\n";
  const Parts expected = Split({text});
  ASSERT_EQ(expected, (Parts{{"", "one\n"}, {"f", ":two\n\n:task\nthree\n"}, {"g", "four\n"}}));
  std::mt19937 random(1);
  for (int round = 0; round < 2'000; ++round) {
    std::vector<std::string> chunks;
    for (size_t at = 0; at < text.size();) {
      chunks.push_back(text.substr(at, 1 + random() % (round % 20 + 1)));
      at += chunks.back().size();
    }
    ASSERT_EQ(Split(chunks), expected);
  }
}

}  // namespace
}  // namespace manta::node
