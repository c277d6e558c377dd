// The daemon's dealings with the other node: what goes there, what comes from there, and its death.
#include <spdlog/logger.h>

#include <algorithm>
#include <utility>

#include "contracts/fields.h"
#include "contracts/peer_generated.h"
#include "model/error_codec.h"
#include "node/daemon.h"

namespace manta::node {
namespace {

using contracts::Text;

// Lines of the other node's workers that wait for a driver which does not read.
constexpr size_t kMostOutput = 8u << 20;

std::vector<uint8_t> BytesOf(const wire::Frame& frame) {
  wire::FrameT unpacked;
  frame.UnPackTo(&unpacked);
  flatbuffers::FlatBufferBuilder builder(256);
  builder.FinishSizePrefixed(wire::Frame::Pack(builder, &unpacked));
  return {builder.GetBufferPointer(), builder.GetBufferPointer() + builder.GetSize()};
}

}  // namespace

Result<> Daemon::ListenForNodes(const std::string& address, uint16_t port) {
  Result<uint16_t> listening = cluster_->Listen(address, port, secret_);
  if (!listening) return listening.error();
  trunk_address_ = address + ":" + std::to_string(*listening);
  log_.info("listening for nodes address={}", trunk_address_);
  return {};
}

void Daemon::Adopt(UniqueFd trunk) { cluster_->Adopt(std::move(trunk)); }

// ---- The node comes and goes --------------------------------------------------------------------------

void Daemon::MakeFarParts() {
  const ProcessId self = MakeProcessId(options_.node_index, 1);
  const auto page = control_->AcquirePage(self);
  if (!page) return Stop("too many processes on this node to be part of a cluster");
  far_page_ = *page;
  copies_ = std::make_unique<ObjectCopies>(*objects_, self);
  objects_->set_make_room([this](uint64_t bytes) { return copies_->FreeIdle(bytes); });
  far_channels_ = std::make_unique<FarChannels>(loop_, *control_, *copies_, far_page_,
                                                options_.cores > 1);
}

void Daemon::OnNodeUp(const NodeInfo& node, const std::shared_ptr<TrunkLink>& link) {
  if (!far_channels_) MakeFarParts();
  if (!far_channels_) return;
  copies_->Connect(link);
  far_channels_->Connect(link);
  for (const auto& [id, process] : processes_.all()) {
    if (process.far || !process.page) continue;
    const bool driver = process.role == wire::Role::Driver;
    cluster_->Announce(process, driver ? workers_->ProgramOf(process.executable) : nullptr);
  }
  far_demands_->NodeUp(node.index, node.total, node.labels);
  placement_groups_->NodeUp(node);
  key_values_->GoOn();
}

void Daemon::OnNodeDown(const NodeInfo& node, const std::string& reason) {
  if (!cluster_->is_head()) return Stop("the cluster's head is gone: " + reason);
  wire::CauseT cause;
  cause.node_died = true;
  cause.message = "node " + std::to_string(node.index) + " (" + node.address + ") died: its daemon's connection " + reason;
  far_channels_->Disconnect();
  copies_->Disconnect(MakeError(MANTA_ERROR_NODE_DIED, cause.message));
  std::vector<ProcessId> gone;
  for (const auto& [id, process] : processes_.all()) {
    if (process.far) gone.push_back(id);
  }
  std::sort(gone.begin(), gone.end());
  for (ProcessId id : gone) FarProcessGone(id, cause);
  brake_->NodeDown();
  far_demands_->NodeDown();
  placement_groups_->NodeDown(node.index);
}

void Daemon::OnFarProcess(Process& process) {
  process.page = far_page_;
  leases_->AddOwner(process);
}

void Daemon::OnFarProcessGone(ProcessId id, const wire::CauseT& cause) {
  // What it completed before it died may still be waiting for its objects.
  far_channels_->AfterCompletionsOf(id, [this, id, cause] { FarProcessGone(id, cause); });
}

void Daemon::FarProcessGone(ProcessId id, wire::CauseT cause) {
  Process* process = processes_.Find(id);
  if (process == nullptr || !process->far) return;
  const bool driver = process->role == wire::Role::Driver;
  const JobId job = process->job;
  if (cluster_->is_head()) {
    contracts::HostVerdict verdict = actors_.ProcessGone(id, cause.for_good || driver, cause.message);
    cause.actor_restarts = cause.actor_restarts || verdict.starts_again;
    process->actor_account = std::move(verdict.account);
  }
  if (driver) logs_->DriverGone(job);
  ProcessGone(id, cause);
  EndJobIfOver(job);
}

// ---- To the other node --------------------------------------------------------------------------------

bool Daemon::ForwardIfFar(Process& sender, const wire::Frame& frame) {
  if (!cluster_->up()) return false;
  bool forward = false;
  switch (frame.message_type()) {
    case wire::Message::ReturnLease:
      forward = far_demands_->Ended(LeaseId{frame.message_as_ReturnLease()->lease()});
      break;
    case wire::Message::KillWorker:
      forward = cluster_->IsThere(ProcessId{frame.message_as_KillWorker()->worker()});
      break;
    case wire::Message::OpenChannel:
      forward = cluster_->IsThere(ProcessId{frame.message_as_OpenChannel()->target()});
      break;
    case wire::Message::RegisterActor:
    case wire::Message::FindActor:
    case wire::Message::KillActor:
    case wire::Message::PlacementGroupRequest:
      forward = !cluster_->is_head();  // which keeps the directory
      break;
    case wire::Message::TakeBack: {
      const wire::TakeBack& task = *frame.message_as_TakeBack();
      far_channels_->AskBack(sender.id, ProcessId{task.worker()}, task.record(), task.generation());
      return true;
    }
    default: break;
  }
  return forward && cluster_->SendFrom(sender.id, BytesOf(frame));
}

// A message for a process of the other node leaves: the route of the process table.
bool Daemon::SendFar(ProcessId to, std::vector<uint8_t> bytes) {
  trunk::ControlFrame control = trunk::ControlFrame::Of(std::move(bytes));
  const wire::Frame& frame = control.frame();
  if (const auto* granted = frame.message_as_LeaseGranted()) {
    far_channels_->OpenAtWorker(to, ProcessId{granted->worker()}, granted->channel());
  } else if (const auto* opened = frame.message_as_ChannelOpened()) {
    if (Text(opened->error()).empty()) {
      far_channels_->OpenAtWorker(to, ProcessId{opened->target()}, opened->channel());
    }
  } else if (const auto* lost = frame.message_as_LeaseLost()) {
    // Slots of this node mean nothing there; FreeMissed deals with them.
    wire::LeaseLostT message;
    lost->UnPackTo(&message);
    message.slots.clear();
    message.generations.clear();
    return cluster_->SendTo(to, contracts::Encode(std::move(message)));
  }
  return cluster_->SendTo(to, control.bytes());
}

// What a dead worker had made for owners of the other node, who will not be told by a completion any more.
void Daemon::FreeMissed(const std::map<ProcessId, SlotList>& missed) {
  const ProcessId self = MakeProcessId(options_.node_index, 1);
  for (const auto& [owner, slots] : missed) {
    const Process* process = processes_.Find(owner);
    if (process == nullptr || !process->far) continue;
    for (const auto& [slot, generation] : slots) {
      if (!copies_->IsMoving(slot, generation)) objects_->Free(self, slot, generation);
    }
  }
}

// ---- From the other node ------------------------------------------------------------------------------

void Daemon::OnFarRequest(Process& sender, const wire::Frame& frame) {
  switch (frame.message_type()) {
    case wire::Message::SetDemand:
      // The job's code comes with its first demand: the same paths on both nodes.
      if (workers_->ProgramOf(sender.executable) == nullptr) {
        if (const Program* program = cluster_->ProgramOf(sender.job)) {
          workers_->AddExecutable(sender.executable, *program);
        }
      }
      break;
    case wire::Message::ReturnLease:
    case wire::Message::KillWorker:
    case wire::Message::OpenChannel:
    case wire::Message::RegisterActor:
    case wire::Message::FindActor:
    case wire::Message::KillActor:
    case wire::Message::KeyValueRequest:
    case wire::Message::PlacementGroupRequest:
      break;
    default:
      log_.warn("message ignored from=far process={} type={}", SerialOf(sender.id),
                wire::EnumNameMessage(frame.message_type()));
      return;
  }
  Dispatch(sender, frame);
}

void Daemon::OnDelivery(Process& receiver, trunk::ControlFrame control) {
  const wire::Frame& frame = control.frame();
  const auto deliver = [this, id = receiver.id](std::vector<uint8_t> bytes) {
    const Process* process = processes_.Find(id);
    if (process != nullptr && process->connection) process->connection->SendFrame(std::move(bytes));
  };
  if (const auto* granted = frame.message_as_LeaseGranted()) return OnFarGrant(receiver, *granted);
  if (const auto* opened = frame.message_as_ChannelOpened()) return OnFarChannel(receiver, *opened);
  if (const auto* relayed = frame.message_as_Relayed()) return OnFarBatch(receiver.id, *relayed);
  if (const auto* unmet = frame.message_as_DemandUnmet()) {
    if (unmet->infeasible() && !unmet->group_removed() && far_demands_->Refused(receiver.id, unmet->key())) return;
  }
  if (const auto* lost = frame.message_as_LeaseLost()) {
    far_demands_->Ended(LeaseId{lost->lease()});
    const ProcessId worker{lost->worker()};
    far_channels_->AfterCompletions(receiver.id, worker,
                                    [deliver, bytes = std::move(control.bytes())] { deliver(bytes); });
    return;
  }
  if (const auto* ended = frame.message_as_ActorEnded()) far_demands_->Ended(LeaseId{ended->lease()});
  if (const auto* output = frame.message_as_WorkerOutput()) return OnFarOutput(receiver, *output);
  deliver(std::move(control.bytes()));
}

// A driver that does not read misses lines, and is told so, rather than its connection.
void Daemon::OnFarOutput(Process& driver, const wire::WorkerOutput& message) {
  wire::WorkerOutputT output;
  message.UnPackTo(&output);
  if (processes_.Pending(driver) > kMostOutput) {
    driver.output_skipped += output.lines.size();
    return;
  }
  if (const uint64_t skipped = std::exchange(driver.output_skipped, 0)) {
    output.lines.insert(0, "[" + std::to_string(skipped) + " bytes of output of the other node were skipped: this driver did not read]\n");
  }
  processes_.Send(driver.id, std::move(output));
}

void Daemon::OnFarGrant(Process& owner, const wire::LeaseGranted& message) {
  const ProcessId worker_id{message.worker()};
  Process* worker = processes_.Find(worker_id);
  if (worker == nullptr || !worker->far || !owner.page) return;
  auto channel =
      channels_->Open({owner.id, *owner.page}, {worker_id, far_page_}, message.dedicated());
  if (!channel) {
    log_.warn("far lease not taken owner={} reason=\"{}\"", SerialOf(owner.id),
              channel.error().message);
    wire::ReturnLeaseT back;
    back.lease = message.lease();
    back.unused = true;
    cluster_->SendFrom(owner.id, contracts::Encode(std::move(back)));
    return;
  }
  worker->dedicated = message.dedicated();
  far_demands_->Granted(owner.id, message.key(), LeaseId{message.lease()});
  far_channels_->OpenAtOwner(owner.id, worker_id, *channel);
  wire::LeaseGrantedT granted;
  message.UnPackTo(&granted);
  granted.worker_page = far_page_;
  granted.channel = *channel;
  processes_.Send(owner.id, std::move(granted));
}

void Daemon::OnFarChannel(Process& owner, const wire::ChannelOpened& message) {
  wire::ChannelOpenedT opened;
  message.UnPackTo(&opened);
  const ProcessId target{message.target()};
  if (opened.error.empty() && owner.page) {
    auto channel = channels_->Open({owner.id, *owner.page}, {target, far_page_}, true);
    if (channel) {
      far_channels_->OpenAtOwner(owner.id, target, *channel);
      opened.worker_page = far_page_;
      opened.channel = *channel;
    } else {
      opened.error = channel.error().message;
    }
  }
  processes_.Send(owner.id, std::move(opened));
}

// Values in it that are shared objects get local copies first; the order of batches does not matter.
void Daemon::OnFarBatch(ProcessId receiver, const wire::Relayed& message) {
  struct Waiting {
    wire::RelayedT relayed;
    wire::PeerBatchT batch;
    size_t awaited = 1;
  };
  const auto deliver = [this, receiver](wire::RelayedT relayed) {
    processes_.Send(receiver, std::move(relayed));
    brake_->Delivered(receiver);
  };
  auto waiting = std::make_shared<Waiting>();
  message.UnPackTo(&waiting->relayed);
  relay_->Met(ProcessId{message.from()}, receiver);
  flatbuffers::Verifier verifier(waiting->relayed.payload.data(), waiting->relayed.payload.size());
  if (waiting->relayed.undeliverable || !wire::VerifyPeerBatchBuffer(verifier)) {
    return deliver(std::move(waiting->relayed));
  }
  wire::GetPeerBatch(waiting->relayed.payload.data())->UnPackTo(&waiting->batch);
  bool changed = false;
  const auto done = [deliver, waiting] {
    if (--waiting->awaited > 0) return;
    flatbuffers::FlatBufferBuilder builder(1024);
    builder.Finish(wire::PeerBatch::Pack(builder, &waiting->batch));
    waiting->relayed.payload.assign(builder.GetBufferPointer(),
                                    builder.GetBufferPointer() + builder.GetSize());
    deliver(std::move(waiting->relayed));
  };
  for (size_t i = 0; i < waiting->batch.values.size(); ++i) {
    const wire::PeerValueT& value = *waiting->batch.values[i];
    shm::SharedHandle handle;
    if (value.kind != static_cast<uint32_t>(shm::ValueKind::kShared) ||
        value.bytes.size() != sizeof handle) {
      continue;
    }
    changed = true;
    std::copy(value.bytes.begin(), value.bytes.end(), reinterpret_cast<uint8_t*>(&handle));
    ++waiting->awaited;
    copies_->Lend(handle, [waiting, i, done](const Result<ObjectCopies::Local>& local) {
      wire::PeerValueT& value = *waiting->batch.values[i];
      if (local) {
        const auto bytes = trunk::BytesOf(local.value().handle);
        value.bytes.assign(bytes.begin(), bytes.end());
      } else {
        const std::string error = model::EncodeError(local.error());
        value.kind = static_cast<uint32_t>(shm::ValueKind::kError);
        value.bytes.assign(error.begin(), error.end());
      }
      done();
    });
  }
  if (changed) return done();
  deliver(std::move(waiting->relayed));
}

void Daemon::HoldFarSenders(ProcessId receiver, bool hold) {
  if (!cluster_->up()) return;
  wire::HoldSendersT word;
  word.process = receiver.value;
  word.hold = hold;
  cluster_->SendToNode(std::move(word));
}

// What its workers on the other node printed last comes before it is let go.
void Daemon::AwaitFarOutput(const Process& driver) {
  const ProcessId id = driver.id;
  wire::ShowOutputT ask;
  ask.process = id.value;
  ask.job = driver.job.value;
  cluster_->SendToNode(std::move(ask));
  auto& limit = leaving_[id];
  limit = std::make_unique<Timer>(loop_, [this, id] { FarOutputShown(id); });
  limit->ExpireAfter(kFarOutputLimit);
}

void Daemon::FarOutputShown(ProcessId driver) {
  if (leaving_.erase(driver) > 0) DriverGone(driver, "said goodbye");
}

void Daemon::OnNodeMessage(const wire::Frame& frame) {
  if (placement_groups_->OnNodeMessage(frame)) return;
  if (const auto* ask = frame.message_as_ShowOutput()) {
    logs_->DriverLeaves(JobId{ask->job()});
    wire::OutputShownT shown;
    shown.process = ask->process();
    cluster_->SendToNode(std::move(shown));
  } else if (const auto* shown = frame.message_as_OutputShown()) {
    FarOutputShown(ProcessId{shown->process()});
  } else if (const auto* word = frame.message_as_HoldSenders()) {
    brake_->FarHolds(ProcessId{word->process()}, word->hold());
  } else if (const auto* gone = frame.message_as_ActorHostGone()) {
    const ProcessId host{gone->process()};
    if (!cluster_->is_head() || !cluster_->IsThere(host)) return;
    wire::ActorHostVerdictT verdict;
    verdict.process = host.value;
    verdict.actor_restarts = actors_.ProcessGone(host, gone->for_good(), Text(gone->reason())).starts_again;
    cluster_->SendToNode(std::move(verdict));
  } else if (const auto* retired = frame.message_as_ActorHostRetired()) {
    const ProcessId host{retired->process()};
    if (cluster_->is_head() && cluster_->IsThere(host)) actors_.HostRetired(host, Text(retired->reason()));
  } else if (const auto* verdict = frame.message_as_ActorHostVerdict()) {
    auto waiting = awaiting_verdict_.extract(ProcessId{verdict->process()});
    if (waiting.empty()) return;
    waiting.mapped().actor_restarts = verdict->actor_restarts();
    FinishWorkerDead(waiting.key(), std::move(waiting.mapped()));
  } else if (const auto* end = frame.message_as_EndActorHost()) {
    Process* host = processes_.Find(ProcessId{end->process()});
    if (host == nullptr || host->far) return;
    host->ends_for_good = host->ends_for_good || end->for_good();
    workers_->Stop(host->id, true, Text(end->reason()));
  } else if (const auto* detach = frame.message_as_DetachActorHost()) {
    Process* host = processes_.Find(ProcessId{detach->process()});
    if (host != nullptr && !host->far && host->dedicated) host->detached = true;
  }
}

bool Daemon::OnData(const trunk::FrameView& frame) {
  switch (frame.kind) {
    case trunk::FrameKind::kTask:
    case trunk::FrameKind::kCompletion:
    case trunk::FrameKind::kTakeBack:
    case trunk::FrameKind::kClosing: return far_channels_->OnFrame(frame);
    default: return copies_->OnFrame(frame);
  }
}

void Daemon::OnTrunkDrained() {
  brake_->TrunkDrained();
  key_values_->GoOn();
  if (!far_channels_) return;
  copies_->Pump();
  far_channels_->OnDrained();
}

}  // namespace manta::node
