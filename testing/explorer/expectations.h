// What tests expect of explorations, with their size in the test's output.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <iostream>
#include <string>

#include "testing/explorer/explorer.h"

namespace manta::explorer {

// All executions of the scenario are well.
inline void ExpectHolds(const std::string& name, const Options& options,
                        const std::function<void(Execution&)>& scenario) {
  const Outcome outcome = Explore(options, scenario);
  std::cout << "  " << name << (options.model == MemoryModel::kWeak ? ", weak" : ", sequential")
            << (options.crashes ? ", crashes: " : ": ") << outcome.Summary() << "\n";
  EXPECT_TRUE(outcome.ok()) << name << ": " << outcome.Report();
}

// In both memory models, with crashes and without.
inline void ExpectHoldsInAllModes(const std::string& name,
                                  const std::function<void(Execution&)>& scenario) {
  for (const MemoryModel model : {MemoryModel::kSequential, MemoryModel::kWeak}) {
    for (const bool crashes : {false, true}) {
      ExpectHolds(name, {.model = model, .crashes = crashes}, scenario);
    }
  }
}

// Some execution violates, and what is reported contains `part`.
inline void ExpectViolation(const std::string& name, const Options& options,
                            const std::function<void(Execution&)>& scenario,
                            const std::string& part) {
  const Outcome outcome = Explore(options, scenario);
  ASSERT_FALSE(outcome.ok()) << name << " was not noticed: " << outcome.Summary();
  std::cout << "  " << name << ": caught after " << outcome.Summary() << "\n";
  EXPECT_NE(outcome.violation->find(part), std::string::npos)
      << name << " was noticed for another reason: " << outcome.Report();
}

}  // namespace manta::explorer
