// Descriptions of archives, as a worker that runs Python takes them from a caller in C++. Input: the text.
#include "bindings/python/archive_schema.h"

#include <map>
#include <optional>
#include <variant>

#include "manta/detail/schema.h"
#include "tests/fuzz/fuzz_target.h"

namespace {

struct Size {
  int8_t width;
  double height;
};
struct Person {
  std::string name;
  std::optional<std::vector<Size>> sizes;
};

}  // namespace

namespace manta::fuzz {

std::vector<std::string> Seeds() {
  return {detail::SchemaOf<std::map<std::string, Person>>(), detail::SchemaOf<std::vector<uint8_t>>(),
          detail::SchemaOf<Array<float>>(), detail::SchemaOf<std::tuple<int[3], std::vector<bool>, bool>>(),
          detail::SchemaOf<std::variant<int, double>>(), ""};
}

}  // namespace manta::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using manta::fuzz::Require;
  const manta::fuzz::Exact input({reinterpret_cast<const char*>(data), size});
  std::string_view rest(reinterpret_cast<const char*>(input.data()), input.size());
  if (!manta::python::CanBeFollowed(rest)) return 0;
  while (!rest.empty()) {
    constexpr size_t kMost = size_t{1} << 40;
    Require(manta::python::MemorySize(rest) <= kMost, "what is as in memory has a size that can be");
    const size_t before = rest.size();
    manta::python::SkipDescription(&rest);
    Require(rest.size() < before, "each description takes something");
  }
  return 0;
}
