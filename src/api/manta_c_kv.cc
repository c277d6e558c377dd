// The C interface of the key-value tables: conversions only; what happens is in worker/key_values.h.
#include <optional>
#include <span>
#include <string>
#include <utility>

#include "api/handles.h"
#include "manta/manta_c.h"
#include "worker/key_values.h"

using manta::MakeError;
using manta::Result;
using manta::api::From;
using manta::api::Own;
using manta::worker::KeyValues;
using manta::worker::Runtime;

namespace {

KeyValues::BytesView View(const manta_bytes& bytes) { return {static_cast<const uint8_t*>(bytes.data), bytes.size}; }

std::string Name(const char* table) { return table == nullptr ? "" : table; }

// Runs `call` with the runtime's tables and hands its value to `give`; `what` was called.
template <class Call, class Give>
manta_error* Use(manta_runtime* runtime, const char* what, Call&& call, Give&& give) {
  if (runtime == nullptr) return manta_not_initialized_error(what);
  const Runtime::Call guard(From(runtime));
  if (Result<> open = From(runtime).CheckOpen(what); !open) return Own(open.error());
  auto result = call(From(runtime).key_values());
  if (!result) return Own(result.error());
  give(std::move(result).value());
  return nullptr;
}

}  // namespace

extern "C" {

manta_error* manta_kv_put(manta_runtime* runtime, const char* table, manta_bytes key, manta_bytes value, int flags, int* added) {
  if ((flags & ~(MANTA_KV_OVERWRITE | MANTA_KV_OF_JOB)) != 0) {
    return Own(MakeError(MANTA_ERROR_INVALID_ARGUMENT, "manta_kv_put: flags " + std::to_string(flags) +
                                                           " has bits that are neither MANTA_KV_OVERWRITE nor MANTA_KV_OF_JOB"));
  }
  return Use(
      runtime, "manta_kv_put",
      [&](KeyValues& tables) {
        return tables.Put(Name(table), View(key), View(value), (flags & MANTA_KV_OVERWRITE) != 0, (flags & MANTA_KV_OF_JOB) != 0);
      },
      [&](bool is_new) {
        if (added != nullptr) *added = is_new;
      });
}

manta_error* manta_kv_get(manta_runtime* runtime, const char* table, manta_bytes key, manta_blob** out) {
  return Use(
      runtime, "manta_kv_get", [&](KeyValues& tables) { return tables.Get(Name(table), View(key)); },
      [&](std::optional<KeyValues::Bytes> value) { *out = value ? new manta_blob{std::move(*value)} : nullptr; });
}

manta_error* manta_kv_exists(manta_runtime* runtime, const char* table, manta_bytes key, int* out) {
  return Use(
      runtime, "manta_kv_exists", [&](KeyValues& tables) { return tables.Exists(Name(table), View(key)); },
      [&](bool exists) { *out = exists; });
}

manta_error* manta_kv_delete(manta_runtime* runtime, const char* table, manta_bytes key, int by_prefix, uint64_t* count) {
  return Use(
      runtime, "manta_kv_delete", [&](KeyValues& tables) { return tables.Delete(Name(table), View(key), by_prefix != 0); },
      [&](uint64_t deleted) {
        if (count != nullptr) *count = deleted;
      });
}

manta_error* manta_kv_keys(manta_runtime* runtime, const char* table, manta_bytes prefix, manta_blob** out) {
  return Use(
      runtime, "manta_kv_keys", [&](KeyValues& tables) { return tables.Keys(Name(table), View(prefix)); },
      [&](KeyValues::Bytes keys) { *out = new manta_blob{std::move(keys)}; });
}

const void* manta_blob_data(const manta_blob* blob) { return blob->bytes.data(); }
size_t manta_blob_size(const manta_blob* blob) { return blob->bytes.size(); }
void manta_blob_free(manta_blob* blob) { delete blob; }

}  // extern "C"
