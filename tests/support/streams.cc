#include "tests/support/streams.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <cstring>
#include <vector>

namespace manta_test {
namespace {

constexpr int64_t kLimit = 20'000'000'000;
constexpr size_t kHeld = 100'000;

// Whether it was tried before: the marker is left by the first attempt.
bool IsFirstAttempt(const std::string& marker) {
  if (access(marker.c_str(), F_OK) == 0) return false;
  fclose(fopen(marker.c_str(), "w"));
  return true;
}

bool WriteItem(manta_call* call, const StreamPlan& plan, uint32_t number) {
  if (plan.hold_references != 0) {
    void* data;
    manta_ref* held;
    if (manta_put_begin(call->runtime, kHeld, nullptr, 0, nullptr, &data, &held) != nullptr) return false;
    std::memset(data, static_cast<int>(number), kHeld);
    manta_put_seal(held);
    manta_object_id id;
    manta_ref_id(held, &id);
    void* const space = call->ops->allocate_result(call, 0, sizeof id, &held, 1);
    if (space != nullptr) std::memcpy(space, &id, sizeof id);
    manta_ref_release(held);
    return space != nullptr;
  }
  void* space = call->inline_result;
  if (plan.bytes <= call->inline_capacity) {
    call->inline_size = plan.bytes;
  } else if ((space = call->ops->allocate_result(call, 0, plan.bytes, nullptr, 0)) == nullptr) {
    return false;
  }
  std::memset(space, 0, plan.bytes);
  std::memcpy(space, &number, sizeof number);
  return true;
}

void Give(manta_call* call) {
  StreamPlan plan;
  std::memcpy(&plan, call->args, sizeof plan);
  const std::string marker(static_cast<const char*>(call->args) + sizeof plan, call->args_size - sizeof plan);
  const bool dies = plan.die_before != UINT32_MAX && IsFirstAttempt(marker);
  for (uint32_t i = 0; i < plan.items; ++i) {
    if (dies && i == plan.die_before) kill(getpid(), SIGKILL);
    if (!WriteItem(call, plan, i) || call->ops->emit(call, plan.most_ahead) != 1) {
      const manta_failure stopped{MANTA_ERROR_TASK_CANCELLED, nullptr, "the stream was stopped"};
      return call->ops->fail(call, &stopped);
    }
  }
  if (plan.fail_at_the_end == 0) return;
  const manta_failure failure{MANTA_ERROR_TASK, "8OnPurpose", "on purpose"};
  call->ops->fail(call, &failure);
}

[[maybe_unused]] const bool registered = [] {
  manta_invoker_register(Give, "a stream of a test");
  return true;
}();

// Fails the test with the error's message, if there is one.
void Expect(manta_error* error) {
  if (error == nullptr) return;
  ADD_FAILURE() << manta_error_message(error);
  manta_error_free(error);
}

uint32_t OptionsFor(int max_retries, const std::string& resource) {
  manta_task_options options;
  options.struct_size = sizeof options;
  manta_task_options_init(&options);
  options.max_retries = max_retries;
  const manta_resource one{resource.c_str(), 1};
  options.resources = &one;
  options.num_resources = resource.empty() ? 0 : 1;
  uint32_t number = 0;
  Expect(manta_task_options_intern(manta_current(), &options, &number));
  return number;
}

}  // namespace

Stream::Stream(const StreamPlan& plan, int max_retries, const std::string& resource) {
  static int serial = 0;
  std::string args(reinterpret_cast<const char*>(&plan), sizeof plan);
  args += testing::TempDir() + "stream-" + std::to_string(getpid()) + "-" + std::to_string(++serial);
  manta_task_spec spec{};
  Expect(manta_function_find(Give, nullptr, "Give", &spec.function));
  spec.function_name = "Give";
  spec.args = args.data();
  spec.args_size = args.size();
  spec.num_results = 1;
  spec.options = OptionsFor(max_retries, resource);
  Expect(manta_stream_new(manta_current(), plan.most_ahead, &stream_));
  spec.stream = stream_;
  Expect(manta_submit(manta_current(), &spec, &completed_));
}

Stream::~Stream() {
  manta_stream_free(stream_);
  if (completed_ != nullptr) manta_ref_release(completed_);
}

int64_t Stream::Next() {
  manta_ref* item = manta_stream_peek(stream_);
  manta_bytes value{};
  int64_t number = -2;
  if (manta_error* error = manta_get(manta_current(), &item, 1, kLimit, &value)) {
    error_ = manta_error_message(error);
    kind_ = manta_error_get_kind(error);
    manta_error_free(error);
    if (kind_ == MANTA_ERROR_END_OF_STREAM) number = -1;
  } else if (value.size == sizeof(manta_object_id)) {
    manta_object_id id;
    std::memcpy(&id, value.data, sizeof id);
    manta_ref* held = manta_ref_import(manta_current(), &id);
    Expect(manta_get(manta_current(), &held, 1, kLimit, &value));
    EXPECT_EQ(value.size, kHeld);
    number = value.size == kHeld ? static_cast<const unsigned char*>(value.data)[kHeld - 1] : -3;
    manta_ref_release(held);
  } else {
    uint32_t stands = 0;
    std::memcpy(&stands, value.data, sizeof stands);
    number = stands;
  }
  EXPECT_EQ(manta_stream_advance(stream_), number != -1);
  manta_ref_release(item);
  return number;
}

void Stream::ExpectAll(uint32_t items) {
  for (uint32_t i = 0; i < items; ++i) ASSERT_EQ(Next(), i) << error_;
  EXPECT_EQ(Next(), -1) << error_;
  EXPECT_EQ(Next(), -1) << "the end stays";
  EXPECT_EQ(Ended(), 0);
}

bool Stream::HasNext() {
  manta_ref* item = manta_stream_peek(stream_);
  uint8_t ready = 0;
  Expect(manta_wait(manta_current(), &item, 1, 1, 0, &ready));
  manta_ref_release(item);
  return ready != 0;
}

int Stream::Ended() {
  manta_bytes value;
  manta_error* error = manta_get(manta_current(), &completed_, 1, kLimit, &value);
  const int kind = error == nullptr ? 0 : manta_error_get_kind(error);
  manta_error_free(error);
  return kind;
}

void Stream::Cancel() { Expect(manta_cancel(completed_, 0, 0)); }

void Stream::Abandon() {
  manta_stream_free(stream_);
  stream_ = nullptr;
}

}  // namespace manta_test
