#include "testing/explorer/explorer.h"

#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <unordered_set>

#include "testing/explorer/fiber.h"

namespace manta::explorer {

using internal::Op;
using internal::OpKind;
using internal::OpResult;

namespace {

// Thrown inside of a process that is to run no further.
struct Stopped {};

constexpr uint32_t kSetUp = 0;  // the process number of set-up and end

enum class Status : uint8_t {
  kNotStarted,  // the one that waits for a crash
  kReady,       // `pending` is its next step
  kAsleep,      // in the futex
  kFinished,
  kCrashed,
};

struct ProcessState {
  std::string name;
  std::function<void()> body;
  Execution::Traits traits;
  bool on_crash = false;

  Status status = Status::kNotStarted;
  Op pending{};
  OpResult result;
  bool stopping = false;
  bool may_crash_here = false;  // nothing happened since its last store, or since its start
  uint64_t history = 0;         // hash of what it has read: stands for its local state

  // The poll that is under way, or that has just failed.
  bool polling = false;
  bool only_loads = true;
  uint64_t read = 0;  // bits of locations
  uint64_t history_before = 0;
  uint32_t steps_before = 0;
};

enum class ChoiceKind : uint8_t { kStep, kCrash };

struct Choice {
  ChoiceKind kind = ChoiceKind::kStep;
  uint8_t process = 0;
  uint8_t other = 0;  // who is woken, or the location that a retry reads again
  Variant variant;
};

// For the trace.
struct StepRecord {
  ChoiceKind kind;
  uint32_t process;
  Op op;
  OpResult result;
  bool stale;          // not the newest message: read, or written behind
  uint64_t newest;     // the value that was newest before the step
  uint64_t written;    // by an update
  uint32_t other;
};

struct Frame {
  std::vector<Choice> choices;
  size_t next = 0;
  uint64_t hash = 0;
};

bool IsStore(const Op& op, const OpResult& result) {
  return op.kind == OpKind::kStore || op.kind == OpKind::kWritePlain ||
         (op.kind == OpKind::kUpdate && result.succeeded);
}

bool IsPlain(const Op& op) {
  return op.kind == OpKind::kReadPlain || op.kind == OpKind::kWritePlain;
}

const char* NameOf(std::memory_order order) {
  switch (order) {
    case std::memory_order_relaxed:
      return "relaxed";
    case std::memory_order_consume:
      return "consume";
    case std::memory_order_acquire:
      return "acquire";
    case std::memory_order_release:
      return "release";
    case std::memory_order_acq_rel:
      return "acq_rel";
    default:
      return "seq_cst";
  }
}

const char* NameOf(UpdateKind kind) {
  switch (kind) {
    case UpdateKind::kExchange:
      return "exchange";
    case UpdateKind::kCompareExchange:
      return "compare_exchange";
    case UpdateKind::kAdd:
      return "fetch_add";
    case UpdateKind::kSub:
      return "fetch_sub";
    case UpdateKind::kAnd:
      return "fetch_and";
    case UpdateKind::kOr:
      return "fetch_or";
    case UpdateKind::kXor:
      return "fetch_xor";
  }
  return "?";
}

std::string Number(uint64_t value) {
  char text[32];
  std::snprintf(text, sizeof(text), value < 100'000 ? "%" PRIu64 : "0x%" PRIx64, value);
  return text;
}

std::string Where(const std::source_location& site) {
  const std::string_view file = site.file_name();
  return std::string(file.substr(file.find_last_of('/') + 1)) + ":" + std::to_string(site.line());
}

std::string Pad(std::string text, size_t width) {
  if (text.size() < width) text.resize(width, ' ');
  return text;
}

thread_local Engine* active_engine = nullptr;

}  // namespace

class Engine {
 public:
  Engine(const Options& options, const std::function<void(Execution&)>& scenario)
      : options_(options), scenario_(scenario), memory_(options.model) {
    if (active_engine != nullptr) {
      std::fputs("explorer: Explore inside of Explore\n", stderr);
      std::abort();
    }
    active_engine = this;
  }
  ~Engine() { active_engine = nullptr; }

  Outcome Run() {
    while (!outcome_.violation && RunOnce() && Backtrack()) {
    }
    outcome_.states = visited_.size();
    return std::move(outcome_);
  }

  // ---- From the scenario ----

  void Keep(std::shared_ptr<void> object) { objects_.push_back(std::move(object)); }

  void AddProcess(std::string name, std::function<void()> body,
                  Execution::Traits traits, bool on_crash) {
    if (processes_.size() == kMaxProcesses) {
      Fail("more than kMaxProcesses processes");
      return;
    }
    memory_.AddProcess();
    ProcessState& process = processes_.emplace_back();
    process.name = std::move(name);
    process.body = std::move(body);
    process.traits = traits;
    process.on_crash = on_crash;
  }

  void AtEnd(std::function<void()> body) { at_end_ = std::move(body); }

  void SetName(uint32_t location, bool plain, std::string name) {
    std::vector<std::string>& names = plain ? plain_names_ : atomic_names_;
    if (names.size() <= location) names.resize(location + 1);
    names[location] = std::move(name);
  }

  const std::string& dead() const { return processes_[dead_].name; }

  // ---- From operations ----

  Memory& memory() { return memory_; }

  bool first_execution() const { return outcome_.executions == 1; }

  bool running() const { return running_; }

  OpResult Perform(const Op& op) {
    if (current_ == kSetUp) {
      if (fiber_phase_) return {};
      Choice choice;
      if (!IsPlain(op) && op.kind != OpKind::kFence) {
        choice.variant = memory_.NewestVariant(op.location);
        if (op.kind == OpKind::kUpdate && op.update == UpdateKind::kCompareExchange) {
          choice.variant.succeeds = memory_.Newest(op.location) == op.expected;
        }
      }
      if (op.kind == OpKind::kSleep || op.kind == OpKind::kRetry) {
        Fail("a set-up or an end that waits");
        throw Stopped{};
      }
      return Execute(kSetUp, op, choice);
    }
    ProcessState& process = processes_[current_];
    if (process.stopping) return {};  // destructors, while it unwinds
    process.pending = op;
    if (op.kind == OpKind::kRetry && process.only_loads) {
      // The failed poll has changed nothing but what may be read from now on.
      process.history = process.history_before;
      memory_.ForgetSteps(current_, process.steps_before);
    }
    fibers_[current_]->Suspend();
    if (process.stopping) throw Stopped{};
    return process.result;
  }

  void BeginPoll() {
    ProcessState& process = processes_[current_];
    process.polling = true;
    process.only_loads = true;
    process.read = 0;
    process.history_before = process.history;
    process.steps_before = memory_.Steps(current_);
  }

  void Settle(std::initializer_list<uint64_t> values, const std::source_location& site) {
    if (!options_.trust_settle) return;
    ProcessState& process = processes_[current_];
    process.history = Mix(site.line(), site.column());
    for (const uint64_t value : values) process.history = Mix(process.history, value);
  }

  void EndPoll() {
    ProcessState& process = processes_[current_];
    process.polling = false;
  }

  void FailCheck(std::string_view requirement, const std::source_location& site) {
    if (processes_[current_].stopping) return;
    Fail("check failed in " + processes_[current_].name + ": " + std::string(requirement) + " (" +
         Where(site) + ")");
    throw Stopped{};
  }

 private:
  void Fail(std::string violation) {
    if (outcome_.violation) return;
    outcome_.violation = std::move(violation);
    outcome_.trace = Trace();
  }

  // ---- One execution ----

  // False: the end of the exploration.
  bool RunOnce() {
    if (outcome_.executions == options_.max_executions) {
      Fail("the bound of " + std::to_string(options_.max_executions) +
           " executions was exceeded before all orders were tried");
      return false;
    }
    ++outcome_.executions;
    Start();
    size_t depth = 0;
    while (!outcome_.violation) {
      if (depth == stack_.size()) {
        Frame frame;
        frame.hash = Hash();
        if (!visited_.insert(frame.hash).second && options_.merge_states) break;
        if (visited_.size() > options_.max_states) {
          Fail("the bound of " + std::to_string(options_.max_states) + " states was exceeded");
          break;
        }
        CollectChoices(&frame.choices);
        if (frame.choices.empty()) {
          End();
          break;
        }
        stack_.push_back(std::move(frame));
      } else if (depth + 1 == stack_.size() && outcome_.executions % 16 == 2 &&
                 stack_[depth].hash != Hash()) {
        // (Now and then will do: who breaks this does so all the time.)
        Fail("the scenario is not deterministic: the same steps led to another state");
        break;
      }
      const Frame& frame = stack_[depth++];
      const Choice& choice = frame.choices[frame.next];
      // The last frame's choice is a new one, those before it are taken again.
      if (depth == stack_.size() && choice.kind == ChoiceKind::kCrash) ++outcome_.crashes;
      Take(choice);
    }
    Finish();
    return !outcome_.violation;
  }

  bool Backtrack() {
    while (!stack_.empty()) {
      Frame& frame = stack_.back();
      if (++frame.next < frame.choices.size()) return true;
      stack_.pop_back();
    }
    return false;
  }

  void Start() {
    memory_.Reset();
    processes_.clear();
    processes_.emplace_back().name = "set-up or end";
    at_end_ = nullptr;
    steps_.clear();
    dead_ = kSetUp;
    current_ = kSetUp;
    fiber_phase_ = false;
    running_ = false;
    Execution execution(this);
    Guarded([&] { scenario_(execution); });
    steps_.clear();
    running_ = true;
    fiber_phase_ = true;
    for (uint32_t i = 1; i < processes_.size() && !outcome_.violation; ++i) {
      if (!processes_[i].on_crash) Launch(i);
    }
  }

  // Runs `body`; what it throws is a violation.
  template <class Body>
  void Guarded(Body body) {
    try {
      body();
    } catch (const Stopped&) {
    } catch (const std::exception& error) {
      Fail("exception in " + processes_[current_].name + ": " + error.what());
    } catch (...) {
      Fail("exception in " + processes_[current_].name);
    }
  }

  void Launch(uint32_t index) {
    while (fibers_.size() <= index) fibers_.push_back(std::make_unique<Fiber>());
    ProcessState& process = processes_[index];
    process.status = Status::kReady;
    process.may_crash_here = true;
    fibers_[index]->Prepare([this, index] { Guarded(processes_[index].body); });
    Resume(index);
  }

  void Resume(uint32_t index) {
    current_ = index;
    fibers_[index]->Resume();
    current_ = kSetUp;
    if (!fibers_[index]->under_way() && processes_[index].status != Status::kCrashed) {
      processes_[index].status = Status::kFinished;
    }
  }

  void Stop(uint32_t index) {
    if (index >= fibers_.size() || !fibers_[index]->under_way()) return;
    processes_[index].stopping = true;
    current_ = index;
    fibers_[index]->Resume();
    current_ = kSetUp;
  }

  void Finish() {
    for (uint32_t i = 1; i < processes_.size(); ++i) Stop(i);
    fiber_phase_ = false;
    running_ = false;
    at_end_ = nullptr;
    for (ProcessState& process : processes_) process.body = nullptr;
    objects_.clear();
  }

  // No process can take a step.
  void End() {
    for (uint32_t i = 1; i < processes_.size(); ++i) {
      const ProcessState& process = processes_[i];
      const bool waits = process.status == Status::kAsleep || process.status == Status::kReady;
      if (!waits || process.traits.may_wait_for_ever) continue;
      Fail(process.name + " waits for ever: " +
           (process.status == Status::kAsleep ? "asleep in the futex " : "nothing new to read ") +
           "(" + Where(process.pending.site) + ")");
      return;
    }
    for (uint32_t i = 1; i < processes_.size(); ++i) memory_.Inherit(kSetUp, i);
    fiber_phase_ = false;
    if (at_end_) Guarded(at_end_);
    fiber_phase_ = true;
  }

  // ---- Choices ----

  bool MayCrash(const ProcessState& process) const {
    return options_.crashes && dead_ == kSetUp && process.traits.may_crash &&
           process.may_crash_here && process.status != Status::kCrashed;
  }

  void CollectChoices(std::vector<Choice>* choices) {
    // An access to plain data commutes with whatever the others do: no need to try both orders.
    for (uint32_t i = 1; i < processes_.size(); ++i) {
      const ProcessState& process = processes_[i];
      if (process.status != Status::kReady || !IsPlain(process.pending)) continue;
      choices->push_back({ChoiceKind::kStep, static_cast<uint8_t>(i), 0, {}});
      if (MayCrash(process)) {
        choices->push_back({ChoiceKind::kCrash, static_cast<uint8_t>(i), 0, {}});
      }
      return;
    }
    for (uint32_t i = 1; i < processes_.size(); ++i) {
      if (processes_[i].status == Status::kReady) CollectSteps(i, choices);
    }
    for (uint32_t i = 1; i < processes_.size(); ++i) {
      if (MayCrash(processes_[i])) {
        choices->push_back({ChoiceKind::kCrash, static_cast<uint8_t>(i), 0, {}});
      }
    }
  }

  void CollectSteps(uint32_t index, std::vector<Choice>* choices) {
    const ProcessState& process = processes_[index];
    const Op& op = process.pending;
    const auto add = [&](uint32_t other, Variant variant) {
      choices->push_back({ChoiceKind::kStep, static_cast<uint8_t>(index),
                          static_cast<uint8_t>(other), variant});
    };
    variants_.clear();
    switch (op.kind) {
      case OpKind::kLoad:
        memory_.LoadVariants(index, op.location, op.order, &variants_);
        break;
      case OpKind::kStore:
        memory_.StoreVariants(index, op.location, op.order, &variants_);
        break;
      case OpKind::kUpdate:
        memory_.UpdateVariants(index, op.location, op.update, op.expected, op.order, op.failure,
                                &variants_);
        break;
      case OpKind::kSleep:
        variants_.push_back(memory_.NewestVariant(op.location));
        break;
      case OpKind::kFence:
      case OpKind::kReadPlain:
      case OpKind::kWritePlain:
        variants_.push_back({});
        break;
      case OpKind::kWake: {
        bool sleeper = false;
        for (uint32_t other = 1; other < processes_.size(); ++other) {
          const ProcessState& candidate = processes_[other];
          if (candidate.status != Status::kAsleep || candidate.pending.location != op.location) {
            continue;
          }
          add(other, {});
          sleeper = true;
        }
        if (!sleeper) add(0, {});
        return;
      }
      case OpKind::kRetry:
        for (uint32_t location = 0; location < memory_.locations(); ++location) {
          if ((process.read >> location & 1) && memory_.HasNewer(index, location)) {
            add(location, {});
          }
        }
        return;
    }
    for (const Variant& variant : variants_) add(0, variant);
  }

  void Take(const Choice& choice) {
    ++outcome_.steps;
    ProcessState& process = processes_[choice.process];
    if (choice.kind == ChoiceKind::kCrash) {
      steps_.push_back({ChoiceKind::kCrash, choice.process, {}, {}, false, 0, 0, 0});
      process.status = Status::kCrashed;
      dead_ = choice.process;
      Stop(choice.process);
      for (uint32_t i = 1; i < processes_.size(); ++i) {
        if (!processes_[i].on_crash) continue;
        memory_.Inherit(i, choice.process);
        Launch(i);
      }
      return;
    }
    const Op op = process.pending;
    const OpResult result = Execute(choice.process, op, choice);
    process.may_crash_here = IsStore(op, result);
    process.result = result;
    if (outcome_.violation) return;
    if (memory_.Steps(choice.process) >= kMaxSteps) {
      Fail(process.name + " takes more than kMaxSteps steps");
      return;
    }
    if (op.kind == OpKind::kSleep && result.succeeded) {
      process.status = Status::kAsleep;
      return;
    }
    if (op.kind == OpKind::kWake && choice.other != 0) {
      ProcessState& woken = processes_[choice.other];
      woken.status = Status::kReady;
      Resume(choice.other);
      if (outcome_.violation) return;
    }
    Resume(choice.process);
  }

  // ---- Operations ----

  OpResult Execute(uint32_t index, const Op& op, const Choice& choice) {
    ProcessState& process = processes_[index];
    OpResult result;
    StepRecord record{ChoiceKind::kStep, index, op, {}, false, 0, 0, choice.other};
    if (op.kind == OpKind::kLoad || op.kind == OpKind::kStore || op.kind == OpKind::kUpdate) {
      record.newest = memory_.Newest(op.location);
      record.stale = choice.variant.position != memory_.NewestVariant(op.location).position;
    }
    uint32_t race = Memory::kNoProcess;
    switch (op.kind) {
      case OpKind::kLoad:
        result.value = memory_.Load(index, op.location, op.order, choice.variant);
        break;
      case OpKind::kStore:
        memory_.Store(index, op.location, op.order, choice.variant, op.operand);
        break;
      case OpKind::kUpdate:
        result.value = memory_.Update(index, op.location, op.update, op.operand, op.order,
                                       op.failure, choice.variant);
        result.succeeded = choice.variant.succeeds;
        break;
      case OpKind::kFence:
        memory_.Fence(index);
        break;
      case OpKind::kReadPlain:
        race = memory_.ReadPlain(index, op.location, &result.value);
        break;
      case OpKind::kWritePlain:
        race = memory_.WritePlain(index, op.location, op.operand);
        break;
      case OpKind::kSleep:
        memory_.Fence(index);
        result.value = memory_.Load(index, op.location, op.order, choice.variant);
        result.succeeded = result.value == op.expected;
        break;
      case OpKind::kWake:
        memory_.Fence(index);
        break;
      case OpKind::kRetry:
        memory_.Advance(index, choice.other);
        break;
    }
    process.history =
        Mix(process.history, uint64_t{op.location} << 8 | static_cast<uint64_t>(op.kind));
    process.history = Mix(process.history, result.value * 2 + result.succeeded);
    if (process.polling) {
      if (op.kind == OpKind::kLoad ||
          (op.kind == OpKind::kUpdate && !result.succeeded)) {
        process.read |= uint64_t{1} << op.location;
      }
      if (op.kind != OpKind::kLoad) process.only_loads = false;
    }
    if (running_) {
      record.result = result;
      steps_.push_back(record);
      if (race != Memory::kNoProcess) FailRace(index, op, race);
      if (!memory_.exhausted().empty()) Fail(memory_.exhausted());
    }
    return result;
  }

  void FailRace(uint32_t index, const Op& op, uint32_t other) {
    std::string where = "set-up";
    // The last conflicting access of the other process.
    for (size_t i = steps_.size() - 1; i-- > 0;) {
      const StepRecord& step = steps_[i];
      if (step.kind != ChoiceKind::kStep || step.process != other || !IsPlain(step.op) ||
          step.op.location != op.location) {
        continue;
      }
      if (step.op.kind == OpKind::kReadPlain && op.kind == OpKind::kReadPlain) continue;
      where = processes_[other].name +
              (step.op.kind == OpKind::kReadPlain ? " reads (step " : " writes (step ") +
              std::to_string(i + 1) + ", " + Where(step.op.site) + ")";
      break;
    }
    Fail("data race on " + NameOfLocation(op) + ": " + processes_[index].name +
         (op.kind == OpKind::kReadPlain ? " reads (step " : " writes (step ") +
         std::to_string(steps_.size()) + ", " + Where(op.site) + ") and " + where);
  }

  uint64_t Hash() {
    std::vector<uint32_t>& live = live_;
    live.clear();
    uint64_t hash = Mix(dead_, 0);
    for (uint32_t i = 1; i < processes_.size(); ++i) {
      const ProcessState& process = processes_[i];
      const bool may_step = process.status == Status::kReady || process.status == Status::kAsleep;
      const bool may_crash = MayCrash(process);
      const bool retries =
          process.status == Status::kReady && process.pending.kind == OpKind::kRetry;
      if (may_step || may_crash) live.push_back(i);
      hash = Mix(hash, process.history);
      hash = Mix(hash, static_cast<uint64_t>(process.status) << 8 | may_crash << 1 | retries);
      if (!retries) continue;
      for (uint32_t location = 0; location < memory_.locations(); ++location) {
        if (process.read >> location & 1) {
          hash = Mix(hash, location << 1 | memory_.HasNewer(i, location));
        }
      }
    }
    return Mix(hash, memory_.Hash(live));
  }

  // ---- Traces ----

  std::string NameOfLocation(const Op& op) const {
    const std::vector<std::string>& names = IsPlain(op) ? plain_names_ : atomic_names_;
    if (op.location < names.size() && !names[op.location].empty()) return names[op.location];
    return (IsPlain(op) ? "plain#" : "atomic#") + std::to_string(op.location);
  }

  std::string Describe(const StepRecord& step) const {
    if (step.kind == ChoiceKind::kCrash) return "CRASHES";
    const Op& op = step.op;
    const std::string name = NameOfLocation(op);
    const std::string order = std::string(" (") + NameOf(op.order) + ")";
    const std::string stale = step.stale ? ", while the newest is " + Number(step.newest) : "";
    switch (op.kind) {
      case OpKind::kLoad:
        return "load  " + name + " = " + Number(step.result.value) + order + stale;
      case OpKind::kStore:
        return "store " + name + " := " + Number(op.operand) + order +
               (step.stale ? ", ordered before the newest, " + Number(step.newest) : "");
      case OpKind::kUpdate:
        if (!step.result.succeeded) {
          return std::string(NameOf(op.update)) + " " + name + ": expected " +
                 Number(op.expected) + ", found " + Number(step.result.value) + " (" +
                 NameOf(op.failure) + ")" + stale;
        }
        return std::string(NameOf(op.update)) + " " + name + ": " + Number(step.result.value) +
               (op.update == UpdateKind::kExchange || op.update == UpdateKind::kCompareExchange
                    ? " -> "
                    : " by ") +
               Number(op.operand) + order + stale;
      case OpKind::kFence:
        return "fence (seq_cst)";
      case OpKind::kReadPlain:
        return "read  " + name + " = " + Number(step.result.value);
      case OpKind::kWritePlain:
        return "write " + name + " := " + Number(op.operand);
      case OpKind::kSleep:
        return step.result.succeeded ? "falls asleep on " + name
                                     : "does not sleep on " + name + ", it is " +
                                           Number(step.result.value);
      case OpKind::kWake:
        return step.other != 0 ? "wakes " + processes_[step.other].name + " on " + name
                               : "wakes nobody on " + name;
      case OpKind::kRetry: {
        Op location = op;
        location.location = step.other;
        return "polls again, with something newer to read in " + NameOfLocation(location);
      }
    }
    return "?";
  }

  std::string Trace() const {
    size_t width = 0;
    for (const ProcessState& process : processes_) width = std::max(width, process.name.size());
    std::string trace;
    for (size_t i = 0; i < steps_.size(); ++i) {
      const StepRecord& step = steps_[i];
      std::string line = Pad(std::to_string(i + 1), 4) + Pad(processes_[step.process].name, width) +
                         "  " + Describe(step);
      if (step.kind == ChoiceKind::kStep) {
        line = Pad(std::move(line), 76) + "  " + Where(step.op.site);
      }
      trace += "  " + line + "\n";
    }
    return trace;
  }

  const Options options_;
  const std::function<void(Execution&)>& scenario_;
  Outcome outcome_;
  std::vector<Frame> stack_;  // the path of the depth-first search
  std::unordered_set<uint64_t> visited_;

  // Of the execution.
  Memory memory_;
  std::vector<ProcessState> processes_;
  std::vector<std::unique_ptr<Fiber>> fibers_;
  std::vector<std::shared_ptr<void>> objects_;
  std::function<void()> at_end_;
  std::vector<StepRecord> steps_;
  std::vector<std::string> atomic_names_;
  std::vector<std::string> plain_names_;
  uint32_t current_ = kSetUp;  // whose code runs
  uint32_t dead_ = kSetUp;
  bool running_ = false;      // operations are recorded
  bool fiber_phase_ = false;  // processes exist: operations outside of them are ignored

  std::vector<Variant> variants_;
  std::vector<uint32_t> live_;
};

void Execution::Process(std::string name, std::function<void()> body, Traits traits) {
  engine_->AddProcess(std::move(name), std::move(body), traits, false);
}

void Execution::OnCrash(std::string name, std::function<void(const std::string&)> body) {
  engine_->AddProcess(
      std::move(name), [engine = engine_, body = std::move(body)] { body(engine->dead()); },
      Traits(), true);
}

void Execution::AtEnd(std::function<void()> body) { engine_->AtEnd(std::move(body)); }

void Execution::Keep(std::shared_ptr<void> object) { engine_->Keep(std::move(object)); }

bool Execution::WantsNames() const { return engine_->first_execution(); }

void Execution::SetName(uint32_t location, bool plain, std::string name) {
  engine_->SetName(location, plain, std::move(name));
}

Outcome Explore(const Options& options, const std::function<void(Execution&)>& scenario) {
  Engine engine(options, scenario);
  return engine.Run();
}

void Settle(std::initializer_list<uint64_t> values, std::source_location site) {
  active_engine->Settle(values, site);
}

void Check(bool condition, std::string_view requirement, std::source_location site) {
  if (!condition) active_engine->FailCheck(requirement, site);
}

std::string Outcome::Summary() const {
  return std::to_string(executions) + " executions, " + std::to_string(states) + " states, " +
         std::to_string(crashes) + " crashes, " + std::to_string(steps) + " steps";
}

std::string Outcome::Report() const {
  std::string report = Summary() + "\n";
  if (violation) report += *violation + "\n" + trace;
  return report;
}

namespace internal {

namespace {

// The engine of the exploration that is under way; shared variables exist in one only.
Engine& Active() {
  if (active_engine == nullptr) {
    std::fputs("explorer: a shared variable outside of Explore\n", stderr);
    std::abort();
  }
  return *active_engine;
}

}  // namespace

uint32_t AddAtomic(uint64_t value, uint32_t bytes) {
  Engine& engine = Active();
  if (engine.running()) Check(false, "shared variables are made before the processes run");
  return engine.memory().AddAtomic(value, bytes);
}

uint32_t AddPlain(uint64_t value) {
  Engine& engine = Active();
  if (engine.running()) Check(false, "shared variables are made before the processes run");
  return engine.memory().AddPlain(value);
}

OpResult Perform(const Op& op) { return Active().Perform(op); }
void BeginPoll() { Active().BeginPoll(); }
void EndPoll() { Active().EndPoll(); }

}  // namespace internal
}  // namespace manta::explorer
