// The verbs of `manta` and their options, parsed. The one unit behind this header compiles CLI11.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace manta::bin {

struct NodeOptions {
  int driver_fd = -1;         // an inherited socket to the driver that started this daemon
  double num_cpus = -1;       // negative: what the machine has
  double num_gpus = -1;
  double memory = -1;         // bytes
  std::vector<std::string> resources;  // NAME=QUANTITY
  std::vector<std::string> labels;     // NAME=VALUE
  uint64_t object_store_bytes = 0;     // 0: 30 % of the memory
  int64_t object_wait_ms = 10'000;
  std::string session_directory;       // empty: a new one below the session root
  int port = -1;              // where other nodes join; negative: they cannot, 0: any that is free
  std::string node_address;   // IPv4; empty: loopback for the head, else what the head is reached by
  std::string head;           // HOST:PORT to join; empty: this is the head
  std::string secret_file;    // of that cluster
};

struct StartOptions {
  bool head = false;
  bool block = false;         // stay in the foreground
  bool json = false;
  std::string temp_directory;  // in which sessions are made; empty: MANTA_TMPDIR, or /tmp
  std::string resources_json;
  std::string labels;          // NAME=VALUE,...
  std::string labels_file;
  NodeOptions node;
};

struct ClusterChoice {
  std::string session;        // name or directory of a session; empty: the only one there is
  bool json = false;
};

struct StopOptions {
  ClusterChoice cluster;
  bool all = false;
};

struct ListOptions {
  ClusterChoice cluster;
  std::string what;
  bool all = false;           // tasks: those that have ended, too
};

struct TimelineOptions {
  ClusterChoice cluster;      // the session may have ended
  std::string output;         // "-": stdout; empty: a new file in the working directory
};

// One function per verb, each in a file of its own; they return the exit status.
int RunNode(const NodeOptions& options);
int RunStart(const StartOptions& options);
int RunStop(const StopOptions& options);
int RunStatus(const ClusterChoice& options);
int RunList(const ListOptions& options);
int RunTimeline(const TimelineOptions& options);

// Parses the arguments and runs the verb.
int RunCommandLine(int argc, char** argv);

}  // namespace manta::bin
