// The fixture of tests that call Python: an interpreter with the package that was built here, and a module `mine`.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "tests/support/cluster_test.h"

namespace manta_test {

inline constexpr const char* kPythonModule = R"(
import asyncio, os, time
import manta as ray

def same(*values):
    return values[0] if len(values) == 1 else list(values)

def kinds(*values):
    return [type(value).__name__ for value in values]

@ray.remote(num_cpus=1)
def decorated(x):
    return x + 1

class Shapes:
    @staticmethod
    def area(size):
        return size[0] * size[1]

def nothing():
    pass

def fail(why):
    raise LookupError(why)

def crash_once(path):
    if os.path.exists(path):
        return "again"
    open(path, "w").close()
    os._exit(1)

def with_tasks(n):
    return sum(ray.get([decorated.remote(i) for i in range(n)]))

text = "no function"

class Counter:
    def __init__(self, start=0):
        if start < 0:
            raise ValueError("negative")
        self.value = start

    def add(self, x):
        self.value += x
        return self.value

    def pid(self):
        return os.getpid()

@ray.remote(max_restarts=3)
class Decorated(Counter):
    pass

class Gate:
    def __init__(self):
        self.event = asyncio.Event()

    async def wait(self, x):
        await self.event.wait()
        return x

    async def open(self):
        self.event.set()
)";

// Skipped where the Python package is not built, as with sanitizers. Only code_search_path finds the module. Not connected.
class PythonTest : public ClusterTest {
 protected:
  void SetUp() override {
    namespace fs = std::filesystem;
    const char* const executable = std::getenv("MANTA_EXECUTABLE");
    ASSERT_NE(executable, nullptr) << "MANTA_EXECUTABLE is not set";
    const fs::path package = fs::path(executable).parent_path().parent_path() / "python";
    const std::string python = MANTA_INCLUDE_FOLDER "/../build/python/bin/python3";
    if (!fs::exists(python) || !fs::exists(package / "manta/_manta.so")) GTEST_SKIP() << "the Python package is not built here";
    ClusterTest::SetUp();
    setenv("PYTHONPATH", package.c_str(), 1);
    setenv("MANTA_PYTHON", python.c_str(), 1);
    modules_ = root() + "/modules";
    fs::create_directory(modules_);
    std::ofstream(modules_ + "/mine.py") << kPythonModule;
  }
  void TearDown() override {
    if (IsSkipped()) return;
    if (manta::IsInitialized()) manta::Shutdown();
    std::filesystem::remove_all(modules_);
    ClusterTest::TearDown();
    unsetenv("PYTHONPATH");
    unsetenv("MANTA_PYTHON");
  }

  // The folder of the module.
  std::string modules_;
};

}  // namespace manta_test
