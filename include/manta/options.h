// What tasks and actors need and how failures are dealt with: the setters that Task(f), Actor(f)
// and handle.Task(method) share.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <typeinfo>
#include <utility>
#include <vector>

#include "manta/errors.h"
#include "manta/manta_c.h"
#include "manta/placement_group.h"
#include "manta/scheduling.h"

namespace manta {
inline namespace v1 {
namespace detail {

// A named quantity, in a form that outlives the call that set it.
using Quantities = std::vector<std::pair<std::string, double>>;

inline void SetQuantity(Quantities& quantities, const std::string& name, double quantity) {
  for (auto& entry : quantities) {
    if (entry.first == name) {
      entry.second = quantity;
      return;
    }
  }
  quantities.emplace_back(name, quantity);
}

// Not a number is how the C interface spells "default".
inline double CheckQuantity(const char* setter, double quantity) {
  if (quantity != quantity) {
    throw InvalidArgumentError(std::string(setter) + ": the amount is not a number (NaN)");
  }
  return quantity;
}

// Refers to `quantities`.
inline std::vector<manta_resource> AsResources(const Quantities& quantities) {
  std::vector<manta_resource> resources;
  resources.reserve(quantities.size());
  for (const auto& [name, quantity] : quantities) {
    resources.push_back({CheckText("resources", name).c_str(), quantity});
  }
  return resources;
}

struct TaskOptionValues {
  std::string name;
  double num_cpus = MANTA_DEFAULT_QUANTITY;
  double num_gpus = MANTA_DEFAULT_QUANTITY;
  double memory = MANTA_DEFAULT_QUANTITY;
  Quantities resources;
  int32_t max_retries = MANTA_DEFAULT_INT;
  int32_t retry_exceptions = 0;
  std::vector<const char*> retry_exception_types;
  std::string concurrency_group;
  bool has_group = false;
  manta_placement_group_id group{};  // nil: none
  int32_t bundle_index = -1;
  bool captures = false;
  std::string selector;  // as texts (manta/scheduling.h)
  std::vector<std::string> fallbacks;
  std::optional<SchedulingStrategy> strategy;
  manta_language language = MANTA_LANGUAGE_SAME;
};

// Of what is called; python.h names what is not C++.
template <class Code>
inline constexpr manta_language kLanguageOf = MANTA_LANGUAGE_SAME;

// The options of one caller object, checked and numbered by the runtime at the first call, so that
// later calls only name the number. Without options it is free.
//
// Thread safety: Number may be called by several threads; changes need exclusive access.
class TaskOptions {
 public:
  TaskOptions() = default;
  TaskOptions(const TaskOptions& other)
      : values_(other.values_ ? std::make_unique<TaskOptionValues>(*other.values_) : nullptr) {}
  TaskOptions(TaskOptions&& other) noexcept : values_(std::move(other.values_)) {}
  TaskOptions& operator=(TaskOptions other) noexcept {
    values_ = std::move(other.values_);
    numbered_for_.store(0, std::memory_order_relaxed);
    return *this;
  }

  TaskOptionValues& Change() {
    if (values_ == nullptr) values_ = std::make_unique<TaskOptionValues>();
    numbered_for_.store(0, std::memory_order_relaxed);
    return *values_;
  }

  // Of each call; nullptr: the function's.
  const char* Name() const {
    return values_ == nullptr || values_->name.empty() ? nullptr : values_->name.c_str();
  }

  uint32_t Number(manta_runtime* runtime) const {
    if (values_ == nullptr) return 0;
    const uint64_t serial = manta_runtime_serial(runtime);
    if (numbered_for_.load(std::memory_order_acquire) == serial) {
      return number_.load(std::memory_order_relaxed);
    }
    return Intern(runtime, serial);
  }

 private:
  [[gnu::noinline]] uint32_t Intern(manta_runtime* runtime, uint64_t serial) const {
    const TaskOptionValues& values = *values_;
    const std::vector<manta_resource> resources = AsResources(values.resources);
    manta_task_options options;
    options.struct_size = sizeof(options);
    manta_task_options_init(&options);
    options.num_cpus = values.num_cpus;
    options.num_gpus = values.num_gpus;
    options.memory = values.memory;
    options.resources = resources.data();
    options.num_resources = resources.size();
    options.max_retries = values.max_retries;
    options.retry_exceptions = values.retry_exceptions;
    options.retry_exception_types = values.retry_exception_types.data();
    options.num_retry_exception_types = values.retry_exception_types.size();
    if (!values.concurrency_group.empty()) {
      options.concurrency_group = values.concurrency_group.c_str();
    }
    if (values.has_group) {
      options.placement_group = &values.group;
      options.bundle_index = values.bundle_index;
      options.capture_child_tasks = values.captures ? 1 : 0;
    }
    const std::string nodes = Nodes(values);
    if (!nodes.empty()) options.nodes = nodes.c_str();
    if (values.strategy.has_value() && !values.has_group) options.placement_group = &values.group;
    options.language = values.language;
    uint32_t number = 0;
    Check(manta_task_options_intern(runtime, &options, &number));
    number_.store(number, std::memory_order_relaxed);
    numbered_for_.store(serial, std::memory_order_release);
    return number;
  }

  static std::string Nodes(const TaskOptionValues& values) {
    if (!values.strategy.has_value() && values.selector.empty() && values.fallbacks.empty()) return "";
    std::vector<std::string> selectors = values.fallbacks;
    selectors.insert(selectors.begin(), values.selector.empty() ? "any" : values.selector);
    return values.strategy.value_or(SchedulingStrategy::Default()).NodesFor(selectors);
  }

  std::unique_ptr<TaskOptionValues> values_;
  mutable std::atomic<uint64_t> numbered_for_{0};  // the runtime's serial
  mutable std::atomic<uint32_t> number_{0};
};

// The setters, for a class `Derived` that derives from this. Each returns the caller object, so
// that calls can be chained. What is wrong (unknown names, negative quantities) is reported by
// Remote, as an InvalidArgumentError; a NaN at once.
template <class Derived>
class ResourceSetters {
 public:
  // CPUs to reserve, in steps of 0.0001. Default: 1 for tasks. Actors hold 1 while they
  // live if they ask for any other resource, else 1 to be placed and 0 to run, as in Ray.
  Derived& SetNumCpus(double cpus) {
    options_.Change().num_cpus = CheckQuantity("SetNumCpus", cpus);
    return self();
  }
  // A share of one GPU (up to 1), or a whole number of them. Which ones it got, the task sees in
  // GetGpuIds and in CUDA_VISIBLE_DEVICES. Default 0.
  Derived& SetNumGpus(double gpus) {
    options_.Change().num_gpus = CheckQuantity("SetNumGpus", gpus);
    return self();
  }
  // Bytes to reserve. Default 0. Every different amount, as of any resource, is a kind of tasks of its own: workers are leased for
  // each, and what is known of it stays for the life of the runtime; round amounts to few values.
  Derived& SetMemory(double bytes) {
    options_.Change().memory = CheckQuantity("SetMemory", bytes);
    return self();
  }
  // Any resource that nodes were started with. "CPU", "GPU" and "memory" mean the three above.
  Derived& SetResource(const std::string& name, double quantity) {
    CheckQuantity("SetResource", quantity);
    CheckText("SetResource", name);
    TaskOptionValues& values = options_.Change();
    if (name == "CPU") {
      values.num_cpus = quantity;
    } else if (name == "GPU") {
      values.num_gpus = quantity;
    } else if (name == "memory") {
      values.memory = quantity;
    } else {
      SetQuantity(values.resources, name, quantity);
    }
    return self();
  }
  // A std::map or std::unordered_map of names and quantities.
  template <class Map>
  Derived& SetResources(const Map& resources) {
    for (const auto& [name, quantity] : resources) SetResource(name, quantity);
    return self();
  }
  Derived& SetResources(std::initializer_list<std::pair<std::string, double>> resources) {
    for (const auto& [name, quantity] : resources) SetResource(name, quantity);
    return self();
  }
  // Runs it in a placement group: in the bundle with this index, or in any (-1). With
  // `capture_child_tasks`, what it submits runs in the group as well. Without this call it runs in
  // the group of the task that submits it, if that captures; with the empty group in none. Methods
  // run where their actor does. What does not fit is reported by Remote, as an InvalidArgumentError.
  Derived& SetPlacementGroup(const PlacementGroup& group, int bundle_index = -1,
                             bool capture_child_tasks = false) {
    TaskOptionValues& values = options_.Change();
    values.has_group = true;
    values.group = group.Handle();
    values.bundle_index = group.Empty() ? -1 : bundle_index;
    values.captures = capture_child_tasks;
    return self();
  }
  // Only on nodes with such labels. While there is none it waits, and after 5 s says so on the driver.
  // Throws InvalidArgumentError for what is no selector.
  Derived& SetLabelSelector(const LabelSelector& selector) {
    options_.Change().selector = SelectorText(selector);
    return self();
  }
  // Instead of the selector, these in their order: the first for which a node has room.
  Derived& SetFallbackStrategy(const std::vector<LabelSelector>& selectors) {
    std::vector<std::string> texts;
    for (const LabelSelector& selector : selectors) texts.push_back(SelectorText(selector));
    options_.Change().fallbacks = std::move(texts);
    return self();
  }
  // Which node it runs on. A selector holds beside it. It does not run in the placement group of the
  // task that submits it.
  Derived& SetSchedulingStrategy(const SchedulingStrategy& strategy) {
    options_.Change().strategy = strategy;
    return self();
  }

 protected:
  Derived& self() { return static_cast<Derived&>(*this); }
  TaskOptions options_;
};

template <class Derived>
class TaskSetters : public ResourceSetters<Derived> {
 public:
  // Shown to people instead of the function's name.
  Derived& SetName(const std::string& name) {
    this->options_.Change().name = CheckText("SetName", name);
    return this->self();
  }
  // How often the call is run again after its process died. -1: without end. Default: 3 for tasks;
  // for methods, what SetMaxTaskRetries of the actor says.
  Derived& SetMaxRetries(int retries) {
    this->options_.Change().max_retries = retries;
    return this->self();
  }
  // Whether it is also run again when it throws. Default false.
  Derived& SetRetryExceptions(bool retry = true) {
    TaskOptionValues& values = this->options_.Change();
    values.retry_exceptions = retry ? 1 : 0;
    values.retry_exception_types.clear();
    return this->self();
  }
#ifdef __cpp_rtti
  // Only when it throws one of these types exactly: SetRetryExceptions<std::runtime_error, Busy>().
  template <class... Exceptions>
  std::enable_if_t<sizeof...(Exceptions) != 0, Derived&> SetRetryExceptions() {
    TaskOptionValues& values = this->options_.Change();
    values.retry_exceptions = 2;
    values.retry_exception_types = {typeid(Exceptions).name()...};
    return this->self();
  }
#endif
};

}  // namespace detail
}  // namespace v1
}  // namespace manta
