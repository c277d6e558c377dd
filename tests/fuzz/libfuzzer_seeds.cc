// With libFuzzer: `fuzz_<name> -write_seeds=FOLDER` writes the seeds, of which a corpus is made, and ends.
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>

#include "tests/fuzz/fuzz_target.h"

extern "C" int LLVMFuzzerInitialize(int* argc, char*** argv) {
  const std::string option = "-write_seeds=";
  for (int i = 1; i < *argc; ++i) {
    const std::string argument = (*argv)[i];
    if (argument.rfind(option, 0) != 0) continue;
    int number = 0;
    for (const std::string& seed : manta::fuzz::Seeds()) {
      std::ofstream file(argument.substr(option.size()) + "/seed-" + std::to_string(number++), std::ios::binary);
      file << seed;
      if (!file) {
        std::fprintf(stderr, "fuzz: cannot write to %s\n", argument.c_str() + option.size());
        std::exit(1);
      }
    }
    std::exit(0);
  }
  return 0;
}
