// What people see: progress while the work goes on, figures at its end, and errors.
#pragma once

#include <chrono>
#include <cstdint>
#include <stdexcept>
#include <string>

#include "map.h"

namespace code_search {

// Something that the user can mend. The message is all that is shown.
class UserError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

class Stopwatch {
 public:
  double seconds() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

// Shows on stderr how far the work is: a bar on a terminal, else a line every few seconds.
class Progress {
 public:
  Progress();
  ~Progress();  // leaves an empty line behind
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  // `total_is_final`: whether all files have been found, so that the end is known. Cheap: shows
  // something only now and then.
  void Update(uint64_t done_bytes, uint64_t total_bytes, bool total_is_final);

 private:
  void Show(uint64_t done_bytes, uint64_t total_bytes, bool total_is_final);

  const bool on_terminal_;
  Stopwatch clock_;
  double next_time_;
  bool anything_shown_ = false;
};

// The figures, on stdout.
void PrintFigures(const Totals& totals, uint64_t distinct_words, double seconds);

// 1234567 as "1,234,567".
std::string WithCommas(uint64_t number);
std::string Plural(uint64_t number, const char* singular, const char* plural);

}  // namespace code_search
