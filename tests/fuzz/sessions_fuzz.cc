// The file by which processes find a cluster.
#include "contracts/session_files.h"
#include "tests/fuzz/fuzz_target.h"

namespace manta::fuzz {

std::vector<std::string> Seeds() {
  return {"manta-session 1\nsocket=manta-0-session_1\npid=4711\nembedded=1\nnode_id=00ff\n",
          "manta-session 1\npid=1\nsocket=s", "manta-session 2\n"};
}

}  // namespace manta::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace manta;
  const fuzz::Exact bytes({reinterpret_cast<const char*>(data), size});
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), size);
  const Result<contracts::SessionAddress> address = contracts::ParseSessionAddress("/run/session_1", text);
  if (!address) {
    fuzz::Require(address.error().message.find("/run/session_1/address") == 0, "an error names the file");
    return 0;
  }
  fuzz::Require(!address.value().socket.empty() && address.value().daemon_pid > 0,
                "an address that was read can be used");
  fuzz::Require(address.value().directory == "/run/session_1", "the directory is the caller's");
  return 0;
}
