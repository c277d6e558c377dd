#include "raw_relay.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>

#include "processes.h"
#include "raw_pair.h"

namespace manta::bench {
namespace {

constexpr uint32_t kLog2Slots = 8;
constexpr uint32_t kLog2Completions = 9;

// Two connected sockets of the loopback interface.
void ConnectedPair(int* one, int* other) {
  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* name = reinterpret_cast<sockaddr*>(&address);
  Require(bind(listener, name, size) == 0 && listen(listener, 1) == 0, "no port on loopback");
  getsockname(listener, name, &size);
  *one = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  Require(connect(*one, name, size) == 0, "connecting on loopback failed");
  *other = accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
  Require(*other >= 0, "accepting on loopback failed");
  close(listener);
  const int on = 1;
  for (int socket : {*one, *other}) setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

// A whole message if one has begun to arrive. The end of the other side is the end of this process.
bool Receive(int socket, uint64_t* value) {
  const ssize_t size = recv(socket, value, sizeof *value, MSG_DONTWAIT);
  if (size == 0 || (size < 0 && errno != EAGAIN)) _exit(0);
  if (size < 0) return false;
  for (auto done = static_cast<size_t>(size); done < sizeof *value;) {
    const ssize_t more = recv(socket, reinterpret_cast<char*>(value) + done, sizeof *value - done, 0);
    if (more <= 0) _exit(0);
    done += static_cast<size_t>(more);
  }
  return true;
}

void Send(int socket, uint64_t value) {
  if (send(socket, &value, sizeof value, MSG_NOSIGNAL) != sizeof value) _exit(0);
}

}  // namespace

struct RawRelay::Rings {
  shm::TaskSlot slots[1u << kLog2Slots];
  shm::Completion completions[1u << kLog2Completions];
  alignas(64) std::atomic<int32_t> worker_cpu;
};

RawRelay::RawRelay() {
  void* memory = mmap(nullptr, sizeof(Rings), PROT_READ | PROT_WRITE,
                      MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
  Require(memory != MAP_FAILED, "mmap of the rings failed");
  rings_ = static_cast<Rings*>(memory);
  tasks_ = {rings_->slots, kLog2Slots};
  results_ = {rings_->completions, kLog2Completions};
  int near_socket, far_socket;
  ConnectedPair(&near_socket, &far_socket);
  near_ = fork();
  Require(near_ >= 0, "fork failed");
  if (near_ == 0) {
    close(far_socket);
    NearRelay(rings_, near_socket);
  }
  far_ = fork();
  Require(far_ >= 0, "fork failed");
  if (far_ == 0) {
    close(near_socket);
    FarRelay(rings_, far_socket);
  }
  close(near_socket);
  close(far_socket);
}

RawRelay::~RawRelay() {
  for (pid_t relay : {near_, far_}) {
    kill(relay, SIGKILL);
    waitpid(relay, nullptr, 0);
  }
  munmap(rings_, sizeof(Rings));
}

void RawRelay::ConfineEachSide() {
  Confine(getpid(), OneCore(0));
  Confine(near_, OneCore(0));
  Confine(far_, OneCore(1));
  for (const Process& process : ProcessesOf(far_)) Confine(process.pid, OneCore(1));
}

uint64_t RawRelay::Call(uint64_t argument) {
  shm::TaskBody* body = tasks_.Reserve();
  Require(body != nullptr, "the ring is full");
  std::memcpy(body->payload, &argument, sizeof argument);
  tasks_.Publish();
  const shm::CompletionBody* result;
  while ((result = results_.Front()) == nullptr) sched_yield();
  uint64_t value;
  std::memcpy(&value, result->inline_result, sizeof value);
  results_.Pop();
  return value;
}

int RawRelay::worker_cpu() const { return rings_->worker_cpu.load(std::memory_order_relaxed); }

void RawRelay::NearRelay(Rings* rings, int socket) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  shm::SlotConsumer<shm::RealAtomics, shm::TaskBody> tasks(rings->slots, kLog2Slots);
  shm::MessageProducer<shm::RealAtomics, shm::CompletionBody> results(rings->completions,
                                                                      kLog2Completions);
  for (uint64_t value;;) {
    uint32_t position;
    if (const shm::TaskBody* task = tasks.Claim(&position)) {
      std::memcpy(&value, task->payload, sizeof value);
      tasks.Release(position);
      Send(socket, value);
    } else if (Receive(socket, &value)) {
      std::memcpy(results.Next()->inline_result, &value, sizeof value);
      results.Publish();
    } else {
      sched_yield();
    }
  }
}

void RawRelay::FarRelay(Rings* rings, int socket) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  RawPair pair(WhenIdle::kYield);  // its worker ends with this process
  for (uint64_t value;;) {
    uint32_t record;
    if (Receive(socket, &value)) {
      Require(pair.Send(1, value), "the ring is full");
    } else if (pair.Receive(&record, &value)) {
      rings->worker_cpu.store(pair.worker_cpu(), std::memory_order_relaxed);
      Send(socket, value);
    } else {
      sched_yield();
    }
  }
}

}  // namespace manta::bench
