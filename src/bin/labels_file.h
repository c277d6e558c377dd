// Labels of a node as `manta start` is given them.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "model/node_labels.h"

namespace manta::bin {

// "zone=eu,arch=x86": --labels. Error INVALID_ARGUMENT: no such list, or no labels that a user may give.
Result<model::NodeLabels> ParseLabels(std::string_view text);
// What --labels-file names: a mapping of names to texts in YAML (or JSON, which is YAML). The same errors, with the line; what YAML
// reads as something else than a text (a number, true, a date) is one, as in Ray.
Result<model::NodeLabels> ParseLabelsFile(std::string_view text);
// Error INVALID_ARGUMENT, too, if it cannot be read.
Result<model::NodeLabels> ReadLabelsFile(const std::string& path);

}  // namespace manta::bin
