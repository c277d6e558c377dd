// A C interface that does nothing but to copy arguments: to measure what the headers add to it, and
// to call them from several threads.
#include <cstring>

#include "manta/manta_c.h"

struct manta_runtime {};
struct manta_ref {};
struct manta_actor {};

namespace {

manta_runtime runtime;
manta_ref reference;
manta_actor actor;
alignas(64) thread_local unsigned char slot[MANTA_ARGS_LIMIT];
const int64_t value = 5;  // of every object

manta_error* Submit(const manta_task_spec* spec, manta_ref** results) {
  std::memcpy(slot, spec->args, spec->args_size);
  results[0] = &reference;
  return nullptr;
}

}  // namespace

extern "C" {

uint64_t manta_runtime_serial(const manta_runtime*) { return 1; }
manta_runtime* manta_current() { return &runtime; }
void manta_invoker_register(manta_invoker, const char*) {}
manta_error* manta_function_find(manta_invoker, const void*, const char*, manta_function_id* out) {
  *out = {1, 2, 3, 4};
  return nullptr;
}
manta_error* manta_submit(manta_runtime*, const manta_task_spec* spec, manta_ref** results) {
  return Submit(spec, results);
}
manta_error* manta_actor_submit(manta_actor*, const manta_task_spec* spec, manta_ref** results) {
  return Submit(spec, results);
}
manta_error* manta_actor_create(manta_runtime*, const manta_task_spec*, const manta_actor_options*,
                                manta_actor** out) {
  *out = &actor;
  return nullptr;
}
void manta_actor_options_init(manta_actor_options* options) { *options = {}; }
void manta_task_options_init(manta_task_options* options) { *options = {}; }
manta_error* manta_task_options_intern(manta_runtime*, const manta_task_options*, uint32_t* out) {
  *out = 1;
  return nullptr;
}
void manta_ref_retain(manta_ref*) {}
void manta_ref_release(manta_ref*) {}
void manta_ref_id(const manta_ref*, manta_object_id* out) { *out = {1, 2, 3}; }
manta_ref* manta_ref_import(manta_runtime*, const manta_object_id*) { return &reference; }
void manta_actor_retain(manta_actor*) {}
manta_ref* manta_actor_lifetime(const manta_actor*) { return nullptr; }
void manta_actor_release(manta_actor*) {}
void manta_actor_get_id(const manta_actor*, manta_actor_id* out) { *out = {1, 2}; }
manta_error* manta_put_begin(manta_runtime*, size_t, manta_ref* const*, size_t, const manta_patience*, void** data,
                             manta_ref** out) {
  *data = slot;
  *out = &reference;
  return nullptr;
}
void manta_put_seal(manta_ref*) {}
manta_error* manta_get(manta_runtime*, manta_ref* const*, size_t count, int64_t,
                       manta_bytes* values) {
  for (size_t i = 0; i < count; ++i) values[i] = {&value, sizeof(value)};
  return nullptr;
}

// Nothing fails here.
manta_error* manta_context_get(manta_runtime*, manta_context*) { return nullptr; }
manta_error_kind manta_error_get_kind(const manta_error*) { return MANTA_ERROR_SYSTEM; }
const char* manta_error_message(const manta_error*) { return ""; }
const char* manta_error_type_name(const manta_error*) { return ""; }
const char* manta_error_stack(const manta_error*) { return ""; }
void manta_error_free(manta_error*) {}
manta_error* manta_not_initialized_error(const char*) { return nullptr; }

}  // extern "C"

// Finds no stacks: the type_info of an ordinary class.
namespace manta {
inline namespace v1 {
namespace detail {
class MANTA_API ThrowProbe {
 public:
  virtual ~ThrowProbe();
};
ThrowProbe::~ThrowProbe() = default;
}  // namespace detail
}  // namespace v1
}  // namespace manta
