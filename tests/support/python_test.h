// For tests that call Python: an interpreter with the package that was built here, and a module `mine`, which only code_search_path finds.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
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

def sleep(seconds):
    time.sleep(seconds)

def fail(why):
    raise LookupError(why)

def crash_once(path):
    if os.path.exists(path):
        return "again"
    open(path, "w").close()
    os._exit(1)

def node():
    return ray.get_runtime_context().get_node_id()

def broken_libraries():
    from manta import _libraries
    return [os.path.basename(path) for path in _libraries.failed]

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

// As long as it lives, this process and those that it starts find the interpreter and the package; the module is in a folder below `root`.
class PythonModule {
 public:
  // Not with sanitizers.
  static bool CanBeCalled() { return std::filesystem::exists(Interpreter()) && std::filesystem::exists(Package() / "manta/_manta.so"); }

  explicit PythonModule(const std::string& root) : folder_(root + "/modules") {
    setenv("PYTHONPATH", Package().c_str(), 1);
    setenv("MANTA_PYTHON", Interpreter().c_str(), 1);
    std::filesystem::create_directory(folder_);
    std::ofstream(folder_ + "/mine.py") << kPythonModule;
  }
  ~PythonModule() {
    std::filesystem::remove_all(folder_);
    unsetenv("PYTHONPATH");
    unsetenv("MANTA_PYTHON");
  }
  PythonModule(const PythonModule&) = delete;
  PythonModule& operator=(const PythonModule&) = delete;

  const std::string& folder() const { return folder_; }

 private:
  static std::filesystem::path Interpreter() { return MANTA_INCLUDE_FOLDER "/../build/python/bin/python3"; }
  static std::filesystem::path Package() {
    const char* const executable = std::getenv("MANTA_EXECUTABLE");
    return std::filesystem::path(executable != nullptr ? executable : "").parent_path().parent_path() / "python";
  }

  const std::string folder_;
};

// `Base` is a fixture. Not connected by this.
template <class Base>
class WithPython : public Base {
 protected:
  void SetUp() override {
    if (!PythonModule::CanBeCalled()) GTEST_SKIP() << "the Python package is not built here";
    module_.emplace(this->root());
    Base::SetUp();
  }
  void TearDown() override {
    if (!module_) return;
    if (manta::IsInitialized()) manta::Shutdown();
    module_.reset();
    Base::TearDown();
  }

  std::optional<PythonModule> module_;
};

}  // namespace manta_test
