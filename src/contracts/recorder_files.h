// Where the flight recorders of a session are, and the names of what they mention.
//
//   <session>/recorder/                  0700
//     process-<serial>.rec               a process's events (shm/flight_recorder.h); of a worker: of the thread that executes
//     process-<serial>-threads.rec       a worker's other threads
//     names                              text, one entry per line; every process appends what is not there yet
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "manta/manta_c.h"

namespace manta::contracts {

inline constexpr uint64_t kMaxNamesBytes = 1 << 20;  // of the whole file: what comes later has no name
inline constexpr size_t kMaxNameBytes = 1024;        // of one entry's text

enum class RecorderThreads { kExecuting, kOthers };

std::string RecorderDirectory(const std::string& session);
std::string RecorderFile(const std::string& session, ProcessId process, RecorderThreads threads);
// All that look like recordings, sorted. Error SYSTEM when the directory cannot be read.
Result<std::vector<std::string>> FindRecorderFiles(const std::string& session);

struct RecorderNames {
  struct Function {
    uint32_t key = 0;  // shm::FunctionKey
    manta_function_id id{};
    std::string type;  // as the compiler writes it; "": only executed there
  };
  struct Module {
    uint32_t hash = 0;     // as in ids of functions
    std::string build_id;  // hex, "" for none
    std::string path;
  };
  struct Program {
    uint32_t key = 0;  // the subject of a driver's recording
    std::string path;
  };
  std::vector<Function> functions;
  std::vector<Module> modules;
  std::vector<Program> programs;
};

// Lines that are damaged are left out.
RecorderNames ParseRecorderNames(std::string_view text);
// No file, no names.
RecorderNames ReadRecorderNames(const std::string& session);

// One process's way of adding names. Holds no descriptor. One thread at a time.
class RecorderNamesWriter {
 public:
  explicit RecorderNamesWriter(const std::string& session);

  // Nothing happens if the entry is there already, or the file is full. Errors are those of the file.
  Result<> Add(const RecorderNames::Function& function);
  Result<> Add(const RecorderNames::Module& module);
  Result<> Add(const RecorderNames::Program& program);

 private:
  Result<> AddLine(const std::string& head, std::string line);

  const std::string path_;
  std::string known_;  // what the file contained, and what was added
  bool has_read_ = false;
};

}  // namespace manta::contracts
