#include "bin/labels_file.h"

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <set>

#include <yaml-cpp/yaml.h>

namespace manta::bin {
namespace {

constexpr size_t kMostFileBytes = 1 << 20;
constexpr char kWrite[] = "write one label a line, NAME: VALUE";

Error Refused(const std::string& why) { return MakeError(MANTA_ERROR_INVALID_ARGUMENT, why); }

Result<> Add(model::NodeLabels* labels, const std::string& name, const std::string& value) {
  if (Result<> checked = model::CheckUsersLabel(name, value); !checked) return checked;
  if (!labels->emplace(name, value).second) return Refused("the label '" + name + "' is given twice");
  if (labels->size() > model::kMostLabels) return Refused("a node has at most " + std::to_string(model::kMostLabels) + " labels");
  return {};
}

// Without white space at its ends.
std::string_view Stripped(std::string_view text) {
  constexpr std::string_view kSpaces = " \t\r";
  const size_t first = text.find_first_not_of(kSpaces);
  return first == std::string_view::npos ? std::string_view() : text.substr(first, text.find_last_not_of(kSpaces) - first + 1);
}

// Whether YAML reads the word as something else than a text.
bool IsNoText(const std::string& word) {
  std::string lower = word;
  std::transform(lower.begin(), lower.end(), lower.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  static const std::set<std::string> kWords = {"", "~", "null", "true", "false", "yes", "no", "on", "off", ".inf", ".nan"};
  if (kWords.contains(lower)) return true;
  char* end;
  std::strtod(lower.c_str(), &end);
  if (*end == '\0' && lower.find_first_of("0123456789") != std::string::npos) return true;
  const auto is_date = [&] {
    if (lower.size() != 10) return false;
    for (size_t i = 0; i < lower.size(); ++i) {
      const bool dash = i == 4 || i == 7;
      if (dash ? lower[i] != '-' : std::isdigit(static_cast<unsigned char>(lower[i])) == 0) return false;
    }
    return true;
  };
  return is_date();
}

// "line 2: "
std::string At(const YAML::Mark& mark) { return mark.is_null() ? "" : "line " + std::to_string(mark.line + 1) + ": "; }

bool IsText(const YAML::Node& node) {
  // The tag is '?' where a word stands without quotes.
  return node.IsScalar() && (node.Tag() != "?" || !IsNoText(node.Scalar()));
}

}  // namespace

Result<model::NodeLabels> ParseLabels(std::string_view text) {
  model::NodeLabels labels;
  if (text.size() > 1 && text.front() == '"' && text.back() == '"') text = text.substr(1, text.size() - 2);
  if (Stripped(text).starts_with('{')) return Refused("write NAME=VALUE pairs with commas between them, e.g. zone=eu,arch=x86, instead of JSON");
  while (!text.empty()) {
    const size_t comma = text.find(',');
    const std::string_view pair = text.substr(0, comma);
    const size_t equals = pair.find('=');
    if (equals == std::string_view::npos || pair.find('=', equals + 1) != std::string_view::npos) {
      return Refused("'" + std::string(pair.substr(0, 80)) + "' is no label: write NAME=VALUE pairs with commas between them, e.g. zone=eu,arch=x86");
    }
    Result<> added = Add(&labels, std::string(Stripped(pair.substr(0, equals))), std::string(Stripped(pair.substr(equals + 1))));
    if (!added) return added.error();
    text.remove_prefix(comma == std::string_view::npos ? text.size() : comma + 1);
    if (comma != std::string_view::npos && text.empty()) return Refused("there is no label behind the last comma");
  }
  return labels;
}

Result<model::NodeLabels> ParseLabelsFile(std::string_view text) {
  YAML::Node file;
  try {
    file = YAML::Load(std::string(text));
  } catch (const YAML::Exception& error) {
    return Refused(At(error.mark) + error.msg + "; " + kWrite);
  }
  model::NodeLabels labels;
  if (file.IsNull()) return labels;
  if (!file.IsMap()) return Refused(At(file.Mark()) + "this is no mapping; " + kWrite);
  for (const auto& entry : file) {
    const YAML::Node &name = entry.first, &value = entry.second;
    const std::string where = At(name.Mark());
    if (!IsText(name)) return Refused(where + "the name is not a text; " + kWrite);
    if (!IsText(value)) {
      return Refused(where + "the value of '" + name.Scalar() + "' is not a text" +
                     (value.IsScalar() ? ": write it in quotes, \"" + value.Scalar() + "\"" : std::string("; ") + kWrite));
    }
    if (Result<> added = Add(&labels, name.Scalar(), value.Scalar()); !added) return Refused(where + added.error().message);
  }
  return labels;
}

Result<model::NodeLabels> ReadLabelsFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string text(kMostFileBytes + 1, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (!file.eof() && file.fail()) return Refused(path + ": " + std::strerror(errno != 0 ? errno : EIO));
  text.resize(static_cast<size_t>(file.gcount()));
  if (text.size() > kMostFileBytes) return Refused(path + " has more than 1 MiB");
  Result<model::NodeLabels> labels = ParseLabelsFile(text);
  return labels ? labels : Refused(path + ": " + labels.error().message);
}

}  // namespace manta::bin
