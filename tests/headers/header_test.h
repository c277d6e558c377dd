// What the tests of the headers share: a runtime that is there, and nothing that is left behind.
#pragma once

#include <gtest/gtest.h>

#include <string>

#include "manta/manta.h"
#include "tests/headers/fake_manta_c.h"

// Connected to the fake; checks that each test gives back all references.
class HeaderTest : public testing::Test {
 protected:
  HeaderTest() { manta::Init(); }
  ~HeaderTest() override {
    EXPECT_EQ(manta_fake::LiveObjects(), 0u);
    EXPECT_EQ(manta_fake::LiveActors(), 0u);
    manta::Shutdown();
    manta_fake::Reset();
  }
};

// The what() of the exception of type E that `function` throws; fails if it throws none.
template <class E, class Function>
std::string MessageOf(Function&& function) {
  try {
    function();
  } catch (const E& error) {
    return error.what();
  }
  ADD_FAILURE() << "nothing was thrown";
  return "";
}

inline testing::AssertionResult Contains(const std::string& text, const std::string& part) {
  if (text.find(part) != std::string::npos) return testing::AssertionSuccess();
  return testing::AssertionFailure() << "no \"" << part << "\" in \"" << text << "\"";
}
