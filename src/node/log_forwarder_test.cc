#include "node/log_forwarder.h"

#include <gtest/gtest.h>

namespace manta::node {
namespace {

const LogSource kFirst{ProcessId{1}, false, 101, "first"};
const LogSource kSecond{ProcessId{2}, false, 102, "second"};
constexpr int64_t kSecondNs = 1'000'000'000;

LogForwarder::Options Small() {
  LogForwarder::Options options;
  options.lines_per_second = 2;
  options.burst = 4;
  options.longest_line = 10;
  return options;
}

TEST(LogForwarderTest, ShowsWholeLinesOnly) {
  LogForwarder forwarder({});
  EXPECT_EQ(forwarder.Add(0, kFirst, "one\ntw"), "one\n");
  EXPECT_EQ(forwarder.Add(1, kFirst, "o"), "");
  EXPECT_EQ(forwarder.Add(2, kFirst, "\n\nthree\n"), "two\n\nthree\n");
}

TEST(LogForwarderTest, ShowsTheRestAtTheEnd) {
  LogForwarder forwarder({});
  EXPECT_EQ(forwarder.Add(0, kFirst, "terminate called"), "");
  EXPECT_EQ(forwarder.Finish(1, kFirst), "terminate called\n");
  EXPECT_EQ(forwarder.Finish(2, kFirst), "");
}

TEST(LogForwarderTest, CutsLongLines) {
  LogForwarder forwarder(Small());
  EXPECT_EQ(forwarder.Add(0, kFirst, "0123456789abcdefghij\n"), "0123456789\nabcdefghij\n");
  EXPECT_EQ(forwarder.Add(0, kSecond, "xxxx"), "");
  EXPECT_EQ(forwarder.Add(0, kSecond, "yyyyyyyyy"), "xxxxyyyyyy\n");
  EXPECT_EQ(forwarder.Finish(0, kSecond), "yyy\n");
}

TEST(LogForwarderTest, SaysOnceWhatSeveralSay) {
  LogForwarder forwarder({});
  EXPECT_EQ(forwarder.Add(0, kFirst, "loaded 17 rows\n"), "loaded 17 rows\n");
  EXPECT_EQ(forwarder.Add(1, kSecond, "loaded 1234 rows\n"), "");
  EXPECT_EQ(forwarder.Add(2, kFirst, "loaded 3 rows\n"), "");
  EXPECT_EQ(forwarder.NextDeadline(), 5 * kSecondNs);
  EXPECT_TRUE(forwarder.Expire(4 * kSecondNs).empty());
  const auto due = forwarder.Expire(5 * kSecondNs);
  ASSERT_EQ(due.size(), 1u);
  EXPECT_EQ(due[0].lines, "loaded 3 rows [repeated 2x across workers]\n");
  EXPECT_EQ(due[0].source, kFirst);
  EXPECT_EQ(forwarder.NextDeadline(), INT64_MAX);
  EXPECT_EQ(forwarder.Add(6 * kSecondNs, kSecond, "loaded 5 rows\n"), "loaded 5 rows\n");
}

TEST(LogForwarderTest, RepetitionsThatWereNotToldYetStayCounted) {
  LogForwarder forwarder({});
  forwarder.Add(0, kFirst, "ready\n");
  EXPECT_EQ(forwarder.Add(1, kSecond, "ready\n"), "");
  // The window is over, but nobody has called Expire yet.
  EXPECT_EQ(forwarder.Add(6 * kSecondNs, kSecond, "ready\n"), "");
  const auto due = forwarder.Expire(6 * kSecondNs);
  ASSERT_EQ(due.size(), 1u);
  EXPECT_EQ(due[0].lines, "ready [repeated 2x across workers]\n");
}

TEST(LogForwarderTest, ASummaryNamesWhoSpokeLast) {
  LogForwarder forwarder({});
  forwarder.Add(0, kFirst, "ready\n");
  forwarder.Add(1, kSecond, "ready\n");
  forwarder.Finish(2, kSecond);
  const auto due = forwarder.Expire(5 * kSecondNs);
  ASSERT_EQ(due.size(), 1u);
  EXPECT_EQ(due[0].source.pid, 102);
  EXPECT_EQ(due[0].source.name, "second");
}

// In letters: numbers would make them the same.
std::string Word(int number) {
  std::string word;
  for (; number > 0; number /= 26) word += static_cast<char>('a' + number % 26);
  return "word " + word;
}

TEST(LogForwarderTest, ManyDifferentLinesAreForgottenInTime) {
  LogForwarder forwarder({});
  for (int i = 0; i < 20'000; ++i) forwarder.Add(i, {ProcessId{1'000 + static_cast<uint64_t>(i) / 1'000}}, Word(i) + "\n");
  EXPECT_EQ(forwarder.Add(6 * kSecondNs, kFirst, "ready\n"), "ready\n");
  EXPECT_EQ(forwarder.Add(6 * kSecondNs, kSecond, "ready\n"), "") << "said before";
}

TEST(LogForwarderTest, OneMayRepeatItself) {
  LogForwarder forwarder({});
  EXPECT_EQ(forwarder.Add(0, kFirst, "step 1\nstep 2\nstep 3\n"), "step 1\nstep 2\nstep 3\n");
  EXPECT_EQ(forwarder.NextDeadline(), INT64_MAX);
}

TEST(LogForwarderTest, ShowsEachStepOfEachBar) {
  LogForwarder forwarder({});
  EXPECT_EQ(forwarder.Add(0, kFirst, "\x1etask 1: 50%\n"), "task 1: 50%\n");
  EXPECT_EQ(forwarder.Add(0, kSecond, "\x1etask 2: 50%\n\x1etask 2: 60%\n"), "task 2: 50%\ntask 2: 60%\n");
  EXPECT_EQ(forwarder.NextDeadline(), INT64_MAX);
}

TEST(LogForwarderTest, RepeatsEverythingIfAskedTo) {
  LogForwarder::Options options;
  options.deduplicate = false;
  LogForwarder forwarder(options);
  EXPECT_EQ(forwarder.Add(0, kFirst, "a\n"), "a\n");
  EXPECT_EQ(forwarder.Add(0, kSecond, "a\n"), "a\n");
}

TEST(LogForwarderTest, AnOldLineIsNewAgain) {
  LogForwarder forwarder({});
  EXPECT_EQ(forwarder.Add(0, kFirst, "a\n"), "a\n");
  EXPECT_EQ(forwarder.Add(6 * kSecondNs, kSecond, "a\n"), "a\n");
}

TEST(LogForwarderTest, CutsAFloodShortAndSaysSo) {
  LogForwarder forwarder(Small());
  EXPECT_EQ(forwarder.Add(0, kFirst, "a\nb\nc\nd\ne\nf\n"), "a\nb\nc\nd\n");
  EXPECT_EQ(forwarder.Add(0, kSecond, "g\n"), "g\n");  // another's allowance is its own
  EXPECT_EQ(forwarder.NextDeadline(), kSecondNs);
  const auto due = forwarder.Expire(kSecondNs);
  ASSERT_EQ(due.size(), 1u);
  EXPECT_EQ(due[0].source, kFirst);
  EXPECT_EQ(due[0].lines, "[2 lines more went to its log only, which keeps the latest: too much output at once]\n");
  // Two a second come back.
  EXPECT_EQ(forwarder.Add(kSecondNs, kFirst, "h\ni\nj\n"), "h\ni\n");
}

TEST(LogForwarderTest, TheNextLineThatFitsSaysWhatIsMissing) {
  LogForwarder forwarder(Small());
  forwarder.Add(0, kFirst, "a\nb\nc\nd\ne\n");
  EXPECT_EQ(forwarder.Add(kSecondNs / 2, kFirst, "f\n"),
            "[1 lines more went to its log only, which keeps the latest: too much output at once]\nf\n");
}

TEST(LogForwarderTest, CountsWhatWasNotRead) {
  LogForwarder forwarder({});
  forwarder.Add(0, kFirst, "half a li");
  forwarder.Skipped(0, kFirst, 5000);
  EXPECT_EQ(forwarder.Add(0, kFirst, "x\n"),
            "[5000 bytes more went to its log only, which keeps the latest: too much output at once]\nx\n");
}

TEST(LogForwarderTest, FinishTellsWhatIsMissing) {
  LogForwarder forwarder(Small());
  forwarder.Add(0, kFirst, "a\nb\nc\nd\ne\n");
  EXPECT_EQ(forwarder.Finish(0, kFirst),
            "[1 lines more went to its log only, which keeps the latest: too much output at once]\n");
}

}  // namespace
}  // namespace manta::node
