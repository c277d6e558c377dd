#include "model/node_labels.h"

#include <algorithm>
#include <utility>

namespace manta::model {
namespace {

constexpr size_t kMostNameBytes = 63;
constexpr size_t kMostPrefixBytes = 253;
constexpr size_t kMostShown = 80;  // bytes of what was wrong
constexpr std::string_view kIn = "in(";
constexpr std::string_view kExists = "exists()";

bool IsLetterOrDigit(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'); }

bool IsWord(std::string_view text) {
  return !text.empty() && text.size() <= kMostNameBytes && IsLetterOrDigit(text.front()) && IsLetterOrDigit(text.back()) &&
         std::all_of(text.begin(), text.end(), [](char c) { return IsLetterOrDigit(c) || c == '-' || c == '_' || c == '.'; });
}

// Words between dots.
bool IsDomain(std::string_view text) {
  if (text.size() > kMostPrefixBytes) return false;
  for (;;) {
    const size_t dot = text.find('.');
    if (!IsWord(text.substr(0, dot))) return false;
    if (dot == std::string_view::npos) return true;
    text.remove_prefix(dot + 1);
  }
}

std::string Quoted(std::string_view text) {
  std::string quoted = "'" + std::string(text.substr(0, kMostShown));
  return quoted + (text.size() > kMostShown ? "...'" : "'");
}

Error Refused(const std::string& why) { return MakeError(MANTA_ERROR_INVALID_ARGUMENT, why); }

std::string Joined(const std::vector<std::string>& values) {
  std::string text;
  for (const std::string& value : values) text += (text.empty() ? "" : ", ") + value;
  return text;
}

}  // namespace

std::string_view Trimmed(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

Result<> CheckLabelName(std::string_view name) {
  const size_t slash = name.rfind('/');
  if (slash != std::string_view::npos && !IsDomain(name.substr(0, slash))) {
    return Refused("the name of the label " + Quoted(name) +
                   " has a prefix that is no DNS name: letters, digits and '-' between dots, at most 253 in all, e.g. example.com/zone");
  }
  if (IsWord(slash == std::string_view::npos ? name : name.substr(slash + 1))) return {};
  return Refused("the name of the label " + Quoted(name) +
                 " is none: it has 1 to 63 letters, digits, '-', '_' and '.', and begins and ends with a letter or digit");
}

Result<> CheckLabelValue(std::string_view name, std::string_view value) {
  if (value.empty() || IsWord(value)) return {};
  return Refused("the label '" + std::string(name) + "' cannot have the value " + Quoted(value) +
                 ": a value has at most 63 letters, digits, '-', '_' and '.', and begins and ends with a letter or digit");
}

Result<> CheckUsersLabel(std::string_view name, std::string_view value) {
  if (Result<> checked = CheckLabelName(name); !checked) return checked;
  if (name.starts_with(kReservedLabels)) {
    return Refused("the label " + Quoted(name) + " cannot be given: names that begin with '" + std::string(kReservedLabels) +
                   "' are set by the system; use another prefix, or none");
  }
  return CheckLabelValue(name, value);
}

Result<LabelCondition> LabelCondition::Parse(std::string_view name, std::string_view text) {
  if (Result<> checked = CheckLabelName(name); !checked) return checked.error();
  LabelCondition condition;
  condition.name = name;
  std::string_view rest = Trimmed(text);
  const bool negated = rest.starts_with('!');
  if (negated) rest = Trimmed(rest.substr(1));
  if (rest == kExists) {
    condition.kind = negated ? Kind::kDoesNotExist : Kind::kExists;
    return condition;
  }
  condition.kind = negated ? Kind::kNotIn : Kind::kIn;
  const auto refuse = [&] {
    return Refused("the condition " + Quoted(text) + " on the label '" + std::string(name) +
                   "' is none: write a value ('eu'), 'in(eu, us)', either of them after a '!', 'exists()' or '!exists()'; a value has at "
                   "most 63 letters, digits, '-', '_' and '.', and begins and ends with a letter or digit");
  };
  const bool is_list = rest.starts_with(kIn) || rest.starts_with('(');
  if (!is_list) {
    if (!CheckLabelValue(name, rest) || (negated && rest.empty())) return refuse();
    condition.values.emplace_back(rest);
    return condition;
  }
  if (!rest.ends_with(')')) return refuse();
  rest.remove_prefix(rest.find('(') + 1);
  rest.remove_suffix(1);
  for (;;) {
    const size_t comma = rest.find(',');
    const std::string_view value = Trimmed(rest.substr(0, comma));
    if (!IsWord(value)) return refuse();
    condition.values.emplace_back(value);
    if (comma == std::string_view::npos) break;
    rest.remove_prefix(comma + 1);
  }
  std::sort(condition.values.begin(), condition.values.end());
  condition.values.erase(std::unique(condition.values.begin(), condition.values.end()), condition.values.end());
  return condition;
}

bool LabelCondition::IsMetBy(const NodeLabels& labels) const {
  const auto found = labels.find(name);
  const bool is_there = found != labels.end();
  switch (kind) {
    case Kind::kExists: return is_there;
    case Kind::kDoesNotExist: return !is_there;
    case Kind::kIn: return is_there && std::binary_search(values.begin(), values.end(), found->second);
    case Kind::kNotIn: return !is_there || !std::binary_search(values.begin(), values.end(), found->second);
  }
  return false;
}

std::string LabelCondition::ToString() const {
  switch (kind) {
    case Kind::kExists: return name + "=" + std::string(kExists);
    case Kind::kDoesNotExist: return name + "=!" + std::string(kExists);
    case Kind::kIn:
    case Kind::kNotIn: break;
  }
  const std::string text = values.size() == 1 ? values.front() : std::string(kIn) + Joined(values) + ")";
  return name + (kind == Kind::kNotIn ? "=!" : "=") + text;
}

std::string Shown(const NodeLabels& labels, const std::vector<std::string_view>& names) {
  std::string text;
  for (const std::string_view name : names) {
    const auto found = labels.find(name);
    text += text.empty() ? "" : ", ";
    text += found == labels.end() ? "no " + std::string(name) : std::string(name) + "=" + found->second;
  }
  return text;
}

}  // namespace manta::model
