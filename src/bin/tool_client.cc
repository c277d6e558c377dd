#include "bin/tool_client.h"

#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

namespace manta::bin {
namespace {

constexpr int kAnswerSeconds = 10;
constexpr int kStopSeconds = 15;

}  // namespace

Result<contracts::SessionAddress> ChooseCluster(const std::string& session) {
  const std::string root = contracts::SessionRoot();
  if (!session.empty() && session != "auto" && session != "local") {
    const std::string directory = session.front() == '/' ? session : root + "/" + session;
    Result<contracts::SessionAddress> address = contracts::ReadSessionAddress(directory);
    if (!address) {
      return MakeError(MANTA_ERROR_INVALID_ARGUMENT, "there is no running cluster '" + session +
                                                         "': " + address.error().message);
    }
    return address;
  }
  std::vector<contracts::SessionAddress> unreachable;
  const std::vector<contracts::SessionAddress> sessions =
      contracts::WithoutJoined(contracts::FindSessions(root, &unreachable));
  if (sessions.empty() && !unreachable.empty()) {
    return MakeError(MANTA_ERROR_NOT_INITIALIZED,
                     "no cluster of yours answers:" + contracts::DescribeUnreachable(unreachable));
  }
  if (sessions.empty()) {
    return MakeError(MANTA_ERROR_NOT_INITIALIZED,
                     "no cluster of yours is running on this machine; start one with "
                     "`manta start --head`, or from a program with manta::Init()");
  }
  if (sessions.size() > 1) {
    std::string message = std::to_string(sessions.size()) +
                          " clusters of yours are running on this machine; choose one with "
                          "--session:";
    for (const auto& one : sessions) {
      message += "\n  " + one.name() + (one.embedded ? "  (inside of a program" : "  (manta start") +
                 ", daemon pid " + std::to_string(one.daemon_pid) + ")";
    }
    return MakeError(MANTA_ERROR_INVALID_ARGUMENT, message);
  }
  return sessions.front();
}

Result<std::unique_ptr<ToolClient>> ToolClient::Connect(const contracts::SessionAddress& address) {
  Result<std::string> secret = contracts::ReadSecret(address.directory);
  if (!secret) return secret.error();
  const Result<int> socket = contracts::ConnectToSession(address);
  if (!socket) {
    return MakeError(MANTA_ERROR_NODE_DIED, socket.error().message);
  }
  std::unique_ptr<ToolClient> client(new ToolClient(UniqueFd(socket.value())));
  wire::HelloT hello;
  hello.protocol_min = contracts::kProtocolMin;
  hello.protocol_max = contracts::kProtocolMax;
  hello.role = wire::Role::Tool;
  hello.pid = getpid();
  hello.secret = *secret;
  // A daemon that has closed the socket already may have said why before: that counts, and not the failed write.
  (void)contracts::WriteAll(client->socket_.get(), contracts::Encode(std::move(hello)));
  Result<std::optional<wire::FrameT>> answer = client->Receive(kAnswerSeconds);
  if (!answer) return answer.error();
  if (!answer->has_value()) {
    return MakeError(MANTA_ERROR_NODE_DIED, "the node daemon closed the connection");
  }
  if (const auto* refused = (*answer)->message.AsRefused()) {
    return MakeError(static_cast<manta_error_kind>(refused->kind),
                     "the node daemon refused: " + refused->message);
  }
  return client;
}

Result<std::optional<wire::FrameT>> ToolClient::Receive(int seconds) {
  for (;;) {
    Result<const wire::Frame*> frame = reader_.Next();
    if (!frame) return frame.error();
    if (*frame != nullptr) {
      wire::FrameT unpacked;
      (*frame)->UnPackTo(&unpacked);
      return std::optional<wire::FrameT>(std::move(unpacked));
    }
    pollfd readable{socket_.get(), POLLIN, 0};
    const int ready = poll(&readable, 1, seconds * 1000);
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0) {
      return MakeError(MANTA_ERROR_TIMEOUT, "the node daemon did not answer within " +
                                                std::to_string(seconds) +
                                                " s; is it stopped? (ps, kill -CONT)");
    }
    uint8_t buffer[64 * 1024];
    std::vector<int> descriptors;
    const Result<int64_t> size =
        contracts::ReadSome(socket_.get(), buffer, sizeof buffer, &descriptors);
    for (int fd : descriptors) close(fd);
    if (!size) return size.error();
    if (size.value() == 0) return std::optional<wire::FrameT>();
    reader_.Append({buffer, static_cast<size_t>(size.value())});
  }
}

Result<ToolClient::Answer> ToolClient::List(const std::string& what) {
  wire::ListRequestT request;
  request.request = 1;
  request.what = what;
  Result<> sent = contracts::WriteAll(socket_.get(), contracts::Encode(std::move(request)));
  if (!sent) return sent.error();
  for (;;) {
    Result<std::optional<wire::FrameT>> answer = Receive(kAnswerSeconds);
    if (!answer) return answer.error();
    if (!answer->has_value()) return MakeError(MANTA_ERROR_NODE_DIED, "the cluster has just ended");
    if (auto* list = (*answer)->message.AsListAnswer()) return Answer{std::move(list->json), list->left_out};
  }
}

Result<> ToolClient::StopCluster() {
  wire::StopClusterT request;
  request.request = 1;
  Result<> sent = contracts::WriteAll(socket_.get(), contracts::Encode(std::move(request)));
  if (!sent) return sent.error();
  for (;;) {
    Result<std::optional<wire::FrameT>> answer = Receive(kStopSeconds);
    if (!answer) return answer.error();
    if (!answer->has_value()) return {};
  }
}

Result<ToolClient::Answer> AskFor(const std::string& what, const std::string& session) {
  Result<contracts::SessionAddress> address = ChooseCluster(session);
  if (!address) return address.error();
  Result<std::unique_ptr<ToolClient>> client = ToolClient::Connect(*address);
  if (!client) return client.error();
  return (*client)->List(what);
}

}  // namespace manta::bin
