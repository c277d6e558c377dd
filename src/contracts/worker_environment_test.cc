#include "contracts/worker_environment.h"

#include <gtest/gtest.h>

namespace manta::contracts {
namespace {

TEST(WorkerEnvironment, IsReadAsItWasWritten) {
  for (const bool python : {false, true}) {
    for (const char* name : {"", "a name", "python"}) {
      const std::string text = WorkerEnvironment{python, name}.ToText();
      EXPECT_EQ(WorkerEnvironment::OfText(text).python, python) << text;
      EXPECT_EQ(WorkerEnvironment::OfText(text).name, name) << text;
    }
  }
}

TEST(WorkerEnvironment, OfTheJobIsEmpty) { EXPECT_EQ(WorkerEnvironment().ToText(), ""); }

}  // namespace
}  // namespace manta::contracts
