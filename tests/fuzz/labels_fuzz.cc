// Labels of a node, as `manta start` is given them. Input: the text of --labels, or of the file that --labels-file names.
#include "bin/labels_file.h"

#include "tests/fuzz/fuzz_target.h"

namespace manta::fuzz {

std::vector<std::string> Seeds() {
  return {"zone=eu,arch=x86", "\"zone=eu\"", "---\nzone: eu  # here\n\"example.com/gpu\": 'A100'\n", "port: \"80\"\nport: 80\n",
          "{\"zone\": \"eu\"}", ""};
}

}  // namespace manta::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using manta::fuzz::Require;
  const manta::fuzz::Exact input({reinterpret_cast<const char*>(data), size});
  const std::string_view text(reinterpret_cast<const char*>(input.data()), input.size());
  for (const auto parse : {manta::bin::ParseLabels, manta::bin::ParseLabelsFile}) {
    auto labels = parse(text);
    if (!labels) {
      Require(!labels.error().message.empty(), "what is refused is explained");
      continue;
    }
    Require(labels->size() <= manta::model::kMostLabels, "a node has so many labels at most");
    for (const auto& [name, value] : *labels) Require(static_cast<bool>(manta::model::CheckUsersLabel(name, value)), "labels are checked");
  }
  return 0;
}
