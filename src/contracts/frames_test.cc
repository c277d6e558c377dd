#include "contracts/frames.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>
#include <string>
#include <thread>
#include <vector>

namespace manta::contracts {
namespace {

using Bytes = std::vector<uint8_t>;

Bytes Lost(uint64_t lease, const std::string& why = "") {
  wire::LeaseLostT lost;
  lost.lease = lease;
  lost.cause = std::make_unique<wire::CauseT>();
  lost.cause->message = why;
  return Encode(std::move(lost));
}

// The lease of the next frame; 0: there is none yet.
uint64_t NextLease(FrameReader* reader) {
  Result<const wire::Frame*> frame = reader->Next();
  EXPECT_TRUE(frame) << frame.error().message;
  if (!frame || *frame == nullptr) return 0;
  const wire::LeaseLost* lost = (*frame)->message_as_LeaseLost();
  return lost == nullptr ? 0 : lost->lease();
}

Bytes Together(std::initializer_list<Bytes> frames) {
  Bytes all;
  for (const Bytes& frame : frames) all.insert(all.end(), frame.begin(), frame.end());
  return all;
}

TEST(FrameReader, AStreamIsCutIntoFramesWhereverItsPiecesEnd) {
  const Bytes stream = Together({Lost(1), Lost(2, "a longer one"), Lost(3)});
  for (size_t piece = 1; piece <= stream.size(); ++piece) {
    FrameReader reader;
    uint64_t expected = 1;
    for (size_t at = 0; at < stream.size(); at += piece) {
      reader.Append(std::span(stream).subspan(at, std::min(piece, stream.size() - at)));
      while (const uint64_t lease = NextLease(&reader)) EXPECT_EQ(lease, expected++) << piece;
    }
    EXPECT_EQ(expected, 4u) << "in pieces of " << piece;
  }
}

// Far beyond the point where the reader moves what is left to the front of its buffer.
TEST(FrameReader, ALongStreamStaysInOrder) {
  FrameReader reader;
  Bytes rest;
  uint64_t sent = 0;
  uint64_t received = 0;
  for (int round = 0; round < 400; ++round) {
    while (rest.size() < 5000) {
      ++sent;
      const Bytes frame = Lost(sent, std::string(sent % 700, 'x'));
      rest.insert(rest.end(), frame.begin(), frame.end());
    }
    reader.Append(std::span(rest).first(4999));
    rest.erase(rest.begin(), rest.begin() + 4999);
    // Not all of what is there each time.
    for (int i = 0; i < 12; ++i) {
      const uint64_t lease = NextLease(&reader);
      if (lease == 0) break;
      ASSERT_EQ(lease, ++received);
    }
  }
  EXPECT_GT(received, 4000u);
}

TEST(FrameReader, AFrameBeyondTheLimitIsRefusedBeforeItIsThere) {
  const Bytes frame = Lost(1, std::string(500, 'x'));
  const auto length = static_cast<uint32_t>(frame.size() - 4);
  FrameReader reader(length - 1);
  reader.Append(std::span(frame).first(4));
  Result<const wire::Frame*> refused = reader.Next();
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find(std::to_string(length) + " bytes"), std::string::npos);
  EXPECT_NE(refused.error().message.find("limit of " + std::to_string(length - 1)), std::string::npos);

  FrameReader exact(length);
  exact.Append(frame);
  EXPECT_EQ(NextLease(&exact), 1u);
}

TEST(FrameReader, WhatDoesNotVerifyIsRefused) {
  for (const Bytes& damaged : {Bytes{0, 0, 0, 0}, Bytes{4, 0, 0, 0, 255, 255, 255, 255}}) {
    FrameReader reader;
    reader.Append(damaged);
    EXPECT_FALSE(reader.Next());
  }
  Bytes longer = Lost(1);
  ++longer[0];
  longer.push_back(0);
  FrameReader odd;
  odd.Append(longer);
  EXPECT_FALSE(odd.Next()) << "the next frame would not be aligned";

  Bytes cut = Lost(1, "a cause");
  cut.erase(cut.end() - 8, cut.end());
  cut[0] = static_cast<uint8_t>(cut.size() - 4);  // the length is right, the contents are not
  FrameReader reader;
  reader.Append(cut);
  EXPECT_FALSE(reader.Next());
}

class Sockets : public testing::Test {
 protected:
  Sockets() { EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0); }
  ~Sockets() override {
    close(ends[0]);
    close(ends[1]);
  }
  int ends[2];
};

TEST_F(Sockets, WhatIsWrittenIsReadThoughItIsMoreThanTheSocketHolds) {
  const Bytes frame = Lost(7, std::string(3'000'000, 'x'));
  std::thread writer([&] { EXPECT_TRUE(WriteAll(ends[0], frame)); });
  FrameReader reader;
  uint64_t lease = 0;
  Bytes buffer(10'000);
  std::vector<int> descriptors;
  while (lease == 0) {
    Result<int64_t> size = ReadSome(ends[1], buffer.data(), buffer.size(), &descriptors);
    ASSERT_TRUE(size && *size > 0);
    reader.Append(std::span(buffer).first(static_cast<size_t>(*size)));
    lease = NextLease(&reader);
  }
  writer.join();
  EXPECT_EQ(lease, 7u);
  EXPECT_TRUE(descriptors.empty());
}

TEST_F(Sockets, DescriptorsTravelOnceWithTheFirstByte) {
  int pipe_ends[2];
  ASSERT_EQ(pipe(pipe_ends), 0);
  ASSERT_TRUE(WriteAll(ends[0], Lost(1), std::span(pipe_ends, 2)));
  uint8_t buffer[1000];
  std::vector<int> received;
  ASSERT_TRUE(ReadSome(ends[1], buffer, sizeof buffer, &received));
  ASSERT_EQ(received.size(), 2u);
  EXPECT_EQ(write(received[1], "x", 1), 1);
  char byte = 0;
  EXPECT_EQ(read(pipe_ends[0], &byte, 1), 1);
  EXPECT_EQ(byte, 'x');
  for (int fd : {pipe_ends[0], pipe_ends[1], received[0], received[1]}) close(fd);

  const int five[] = {0, 0, 0, 0, 0};
  EXPECT_FALSE(WriteAll(ends[0], Lost(1), five));
}

TEST_F(Sockets, TheEndOfTheStreamIsToldApartFromNothing) {
  uint8_t buffer[10];
  std::vector<int> descriptors;
  timeval soon{0, 1000};
  setsockopt(ends[1], SOL_SOCKET, SO_RCVTIMEO, &soon, sizeof soon);
  EXPECT_EQ(ReadSome(ends[1], buffer, sizeof buffer, &descriptors).value(), -1);
  shutdown(ends[0], SHUT_WR);
  EXPECT_EQ(ReadSome(ends[1], buffer, sizeof buffer, &descriptors).value(), 0);
  shutdown(ends[1], SHUT_RDWR);
  EXPECT_FALSE(WriteAll(ends[0], Lost(1))) << "an error, no signal";
}

}  // namespace
}  // namespace manta::contracts
