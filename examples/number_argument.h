// The one argument of an example: a number within bounds.
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <stdexcept>
#include <string>

// `fallback` when there is no argument. Ends the program with a usage line for anything but a number from `least` to `most`.
inline int64_t NumberArgument(int argc, char** argv, const char* what, int64_t fallback, int64_t least, int64_t most) {
  if (argc < 2) return fallback;
  try {
    const std::string text = argv[1];
    size_t read = 0;
    const int64_t number = std::stoll(text, &read);
    if (argc == 2 && read == text.size() && number >= least && number <= most) return number;
  } catch (const std::logic_error&) {  // no number, or none that fits
  }
  const char* const slash = std::strrchr(argv[0], '/');
  std::fprintf(stderr, "usage: %s [%s], a number from %lld to %lld (default: %lld)\n", slash != nullptr ? slash + 1 : argv[0], what,
               static_cast<long long>(least), static_cast<long long>(most), static_cast<long long>(fallback));
  std::exit(2);
}
