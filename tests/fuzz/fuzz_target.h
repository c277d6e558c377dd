// What a fuzz target is: tests/fuzz/<name>_fuzz.cc defines the two functions below. It becomes the program fuzz_<name>, with
// libFuzzer where that is (the preset `fuzz`), else with the driver beside this file (fuzz_driver.cc); `./dev fuzz` runs it for as
// long as asked for, and CTest a fixed number of inputs (fuzz.<name>).
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

// Does what a program does with bytes that somebody else wrote. Whatever they are: no memory error, no undefined behaviour, no
// abort, no leak, memory in proportion to the input. What it says about them, it must say each time. Returns 0.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace manta::fuzz {

// Some valid inputs, as the code under test itself writes them: what mutations start from.
std::vector<std::string> Seeds();

// Ends the program: the code under test broke a promise that no sanitizer sees.
[[noreturn]] void Broken(const char* promise);
inline void Require(bool kept, const char* promise) {
  if (!kept) Broken(promise);
}

// A copy of the bytes that ends where its memory ends, so that the sanitizer sees each byte read beyond.
class Exact {
 public:
  explicit Exact(std::string_view bytes) : size_(bytes.size()), bytes_(new uint8_t[size_]) {
    if (size_ > 0) std::memcpy(bytes_.get(), bytes.data(), size_);
  }
  uint8_t* data() const { return bytes_.get(); }
  size_t size() const { return size_; }

 private:
  size_t size_;
  std::unique_ptr<uint8_t[]> bytes_;
};

// Takes an input apart: numbers from its front, then the rest. What is not there reads as zero.
class Input {
 public:
  Input(const uint8_t* data, size_t size) : rest_(reinterpret_cast<const char*>(data), size) {}

  template <class Number>
  Number Take() {
    Number number{};
    const size_t size = std::min(sizeof number, rest_.size());
    std::memcpy(&number, rest_.data(), size);
    rest_.remove_prefix(size);
    return number;
  }
  std::string_view Take(size_t size) {
    const std::string_view taken = rest_.substr(0, size);
    rest_.remove_prefix(taken.size());
    return taken;
  }
  std::string_view rest() const { return rest_; }
  bool empty() const { return rest_.empty(); }

 private:
  std::string_view rest_;
};

// The front that Input takes off again.
template <class Number>
std::string Bytes(const Number& number) {
  return {reinterpret_cast<const char*>(&number), sizeof number};
}

}  // namespace manta::fuzz
