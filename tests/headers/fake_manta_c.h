// The C interface in memory, for tests of the headers: tasks run inside of the call that submits
// them, in the same process, from the encoded bytes alone. What tests may ask and set beside
// manta_c.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "manta/manta_c.h"

namespace manta_fake {

// One call of manta_submit, manta_actor_submit or manta_actor_create.
struct Submission {
  manta_function_id function = {};
  std::string function_name;
  std::string args;
  size_t num_dependencies = 0;
  size_t num_nested = 0;
  uint32_t num_results = 0;
  uint32_t options = 0;
  std::string name;
};

// What manta_task_options_intern was given.
struct TaskOptions {
  double num_cpus = -1;
  double num_gpus = -1;
  double memory = -1;
  std::vector<std::pair<std::string, double>> resources;
  int32_t max_retries = MANTA_DEFAULT_INT;
  int32_t retry_exceptions = 0;
  std::vector<std::string> retry_exception_types;
  manta_language language = MANTA_LANGUAGE_SAME;
};

// What manta_actor_create was given.
struct ActorOptions {
  std::string name;
  std::string ray_namespace;
  bool detached = false;
  bool get_if_exists = false;
  int32_t max_restarts = 0;
  int32_t max_task_retries = 0;
  int32_t max_pending_calls = -1;
  int32_t max_concurrency = 1;
  std::vector<std::pair<std::string, double>> concurrency_groups;
};

// What manta_init was given.
struct InitOptions {
  std::string address;
  std::string ray_namespace;
  double num_cpus = -1;
  double num_gpus = -1;
  std::vector<std::pair<std::string, double>> resources;
  uint64_t object_store_bytes = 0;
  bool log_to_driver = true;
  std::string python;
  std::vector<std::string> code_search_path;
};

// What manta_named_function_register was given.
struct NamedFunction {
  std::string names;
  uint32_t index = 0;
  manta_named_function function = {};
};

// Forgets all that tests did and set. Objects and actors must be gone by then.
void Reset();

const std::vector<Submission>& Submissions();
// By the number that intern returned; each intern call makes a new one.
const TaskOptions& OptionsOf(uint32_t number);
size_t InternCalls();
const ActorOptions& LastActorOptions();
const InitOptions& LastInit();

// Objects and actors to which there are references. Zero at the end of each test.
size_t LiveObjects();
size_t LiveActors();
// Objects made by manta_put_begin so far.
size_t Puts();

// While held, submitted tasks wait for RunHeld.
void HoldTasks();
void RunHeld();

// Bytes of results that invokers may write in place. Default 64.
void SetInlineCapacity(size_t capacity);
// Added to the address of arguments and dependencies, to find reads that rely on alignment.
void SetMisalignment(size_t bytes);

// Whether the running task is told that it was cancelled.
void SetCancelled(bool is_cancelled);

// The next call of this C function fails so.
void FailNext(const std::string& function, manta_error_kind kind, const std::string& message);

// In order.
const std::vector<NamedFunction>& NamedFunctions();

// What invokers were registered with, in order.
const std::vector<std::string>& Signatures();

// The bytes of an object that is there.
std::string BytesOf(const manta_ref* reference);
// A new object with these bytes, with one reference.
manta_ref* MakeObject(const std::string& bytes);

}  // namespace manta_fake
