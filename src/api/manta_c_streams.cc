// The C interface for results that come one by one: conversions only; what happens is in worker/result_stream.h.
#include "api/handles.h"
#include "manta/manta_c.h"
#include "worker/result_stream.h"

using manta::api::From;
using manta::worker::StreamHandle;

namespace {

StreamHandle& From(manta_stream* stream) { return *reinterpret_cast<StreamHandle*>(stream); }

}  // namespace

extern "C" {

manta_error* manta_stream_new(manta_runtime* runtime, uint32_t most_ahead, manta_stream** out) {
  if (runtime == nullptr) return manta_not_initialized_error("manta_stream_new");
  if (manta::Result<> open = From(runtime).CheckOpen("manta_stream_new"); !open) return manta::api::Own(open.error());
  *out = reinterpret_cast<manta_stream*>(From(runtime).MakeStream(most_ahead));
  return nullptr;
}

manta_ref* manta_stream_peek(manta_stream* stream) {
  return reinterpret_cast<manta_ref*>(From(stream).runtime->PeekStream(From(stream).stream.get()));
}

int manta_stream_advance(manta_stream* stream) { return From(stream).runtime->AdvanceStream(From(stream).stream.get()); }

void manta_stream_free(manta_stream* stream) {
  if (stream != nullptr) From(stream).runtime->FreeStream(&From(stream));
}

}  // extern "C"
