#include "trunk/frames.h"

#include <gtest/gtest.h>

#include <random>

#include "model/error_codec.h"
#include "trunk/shared_values.h"

namespace manta::trunk {
namespace {

std::vector<uint8_t> Bytes(std::string_view text) { return {text.begin(), text.end()}; }
std::string Text(std::span<const uint8_t> bytes) { return {bytes.begin(), bytes.end()}; }

TEST(FrameCutter, FindsFramesHoweverTheyAreCut) {
  std::vector<uint8_t> stream;
  AppendFrame(&stream, FrameKind::kNode, Bytes("first"));
  AppendFrame(&stream, FrameKind::kChunk, Bytes("head"), Bytes("and tail"));
  AppendFrame(&stream, FrameKind::kPull, {});
  for (size_t piece = 1; piece <= stream.size(); ++piece) {
    FrameCutter cutter;
    std::vector<std::pair<FrameKind, std::string>> frames;
    for (size_t at = 0; at < stream.size(); at += piece) {
      cutter.Append(std::span(stream).subspan(at, std::min(piece, stream.size() - at)));
      for (;;) {
        auto frame = cutter.Next();
        ASSERT_TRUE(frame);
        if (!frame->has_value()) break;
        frames.emplace_back((*frame)->kind, Text((*frame)->body));
      }
    }
    const std::vector<std::pair<FrameKind, std::string>> expected = {
        {FrameKind::kNode, "first"}, {FrameKind::kChunk, "headand tail"}, {FrameKind::kPull, ""}};
    EXPECT_EQ(frames, expected) << piece;
  }
}

TEST(FrameCutter, RefusesAFrameThatIsTooLongBeforeItIsThere) {
  FrameCutter cutter(kMaxBodyBeforeProof);
  const FrameHeader header{kMaxBodyBeforeProof + 1, FrameKind::kNode, {}};
  cutter.Append(BytesOf(header));
  EXPECT_FALSE(cutter.Next());
}

TEST(FrameCutter, RefusesUnknownKinds) {
  for (const uint8_t kind : {uint8_t{0}, uint8_t(kLastFrameKind + 1), uint8_t{255}}) {
    FrameCutter cutter;
    cutter.Append(BytesOf(FrameHeader{0, static_cast<FrameKind>(kind), {}}));
    EXPECT_FALSE(cutter.Next()) << int{kind};
  }
}

TEST(ControlFrame, SurvivesGarbage) {
  wire::ProcessJoinedT joined;
  joined.process = 7;
  joined.executable = "/bin/program";
  joined.environment = {"A=1", "B=2"};
  const std::vector<uint8_t> good = contracts::Encode(std::move(joined));
  ASSERT_TRUE(ControlFrame::Decode(good));
  std::mt19937 random(1);
  for (int round = 0; round < 20'000; ++round) {
    std::vector<uint8_t> bad = good;
    for (uint32_t i = 0, changes = 1 + random() % 4; i < changes; ++i) bad[random() % bad.size()] = uint8_t(random());
    bad.resize(random() % 4 == 0 ? random() % (bad.size() + 1) : bad.size());
    const auto frame = ControlFrame::Decode(bad);
    if (!frame) continue;
    // What verifies can be read.
    wire::FrameT unpacked;
    frame->frame().UnPackTo(&unpacked);
  }
}

// One inline dependency and one shared one.
struct SampleTask {
  shm::TaskBody body{};
  std::vector<uint8_t> payload;
  uint32_t handle_at = 0;
};

void Add(std::vector<uint8_t>* out, std::span<const uint8_t> bytes) {
  out->insert(out->end(), bytes.begin(), bytes.end());
  out->resize((out->size() + 7) & ~size_t{7});
}

SampleTask Sample() {
  SampleTask task;
  task.body.args_bytes = 5;
  task.body.dependencies = 2;
  Add(&task.payload, Bytes("hello"));
  Add(&task.payload, BytesOf(shm::DependencyHeader{1, 2, 3, shm::ValueKind::kInline, 3}));
  Add(&task.payload, Bytes("abc"));
  Add(&task.payload, BytesOf(shm::DependencyHeader{1, 3, 3, shm::ValueKind::kShared, sizeof(shm::SharedHandle)}));
  task.handle_at = static_cast<uint32_t>(task.payload.size());
  Add(&task.payload, BytesOf(shm::SharedHandle{9, 8, 7, 6}));
  task.body.payload_bytes = static_cast<uint32_t>(task.payload.size());
  return task;
}

TEST(SharedValues, AreFoundInTasks) {
  const SampleTask task = Sample();
  const auto handles = HandlesInTask(task.body, task.payload);
  ASSERT_TRUE(handles);
  EXPECT_EQ(*handles, std::vector<uint32_t>{task.handle_at});
}

TEST(SharedValues, OfDamagedTasksStayWithinThePayload) {
  std::mt19937 random(2);
  for (int round = 0; round < 20'000; ++round) {
    SampleTask task = Sample();
    task.body.args_bytes = random() % 3 == 0 ? random() : task.body.args_bytes;
    task.body.dependencies = static_cast<uint16_t>(random() % 5);
    task.payload[random() % task.payload.size()] = uint8_t(random());
    task.payload.resize(random() % 2 == 0 ? task.payload.size() : random() % (task.payload.size() + 1));
    const auto handles = HandlesInTask(task.body, task.payload);
    if (!handles) continue;
    for (uint32_t at : *handles) EXPECT_LE(at + sizeof(shm::SharedHandle), task.payload.size());
  }
}

TEST(SharedValues, AreFoundInResultsBehindReferences) {
  std::vector<uint8_t> list;
  Add(&list, BytesOf(shm::ResultHeader{shm::ValueKind::kInline, 3, 1, 0}));
  Add(&list, Bytes("abc"));
  Add(&list, BytesOf(shm::WireReference{}));
  Add(&list, BytesOf(shm::ResultHeader{shm::ValueKind::kShared, sizeof(shm::SharedHandle), 0, 0}));
  const auto at = static_cast<uint32_t>(list.size());
  Add(&list, BytesOf(shm::SharedHandle{9, 8, 7, 6}));
  EXPECT_EQ(HandlesInResults(list, 2), std::vector<uint32_t>{at});
  EXPECT_FALSE(HandlesInResults(list, 3)) << "there are two";
  list.resize(list.size() - 1);
  EXPECT_FALSE(HandlesInResults(list, 2));
}

TEST(SharedValues, AnErrorListReadsAsTheError) {
  const Error error = MakeError(MANTA_ERROR_OBJECT_LOST, "gone");
  const std::vector<uint8_t> list = ErrorList(error);
  shm::ResultHeader header;
  std::memcpy(&header, list.data(), sizeof header);
  EXPECT_EQ(header.kind, shm::ValueKind::kError);
  EXPECT_EQ(model::DecodeError(list.data() + sizeof header, header.bytes), error);
  EXPECT_EQ(HandlesInResults(list, 1), std::vector<uint32_t>{});
}

}  // namespace
}  // namespace manta::trunk
