#include "testing/model_checker/explorer.h"

namespace manta::model_checker {
namespace {

uint64_t Mix(uint64_t value) {
  value ^= value >> 33;
  value *= 0xff51afd7ed558ccdu;
  value ^= value >> 33;
  value *= 0xc4ceb9fe1a85ec53u;
  return value ^ value >> 33;
}

}  // namespace

StateHash HashState(const std::string& encoded) {
  StateHash hash{0x9e3779b97f4a7c15u, 0xc2b2ae3d27d4eb4fu};
  for (size_t at = 0; at < encoded.size(); at += 8) {
    uint64_t word = 0;
    std::memcpy(&word, encoded.data() + at, std::min<size_t>(8, encoded.size() - at));
    hash.low = Mix(hash.low ^ word);
    hash.high = Mix(hash.high + word * 0x9fb21c651e98df25u + 1);
  }
  hash.low = Mix(hash.low ^ encoded.size());
  hash.high = Mix(hash.high + encoded.size());
  return hash;
}

std::string ExplorerResult::ToString() const {
  std::string text = std::to_string(states) + " states, " + std::to_string(transitions) +
                     " transitions, depth " + std::to_string(depth);
  if (bound_exceeded) text += "; the bound is exceeded, nothing is proven";
  if (violation.empty()) return text;
  text += "\nviolated: " + violation + "\nhistory:\n";
  for (const std::string& step : history) text += "  " + step + "\n";
  return text;
}

}  // namespace manta::model_checker
