#include "model/error_codec.h"

#include <gtest/gtest.h>

#include <cstring>
#include <vector>

namespace manta::model {
namespace {

Error Some() {
  return {MANTA_ERROR_TASK, "it threw", "std::out_of_range", std::string("at\0line 3", 9), std::string("\x80pickle", 7)};
}

// A copy that ends where its memory ends, so that the sanitizer sees a read beyond.
Error Decode(const std::string& bytes) {
  const std::vector<char> exact(bytes.begin(), bytes.end());
  return DecodeError(exact.data(), exact.size());
}

std::string WithWord(std::string bytes, size_t at, uint32_t word) {
  std::memcpy(&bytes.at(at), &word, sizeof word);
  return bytes;
}

bool SaysDamaged(const Error& error) {
  return error.kind == MANTA_ERROR_SYSTEM && error.message.find("damaged") != std::string::npos;
}

TEST(ErrorCodec, AllPartsTravel) {
  EXPECT_EQ(Decode(EncodeError(Some())), Some());
  EXPECT_EQ(Decode(EncodeError(Error{MANTA_ERROR_SYSTEM, {}, {}, {}, {}})), (Error{MANTA_ERROR_SYSTEM, {}, {}, {}, {}}));
  Error died = MakeError(MANTA_ERROR_ACTOR_DIED, "it died");
  died.actor = {ProcessId{uint64_t{1} << 40}, 7};
  EXPECT_EQ(Decode(EncodeError(died)), died);
  Error cancelled = MakeError(MANTA_ERROR_TASK_CANCELLED, "it was cancelled");
  cancelled.task = {ProcessId{uint64_t{1} << 40}, 7, 8};
  EXPECT_EQ(Decode(EncodeError(cancelled)), cancelled);
  const Error first{MANTA_ERROR_INVALID_ARGUMENT, "no", {}, {}, {}};
  EXPECT_EQ(Decode(EncodeError(first)), first);
}

TEST(ErrorCodec, EveryTruncationIsToldAsSuch) {
  const std::string whole = EncodeError(Some());
  for (size_t size = 0; size < whole.size(); ++size) {
    EXPECT_TRUE(SaysDamaged(Decode(whole.substr(0, size)))) << size;
  }
}

TEST(ErrorCodec, ALengthBeyondTheEndIsDamage) {
  const std::string whole = EncodeError(Some());
  constexpr size_t kMessageLength = 4;
  const auto left = static_cast<uint32_t>(whole.size() - kMessageLength - 4);
  for (uint32_t length : {left + 1, 1u << 20, 0x8000'0000u, UINT32_MAX}) {
    EXPECT_TRUE(SaysDamaged(Decode(WithWord(whole, kMessageLength, length)))) << length;
  }
}

TEST(ErrorCodec, AKindThatThereIsNotIsDamage) {
  const std::string whole = EncodeError(Some());
  for (uint32_t kind : {0u, kLastErrorKind + 1u, UINT32_MAX}) {
    EXPECT_TRUE(SaysDamaged(Decode(WithWord(whole, 0, kind)))) << kind;
  }
}

}  // namespace
}  // namespace manta::model
