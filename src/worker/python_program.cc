#include "worker/python_program.h"

#include <unistd.h>

#include <cstdlib>
#include <sstream>

namespace manta::worker {
namespace {

// Arguments behind it are the folders. The interpreter has put its own folder in front, that of the program: the driver's working directory.
constexpr const char* kMain =
    "import sys; sys.path[1:1] = sys.argv[1:]; from manta import _worker; _worker.main_for_other_language()";

std::string InPath(const std::string& name) {
  if (name.find('/') != std::string::npos) return access(name.c_str(), X_OK) == 0 ? name : "";
  const char* const path = std::getenv("PATH");
  std::istringstream folders(path != nullptr ? path : "/usr/local/bin:/usr/bin:/bin");
  for (std::string folder; std::getline(folders, folder, ':');) {
    const std::string candidate = (folder.empty() ? "." : folder) + "/" + name;
    if (access(candidate.c_str(), X_OK) == 0) return candidate;
  }
  return "";
}

}  // namespace

std::vector<std::string> PythonProgram(const char* python, std::span<const char* const> path) {
  if (python == nullptr) python = std::getenv("MANTA_PYTHON");
  const std::string program = InPath(python != nullptr && *python != '\0' ? python : "python3");
  if (program.empty()) return {};
  std::vector<std::string> arguments{program, "-c", kMain};
  arguments.insert(arguments.end(), path.begin(), path.end());
  return arguments;
}

}  // namespace manta::worker
