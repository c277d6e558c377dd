// What a stranger sends to the daemon's socket: a stream that is cut into frames, and what is decided about the first of them.
// Input: one byte for the size of the pieces in which it arrives, then the stream.
#include "contracts/frames.h"
#include "node/admission.h"
#include "tests/fuzz/fuzz_target.h"

namespace manta::fuzz {
namespace {

constexpr uint32_t kLongestFrame = 2000;

std::string Text(const std::vector<uint8_t>& frame) { return {frame.begin(), frame.end()}; }

std::string Hello(wire::Role role) {
  wire::HelloT hello;
  hello.protocol_min = hello.protocol_max = 1;
  hello.role = role;
  hello.secret = "0123456789abcdef";
  hello.executable = "/bin/program";
  hello.arguments = {"program", "-x"};
  hello.environment = {"HOME=/", "A=B"};
  return Text(contracts::Encode(std::move(hello)));
}

std::string Demand() {
  wire::SetDemandT demand;
  demand.key = 1;
  for (const char* name : {"CPU", "disk"}) {
    demand.resources.push_back(std::make_unique<wire::AmountT>());
    demand.resources.back()->name = name;
    demand.resources.back()->fixed_point = 10'000;
  }
  demand.wanted = 7;
  return Text(contracts::Encode(std::move(demand)));
}

std::string Other() {
  wire::RelayT relay;
  relay.to = 5;
  relay.payload = {1, 2, 3};
  wire::FreeObjectsT free;
  free.slots = {1, 2};
  free.generations = {3, 4};
  wire::RegisterActorT actor;
  actor.name = "counter";
  actor.death = "it died";
  return Text(contracts::Encode(std::move(relay))) + Text(contracts::Encode(std::move(free))) +
         Text(contracts::Encode(std::move(actor))) + Text(contracts::Encode(wire::BlockedT{}));
}

void Admit(const wire::Frame& frame) {
  for (const bool needs_secret : {false, true}) {
    node::AdmissionRules rules;
    rules.protocol_min = rules.protocol_max = 1;
    rules.needs_secret = needs_secret;
    rules.secret = "0123456789abcdef";
    if (!needs_secret) rules.role = wire::Role::Worker;
    if (node::Refuse(frame, rules)) continue;
    const wire::Hello* hello = frame.message_as_Hello();
    Require(hello != nullptr, "who is let in has said Hello");
    Require(node::NegotiatedProtocol(*hello, rules) == 1, "the protocol is one that both speak");
    Require(!needs_secret || hello->secret()->string_view() == rules.secret, "a stranger knows the secret");
  }
}

}  // namespace

std::vector<std::string> Seeds() {
  const std::string driver = Hello(wire::Role::Driver);
  return {'\x10' + driver, '\xff' + Hello(wire::Role::Worker), '\x05' + Demand() + driver, '\x40' + Other()};
}

}  // namespace manta::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace manta;
  fuzz::Input input(data, size);
  const size_t piece = 1 + input.Take<uint8_t>();
  contracts::FrameReader reader(fuzz::kLongestFrame);
  while (!input.empty()) {
    const fuzz::Exact bytes(input.Take(piece));
    reader.Append({bytes.data(), bytes.size()});
    for (;;) {
      Result<const wire::Frame*> frame = reader.Next();
      if (!frame) return 0;  // the connection is closed
      if (*frame == nullptr) break;
      fuzz::Admit(**frame);
      // Every field, as whoever handles the message would read it.
      const std::unique_ptr<wire::FrameT> read((*frame)->UnPack());
    }
  }
  return 0;
}
