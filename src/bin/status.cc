// `manta status`: what a cluster has, uses, and waits for.
#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "bin/command_line.h"
#include "bin/tool_client.h"

namespace manta::bin {
namespace {

using Json = nlohmann::ordered_json;

// 3.5 GiB for amounts of memory, 2 for the rest.
std::string Amount(const std::string& name, double quantity) {
  char text[64];
  if (name.find("memory") != std::string::npos) {
    std::snprintf(text, sizeof text, "%.1f GiB", quantity / (1 << 30));
  } else {
    std::snprintf(text, sizeof text, "%.6g", quantity);
  }
  return text;
}

void Print(const Json& json) {
  std::printf("Session:   %s%s\n", json.value("session", "").c_str(),
              json.value("embedded", false) ? " (inside of a program)" : "");
  std::printf("Running:   %.0f s\n", json.value("seconds", 0.0));
  std::printf("Drivers:   %zu\n", json["drivers"].size());
  size_t leased = 0, idle = 0, detached = 0, other = 0;
  for (const Json& worker : json["workers"]) {
    const std::string state = worker.value("state", "");
    ++(state == "leased" ? leased : state == "idle" ? idle : state == "detached" ? detached : other);
  }
  if (json["nodes"].size() > 1) {
    const auto alive = std::count_if(json["nodes"].begin(), json["nodes"].end(),
                                     [](const Json& node) { return node.value("state", "") == "ALIVE"; });
    std::printf("Nodes:     %zd alive, %zd dead\n", static_cast<ssize_t>(alive),
                static_cast<ssize_t>(json["nodes"].size()) - static_cast<ssize_t>(alive));
  }
  std::printf("Workers:   %zu leased, %zu idle", leased, idle);
  if (detached > 0) std::printf(", %zu with detached actors", detached);
  if (other > 0) std::printf(", %zu starting or ending", other);
  std::printf("\nResources:\n");
  const Json& total = json["resources"]["total"];
  const Json& available = json["resources"]["available"];
  for (const auto& [name, amount] : total.items()) {
    // Objects have a line of their own, and nobody uses nodes up.
    if (name == "object_store_memory" || name.rfind("node:", 0) == 0) continue;
    const double all = amount.get<double>();
    std::printf("  %-20s %s of %s used\n", name.c_str(),
                Amount(name, all - available.value(name, 0.0)).c_str(), Amount(name, all).c_str());
  }
  const Json& store = json["object_store"];
  std::printf("Objects:   %llu in %.1f of %.1f MiB\n",
              store.value("objects", 0ull), store.value("used_bytes", 0.0) / (1 << 20),
              store.value("capacity_bytes", 0.0) / (1 << 20));
  if (const Json& recorder = json["flight_recorder"]; recorder.value("missing", 0ull) > 0) {
    std::printf("Timeline:  incomplete, %llu flight recorders are missing: %s\n",
                recorder.value("missing", 0ull), recorder.value("reason", "").c_str());
  }
  bool any = false;
  for (const Json& demand : json["demands"]) {
    if (!demand.contains("waits_for")) continue;
    if (!any) std::printf("Waiting:\n");
    any = true;
    std::printf("  %s wants %s more: %s (%.1f s)\n", demand.value("/owner/description"_json_pointer, "").c_str(),
                demand["missing"].dump().c_str(), demand.value("waits_for", "").c_str(),
                demand.value("waits_seconds", 0.0));
  }
  for (const Json& wait : store["longest_waits"]) {
    if (!any) std::printf("Waiting:\n");
    any = true;
    std::printf("  %s wants %.1f MiB: the object store is full (%.1f s; refused after %.3g s)\n",
                wait.value("/process/description"_json_pointer, "").c_str(), wait.value("bytes", 0.0) / (1 << 20),
                wait.value("waits_seconds", 0.0), wait.value("refused_after_seconds", 0.0));
  }
  if (const size_t waits = store["longest_waits"].size(), all = store.value("waiting", size_t{0}); all > waits) {
    std::printf("  and %zu more want room in the object store\n", all - waits);
  }
  if (!any) std::printf("Waiting:   nothing\n");
}

}  // namespace

int RunStatus(const ClusterChoice& options) {
  Result<ToolClient::Answer> answer = AskFor("status", options.session);
  if (!answer) {
    std::fprintf(stderr, "manta status: %s\n", answer.error().message.c_str());
    return 1;
  }
  const Json json = Json::parse(answer->json, nullptr, false);
  if (options.json || !json.is_object() || !json.contains("resources")) {
    std::printf("%s\n", answer->json.c_str());
  } else {
    Print(json);
  }
  return 0;
}

}  // namespace manta::bin
