// A stand-in for a user's program: a zygote whose workers do what Relay messages tell them. Knows the protocol only, not libmanta.
//
// FAKE_ZYGOTE says how to misbehave: "exits" (before Hello, with a line of complaint), "killed" (then, too), "killed-once",
// "workers-exit" (before their Hello), "workers-exit-later" (after it, before anything else). If FAKE_ZYGOTE_WHILE names a file, only
// as long as that exists.
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <sstream>
#include <string>
#include <vector>

#include "testing/node_daemon/peer.h"

namespace manta::testing {
namespace {

bool Misbehaves(const char* how) {
  const char* mode = std::getenv("FAKE_ZYGOTE");
  const char* file = std::getenv("FAKE_ZYGOTE_WHILE");
  return mode != nullptr && std::strcmp(mode, how) == 0 && (file == nullptr || access(file, F_OK) == 0);
}

class Worker {
 public:
  explicit Worker(int socket) : peer_(socket) {}

  int Run() {
    if (!peer_.Join(MakeHello(wire::Role::Worker))) return 9;
    if (Misbehaves("workers-exit-later")) {
      std::fprintf(stderr, "no room for this worker\n");
      return 5;
    }
    for (;;) {
      // A long time: the daemon's end closes the socket.
      auto relayed = peer_.Await<wire::RelayedT>(3'600'000);
      if (relayed == nullptr) return 0;
      const std::string command(relayed->payload.begin(), relayed->payload.end());
      std::istringstream words(command);
      std::string verb;
      words >> verb;
      if (verb == "exit") {
        int status = 0;
        words >> status;
        return status;
      }
      Answer(relayed->from, Do(verb, command, words));
    }
  }

 private:
  std::string Do(const std::string& verb, const std::string& command, std::istringstream& words) {
    if (verb == "print") {
      std::printf("%s\n", command.substr(6).c_str());
      std::fflush(stdout);
    } else if (verb == "flood") {  // MiB of short lines
      int mebibytes = 0;
      words >> mebibytes;
      const std::string block(1 << 20, '\n');
      for (int i = 0; i < mebibytes; ++i) std::fwrite(block.data(), 1, block.size(), stdout);
      std::fflush(stdout);
    } else if (verb == "abort") {
      std::abort();
    } else if (verb == "close") {  // the socket, but live on
      peer_.Close();
      for (;;) pause();
    } else if (verb == "blocked") {
      peer_.Send(wire::BlockedT{});
    } else if (verb == "resumed") {
      peer_.Send(wire::ResumedT{});
    } else if (verb == "environment") {
      std::string name;
      words >> name;
      const char* value = std::getenv(name.c_str());
      return value == nullptr ? "(none)" : value;
    } else if (verb == "directory") {
      char* directory = getcwd(nullptr, 0);
      const std::string text = directory;
      std::free(directory);
      return text;
    } else if (verb == "put" || verb == "begin") {  // put SIZE OWNER; begin does not seal
      wire::AllocateObjectT request;
      words >> request.size >> request.owner;
      peer_.Send(std::move(request));
      const auto got = peer_.Await<wire::ObjectAllocatedT>();
      if (got == nullptr) return "refused";
      if (verb == "put") peer_.Seal(got->slot, got->generation);
      return std::to_string(got->slot) + " " + std::to_string(got->generation);
    } else if (verb == "channels") {
      const shm::ProcessPage& page = peer_.my_page();
      std::string text;
      for (uint32_t i = 0; i < page.channel_count.load(); ++i) {
        text += std::to_string(uint64_t{page.channels[i].load()} * 64) + " ";
      }
      return text;
    } else if (verb == "seen") {
      shm::ProcessPage& page = peer_.my_page();
      page.channel_version_seen.store(page.channel_version.load());
    }
    return "done";
  }

  void Answer(uint64_t to, const std::string& text) {
    wire::RelayT relay;
    relay.to = to;
    relay.payload.assign(text.begin(), text.end());
    peer_.Send(std::move(relay));
  }

  Peer peer_;
};

class Zygote {
 public:
  explicit Zygote(int socket) : socket_(socket) {}

  int Run() {
    Send(MakeHello(wire::Role::Zygote));
    contracts::FrameReader reader;
    std::vector<int> descriptors;
    for (;;) {
      pollfd readable{socket_, POLLIN, 0};
      const int ready = poll(&readable, 1, 5);  // reaps in between
      Reap();
      if (ready <= 0) continue;
      uint8_t buffer[4096];
      const Result<int64_t> size =
          contracts::ReadSome(socket_, buffer, sizeof buffer, &descriptors);
      if (!size || size.value() <= 0) return 0;
      reader.Append({buffer, static_cast<size_t>(size.value())});
      for (;;) {
        const Result<const wire::Frame*> frame = reader.Next();
        if (!frame) return 1;
        if (frame.value() == nullptr) break;
        const auto* request = frame.value()->message_as_ForkWorker();
        if (request == nullptr || descriptors.size() < 3) continue;
        Fork(request->ticket(), descriptors[0], descriptors[1], descriptors[2]);
        descriptors.erase(descriptors.begin(), descriptors.begin() + 3);
      }
    }
  }

 private:
  template <class MessageT>
  void Send(MessageT message) {
    (void)contracts::WriteAll(socket_, contracts::Encode(std::move(message)));
  }

  void Reap() {
    int status;
    for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;) {
      wire::ChildExitedT exited;
      exited.pid = pid;
      exited.status = status;
      Send(std::move(exited));
    }
  }

  void Fork(uint64_t ticket, int socket, int out, int err) {
    const pid_t zygote = getpid();
    const pid_t pid = fork();
    if (pid == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      if (getppid() != zygote) _exit(1);
      close(socket_);
      dup2(out, 1);
      dup2(err, 2);
      close(out);
      close(err);
      if (Misbehaves("workers-exit")) {
        std::fprintf(stderr, "no worker wants to live\n");
        _exit(4);
      }
      const int status = Worker(socket).Run();
      std::fflush(nullptr);
      _exit(status);
    }
    for (int descriptor : {socket, out, err}) close(descriptor);
    wire::ForkedT forked;
    forked.ticket = ticket;
    forked.pid = pid;
    Send(std::move(forked));
  }

  const int socket_;
};

int Main() {
  const char* fd = std::getenv("MANTA_ZYGOTE_FD");
  if (fd == nullptr) {
    std::fprintf(stderr, "fake_zygote: for the tests of the node daemon\n");
    return 2;
  }
  if (Misbehaves("killed")) raise(SIGKILL);
  if (Misbehaves("killed-once")) {
    unlink(std::getenv("FAKE_ZYGOTE_WHILE"));
    raise(SIGKILL);
  }
  if (Misbehaves("exits")) {
    std::fprintf(stderr, "fake_zygote: cannot find libfancy.so.3\n");
    return 127;
  }
  return Zygote(std::atoi(fd)).Run();
}

}  // namespace
}  // namespace manta::testing

int main() { return manta::testing::Main(); }
