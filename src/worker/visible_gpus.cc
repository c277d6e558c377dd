#include "worker/visible_gpus.h"

#include <stdlib.h>

#include <sstream>

namespace manta::worker {
namespace {

constexpr const char* kVariable = "CUDA_VISIBLE_DEVICES";

}  // namespace

VisibleGpus::VisibleGpus(bool node_has_gpus) {
  if (!node_has_gpus) return;
  if (const char* list = getenv(kVariable)) {
    std::istringstream entries(list);
    for (std::string entry; std::getline(entries, entry, ',');) inherited_.push_back(entry);
  }
  Change(0);
}

void VisibleGpus::Change(uint64_t mask) {
  std::string list;
  for (size_t i = 0; i < 64; ++i) {
    if ((mask >> i & 1) == 0) continue;
    if (!list.empty()) list += ',';
    list += i < inherited_.size() ? inherited_[i] : std::to_string(i);
  }
  setenv(kVariable, list.c_str(), 1);
  mask_.store(mask, std::memory_order_relaxed);
}

}  // namespace manta::worker
