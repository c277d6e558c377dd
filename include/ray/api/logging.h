// RAYLOG(INFO) << "text": a line on the standard error output, which workers forward to the driver.
// Lines below the level that RAY_BACKEND_LOG_LEVEL names (debug, info, warning, error, fatal;
// default info) are left out; FATAL aborts.
#pragma once

#include <cstdlib>
#include <iostream>
#include <sstream>
#include <string>

namespace ray {

enum class RayLoggerLevel { DEBUG = -1, INFO = 0, WARNING = 1, ERROR = 2, FATAL = 3 };

inline bool IsLevelEnabled(RayLoggerLevel level) {
  const char* name = std::getenv("RAY_BACKEND_LOG_LEVEL");
  const std::string least = name != nullptr ? name : "info";
  const int limit = least == "debug"     ? -1
                    : least == "warning" ? 1
                    : least == "error"   ? 2
                    : least == "fatal"   ? 3
                                         : 0;
  return static_cast<int>(level) >= limit;
}

// One line, written when it is destroyed.
class RayLogger {
 public:
  RayLogger(const char* file, int line, RayLoggerLevel level) : level_(level) {
    static const char* const kNames[] = {"DEBUG", "INFO", "WARNING", "ERROR", "FATAL"};
    text_ << "[" << file << ":" << line << "] " << kNames[static_cast<int>(level) + 1] << ": ";
  }
  ~RayLogger() {
    text_ << "\n";
    std::cerr << text_.str() << std::flush;
    if (level_ == RayLoggerLevel::FATAL) std::abort();
  }
  template <class T>
  RayLogger& operator<<(const T& value) {
    text_ << value;
    return *this;
  }

 private:
  RayLoggerLevel level_;
  std::ostringstream text_;
};

}  // namespace ray

#define RAYLOG(level)                                  \
  if (!ray::IsLevelEnabled(ray::RayLoggerLevel::level)) { \
  } else                                               \
    ray::RayLogger(__FILE__, __LINE__, ray::RayLoggerLevel::level)
