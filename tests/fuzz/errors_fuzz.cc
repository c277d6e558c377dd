// An Error that arrived in a completion, a dependency or a control message.
#include "model/error_codec.h"
#include "tests/fuzz/fuzz_target.h"

namespace manta::fuzz {

std::vector<std::string> Seeds() {
  return {model::EncodeError({MANTA_ERROR_TASK, "it threw", "std::out_of_range", "at line 3\nat line 4", "pickle"}),
          model::EncodeError({MANTA_ERROR_SYSTEM, "", "", "", ""})};
}

}  // namespace manta::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace manta;
  const fuzz::Exact bytes({reinterpret_cast<const char*>(data), size});
  const Error error = model::DecodeError(bytes.data(), bytes.size());
  fuzz::Require(error.kind >= MANTA_ERROR_INVALID_ARGUMENT && error.kind <= model::kLastErrorKind,
                "an error is of a kind that there is");
  const std::string again = model::EncodeError(error);
  fuzz::Require(model::DecodeError(again.data(), again.size()) == error, "what was decoded travels on unchanged");
  return 0;
}
