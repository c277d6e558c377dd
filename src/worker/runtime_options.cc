// What a program asks of the workers of its tasks: options, checked and numbered.
#include <cmath>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>

#include "contracts/worker_environment.h"
#include "model/gpu_units.h"
#include "stacks/function_name.h"
#include "worker/function_registry.h"
#include "worker/runtime.h"

namespace manta::worker {
namespace {

// Tasks that are spread take turns in so many targets, each of which comes first to another node: as many as a cluster has nodes so far.
constexpr uint32_t kSpreadTurns = 2;

// The same for the same options, whoever asks for them.
std::string KeyOf(const InternedOptions& options) {
  std::string key;
  const auto add = [&key](std::string_view text) { key.append(1, '\0').append(text); };
  for (const auto& [name, amount] : options.shape.resources.amounts()) {
    add(name);
    add(std::to_string(amount));
  }
  add(options.default_resources ? "" : "given");
  add(options.shape.environment);
  add(std::to_string(options.max_retries));
  add(std::to_string(options.method_retries));
  add(std::to_string(options.group));
  add(std::to_string(static_cast<int>(options.retry_rule.exceptions)));
  add(options.inherits ? "" : options.shape.Shape());
  add(options.shape.nodes.text());
  for (const std::string& type : options.retry_rule.types) add(type);
  return key;
}

Result<> ReadResources(const manta_task_options& options, model::ResourceSet* resources) {
  const auto set = [&](std::string_view name, double quantity) -> Result<> {
    Result<int64_t> amount = model::ToFixedPoint(name, quantity);
    if (!amount) return amount.error();
    resources->Set(name, amount.value());
    return {};
  };
  if (Result<> r = set(model::kCpu, std::isnan(options.num_cpus) ? 1 : options.num_cpus); !r) return r.error();
  if (Result<> r = set(model::kGpu, std::isnan(options.num_gpus) ? 0 : options.num_gpus); !r) return r.error();
  if (Result<> r = set(model::kMemory, std::isnan(options.memory) ? 0 : options.memory); !r) return r.error();
  for (size_t i = 0; i < options.num_resources; ++i) {
    const std::string name = options.resources[i].name == nullptr ? "" : options.resources[i].name;
    if (name.empty() || name == model::kCpu || name == model::kGpu || name == model::kMemory) {
      return MakeError(MANTA_ERROR_INVALID_ARGUMENT,
                       "resource name '" + name + "': CPU, GPU and memory have options of their own, and a custom resource needs a name "
                       "of its own");
    }
    if (name.size() > model::kMaxResourceNameBytes) {
      return MakeError(MANTA_ERROR_INVALID_ARGUMENT, "the resource name '" + name.substr(0, 40) + "...' has " + std::to_string(name.size()) +
                                                         " bytes: " + std::to_string(model::kMaxResourceNameBytes) + " is the most");
    }
    if (Result<> r = set(name, options.resources[i].quantity); !r) return r.error();
  }
  return model::GpuUnits::CheckRequest(resources->Get(model::kGpu));
}

}  // namespace

// In which group, and on which nodes.
Result<> Runtime::ReadPlace(const manta_task_options& options, InternedOptions* interned) {
  Result<model::NodeConstraint> nodes = model::NodeConstraint::Parse(options.nodes != nullptr ? options.nodes : "");
  if (!nodes) return nodes.error();
  interned->shape.nodes = std::move(nodes).value();
  if (options.placement_group != nullptr) {
    interned->inherits = false;
    const manta_placement_group_id& group = *options.placement_group;
    interned->shape.bundle = {{ProcessId{group.creator}, group.serial}, options.bundle_index};
    interned->shape.captures = options.capture_child_tasks != 0;
    if (!interned->shape.bundle) {
      interned->shape.bundle = {};
      interned->shape.captures = false;
    } else if (Result<> fits = placement_groups_->CheckFits(interned->shape.bundle, interned->shape.placement); !fits) {
      return fits.error();
    }
  } else if (options.bundle_index != -1) {
    return MakeError(MANTA_ERROR_INVALID_ARGUMENT,
                     "the bundle index " + std::to_string(options.bundle_index) + " is given without a placement group");
  }
  return {};
}

Result<uint32_t> Runtime::InternOptions(const manta_task_options& options) {
  InternedOptions interned;
  if (Result<> read = ReadResources(options, &interned.shape.resources); !read) return read.error();
  interned.default_resources = std::isnan(options.num_cpus) && std::isnan(options.num_gpus) && std::isnan(options.memory) &&
                               options.num_resources == 0;
  interned.shape.placement = interned.shape.resources;
  contracts::WorkerEnvironment environment = contracts::WorkerEnvironment::OfText(welcome_.environment);
  if (options.environment != nullptr) environment.name = options.environment;
  if (options.language != MANTA_LANGUAGE_SAME && !FunctionRegistry::OfThisProcess().Speaks(options.language)) environment.python = true;
  interned.shape.environment = environment.ToText();
  if (environment.name.size() > MANTA_ENVIRONMENT_LIMIT) {
    return MakeError(MANTA_ERROR_INVALID_ARGUMENT, "the name of a worker's environment has " +
                                                       std::to_string(environment.name.size()) + " bytes: " +
                                                       std::to_string(MANTA_ENVIRONMENT_LIMIT) + " is the most");
  }
  interned.method_retries = options.max_retries;
  if (options.concurrency_group != nullptr) interned.group = GroupNumber(options.concurrency_group);
  interned.max_retries = options.max_retries == MANTA_DEFAULT_INT ? 3 : options.max_retries;
  if (interned.max_retries < -1) {
    return MakeError(MANTA_ERROR_INVALID_ARGUMENT, "max_retries must be -1 (without end), 0 or more");
  }
  if (options.retry_exceptions < 0 || options.retry_exceptions > 2) {
    return MakeError(MANTA_ERROR_INVALID_ARGUMENT, "retry_exceptions must be 0 (none), 1 (all) or 2 (those listed)");
  }
  interned.retry_rule.exceptions = static_cast<RetryRule::Exceptions>(options.retry_exceptions);
  for (size_t i = 0; i < options.num_retry_exception_types; ++i) {
    interned.retry_rule.types.push_back(stacks::Demangled(options.retry_exception_types[i]));
  }
  if (Result<> read = ReadPlace(options, &interned); !read) return read.error();
  return Intern(std::move(interned));
}

Result<uint32_t> Runtime::CapturedOptions(uint32_t number) {
  const model::BundleRef mine = bundle();
  InternedOptions interned;
  {
    std::lock_guard guard(owner_->lock());
    if (number >= options_.size() || !options_[number]->inherits) return number;
    if (const auto known = captured_options_.find({number, mine.group}); known != captured_options_.end()) return known->second;
    interned = *options_[number];
  }
  interned.inherits = false;
  interned.shape.bundle = {mine.group, -1};
  interned.shape.captures = true;
  if (Result<> fits = placement_groups_->CheckFits(interned.shape.bundle, interned.shape.placement); !fits) {
    return MakeError(fits.error().kind, "it would run in the placement group of the task that submits it: " + fits.error().message +
                                            ". The scheduling strategy \"DEFAULT\" lets it run outside");
  }
  const uint32_t captured = Intern(std::move(interned));
  std::lock_guard guard(owner_->lock());
  captured_options_[{number, mine.group}] = captured;
  return captured;
}

// The same number for the same options.
uint32_t Runtime::Intern(InternedOptions interned) {
  std::string text = KeyOf(interned);
  std::lock_guard guard(owner_->lock());
  const auto [known, is_new] = option_numbers_.try_emplace(std::move(text), options_.size());
  if (is_new) {
    interned.target = dispatcher_->TargetFor(interned.shape);
    interned.turns.clear();
    if (interned.shape.nodes.spreads()) {
      for (uint32_t turn = 0; turn < kSpreadTurns; ++turn) {
        TargetOptions shape = interned.shape;
        shape.nodes = shape.nodes.WithTurn(turn);
        interned.turns.push_back(dispatcher_->TargetFor(shape));
      }
    }
    options_.push_back(std::make_unique<InternedOptions>(std::move(interned)));
  }
  return known->second;
}

}  // namespace manta::worker
