// Labels of nodes, and conditions on them as programs write them. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace manta::model {

// Values by name.
using NodeLabels = std::map<std::string, std::string, std::less<>>;

// Names that begin so are the system's, as in Ray.
inline constexpr std::string_view kReservedLabels = "ray.io/";
inline constexpr std::string_view kNodeIdLabel = "ray.io/node-id";
inline constexpr std::string_view kAcceleratorLabel = "ray.io/accelerator-type";
// Of a node, beside those of the system.
inline constexpr size_t kMostLabels = 256;

// The syntax of Kubernetes: a name is at most 63 letters, digits, '-', '_' and '.', with a letter or digit at both ends, perhaps after
// a prefix (a DNS name) and '/'; a value is the same without a prefix, or empty. Errors INVALID_ARGUMENT say so.
Result<> CheckLabelName(std::string_view name);
Result<> CheckLabelValue(std::string_view name, std::string_view value);
// Of a label that a user gives a node: that, and a name which is not reserved.
Result<> CheckUsersLabel(std::string_view name, std::string_view value);

// What a node's label has to be. As text: "eu", "!eu", "in(eu, us)", "!in(eu, us)", "exists()" or "!exists()"; "in" may be left out.
struct LabelCondition {
  enum class Kind : uint8_t { kIn, kNotIn, kExists, kDoesNotExist };

  std::string name;
  Kind kind = Kind::kExists;
  std::vector<std::string> values;  // in order, each once

  // Error INVALID_ARGUMENT: no such name or condition.
  static Result<LabelCondition> Parse(std::string_view name, std::string_view text);
  // A label that is not there is none of any values.
  bool IsMetBy(const NodeLabels& labels) const;
  // "zone=in(eu, us)"
  std::string ToString() const;

  bool operator==(const LabelCondition&) const = default;
};

// Without spaces at its ends.
std::string_view Trimmed(std::string_view text);

// "zone=eu, no gpu": what labels there are of these names.
std::string Shown(const NodeLabels& labels, const std::vector<std::string_view>& names);

}  // namespace manta::model
