#include "bin/table.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <vector>

namespace manta::bin {
namespace {

using Json = nlohmann::ordered_json;

std::string Cell(const Json& value) {
  if (value.is_null()) return "-";
  if (value.is_string()) return value.get<std::string>().empty() ? "-" : value.get<std::string>();
  if (value.is_object() && value.contains("description")) return Cell(value["description"]);  // a process
  if (value.is_boolean()) return value.get<bool>() ? "yes" : "no";
  return value.dump();
}

}  // namespace

std::string TableOf(const std::string& text) {
  const Json json = Json::parse(text, nullptr, false);
  if (!json.is_array()) return text + "\n";
  if (json.empty()) return "(none)\n";
  std::vector<std::string> columns;
  for (const Json& row : json) {
    if (!row.is_object()) return text + "\n";
    for (const auto& [key, value] : row.items()) {
      if (std::find(columns.begin(), columns.end(), key) == columns.end()) columns.push_back(key);
    }
  }
  std::vector<std::vector<std::string>> rows{columns};
  for (const Json& row : json) {
    std::vector<std::string> cells;
    for (const std::string& column : columns) {
      cells.push_back(row.contains(column) ? Cell(row[column]) : "-");
    }
    rows.push_back(std::move(cells));
  }
  std::vector<size_t> widths(columns.size());
  for (const auto& row : rows) {
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  std::string out;
  for (const auto& row : rows) {
    for (size_t i = 0; i < row.size(); ++i) {
      out += row[i];
      if (i + 1 < row.size()) out.append(widths[i] - row[i].size() + 2, ' ');
    }
    out += '\n';
  }
  return out;
}

}  // namespace manta::bin
