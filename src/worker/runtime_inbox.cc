// What the daemon and, through it, other processes tell this one. Everything here runs on the service thread.

#include <string.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "contracts/fields.h"
#include "contracts/session_files.h"
#include "contracts/session_lock.h"
#include "worker/clock.h"
#include "worker/runtime.h"
#include "worker/sooner.h"
#include "worker/task_listing.h"
#include "worker/worker_output.h"

namespace manta::worker {
namespace {

using contracts::Text;

constexpr size_t kMostListed = 10'000;
constexpr int kMostLooksForItsEnd = 100;  // 10 ms apart
// A demand that was refused may be again every few milliseconds, and a thousand actors of a class wait for the same.
constexpr int64_t kSaidAgainNs = 5'000'000'000;

// One paragraph: how the process ended, then its last words.
std::string Describe(const wire::Cause* cause) {
  if (cause == nullptr) return "its end was not explained";
  std::string text = Text(cause->message());
  if (text.empty()) text = "exited with code " + std::to_string(cause->exit_code());
  if (const std::string path = Text(cause->log_path()); !path.empty()) text += "; its log: " + path;
  if (const std::string tail = Text(cause->log_tail()); !tail.empty()) {
    text += "\nlast lines of its log:\n" + tail;
  }
  return text;
}

}  // namespace

void Runtime::OnLeaseGranted(const wire::LeaseGranted& message) {
  GrantedLease granted{{message.lease()}, {message.worker()}, {}, message.channel(), memory_.Page(message.worker_page())};
  const bool usable = granted.worker_page != nullptr && memory_.View(message.channel(), &granted.channel);
  std::lock_guard guard(owner_->lock());
  if (usable) {
    dispatcher_->LeaseGranted(message.key(), granted);
  } else {
    dispatcher_->RefuseLease(granted.lease);
  }
}

void Runtime::OnProcessGone(ProcessId process, const char* what, const wire::Cause* cause) {
  Departure departure;
  if (cause != nullptr && cause->node_died()) {
    departure.cause = MakeError(MANTA_ERROR_NODE_DIED, Text(cause->message()));
  } else if (cause != nullptr && cause->group_removed()) {
    departure.cause = MakeError(MANTA_ERROR_TASK_PLACEMENT_GROUP_REMOVED, what + Describe(cause));
  } else {
    departure.cause = MakeError(MANTA_ERROR_WORKER_CRASHED, what + Describe(cause));
  }
  departure.for_good = cause != nullptr && cause->for_good();
  departure.actor_restarts = cause != nullptr && cause->actor_restarts();
  std::lock_guard guard(owner_->lock());
  dispatcher_->WorkerGone(process, departure);
  references_->OnProcessGone(process, departure.cause.message);
  references_->Flush();
}

void Runtime::OnRelayed(const wire::Relayed& message) {
  std::lock_guard guard(owner_->lock());
  if (message.undeliverable()) {
    references_->OnProcessGone({message.from()}, "");
  } else if (message.payload() != nullptr) {
    references_->OnBatch({message.from()}, {message.payload()->data(), message.payload()->size()});
  }
  references_->Flush();
}

void Runtime::SayWhatWaits(const wire::DemandUnmet& unmet) {
  std::string said;
  bool is_news;
  {
    std::lock_guard guard(owner_->lock());
    is_news = dispatcher_->IsStuck(unmet.key(), NowNs());
    said = dispatcher_->WaitersOf(unmet.key());
  }
  if (!is_news) return;
  const int64_t now = NowNs();
  // One that has not waited at all was refused.
  if (unmet.waited_ms() == 0) {
    if (now - refused_at_ < kSaidAgainNs) return;
    refused_at_ = now;
  }
  said += " waited for " + std::to_string(unmet.waited_ms() / 1000) + " s: " + Text(unmet.reason());
  if (said == said_ && now - said_at_ < kSaidAgainNs) return;
  console_.Say(said);
  said_ = std::move(said);
  said_at_ = now;
}

void Runtime::OnFrame(const wire::Frame& frame) {
  if (const auto* granted = frame.message_as_LeaseGranted()) {
    OnLeaseGranted(*granted);
  } else if (const auto* revoked = frame.message_as_LeaseRevoked()) {
    std::lock_guard guard(owner_->lock());
    dispatcher_->LeaseRevoked({revoked->lease()});
  } else if (const auto* ended = frame.message_as_ActorEnded()) {
    std::lock_guard guard(owner_->lock());
    dispatcher_->ActorEnded({ended->lease()}, Text(ended->reason()));
  } else if (const auto* blocked = frame.message_as_LeaseBlocked()) {
    std::lock_guard guard(owner_->lock());
    dispatcher_->LeaseBlocked({blocked->lease()}, blocked->blocked());
  } else if (const auto* lost = frame.message_as_LeaseLost()) {
    OnProcessGone({lost->worker()}, "the worker that ran the task died: ", lost->cause());
  } else if (const auto* gone = frame.message_as_ProcessGone()) {
    OnProcessGone({gone->process()}, "the process died: ", gone->cause());
  } else if (const auto* relayed = frame.message_as_Relayed()) {
    OnRelayed(*relayed);
  } else if (const auto* unmet = frame.message_as_DemandUnmet()) {
    if (unmet->infeasible()) {
      std::lock_guard guard(owner_->lock());
      dispatcher_->DemandInfeasible(unmet->key(), Text(unmet->reason()), unmet->group_removed());
    } else {
      SayWhatWaits(*unmet);
    }
  } else if (const auto* allocated = frame.message_as_ObjectAllocated()) {
    shared_->OnAllocated(*allocated);
  } else if (const auto* refused = frame.message_as_ObjectRefused()) {
    shared_->OnRefused(*refused);
  } else if (const auto* registered = frame.message_as_ActorRegistered()) {
    actors_->OnRegistered(*registered);
  } else if (const auto* found = frame.message_as_ActorFound()) {
    actors_->OnFound(*found);
  } else if (const auto* unknown = frame.message_as_ActorUnknown()) {
    actors_->OnUnknown(unknown->serial());
  } else if (const auto* kill = frame.message_as_KillActor()) {
    actors_->OnKill({{kill->creator()}, kill->serial()}, kill->no_restart());
  } else if (const auto* opened = frame.message_as_ChannelOpened()) {
    actors_->OnChannelOpened(*opened);
  } else if (const auto* resources = frame.message_as_ResourcesAnswer()) {
    questions_->OnResources(*resources);
  } else if (const auto* answer = frame.message_as_KeyValueAnswer()) {
    key_values_->OnAnswer(*answer);
  } else if (const auto* group = frame.message_as_PlacementGroupAnswer()) {
    placement_groups_->OnAnswer(*group);
  } else if (const auto* waits = frame.message_as_PlacementGroupWaits()) {
    const std::string name = Text(waits->name());
    console_.Say("the placement group " + (name.empty() ? Hex(PlacementGroupId{{waits->creator()}, waits->serial()}) : "'" + name + "'") +
                 " has waited for " + std::to_string(waits->waited_ms() / 1000) + " s: " + Text(waits->reason()));
  } else if (const auto* asked = frame.message_as_ListRequest()) {
    const auto answer = [&](auto list_of) {
      std::unique_lock guard(owner_->lock());
      auto list = list_of(*owner_, kMostListed);
      guard.unlock();
      list.request = asked->request();
      control_->Queue(std::move(list));
    };
    Text(asked->what()) == "objects" ? answer(ListObjects) : answer(ListTasks);
  } else if (const auto* output = frame.message_as_WorkerOutput()) {
    ShowOutput(*output);
  } else if (const auto* stop = frame.message_as_Stop()) {
    if (executor_ == nullptr) {
      why_cluster_ends_ = Text(stop->reason());
    } else if (stop->keeps_objects()) {
      is_retiring_ = true;
    } else {
      executor_->RequestStop();
    }
  }
  // What others let go of comes as a frame, too.
  if (is_retiring_ && owner_->objects_in_use() == 0) executor_->RequestStop();
  StopIfUnused();
  Flush();
  waiting_->WakeAll();
}

void Runtime::ShowOutput(const wire::WorkerOutput& output) {
  const uint32_t node = NodeIndexOf(ProcessId{output.process()});
  const OutputOrigin origin{Text(output.name()), output.pid(), node == welcome_.node_index ? 0 : node};
  console_.Write(output.is_stderr(), WithPrefix(origin, Text(output.lines()), console_.IsTerminal(output.is_stderr())));
}

void Runtime::OnClosed() {
  if (closed_.load()) return;  // after Goodbye
  if (!is_driver_) _exit(1);  // the daemon's death is its node's death
  const std::string how = why_cluster_ends_.empty() ? "the node daemon died" : "the cluster has ended (" + why_cluster_ends_ + ")";
  const Error error = MakeError(MANTA_ERROR_NODE_DIED,
                                how + ": everything that was running on this node is lost. Its log is in " + welcome_.session_directory + "/logs");
  closed_.store(true);
  FailAll(error);
  // It holds its session until its memory has been taken apart.
  for (int i = 0; i < kMostLooksForItsEnd && contracts::DaemonLives(welcome_.session_directory); ++i) usleep(10'000);
  contracts::RemoveFilesOfDeadDaemon(welcome_.session_directory);
}

// Until leases of dead actors are given back.
constexpr int64_t kActorsTickNs = 5'000'000;
// While results may come and no thread of the program looks for them: how soon what depends on them goes on, at the latest.
// Less often the longer none has come.
constexpr int64_t kUnattendedTickNs = 1'000'000;
constexpr int64_t kSlowestUnattendedTickNs = 10'000'000;

void Runtime::StopIfUnused() {
  if (!outlives_actor_.load()) return;
  {
    std::lock_guard guard(owner_->lock());
    if (references_->listed() > 0) return;
  }
  executor_->RequestStop();
  waiting_->WakeAll();
}

int64_t Runtime::OnTick(int64_t now) {
  const uint32_t waits = waits_.load(std::memory_order_relaxed);
  const bool unattended = waits == std::exchange(waits_seen_, waits) && !waiting_->has_leader();
  int64_t next;
  std::vector<std::string> news;
  {
    std::lock_guard guard(owner_->lock());
    references_->Flush();
    dispatcher_->set_unattended(unattended);
    if ((unattended && dispatcher_->Poll() > 0) || !dispatcher_->AwaitsResults()) results_at_ = now;
    const bool again = actors_->Tick();
    next = dispatcher_->Tick(now);
    if (again) next = Sooner(next, kActorsTickNs);
    if (unattended && dispatcher_->AwaitsResults()) {
      next = Sooner(next, std::clamp((now - results_at_) / 8, kUnattendedTickNs, kSlowestUnattendedTickNs));
    }
    news = dispatcher_->TakeNews();
  }
  if (lending_ != nullptr) next = Sooner(next, lending_->Tick(now));
  StopIfUnused();
  for (const std::string& line : news) console_.Say(line);
  Flush();
  return next;
}

}  // namespace manta::worker
