#include "bin/labels_file.h"

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <utility>

namespace manta::bin {
namespace {

constexpr size_t kMostFileBytes = 1 << 20;

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

// Reads one scalar from the front of the line, and cuts it off. Empty: it is none.
std::optional<std::string> TakeQuoted(std::string_view* line) {
  const char quote = line->front();
  const size_t end = line->find(quote, 1);
  if (end == std::string_view::npos) return std::nullopt;
  std::string text(line->substr(1, end - 1));
  line->remove_prefix(end + 1);
  if (text.find('\\') != std::string::npos) return std::nullopt;  // no label has one
  return text;
}

std::string_view WithoutComment(std::string_view text) {
  if (text.starts_with('#')) return {};
  const size_t comment = text.find(" #");
  return Stripped(text.substr(0, comment));
}

constexpr char kWrite[] = "write one label a line: NAME: VALUE";

Result<> ReadLine(std::string_view line, model::NodeLabels* labels) {
  std::string name;
  if (line.front() == '"' || line.front() == '\'') {
    std::optional<std::string> quoted = TakeQuoted(&line);
    if (!quoted) return Refused(std::string("the quotation does not end; ") + kWrite);
    name = std::move(*quoted);
    line = Stripped(line);
    if (!line.starts_with(':')) return Refused(std::string("there is no ':' behind the name; ") + kWrite);
    line.remove_prefix(1);
  } else {
    const size_t colon = line.find(':');
    if (colon == std::string_view::npos || (colon + 1 < line.size() && line[colon + 1] != ' ' && line[colon + 1] != '\t')) {
      return Refused(std::string("this is no name and value; ") + kWrite);
    }
    name = Stripped(line.substr(0, colon));
    line.remove_prefix(colon + 1);
  }
  line = Stripped(line);
  std::string value;
  if (!line.empty() && (line.front() == '"' || line.front() == '\'')) {
    std::optional<std::string> quoted = TakeQuoted(&line);
    if (!quoted || !WithoutComment(Stripped(line)).empty()) return Refused("the value of '" + name + "' is no quoted text; " + kWrite);
    value = std::move(*quoted);
  } else {
    value = WithoutComment(line);
    if (IsNoText(value)) {
      return Refused("the value of '" + name + "' is not a text" + (value.empty() ? "" : " in YAML") + ": write it in quotes, \"" + value + "\"");
    }
  }
  return Add(labels, name, value);
}

Result<model::NodeLabels> ParseJson(std::string_view text) {
  const nlohmann::json json = nlohmann::json::parse(text, nullptr, false);
  if (!json.is_object()) return Refused("it begins with '{', and is no JSON object of names and values");
  model::NodeLabels labels;
  for (const auto& [name, value] : json.items()) {
    if (!value.is_string()) return Refused("the value of '" + name + "' is not a text: write it in quotes");
    if (Result<> added = Add(&labels, name, value.get<std::string>()); !added) return added.error();
  }
  return labels;
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
  const size_t first = text.find_first_not_of(" \t\r\n");
  if (first != std::string_view::npos && text[first] == '{') return ParseJson(text.substr(first));
  model::NodeLabels labels;
  for (size_t number = 1; !text.empty(); ++number) {
    const size_t end = text.find('\n');
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    const std::string_view content = WithoutComment(Stripped(line));
    if (content.empty() || content == "---" || content == "...") continue;
    const auto refuse = [&](const std::string& why) { return Refused("line " + std::to_string(number) + ": " + why); };
    if (line.front() == ' ' || line.front() == '\t') return refuse(std::string("it is indented: labels do not nest; ") + kWrite);
    if (content.starts_with("- ")) return refuse(std::string("this is a list; ") + kWrite);
    if (Result<> read = ReadLine(Stripped(line), &labels); !read) return refuse(read.error().message);
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
