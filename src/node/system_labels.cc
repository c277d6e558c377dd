#include "node/system_labels.h"

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <system_error>
#include <utility>

namespace manta::node {
namespace {

constexpr char kDevices[] = "/proc/driver/nvidia/gpus";
constexpr std::pair<const char*, std::string_view> kVariables[] = {{"RAY_NODE_TYPE_NAME", "ray.io/node-group"},
                                                                   {"RAY_NODE_MARKET_TYPE", "ray.io/market-type"},
                                                                   {"RAY_NODE_REGION", "ray.io/availability-region"},
                                                                   {"RAY_NODE_ZONE", "ray.io/availability-zone"}};

std::set<std::string> AcceleratorTypes() {
  std::set<std::string> types;
  std::error_code error;
  for (const auto& device : std::filesystem::directory_iterator(kDevices, error)) {
    std::ifstream file(device.path() / "information");
    const std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
    if (std::optional<std::string> type = AcceleratorType(text)) types.insert(*type);
  }
  return types;
}

}  // namespace

std::optional<std::string> AcceleratorType(std::string_view information) {
  constexpr std::string_view kModel = "Model:";
  const size_t begin = information.find(kModel);
  if (begin == std::string_view::npos) return std::nullopt;
  std::string_view line = information.substr(begin + kModel.size());
  line = line.substr(0, line.find('\n'));
  const auto skip = [&](std::string_view what) {
    const size_t first = line.find_first_not_of(what);
    line.remove_prefix(first == std::string_view::npos ? line.size() : first);
  };
  skip(" \t");
  line.remove_prefix(std::min(line.find_first_of(" \t"), line.size()));  // the maker
  skip(" \t");
  std::string type;
  for (const char c : line) {
    if (std::isupper(static_cast<unsigned char>(c)) == 0 && std::isdigit(static_cast<unsigned char>(c)) == 0) break;
    type += c;
  }
  if (type.size() < 2) return std::nullopt;
  return type;
}

model::NodeLabels ReadSystemLabels(bool has_gpus) {
  model::NodeLabels labels;
  for (const auto& [variable, name] : kVariables) {
    const char* const value = std::getenv(variable);
    if (value != nullptr && *value != '\0' && model::CheckLabelValue(name, value)) labels.emplace(name, value);
  }
  if (!has_gpus) return labels;
  if (const std::set<std::string> types = AcceleratorTypes(); types.size() == 1) labels.emplace(model::kAcceleratorLabel, *types.begin());
  return labels;
}

}  // namespace manta::node
