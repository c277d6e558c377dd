// What is behind the opaque types of the C interface, for the files that implement it.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "base/result.h"
#include "manta/manta_c.h"
#include "worker/runtime.h"

struct manta_error {
  manta::Error error;
};

struct manta_blob {
  std::vector<uint8_t> bytes;
};

namespace manta::api {

// For the caller, who frees it.
[[gnu::noinline]] inline manta_error* Own(Error error) { return new manta_error{std::move(error)}; }

template <class T>
manta_error* Own(const Result<T>& result) {
  if (__builtin_expect(static_cast<bool>(result), 1)) return nullptr;
  return Own(Error(result.error()));
}

inline worker::Runtime& From(manta_runtime* runtime) { return *reinterpret_cast<worker::Runtime*>(runtime); }

}  // namespace manta::api
