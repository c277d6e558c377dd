#include "model/node_constraint.h"

#include <algorithm>
#include <charconv>
#include <utility>

namespace manta::model {
namespace {

constexpr std::string_view kAny = "any";
constexpr std::string_view kPatient = "patient";
constexpr std::string_view kFail = "fail";
constexpr std::string_view kFailNow = "fail-now";
constexpr std::string_view kSpread = "spread";

std::vector<std::string_view> Parts(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  for (;;) {
    const size_t end = text.find(separator);
    parts.push_back(Trimmed(text.substr(0, end)));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

Error Refused(const std::string& why) { return MakeError(MANTA_ERROR_INVALID_ARGUMENT, "the constraint on nodes " + why); }

}  // namespace

Result<NodeConstraint> NodeConstraint::Parse(std::string_view text) {
  NodeConstraint constraint;
  if (text.empty()) return constraint;
  if (text.size() > kMostBytes) {
    return Refused("has " + std::to_string(text.size()) + " bytes: " + std::to_string(kMostBytes) + " is the most");
  }
  if (const size_t colon = text.find(':'); colon != std::string_view::npos) {
    if (Result<> read = constraint.ReadOptions(text.substr(0, colon)); !read) return read.error();
    text.remove_prefix(colon + 1);
  }
  const std::vector<std::string_view> alternatives = Parts(text, '|');
  if (alternatives.size() > kMostAlternatives) {
    return Refused("has " + std::to_string(alternatives.size()) + " alternatives: " + std::to_string(kMostAlternatives) + " is the most");
  }
  for (const std::string_view one : alternatives) {
    Result<Conditions> alternative = ReadAlternative(one);
    if (!alternative) return alternative.error();
    constraint.alternatives_.push_back(std::move(alternative).value());
  }
  constraint.Write();
  return constraint;
}

Result<> NodeConstraint::ReadOptions(std::string_view text) {
  for (const std::string_view option : Parts(text, ' ')) {
    if (option.empty()) continue;
    if (option == kPatient) {
      patient_ = true;
    } else if (option == kFail) {
      fails_ = true;
    } else if (option == kFailNow) {
      fails_now_ = true;
    } else if (option.starts_with(kSpread)) {
      spread_ = 0;
      if (option == kSpread) continue;
      const std::string_view digits = option.substr(kSpread.size() + 1);
      const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), *spread_);
      if (option[kSpread.size()] != '=' || error != std::errc() || end != digits.data() + digits.size()) {
        return Refused("has the option '" + std::string(option.substr(0, 40)) + "', which is no turn");
      }
    } else {
      return Refused("has an unknown option '" + std::string(option.substr(0, 40)) + "'");
    }
  }
  return {};
}

Result<NodeConstraint::Conditions> NodeConstraint::ReadAlternative(std::string_view text) {
  Conditions conditions;
  if (text == kAny) return conditions;
  for (const std::string_view one : Parts(text, '&')) {
    const size_t equals = one.find('=');
    if (equals == std::string_view::npos) return Refused("has '" + std::string(one.substr(0, 40)) + "', which is no NAME=CONDITION");
    Result<LabelCondition> condition = LabelCondition::Parse(Trimmed(one.substr(0, equals)), one.substr(equals + 1));
    if (!condition) return condition.error();
    conditions.push_back(std::move(condition).value());
  }
  return conditions;
}

// The text of what was read.
void NodeConstraint::Write() {
  std::string options;
  const auto add = [&](bool is_set, const std::string& option) {
    if (is_set) options += (options.empty() ? "" : " ") + option;
  };
  add(patient_, std::string(kPatient));
  add(fails_, std::string(kFail));
  add(fails_now_, std::string(kFailNow));
  if (spread_) add(true, std::string(kSpread) + "=" + std::to_string(*spread_));
  std::string list;
  for (Conditions& conditions : alternatives_) {
    const auto by_text = [](const LabelCondition& a, const LabelCondition& b) { return a.ToString() < b.ToString(); };
    std::sort(conditions.begin(), conditions.end(), by_text);
    conditions.erase(std::unique(conditions.begin(), conditions.end()), conditions.end());
    std::string one;
    for (const LabelCondition& condition : conditions) one += (one.empty() ? "" : " & ") + condition.ToString();
    list += (list.empty() ? "" : " | ") + (one.empty() ? std::string(kAny) : one);
  }
  if (options.empty() && list == kAny) {
    alternatives_.clear();
    return;
  }
  text_ = options.empty() ? list : options + ": " + list;
}

NodeConstraint NodeConstraint::WithTurn(uint32_t turn) const {
  NodeConstraint other = *this;
  other.spread_ = turn;
  other.Write();
  return other;
}

std::optional<size_t> NodeConstraint::RankOf(const NodeLabels& labels) const {
  if (alternatives_.empty()) return 0;
  for (size_t rank = 0; rank < alternatives_.size(); ++rank) {
    const Conditions& conditions = alternatives_[rank];
    if (std::all_of(conditions.begin(), conditions.end(), [&](const LabelCondition& one) { return one.IsMetBy(labels); })) return rank;
  }
  return std::nullopt;
}

std::vector<size_t> NodeConstraint::InOrder(std::span<const Node> nodes) const {
  std::vector<std::pair<size_t, size_t>> ranked;  // rank, place
  for (size_t place = 0; place < nodes.size(); ++place) {
    const std::optional<size_t> rank = nodes[place].feasible ? RankOf(*nodes[place].labels) : std::nullopt;
    if (rank) ranked.emplace_back(*rank, place);
  }
  std::stable_sort(ranked.begin(), ranked.end(), [&](const auto& a, const auto& b) {
    return a.first != b.first ? a.first < b.first : spread_.has_value() && nodes[a.second].index < nodes[b.second].index;
  });
  if (patient_) std::erase_if(ranked, [best = ranked.empty() ? 0 : ranked.front().first](const auto& one) { return one.first != best; });
  if (spread_) {
    for (auto first = ranked.begin(); first != ranked.end();) {
      const auto last = std::find_if(first, ranked.end(), [&](const auto& one) { return one.first != first->first; });
      std::rotate(first, first + *spread_ % (last - first), last);
      first = last;
    }
  }
  std::vector<size_t> places;
  for (const auto& [rank, place] : ranked) places.push_back(place);
  return places;
}

std::string NodeConstraint::Describe() const {
  std::string text;
  for (const Conditions& conditions : alternatives_) {
    text += text.empty() ? (conditions.empty() ? "any node" : "a node") : (conditions.empty() ? ", or any" : ", or one");
    std::string_view before = " with ";
    for (const LabelCondition& condition : conditions) {
      text += std::string(before) + condition.ToString();
      before = " and ";
    }
  }
  return text.empty() ? "any node" : text;
}

std::string NodeConstraint::Shown(const NodeLabels& labels) const {
  std::vector<std::string_view> names;
  for (const Conditions& conditions : alternatives_) {
    for (const LabelCondition& condition : conditions) {
      if (std::find(names.begin(), names.end(), condition.name) == names.end()) names.push_back(condition.name);
    }
  }
  return model::Shown(labels, names);
}

}  // namespace manta::model
