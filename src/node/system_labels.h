// The labels that a node gets by itself, beside its id.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "model/node_labels.h"

namespace manta::node {

// The type of its GPUs, if it offers any and they are all of one; and what its environment says of where it runs, in the variables in which
// Ray's operator for Kubernetes writes that.
model::NodeLabels ReadSystemLabels(bool has_gpus);

// Pure. From what NVIDIA's driver writes of a device: "Model: \t NVIDIA A100-SXM4-40GB" makes "A100".
std::optional<std::string> AcceleratorType(std::string_view information);

}  // namespace manta::node
