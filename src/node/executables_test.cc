#include "node/executables.h"

#include <gtest/gtest.h>

namespace manta::node {
namespace {

constexpr JobId kJob{7}, kOther{8};

TEST(Executables, AreOnePerJobAndEnvironment) {
  Executables executables;
  const ExecutableId own = executables.For(kJob, "").value();
  const ExecutableId red = executables.For(kJob, "red").value();
  EXPECT_EQ(own, Executables::OfJob(kJob));
  EXPECT_NE(red, own);
  EXPECT_EQ(executables.For(kJob, "red").value(), red);
  EXPECT_NE(executables.For(kJob, "blue").value(), red);
  EXPECT_NE(executables.For(kOther, "red").value(), red);
  EXPECT_FALSE(HasEnvironment(own));
  EXPECT_TRUE(HasEnvironment(red));
}

TEST(Executables, SayWhatTheyAreFor) {
  Executables executables;
  const ExecutableId red = executables.For(kJob, "red").value();
  EXPECT_EQ(executables.KindOf(red).job, kJob);
  EXPECT_EQ(executables.KindOf(red).environment, "red");
  EXPECT_EQ(executables.KindOf(Executables::OfJob(kOther)).job, kOther);
  EXPECT_EQ(executables.KindOf(Executables::OfJob(kOther)).environment, "");
}

TEST(Executables, GoWithTheirJob) {
  Executables executables;
  const ExecutableId red = executables.For(kJob, "red").value();
  EXPECT_EQ(executables.Remove(kJob), (std::vector{Executables::OfJob(kJob), red}));
  EXPECT_EQ(executables.Remove(kJob), std::vector{Executables::OfJob(kJob)});
  EXPECT_NE(executables.For(kJob, "red").value(), red) << "no number is used twice";
}

TEST(Executables, OfAJobAreNotWithoutEnd) {
  Executables executables;
  for (size_t i = 0; i < Executables::kMostOfAJob; ++i) ASSERT_TRUE(executables.For(kJob, std::to_string(i)));
  EXPECT_EQ(executables.For(kJob, "one more").error().kind, MANTA_ERROR_INVALID_ARGUMENT);
  EXPECT_TRUE(executables.For(kJob, "5"));
  EXPECT_TRUE(executables.For(kOther, "one more"));
}

}  // namespace
}  // namespace manta::node
