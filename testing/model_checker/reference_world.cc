#include "testing/model_checker/reference_world.h"

#include <algorithm>

#include "testing/model_checker/reference_encoding.h"

namespace manta::model_checker {

using model::CompletionReferences;
using model::ContainedReferences;
using model::KeptReference;
using model::PassedReference;
using model::ReferenceMessage;

namespace {

// Objects by index: what process 1 has at the start, what workers put, and results by task.
constexpr uint32_t kPlain = 1, kOuter = 2, kPut = 10, kResult = 20;

std::string Name(ProcessId process) { return "P" + std::to_string(process.value); }

std::string Name(ObjectId object) {
  return "O" + std::to_string(object.index) + "@" + Name(object.owner);
}

// The text of a message, for people.
struct Text {
  std::string operator()(const ReferenceMessage& message) const {
    return std::visit(*this, message);
  }
  std::string operator()(const model::AddBorrower& add) const {
    return "Add " + Name(add.object) + " epoch " + std::to_string(add.epoch);
  }
  std::string operator()(const model::AddAcknowledged& ack) const {
    return std::string(ack.known ? "Acknowledged " : "Unknown ") + Name(ack.object) + " epoch " +
           std::to_string(ack.epoch);
  }
  std::string operator()(const model::RemoveBorrower& remove) const {
    return "Remove " + Name(remove.object) + " epoch " + std::to_string(remove.epoch);
  }
  std::string operator()(const model::TransferConfirmed& confirmed) const {
    return "Confirmed " + Name(confirmed.object);
  }
  std::string operator()(const ReferenceWorld::TaskPush& push) const {
    return "task " + std::to_string(push.task) + " with " + Name(push.arguments.front());
  }
  std::string operator()(const ReferenceWorld::Completion& completion) const {
    std::string text = "completion of task " + std::to_string(completion.task);
    for (const KeptReference& kept : completion.references.kept) {
      text += ", kept " + Name(kept.object) + " epoch " + std::to_string(kept.epoch);
    }
    for (const ContainedReferences& result : completion.references.results) {
      for (const PassedReference& inner : result.inners) text += ", returns " + Name(inner.object);
    }
    return text;
  }
  std::string operator()(const ReferenceWorld::GetRequest& request) const {
    return "get of " + Name(request.object);
  }
  std::string operator()(const ReferenceWorld::GetReply& reply) const {
    return (reply.found ? "value of " : "no value of ") + Name(reply.object);
  }
};

}  // namespace

ReferenceWorld::ReferenceWorld(const ReferenceWorldOptions& options)
    : options_(options),
      tasks_left_(options.tasks),
      puts_left_(options.worker_puts),
      gets_left_(options.gets),
      carries_left_(options.carries),
      crashes_left_(options.crashes) {
  for (uint32_t i = 1; i <= options.processes; ++i) nodes_.emplace_back(ProcessId{i});
  Node& first = nodes_.front();
  const ObjectId plain{ProcessId{1}, kPlain, 0}, outer{ProcessId{1}, kOuter, 0};
  first.table.Own(plain);
  first.local.insert(plain);
  if (!options.nested) return;
  first.table.Own(outer);
  first.table.Put(outer, {plain});
  first.local.insert(outer);
  first.seen.insert(outer);
  contents_[outer] = {plain};
  valued_.insert(outer);
}

// ---- What may happen

std::vector<ReferenceWorld::Action> ReferenceWorld::Actions() const {
  std::vector<Action> actions;
  AddNetworkActions(&actions);
  for (uint32_t i = 1; i <= nodes_.size(); ++i) {
    if (At({i}).alive) AddUserActions({i}, &actions);
  }
  return actions;
}

void ReferenceWorld::AddNetworkActions(std::vector<Action>* actions) const {
  for (const auto& [link, messages] : network_) {
    const auto [from, to] = link;
    const uint32_t count = static_cast<uint32_t>(messages.size());
    for (uint32_t i = 0; i < (options_.in_order ? 1 : count); ++i) {
      actions->push_back({Kind::kDeliver, from, to, i, {}});
    }
    if (At(from).alive) continue;
    for (uint32_t i = options_.in_order ? count - 1 : 0; i < count; ++i) {
      actions->push_back({Kind::kLose, from, to, i, {}});
    }
  }
  for (uint32_t dead = 1; dead <= nodes_.size(); ++dead) {
    if (At({dead}).alive) continue;
    for (uint32_t i = 1; i <= nodes_.size(); ++i) {
      const Node& node = At({i});
      const bool all_came = !network_.contains({{dead}, {i}});
      if (node.alive && all_came && !node.told_dead.contains({dead})) {
        actions->push_back({Kind::kTellDeath, {i}, {dead}, 0, {}});
      }
    }
  }
}

void ReferenceWorld::AddUserActions(ProcessId process, std::vector<Action>* actions) const {
  const Node& node = At(process);
  if (crashes_left_ > 0 && options_.may_crash.contains(static_cast<uint32_t>(process.value))) {
    actions->push_back({Kind::kCrash, process, {}, 0, {}});
  }
  std::set<ObjectId> reachable;
  for (const ObjectId object : node.local) {
    if (!node.carried.contains(object)) {
      actions->push_back({Kind::kDrop, process, {}, 0, object});
      if (carries_left_ > 0) actions->push_back({Kind::kCarry, process, {}, 0, object});
    }
    AddSubmits(process, object, actions);
    const bool may_contain = object.index == kOuter || object.index >= kResult;
    if (may_contain && gets_left_ > 0 && object.owner != process && !node.seen.contains(object) &&
        !node.getting.contains(object) && !node.table.HasFailed(object)) {
      actions->push_back({Kind::kGet, process, {}, 0, object});
    }
    if (!node.seen.contains(object)) continue;
    const auto inners = contents_.find(object);
    if (inners != contents_.end()) reachable.insert(inners->second.begin(), inners->second.end());
  }
  for (const Running& task : node.running) {
    reachable.insert(task.push.arguments.begin(), task.push.arguments.end());
  }
  for (const ObjectId object : reachable) {
    if (!node.local.contains(object) && node.table.Knows(object) && !node.table.HasFailed(object)) {
      actions->push_back({Kind::kTake, process, {}, 0, object});
    }
  }
  for (const ObjectId object : outside_) {
    if (carries_left_ > 0 && object.owner != process && !node.local.contains(object) && !node.table.HasFailed(object)) {
      actions->push_back({Kind::kAdopt, process, {}, 0, object});
    }
  }
  AddFinishes(process, actions);
}

void ReferenceWorld::AddSubmits(ProcessId process, ObjectId object,
                                std::vector<Action>* actions) const {
  const Node& node = At(process);
  if (tasks_left_ == 0 || node.table.HasFailed(object)) return;
  for (uint32_t worker = 1; worker <= nodes_.size(); ++worker) {
    if (worker == process.value || node.told_dead.contains({worker})) continue;
    actions->push_back({Kind::kSubmit, process, {worker}, 0, object});
  }
}

void ReferenceWorld::AddFinishes(ProcessId process, std::vector<Action>* actions) const {
  const Node& node = At(process);
  for (uint32_t i = 0; i < node.running.size(); ++i) {
    actions->push_back({Kind::kFinish, process, {}, i, {}});
    const TaskPush& push = node.running[i].push;
    if (!push.result) continue;
    std::set<ObjectId> returnable = node.local;
    returnable.insert(push.arguments.begin(), push.arguments.end());
    for (const ObjectId object : returnable) {
      if (!node.table.Knows(object) || MakesCycle(push.result, object)) continue;
      actions->push_back({Kind::kFinish, process, {}, i, object});
    }
    if (puts_left_ == 0) continue;
    const ObjectId fresh{process, kPut + puts_left_, 0};
    actions->push_back({Kind::kFinish, process, {}, i, fresh});
  }
}

// Values that contain each other are not freed while their processes live; none are made here.
bool ReferenceWorld::MakesCycle(ObjectId outer, ObjectId inner) const {
  const auto contents = contents_.find(inner);
  if (contents == contents_.end()) return false;
  return std::any_of(contents->second.begin(), contents->second.end(), [&](ObjectId next) {
    return next != inner && (next == outer || MakesCycle(outer, next));
  });
}

// ---- What happens

void ReferenceWorld::Apply(const Action& action) {
  Node& node = At(action.process);
  switch (action.kind) {
    case Kind::kDeliver:
    case Kind::kLose: {
      const auto link = network_.find({action.process, action.other});
      const Message message = link->second[action.index];
      link->second.erase(link->second.begin() + action.index);
      if (link->second.empty()) network_.erase(link);
      if (action.kind == Kind::kDeliver) Deliver(action.process, action.other, message);
      return;
    }
    case Kind::kTellDeath:
      return TellDeath(action.process, action.other);
    case Kind::kCrash:
      return Crash(action.process);
    case Kind::kDrop:
      return Drop(action.process, action.object);
    case Kind::kTake:
      node.local.insert(action.object);
      return node.table.SetLocal(action.object, true);
    case Kind::kSubmit:
      return Submit(action.process, action.other, action.object);
    case Kind::kFinish:
      return Finish(action.process, action.index, action.object);
    case Kind::kGet:
      --gets_left_;
      node.getting.insert(action.object);
      return Send(action.process, action.object.owner, GetRequest{action.object});
    case Kind::kCarry:
      --carries_left_;
      outside_.insert(action.object);
      node.carried.insert(action.object);
      return;
    case Kind::kAdopt:
      --carries_left_;
      return Adopt(action.process, action.object);
  }
}

void ReferenceWorld::Send(ProcessId from, ProcessId to, Message message) {
  if (At(to).alive) network_[{from, to}].push_back(std::move(message));
}

void ReferenceWorld::Deliver(ProcessId from, ProcessId to, const Message& message) {
  std::visit([&](const auto& specific) { On(from, to, specific); }, message);
  TakeActions(to);
}

void ReferenceWorld::On(ProcessId from, ProcessId to, const ReferenceMessage& message) {
  At(to).table.Handle(from, message);
}

void ReferenceWorld::On(ProcessId from, ProcessId to, const TaskPush& push) {
  Node& node = At(to);
  node.table.TaskReceived(from, push.task, push.arguments);
  node.running.push_back({from, push});
  std::sort(node.running.begin(), node.running.end());
}

void ReferenceWorld::On(ProcessId from, ProcessId to, const Completion& completion) {
  Node& node = At(to);
  const ObjectId result = node.pending.at(completion.task).result;
  node.pending.erase(completion.task);
  if (!node.table.Knows(result)) contents_.erase(result);
  node.table.TaskCompleted(completion.task, from, completion.references);
}

void ReferenceWorld::On(ProcessId from, ProcessId to, const GetRequest& request) {
  if (!At(to).table.Knows(request.object)) {
    Send(to, from, GetReply{request.object, false, {}});
  } else if (valued_.contains(request.object)) {
    Reply(to, from, request.object);
  } else {
    At(to).asked[request.object].insert(from);
  }
}

void ReferenceWorld::On(ProcessId, ProcessId to, const GetReply& reply) {
  if (reply.found) {
    At(to).table.ValueReceived(reply.object, reply.inners);
  } else {
    At(to).getting.erase(reply.object);
  }
}

void ReferenceWorld::Reply(ProcessId process, ProcessId to, ObjectId object) {
  const auto contents = contents_.find(object);
  GetReply reply{object, true, {}};
  if (contents != contents_.end()) {
    reply.inners.assign(contents->second.begin(), contents->second.end());
  }
  Send(process, to, reply);
}

void ReferenceWorld::Submit(ProcessId process, ProcessId worker, ObjectId argument) {
  Node& node = At(process);
  const uint32_t task = next_task_++;
  --tasks_left_;
  TaskPush push{task, {argument}, {}};
  if (options_.results) {
    push.result = {process, kResult + task, 0};
    node.table.Own(push.result);
    node.local.insert(push.result);
  }
  node.table.PinTask(task, {argument});
  node.pending[task] = {worker, push.result};
  Send(process, worker, push);
}

void ReferenceWorld::Finish(ProcessId process, uint32_t index, ObjectId returned) {
  Node& node = At(process);
  const Running task = node.running[index];
  node.running.erase(node.running.begin() + index);
  if (returned && !node.table.Knows(returned)) {
    node.table.Own(returned);
    --puts_left_;
  }
  std::vector<std::pair<ObjectId, std::vector<ObjectId>>> results;
  if (task.push.result) {
    results.emplace_back(task.push.result, std::vector<ObjectId>());
    if (returned) {
      results.back().second.push_back(returned);
      contents_[task.push.result] = {returned};
    }
  }
  Completion completion{task.push.task,
                        node.table.TaskFinished(task.sender, task.push.task, results)};
  if (returned && !node.local.contains(returned)) node.table.SetLocal(returned, false);
  Send(process, task.sender, std::move(completion));
  TakeActions(process);
}

void ReferenceWorld::Drop(ProcessId process, ObjectId object) {
  Node& node = At(process);
  node.local.erase(object);
  node.getting.erase(object);
  node.table.SetLocal(object, false);
  TakeActions(process);
}

void ReferenceWorld::Adopt(ProcessId process, ObjectId object) {
  Node& node = At(process);
  if (node.table.Knows(object)) {
    node.table.SetLocal(object, true);
  } else {
    node.table.Adopt(object);
  }
  node.local.insert(object);
  TakeActions(process);
}

void ReferenceWorld::Crash(ProcessId process) {
  --crashes_left_;
  Node& node = At(process);
  node = Node(process);
  node.alive = false;
  std::erase_if(network_, [&](const auto& link) { return link.first.second == process; });
}

void ReferenceWorld::TellDeath(ProcessId process, ProcessId dead) {
  Node& node = At(process);
  node.told_dead.insert(dead);
  node.table.ProcessDied(dead);
  for (auto& [object, who] : node.asked) who.erase(dead);
  std::erase_if(node.asked, [](const auto& asked) { return asked.second.empty(); });
  for (auto task = node.pending.begin(); task != node.pending.end();) {
    if (task->second.worker != dead) {
      ++task;
      continue;
    }
    node.table.UnpinTask(task->first);
    if (task->second.result) Fail(process, task->second.result);
    task = node.pending.erase(task);
  }
  TakeActions(process);
}

void ReferenceWorld::Fail(ProcessId process, ObjectId result) {
  contents_.erase(result);
  if (At(process).table.Knows(result)) Resolve(process, result);
}

void ReferenceWorld::Resolve(ProcessId process, ObjectId object) {
  Node& node = At(process);
  valued_.insert(object);
  node.seen.insert(object);
  const auto asked = node.asked.extract(object);
  if (asked.empty()) return;
  for (const ProcessId who : asked.mapped()) Reply(process, who, object);
}

void ReferenceWorld::TakeActions(ProcessId process) {
  Node& node = At(process);
  for (const model::ReferenceAction& action : node.table.TakeActions()) {
    if (const auto* send = std::get_if<model::SendReferenceMessage>(&action)) {
      Send(process, send->to, send->message);
    } else if (const auto* free = std::get_if<model::FreeObject>(&action)) {
      if (!node.freed.insert(free->object).second) broken_ = Name(free->object) + " freed twice";
      const auto asked = node.asked.extract(free->object);
      contents_.erase(free->object);
      valued_.erase(free->object);
      if (asked.empty()) continue;
      for (const ProcessId who : asked.mapped()) {
        Send(process, who, GetReply{free->object, false, {}});
      }
    } else if (const auto* visible = std::get_if<model::ValueVisible>(&action)) {
      node.getting.erase(visible->outer);
      if (visible->outer.owner == process) {
        Resolve(process, visible->outer);
      } else {
        node.seen.insert(visible->outer);
      }
    } else if (const auto* lost = std::get_if<model::ValueLost>(&action)) {
      node.getting.erase(lost->outer);
      if (lost->outer.owner == process) Fail(process, lost->outer);
    } else if (const auto* failed = std::get_if<model::ReferenceFailed>(&action)) {
      node.getting.erase(failed->object);
    }
  }
  std::erase_if(node.seen, [&](ObjectId object) { return !node.table.Knows(object); });
}

std::string ReferenceWorld::Describe(const Action& action) const {
  const std::string who = Name(action.process);
  switch (action.kind) {
    case Kind::kDeliver:
    case Kind::kLose: {
      const Message& message = network_.at({action.process, action.other})[action.index];
      return who + " -> " + Name(action.other) + ": " + std::visit(Text(), message) +
             (action.kind == Kind::kLose ? " (lost)" : "");
    }
    case Kind::kTellDeath:
      return who + " learns of the death of " + Name(action.other);
    case Kind::kCrash:
      return who + " crashes";
    case Kind::kDrop:
      return who + " drops " + Name(action.object);
    case Kind::kTake:
      return who + " takes " + Name(action.object);
    case Kind::kSubmit:
      return who + " submits task " + std::to_string(next_task_) + " with " + Name(action.object) +
             " to " + Name(action.other);
    case Kind::kFinish:
      return who + " finishes task " +
             std::to_string(At(action.process).running[action.index].push.task) +
             (action.object ? " and returns " + Name(action.object) : "");
    case Kind::kGet:
      return who + " gets " + Name(action.object);
    case Kind::kCarry:
      return who + " carries " + Name(action.object) + " outside";
    case Kind::kAdopt:
      return who + " takes " + Name(action.object) + " from outside";
  }
  return "?";
}

// ---- What must hold

std::string ReferenceWorld::Violation() const {
  if (!broken_.empty()) return broken_;
  for (uint32_t i = 1; i <= nodes_.size(); ++i) {
    const Node& node = At({i});
    if (!node.alive) continue;
    const char* broken = node.table.BrokenInvariant();
    if (broken != nullptr) return Name(ProcessId{i}) + ": " + broken;
    const std::string unsafe = SafetyViolation({i});
    if (!unsafe.empty()) return unsafe;
  }
  const std::string unsafe = MessageViolation();
  if (!unsafe.empty()) return unsafe;
  return IsQuiet() ? RestViolation() : "";
}

bool ReferenceWorld::SomebodyDied() const { return crashes_left_ < options_.crashes; }

// Its owner lives and has freed it.
bool ReferenceWorld::IsGone(ObjectId object) const {
  const Node& owner = At(object.owner);
  return owner.alive && owner.freed.contains(object);
}

// A held object is not freed. Only of a reference that is not yet registered the sender may die,
// and that turns into an error.
std::string ReferenceWorld::SafetyViolation(ProcessId process) const {
  const Node& node = At(process);
  for (const Node& owner : nodes_) {
    if (!owner.alive) continue;
    for (const ObjectId object : owner.freed) {
      if (!node.table.Knows(object) || node.table.HasFailed(object)) continue;
      if (node.table.IsRegistered(object) || !SomebodyDied()) {
        return Name(object) + " is freed while " + Name(process) + " holds it";
      }
    }
  }
  for (const ObjectId object : node.seen) {
    const auto inners = contents_.find(object);
    if (inners == contents_.end()) continue;
    for (const ObjectId inner : inners->second) {
      if (!node.table.Knows(inner)) {
        return Name(process) + " sees a value that contains " + Name(inner) +
               ", which it does not hold";
      }
      if (inner.owner != process && object.owner == process && object.index >= kResult &&
          !node.table.IsRegistered(inner) && !node.table.HasFailed(inner)) {
        return Name(process) + " sees a result before " + Name(inner) + " is registered";
      }
    }
  }
  return "";
}

std::string ReferenceWorld::MessageViolation() const {
  if (SomebodyDied()) return "";
  for (const auto& [link, messages] : network_) {
    for (const Message& message : messages) {
      std::vector<ObjectId> carried;
      if (const auto* push = std::get_if<TaskPush>(&message)) {
        carried = push->arguments;
      } else if (const auto* completion = std::get_if<Completion>(&message)) {
        for (const KeptReference& kept : completion->references.kept) {
          carried.push_back(kept.object);
        }
        for (const ContainedReferences& result : completion->references.results) {
          for (const PassedReference& inner : result.inners) carried.push_back(inner.object);
        }
      }
      for (const ObjectId object : carried) {
        if (IsGone(object)) return Name(object) + " is freed while a message carries it";
      }
    }
  }
  return "";
}

// Nothing happens any more unless a user does something.
bool ReferenceWorld::IsQuiet() const {
  if (!network_.empty()) return false;
  for (const Node& node : nodes_) {
    if (!node.alive) continue;
    if (!node.running.empty()) return false;
    for (uint32_t i = 1; i <= nodes_.size(); ++i) {
      if (!At({i}).alive && !node.told_dead.contains({i})) return false;
    }
  }
  return true;
}

std::string ReferenceWorld::RestViolation() const {
  bool dropped = true;
  for (uint32_t i = 1; i <= nodes_.size(); ++i) {
    if (!At({i}).alive) continue;
    const std::string violation = RestViolation({i});
    if (!violation.empty()) return "at rest, " + Name(ProcessId{i}) + violation;
    dropped = dropped && At({i}).local.empty();
  }
  if (!dropped) return "";
  for (const Node& node : nodes_) {
    if (node.alive && !node.table.empty()) return "all is dropped, but something is left";
  }
  return "";
}

std::string ReferenceWorld::RestViolation(ProcessId process) const {
  const Node& node = At(process);
  if (!node.table.IsSettled()) return " waits for a message or keeps a pin";
  if (!node.getting.empty()) return ": a get never resolves";
  if (!node.asked.empty()) return " owes an answer";
  if (!node.pending.empty()) return " waits for a task";
  for (const ObjectId object : node.local) {
    if (object.owner == process && object.index >= kResult && !valued_.contains(object)) {
      return ": " + Name(object) + " never gets a value";
    }
  }
  for (const Node& owner : nodes_) {
    for (const ObjectId object : owner.freed) {
      if (owner.alive && node.table.Knows(object) && !node.table.HasFailed(object)) {
        return " holds " + Name(object) + ", which is freed";
      }
    }
  }
  for (const auto& object : node.table.Objects()) {
    if (object.owner != process) continue;
    std::vector<ProcessId> holders;
    for (uint32_t i = 1; i <= nodes_.size(); ++i) {
      if (i != process.value && At({i}).alive && At({i}).table.Knows(object)) {
        holders.push_back({i});
      }
    }
    if (holders != node.table.BorrowersOf(object)) return " lists other borrowers than there are";
  }
  return "";
}

// ---- Encoding

void ReferenceWorld::Encode(std::string* out) const {
  NumberRenaming renaming;
  for (uint32_t i = 1; i <= nodes_.size(); ++i) {
    if (At({i}).alive) renaming.Add(At({i}).table);
  }
  for (const auto& [link, messages] : network_) {
    for (const Message& message : messages) renaming.Add(link.first, link.second, message);
  }
  StateEncoder encoder(&renaming, out);
  for (const Node& node : nodes_) {
    encoder.Number(node.alive);
    if (!node.alive) continue;
    encoder.Table(node.table);
    for (const auto* ids : {&node.local, &node.carried, &node.seen, &node.getting, &node.freed}) {
      encoder.Ids(*ids);
    }
    encoder.Number(node.running.size());
    for (const Running& running : node.running) {
      encoder.Number(running.sender.value);
      encoder.Encode({}, {}, running.push);
    }
    encoder.Number(node.pending.size());
    for (const auto& [task, pending] : node.pending) {
      encoder.Number(task);
      encoder.Number(pending.worker.value);
      encoder.Id(pending.result);
    }
    encoder.Number(node.asked.size());
    for (const auto& [object, who] : node.asked) {
      encoder.Id(object);
      encoder.Ids(who);
    }
    encoder.Ids(node.told_dead);
  }
  encoder.Network(network_, options_.in_order);
  encoder.Number(contents_.size());
  for (const auto& [outer, inners] : contents_) {
    encoder.Id(outer);
    encoder.Ids(inners);
  }
  encoder.Ids(outside_);
  encoder.Ids(valued_);
  for (const uint32_t count : {tasks_left_, puts_left_, gets_left_, carries_left_, crashes_left_, next_task_}) {
    encoder.Number(count);
  }
}

}  // namespace manta::model_checker
