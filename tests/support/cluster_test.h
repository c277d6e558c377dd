// The fixture of all tests that span processes: a place of its own for sessions, a bound on the time, and, at the end, the proof
// that nothing is left.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <vector>

#include "manta/manta.h"
#include "tests/support/processes.h"
#include "tests/support/waiting.h"

namespace manta_test {

using namespace std::chrono_literals;

// Every test starts unconnected; those that want a cluster use ConnectedTest, or call Init themselves. When it ends, the driver
// is shut down if it is not yet, and the test fails unless everything is gone: processes, shared memory, descriptors, threads,
// and all files of the sessions but their logs, flight recorders and locks.
class ClusterTest : public testing::Test {
 public:
  ClusterTest();
  ~ClusterTest() override;

  // MANTA_TMPDIR of all clusters of this test.
  const std::string& root() const { return root_; }

  // The processes of this test's clusters now.
  std::vector<Process> Processes() const { return ProcessesUnder(root_); }
  std::vector<pid_t> Pids(Role role) const { return PidsOf(OfRole(Processes(), role)); }
  // Whether nothing of a standing cluster is left but what it began with.
  bool OnlyDaemonsRun() const;
  // The only process of that role, waited for up to 5 s; 0 when there are none or several.
  pid_t ThePid(Role role) const;

  // Session directories that exist, and what is wrong with them: "" if nothing but logs, recorders and the lock is left.
  // For sessions that have ended.
  std::vector<std::string> Sessions() const;
  std::string LeftInSessions() const;
  std::string DaemonLog() const;  // of all sessions

  // Fails the test unless all processes of its clusters end within the time.
  void ExpectNoProcesses(std::chrono::milliseconds within = 5s) const;
  // The above and the rest of what has to be gone once no cluster runs.
  void ExpectNothingLeft() const;

 protected:
  void SetUp() override;
  void TearDown() override;
  // The bound on a test, 30 s unless set in its constructor or at its start; then it prints what runs, and aborts.
  void LimitTime(std::chrono::seconds limit);

 private:
  std::string root_;
  int descriptors_before_ = 0;
  int threads_before_ = 0;
};

// Connected to a cluster of its own with two CPUs.
class ConnectedTest : public ClusterTest {
 protected:
  void SetUp() override;
};

// A cluster that several drivers can join, as `manta start --head` makes it; ended at the latest when this is destroyed.
class StartedCluster {
 public:
  explicit StartedCluster(const std::string& arguments = "--num-cpus 2");
  ~StartedCluster();
  const std::string& address() const { return address_; }
  void Stop();
  // It was killed: there is nothing to be stopped.
  void Forget() { address_.clear(); }

 private:
  std::string address_;
};

// The message of the exception of type E that `call` throws. Anything else fails the test and gives "".
template <class E, class Call>
std::string MessageOf(Call&& call) {
  try {
    call();
  } catch (const E& error) {
    return error.what();
  } catch (const manta::Error& error) {
    ADD_FAILURE() << "another error than expected: kind " << error.kind() << ": " << error.what();
    return "";
  } catch (const std::exception& error) {
    ADD_FAILURE() << "another exception than expected: " << error.what();
    return "";
  }
  ADD_FAILURE() << "nothing was thrown";
  return "";
}

}  // namespace manta_test
