// The example that Ray ships for its C++ interface, taken from its package as it is, compiled against
// Manta's <ray/api.h> and run.
#include <stdlib.h>

#include <filesystem>

#include "tests/support/cluster_test.h"
#include "tests/support/program.h"

namespace manta_test {
namespace {

namespace fs = std::filesystem;

class RayExample : public ClusterTest {
 protected:
  RayExample() { LimitTime(110s); }

  // Whether the package's example lies in folder() now; otherwise why not.
  std::string Fetch() {
    const std::string wheels = folder() + "/wheel";
    const ProgramResult download =
        RunProgram({"/usr/bin/timeout", "60", "python3", "-m", "pip", "download", "--quiet", "--no-deps",
                    "--retries", "0", "--disable-pip-version-check", "--dest", wheels, "ray-cpp"});
    if (download.status != 0) return "ray-cpp cannot be downloaded: " + download.err;
    for (const auto& wheel : fs::directory_iterator(wheels)) {
      const ProgramResult unpack = RunProgram(
          {"/usr/bin/env", "python3", "-m", "zipfile", "--extract", wheel.path().string(), folder() + "/package"});
      if (unpack.status != 0) return "the package cannot be unpacked: " + unpack.err;
    }
    return "";
  }
  std::string folder() const { return root() + "-ray"; }
  ~RayExample() override { fs::remove_all(folder()); }
};

TEST_F(RayExample, RunsUnchanged) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "a sanitized library needs a sanitized program";
#endif
  fs::create_directory(folder());
  if (const std::string problem = Fetch(); !problem.empty()) GTEST_SKIP() << problem;
  const std::string source = folder() + "/package/ray/cpp/example/example.cc";
  ASSERT_TRUE(fs::exists(source)) << "the package has no example any more";

  const fs::path build = fs::path(getenv("MANTA_EXECUTABLE")).parent_path().parent_path();
  const std::string library = (build / "lib").string();
  const std::string program = folder() + "/example";
  const ProgramResult compiled =
      RunProgram({"/usr/bin/env", "c++", "-std=c++17", "-I", MANTA_INCLUDE_FOLDER, source, "-L", library, "-lmanta",
                  "-Wl,-rpath," + library, "-o", program});
  ASSERT_EQ(compiled.status, 0) << compiled.err;
  const ProgramResult run = RunProgram({program});
  EXPECT_EQ(run.status, 0) << run.err;
  EXPECT_EQ(run.out,
            "put_get_result = 100\ntask_result = 3\nactor_task_result = 3\nactor_task_result2 = 6\n");
  EXPECT_EQ(run.err, "");
}

}  // namespace
}  // namespace manta_test
