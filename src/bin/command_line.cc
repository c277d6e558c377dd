#include "bin/command_line.h"

#include <arpa/inet.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <cstdio>
#include <string>
#include <vector>

#include "bin/version.h"

namespace manta::bin {
namespace {

constexpr int kUsageError = 2;  // as of shells

// Of the Python package's `manta`, which knows these as well.
constexpr const char* kPythonVerbs[] = {"microbenchmark", "race"};

// What people may say; the rest is for programs.
std::vector<std::string> Verbs(const CLI::App& app) {
  std::vector<std::string> verbs;
  for (const CLI::App* verb : app.get_subcommands([](const CLI::App* one) { return !one->get_group().empty(); })) {
    verbs.push_back(verb->get_name());
  }
  return verbs;
}

std::string WhatIsWrong(const CLI::App& app, const CLI::ParseError& error, int argc, char** argv) {
  const std::vector<std::string> verbs = Verbs(app);
  const std::string all = CLI::detail::join(verbs, ", ");
  if (argc < 2) return "say what to do: " + all + " (`manta --help`)";
  const std::string verb = argv[1];
  for (const char* python : kPythonVerbs) {
    if (verb == python) {
      return "'" + verb + "' belongs to the Python package: `python3 -m manta." + verb + "`, or the `manta` that `pip install` brings";
    }
  }
  const bool known = std::find(verbs.begin(), verbs.end(), verb) != verbs.end();
  if (verb.front() != '-' && !known) {
    return "there is no command '" + verb + "': there are " + all + " (`manta --help`)";
  }
  return std::string(error.what()) + " (`manta " + (known ? verb + " " : "") + "--help`)";
}

// CLI11's own check describes the range in 300 digits.
const CLI::Validator kNotNegative(
    [](std::string& text) -> std::string {
      double number = 0;
      if (!CLI::detail::lexical_cast(text, number)) return "'" + text + "' is not a number";
      return number < 0 ? text + " is negative" : "";
    },
    "NUMBER");

const CLI::Validator kIpv4(
    [](std::string& text) -> std::string {
      in_addr address;
      return inet_pton(AF_INET, text.c_str(), &address) == 1 ? "" : "an IPv4 address is wanted, not '" + text + "'";
    },
    "ADDRESS");

constexpr std::array kLists = {"nodes", "workers", "tasks", "actors", "placement-groups", "objects", "leases", "demands", "resources", "processes"};

std::string AllLists() {
  std::string all;
  for (const char* list : kLists) all += (all.empty() ? "" : list == kLists.back() ? " or " : ", ") + std::string(list);
  return all;
}

// "": it may be.
std::string WhyNotToList(const std::string& what) {
  if (std::find(kLists.begin(), kLists.end(), what) != kLists.end()) return "";
  return (what.empty() ? "say what to list: " : "there is no list of '" + what + "'; there are: ") + AllLists();
}

void AddNodeOptions(CLI::App* verb, NodeOptions* node) {
  verb->add_option("--num-cpus", node->num_cpus, "CPUs to offer (default: those this process may use)")
      ->check(kNotNegative);
  verb->add_option("--num-gpus", node->num_gpus, "GPUs to offer (default: those of this machine)")
      ->check(kNotNegative);
  verb->add_option("--memory", node->memory,
                   "memory to offer to tasks and actors, in bytes (default: what the object store leaves)")
      ->check(kNotNegative);
  verb->add_option("--object-store-memory,--object-store-bytes", node->object_store_bytes,
                   "bytes of shared memory for large objects (default: 30 % of the memory)");
  verb->add_option("--object-wait-ms", node->object_wait_ms,
                   "how long a new object waits for room before it is refused (default: 10000)")
      ->check(kNotNegative);
}

void AddClusterChoice(CLI::App* verb, ClusterChoice* choice) {
  verb->add_option("--session,--address", choice->session,
                   "which cluster: the name or directory of its session (default: the only one)");
  verb->add_flag("--json", choice->json, "print JSON");
}

}  // namespace

int RunCommandLine(int argc, char** argv) {
  CLI::App app("Manta: tasks, actors and objects on one core or ten thousand.", "manta");
  app.set_version_flag("--version", kVersionText);
  app.require_subcommand(1);
  int status = 0;

  NodeOptions node;
  CLI::App* verb = app.add_subcommand("node", "run a node daemon (started by drivers)");
  verb->group("");  // not for people
  verb->add_option("--driver-fd", node.driver_fd)->required();
  verb->add_option("--resource", node.resources);
  verb->add_option("--label", node.labels);
  verb->add_option("--session-dir", node.session_directory);
  AddNodeOptions(verb, &node);
  verb->callback([&] { status = RunNode(node); });

  StartOptions start;
  verb = app.add_subcommand("start", "start a cluster on this machine, or join one");
  verb->add_flag("--head", start.head, "start a new cluster");
  verb->add_option("--address", start.node.head, "join the cluster whose head is at HOST:PORT");
  verb->add_option("--port", start.node.port,
                   "with --head: where other nodes join (default: nowhere; 0: any free port)")
      ->check(CLI::Range(0, 65535));
  verb->add_option("--node-ip-address", start.node.node_address,
                   "this node's IPv4 address (default: 127.0.0.1 for a head)")
      ->check(kIpv4);
  verb->add_option("--secret-file", start.node.secret_file,
                   "with --address: the cluster's secret, a copy of the file \"secret\" of the head's session "
                   "(default: MANTA_SECRET, or a head on this machine)");
  verb->add_option("--resources", start.resources_json, "custom resources, e.g. '{\"disk\": 2}'");
  verb->add_option("--resource", start.node.resources, "one custom resource: NAME=QUANTITY");
  verb->add_option("--labels", start.labels, "labels of this node: NAME=VALUE,...; they go before those of --labels-file");
  verb->add_option("--labels-file", start.labels_file, "a file in YAML with a label of this node on each line: NAME: VALUE");
  CLI::Option* root = verb->add_option("--temp-dir", start.temp_directory,
                                       "where directories of sessions are made, as MANTA_TMPDIR (default: /tmp)");
  verb->add_option("--session-dir", start.node.session_directory,
                   "directory for logs and addresses of this run: a new one, or one of a session that has ended")
      ->excludes(root);
  verb->add_flag("--block", start.block, "stay in the foreground until the cluster ends");
  verb->add_flag("--json", start.json, "print JSON");
  AddNodeOptions(verb, &start.node);
  verb->callback([&] { status = RunStart(start); });

  StopOptions stop;
  verb = app.add_subcommand("stop", "end a cluster and everything that runs in it");
  AddClusterChoice(verb, &stop.cluster);
  verb->add_flag("--all", stop.all, "end all clusters of this user on this machine");
  verb->callback([&] { status = RunStop(stop); });

  ClusterChoice show;
  verb = app.add_subcommand("status", "what a cluster has, uses, and waits for");
  AddClusterChoice(verb, &show);
  verb->callback([&] { status = RunStatus(show); });

  ListOptions list;
  verb = app.add_subcommand("list", "list what is in a cluster");
  verb->add_option("what", list.what, AllLists());
  verb->add_flag("--all", list.all, "tasks: those that have ended, too, as far as the flight recorders of this node reach");
  AddClusterChoice(verb, &list.cluster);
  verb->callback([&] {
    const std::string wrong = WhyNotToList(list.what);
    if (!wrong.empty()) throw CLI::ValidationError(wrong);
    status = RunList(list);
  });

  TimelineOptions timeline;
  verb = app.add_subcommand("timeline",
                            "write what the processes of a cluster did of late, for chrome://tracing or Perfetto");
  verb->add_option("--session,--address", timeline.cluster.session,
                   "which cluster: the name or directory of its session, which may have ended (default: the only "
                   "one that runs)");
  verb->add_option("-o,--output", timeline.output,
                   "the file to write, - for stdout (default: manta-timeline-DATE.json here)");
  verb->add_flag("--json", timeline.cluster.json, "print what was written as JSON");
  verb->callback([&] { status = RunTimeline(timeline); });

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);  // --help, --version
    std::fprintf(stderr, "manta: %s\n", WhatIsWrong(app, error, argc, argv).c_str());
    return kUsageError;
  }
  return status;
}

}  // namespace manta::bin
