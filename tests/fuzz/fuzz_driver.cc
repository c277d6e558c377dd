// Runs a fuzz target without libFuzzer: inputs are mutations of its seeds, in a sequence that the seed of the random numbers
// decides. Without feedback from coverage, so a fuzzer finds more; but it needs nothing but GCC, and in CI the same inputs come
// each time. Options and files as with libFuzzer, of which it knows:
//
//   -runs=N             so many inputs (default: 10000)
//   -max_total_time=S   or so many seconds, whichever is over first
//   -seed=N             0: another one each time (it is printed)
//   -max_len=N          bytes of an input (default: 4096)
//   -artifact_prefix=P  the input at which it ends is written to P + "crash"
//   FILE...             just these inputs
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

#include "tests/fuzz/fuzz_target.h"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/common_interface_defs.h>

// The other sanitizer has no callback of its own, but may end as an assertion does.
extern "C" __attribute__((visibility("default"))) const char* __ubsan_default_options() {
  return "print_stacktrace=1:halt_on_error=1:abort_on_error=1";
}
#endif

namespace {

struct Options {
  uint64_t runs = 10'000;
  uint64_t seconds = 0;
  uint64_t seed = 1;
  size_t max_len = 4096;
  std::string artifact_prefix = "./";
  std::vector<std::string> files;
};

// ---- The input that is being tried, for whoever ends the program

std::string current_input;
std::string artifact;

// Async-signal-safe: the heap may be broken.
void KeepInput() {
  const int file = open(artifact.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (file < 0) return;
  const char* at = current_input.data();
  for (size_t left = current_input.size(); left > 0;) {
    const ssize_t written = write(file, at, left);
    if (written <= 0) break;
    at += written;
    left -= static_cast<size_t>(written);
  }
  close(file);
  for (const std::string& part : {std::string("fuzz: the input is in "), artifact, std::string("\n")}) {
    if (write(STDERR_FILENO, part.data(), part.size()) < 0) return;
  }
}

void OnSignal(int number) {
  KeepInput();
  signal(number, SIG_DFL);
  raise(number);
}

void KeepInputWhateverHappens(const std::string& prefix) {
  artifact = prefix + "crash";
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_set_death_callback(KeepInput);
  signal(SIGABRT, OnSignal);
#else
  for (int number : {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL}) signal(number, OnSignal);
#endif
  signal(SIGALRM, OnSignal);
}

void Try(std::string input) {
  current_input = std::move(input);
  alarm(60);  // it hangs
  LLVMFuzzerTestOneInput(reinterpret_cast<const uint8_t*>(current_input.data()), current_input.size());
}

// ---- Mutations

class Mutator {
 public:
  Mutator(uint64_t seed, size_t max_len, std::vector<std::string> seeds)
      : random_(seed), max_len_(max_len), seeds_(std::move(seeds)) {
    if (seeds_.empty()) seeds_.emplace_back();
  }

  std::string Next() {
    if (Below(50) == 0) return Garbage();
    std::string input = seeds_[Below(seeds_.size())];
    // Mostly few changes: more of them seldom get far into the code.
    for (size_t left = size_t{1} << Below(4); left > 0; --left) Change(&input);
    if (input.size() > max_len_) input.resize(max_len_);
    return input;
  }

 private:
  size_t Below(size_t limit) { return limit == 0 ? 0 : random_() % limit; }

  char Byte() {
    static constexpr unsigned char kEdges[] = {0, 1, 2, 4, 8, 16, 64, 127, 128, 253, 254, 255};
    return static_cast<char>(Below(2) == 0 ? kEdges[Below(sizeof kEdges)] : random_());
  }

  // A number such as sizes and offsets are wrong by.
  uint64_t Number(const std::string& input) {
    static constexpr uint64_t kEdges[] = {
        0, 1, 0x7f, 0xff, 0x7fff, 0xffff, 0x7fff'ffff, 0x8000'0000, 0xffff'fff0, 0xffff'ffff,
        uint64_t{1} << 32, ~uint64_t{0} >> 1, uint64_t{1} << 63, ~uint64_t{0} - 7, ~uint64_t{0}};
    switch (Below(4)) {
      case 0: return kEdges[Below(std::size(kEdges))];
      case 1: return input.size() + Below(17) - 8;
      case 2: return uint64_t{1} << Below(64);
      default: return random_() >> Below(64);
    }
  }

  std::string Garbage() {
    std::string bytes(Below(std::min<size_t>(max_len_, 400)), '\0');
    for (char& byte : bytes) byte = Byte();
    return bytes;
  }

  void Change(std::string* input) {
    const size_t at = Below(input->size() + 1);
    const size_t length = 1 + Below(9);
    switch (Below(9)) {
      case 0:
        input->resize(at);
        break;
      case 1:
        input->insert(at, length, Byte());
        break;
      case 2:
        input->erase(at, length);
        break;
      case 3: {  // a part twice
        const std::string part = input->substr(at, 1 + Below(64));
        input->insert(Below(input->size() + 1), part);
        break;
      }
      case 4: {  // the front of one and the back of another
        const std::string& other = seeds_[Below(seeds_.size())];
        *input = input->substr(0, at) + other.substr(Below(other.size() + 1));
        break;
      }
      case 5:
      case 6: {
        const uint64_t number = Number(*input);
        const size_t bytes = size_t{1} << Below(4);
        // Numbers mostly stand at multiples of their size.
        const size_t place = Below(3) == 0 ? at : at / bytes * bytes;
        if (place + bytes <= input->size()) std::memcpy(input->data() + place, &number, bytes);
        break;
      }
      case 7:
        if (at < input->size()) (*input)[at] = static_cast<char>((*input)[at] ^ 1 << Below(8));
        break;
      default:
        if (at < input->size()) (*input)[at] = Byte();
    }
  }

  std::mt19937_64 random_;
  const size_t max_len_;
  std::vector<std::string> seeds_;
};

bool Parse(int argc, char** argv, Options* options) {
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    const size_t equals = argument.find('=');
    const std::string value = equals == std::string::npos ? "" : argument.substr(equals + 1);
    const std::string name = argument.substr(0, equals);
    if (argument[0] != '-') options->files.push_back(argument);
    else if (name == "-runs") options->runs = std::strtoull(value.c_str(), nullptr, 10);
    else if (name == "-max_total_time") options->seconds = std::strtoull(value.c_str(), nullptr, 10);
    else if (name == "-seed") options->seed = std::strtoull(value.c_str(), nullptr, 10);
    else if (name == "-max_len") options->max_len = std::strtoull(value.c_str(), nullptr, 10);
    else if (name == "-artifact_prefix") options->artifact_prefix = value;
    else return false;
  }
  if (options->seconds > 0 && options->runs == Options().runs) options->runs = UINT64_MAX;
  if (options->seed == 0) options->seed = std::random_device()();
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  if (!Parse(argc, argv, &options)) {
    std::fprintf(stderr, "usage: %s [-runs=N] [-max_total_time=S] [-seed=N] [-max_len=N] "
                         "[-artifact_prefix=P] [FILE...]\n", argv[0]);
    return 2;
  }
  KeepInputWhateverHappens(options.artifact_prefix);
  if (!options.files.empty()) {
    for (const std::string& path : options.files) {
      std::ifstream file(path, std::ios::binary);
      if (!file) {
        std::fprintf(stderr, "fuzz: cannot read %s\n", path.c_str());
        return 2;
      }
      Try({std::istreambuf_iterator<char>(file), {}});
    }
    std::printf("fuzz: %zu files, nothing found\n", options.files.size());
    return 0;
  }
  const std::vector<std::string> seeds = manta::fuzz::Seeds();
  std::fprintf(stderr, "fuzz: %zu seed inputs, -seed=%llu\n", seeds.size(),
               static_cast<unsigned long long>(options.seed));
  for (const std::string& seed : seeds) Try(seed);
  Mutator mutator(options.seed, options.max_len, seeds);
  const time_t end = time(nullptr) + static_cast<time_t>(options.seconds);
  uint64_t runs = 0;
  while (runs < options.runs && (options.seconds == 0 || time(nullptr) < end)) {
    Try(mutator.Next());
    ++runs;
  }
  std::printf("fuzz: %llu inputs, nothing found\n", static_cast<unsigned long long>(runs));
  return 0;
}
