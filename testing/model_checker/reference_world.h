// A few processes with real reference tables, users that pass references around in every possible
// way, and a network that delivers in every possible order: a world for the explorer.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "model/reference_table.h"

namespace manta::model_checker {

struct ReferenceWorldOptions {
  uint32_t processes = 3;
  // Tasks that may be submitted in all, each with one reference as its argument.
  uint32_t tasks = 2;
  // Tasks return a value that may contain a reference.
  bool results = false;
  // Workers may put objects of their own and return references to them.
  uint32_t worker_puts = 0;
  // Process 1 owns a second object, whose value contains the first one.
  bool nested = false;
  // Values that borrowers may get from their owners, in all.
  uint32_t gets = 0;
  // Users may carry references outside of tasks and values, and others take them from there, so often in all.
  uint32_t carries = 0;
  // Processes that may crash, and how many of them.
  std::set<uint32_t> may_crash = {};
  uint32_t crashes = 0;
  // Between two processes messages keep their order. Otherwise they may overtake each other in any
  // way.
  bool in_order = false;
};

class ReferenceWorld {
 public:
  struct TaskPush {
    model::TaskNumber task;
    std::vector<ObjectId> arguments;
    ObjectId result;  // none: the task returns nothing
    auto operator<=>(const TaskPush&) const = default;
  };
  struct Completion {
    model::TaskNumber task;
    model::CompletionReferences references;
    auto operator<=>(const Completion&) const = default;
  };
  struct GetRequest {
    ObjectId object;
    auto operator<=>(const GetRequest&) const = default;
  };
  struct GetReply {
    ObjectId object;
    bool found;
    std::vector<ObjectId> inners;
    auto operator<=>(const GetReply&) const = default;
  };
  using Message =
      std::variant<model::ReferenceMessage, TaskPush, Completion, GetRequest, GetReply>;

  enum class Kind : uint8_t {
    kDeliver,      // message `index` from `process` to `other`
    kTellDeath,    // of `other` to `process`
    kLose,         // message `index` from `process`, which died, to `other`
    kCrash,
    kDrop,         // the user's handle of `object`
    kTake,         // a handle of `object` out of a task's arguments or a value
    kSubmit,       // a task to `other` with `object`
    kFinish,       // running task `index`, returning a value that contains `object`, if any
    kGet,          // the value of `object` from its owner
    kCarry,        // `object` out of the world of tasks and values
    kAdopt,        // and in again
  };
  struct Action {
    Kind kind;
    ProcessId process;
    ProcessId other;
    uint32_t index = 0;
    ObjectId object;
  };

  explicit ReferenceWorld(const ReferenceWorldOptions& options);

  std::vector<Action> Actions() const;
  void Apply(const Action& action);
  std::string Describe(const Action& action) const;
  std::string Violation() const;
  void Encode(std::string* out) const;

 private:
  struct Running {
    ProcessId sender;
    TaskPush push;
    auto operator<=>(const Running&) const = default;
  };
  struct Pending {
    ProcessId worker;
    ObjectId result;
  };
  struct Node {
    explicit Node(ProcessId id) : table(id) {}

    bool alive = true;
    model::ReferenceTable table;
    std::set<ObjectId> local;    // user's handles
    std::set<ObjectId> carried;  // of these, those that are kept for whoever finds the name outside
    std::set<ObjectId> seen;     // values that users may look into
    std::set<ObjectId> getting;
    std::set<ObjectId> freed;
    std::vector<Running> running;
    std::map<model::TaskNumber, Pending> pending;
    std::map<ObjectId, std::set<ProcessId>> asked;  // gets that wait for a value
    std::set<ProcessId> told_dead;
  };
  using Link = std::pair<ProcessId, ProcessId>;

  Node& At(ProcessId process) { return nodes_.at(process.value - 1); }
  const Node& At(ProcessId process) const { return nodes_.at(process.value - 1); }
  void AddNetworkActions(std::vector<Action>* actions) const;
  void AddUserActions(ProcessId process, std::vector<Action>* actions) const;
  void AddSubmits(ProcessId process, ObjectId object, std::vector<Action>* actions) const;
  void AddFinishes(ProcessId process, std::vector<Action>* actions) const;
  bool MakesCycle(ObjectId outer, ObjectId inner) const;

  void Send(ProcessId from, ProcessId to, Message message);
  void Deliver(ProcessId from, ProcessId to, const Message& message);
  void On(ProcessId from, ProcessId to, const model::ReferenceMessage& message);
  void On(ProcessId from, ProcessId to, const TaskPush& push);
  void On(ProcessId from, ProcessId to, const Completion& completion);
  void On(ProcessId from, ProcessId to, const GetRequest& request);
  void On(ProcessId from, ProcessId to, const GetReply& reply);
  void Crash(ProcessId process);
  void TellDeath(ProcessId process, ProcessId dead);
  void Submit(ProcessId process, ProcessId worker, ObjectId argument);
  void Finish(ProcessId process, uint32_t index, ObjectId returned);
  void Drop(ProcessId process, ObjectId object);
  void Adopt(ProcessId process, ObjectId object);
  void Reply(ProcessId process, ProcessId to, ObjectId object);
  // The value, or an error in its place, is there.
  void Resolve(ProcessId process, ObjectId object);
  void Fail(ProcessId process, ObjectId result);
  void TakeActions(ProcessId process);

  bool IsQuiet() const;
  bool SomebodyDied() const;
  bool IsGone(ObjectId object) const;
  std::string SafetyViolation(ProcessId process) const;
  std::string MessageViolation() const;
  std::string RestViolation() const;
  std::string RestViolation(ProcessId process) const;

  ReferenceWorldOptions options_;
  std::vector<Node> nodes_;
  std::map<Link, std::vector<Message>> network_;
  std::map<ObjectId, std::set<ObjectId>> contents_;
  std::set<ObjectId> outside_;  // their names are
  std::set<ObjectId> valued_;  // objects whose value, or error, is there for gets
  uint32_t tasks_left_;
  uint32_t puts_left_;
  uint32_t gets_left_;
  uint32_t carries_left_;
  uint32_t crashes_left_;
  uint32_t next_task_ = 1;
  std::string broken_;  // something that no state shows
};

}  // namespace manta::model_checker
