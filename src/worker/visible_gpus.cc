#include "worker/visible_gpus.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <sstream>

namespace manta::worker {
namespace {

constexpr const char* kVariable = "CUDA_VISIBLE_DEVICES";

// Ray's name for it: packages that choose among all GPUs by themselves set it to 1.
bool IsLeftAlone() {
  const char* value = getenv("RAY_EXPERIMENTAL_NOSET_CUDA_VISIBLE_DEVICES");
  return value != nullptr && (strcmp(value, "1") == 0 || strcasecmp(value, "true") == 0);
}

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
  mask_.store(mask, std::memory_order_relaxed);
  if (IsLeftAlone()) return;
  std::string list;
  for (size_t i = 0; i < 64; ++i) {
    if ((mask >> i & 1) == 0) continue;
    if (!list.empty()) list += ',';
    list += i < inherited_.size() ? inherited_[i] : std::to_string(i);
  }
  setenv(kVariable, list.c_str(), 1);
}

}  // namespace manta::worker
