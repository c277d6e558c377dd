#include "worker/python_program.h"

#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <sstream>

namespace manta::worker {
namespace {

// Arguments behind it are the code search path. What stands in front is the driver's working directory.
constexpr const char* kMain =
    "import sys; sys.path[1:1] = sys.argv[1:]; from manta import _worker; _worker.main_for_other_language(sys.argv[1:])";

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

std::vector<std::string> PythonProgram(const char* python, const std::vector<std::string>& path) {
  if (python == nullptr) python = std::getenv("MANTA_PYTHON");
  const std::string program = InPath(python != nullptr && *python != '\0' ? python : "python3");
  if (program.empty()) return {};
  std::vector<std::string> arguments{program, "-c", kMain};
  arguments.insert(arguments.end(), path.begin(), path.end());
  return arguments;
}

Result<std::vector<std::string>> CodeSearchPath(std::span<const char* const> path) {
  std::vector<std::string> absolute;
  for (const char* const place : path) {
    const std::unique_ptr<char, void (*)(void*)> resolved(realpath(place, nullptr), std::free);
    if (resolved == nullptr) {
      return MakeError(MANTA_ERROR_INVALID_ARGUMENT, "code_search_path: there is no " + std::string(place) + ": " + std::strerror(errno));
    }
    absolute.emplace_back(resolved.get());
  }
  return absolute;
}

}  // namespace manta::worker
