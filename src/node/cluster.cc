#include "node/cluster.h"

#include <spdlog/logger.h>

#include <utility>

#include "contracts/fields.h"

namespace manta::node {

using contracts::AmountsOf;
using contracts::Text;
using contracts::Texts;

namespace {

model::ResourceSet ResourcesFrom(
    const flatbuffers::Vector<flatbuffers::Offset<wire::Amount>>* amounts) {
  model::ResourceSet set;
  if (amounts == nullptr) return set;
  for (const wire::Amount* amount : *amounts) {
    if (amount->name() != nullptr) set.Set(amount->name()->string_view(), amount->fixed_point());
  }
  return set;
}

}  // namespace

Cluster::Cluster(EventLoop& loop, spdlog::logger& log, ProcessTable& processes, NodeInfo self,
                 std::function<model::ResourceSet()> available, Observer& observer)
    : loop_(loop),
      log_(log),
      processes_(processes),
      self_(std::move(self)),
      available_(std::move(available)),
      observer_(observer),
      beat_(loop, [this] { Beat(); }) {}

Cluster::~Cluster() {
  if (link_ != nullptr) link_->FlushAndClose();
}

// ---- Coming together ----------------------------------------------------------------------------------

Result<uint16_t> Cluster::Listen(const std::string& address, uint16_t port,
                                 const std::string& secret) {
  auto listener = TrunkListener::Open(loop_, log_, address, port, secret,
                                      [this](std::shared_ptr<TrunkLink> link, const std::string& from) {
                                        OnPeer(std::move(link), from);
                                      });
  if (!listener) return listener.error();
  listener_ = std::move(listener).value();
  return listener_->port();
}

void Cluster::OnPeer(std::shared_ptr<TrunkLink> link, const std::string& from) {
  if (link_ != nullptr) {
    wire::RefusedT refused;
    refused.kind = MANTA_ERROR_NOT_SUPPORTED;
    refused.message = "this cluster has two nodes already; more than two are not there yet";
    log_.warn("node refused from={} reason=\"{}\"", from, refused.message);
    link->SendToNode(std::move(refused));
    link->FlushAndClose();
    return;
  }
  peer_ = {};
  peer_.index = ++last_index_;
  link_ = std::move(link);
  link_->set_events({.on_frame = [this](const trunk::FrameView& frame) { OnFrame(frame); },
                     .on_closed = [this](const std::string& reason) { OnClosed(reason); },
                     .on_drained = [this] { observer_.OnTrunkDrained(); }});
  wire::TrunkWelcomeT welcome;
  welcome.node_index = peer_.index;
  welcome.node_id = self_.node_id;
  SendToNode(std::move(welcome));
  Greet();
}

void Cluster::Adopt(UniqueFd trunk) {
  peer_ = {};
  peer_.index = 1;
  peer_.head = true;
  link_ = std::make_shared<TrunkLink>(loop_, std::move(trunk), trunk::kMaxBody);
  link_->Start({.on_frame = [this](const trunk::FrameView& frame) { OnFrame(frame); },
                .on_closed = [this](const std::string& reason) { OnClosed(reason); },
                .on_drained = [this] { observer_.OnTrunkDrained(); }});
  Greet();
}

void Cluster::Greet() {
  wire::NodeFactsT facts;
  facts.node_id = self_.node_id;
  facts.address = self_.address;
  facts.pid = self_.pid;
  facts.resources = AmountsOf(self_.total);
  facts.labels = contracts::LabelsOf(self_.labels);
  SendToNode(std::move(facts));
  beat_.ExpireAfter(0);
}

bool Cluster::OnFacts(const wire::NodeFacts& facts) {
  if (peer_.alive) return false;
  peer_.node_id = Text(facts.node_id());
  peer_.address = Text(facts.address());
  peer_.pid = facts.pid();
  peer_.labels = contracts::Labels(facts.labels());
  peer_.total = peer_.available = ResourcesFrom(facts.resources());
  peer_.alive = true;
  log_.info("node joined index={} node={} address={} resources=\"{}\"", peer_.index, peer_.node_id,
            peer_.address, peer_.total.ToString());
  observer_.OnNodeUp(peer_, link_);
  return true;
}

void Cluster::Beat() {
  if (link_ == nullptr) return;
  const Nanoseconds silence = EventLoop::Now() - link_->heard_at();
  if (silence > kSilence) {
    link_->Close();
    return OnClosed("silent for " + std::to_string(silence / kSecond) + " s");
  }
  wire::NodeFreeT free;
  free.available = AmountsOf(available_());
  SendToNode(std::move(free));
  beat_.ExpireAfter(kSignOfLife);
}

void Cluster::OnClosed(const std::string& reason) {
  if (link_ == nullptr) return;
  link_.reset();
  const NodeInfo gone = std::exchange(peer_, {});
  if (!gone.alive && self_.head) return;  // it has never been a node
  log_.warn("node lost index={} node={} reason=\"{}\"", gone.index, gone.node_id, reason);
  observer_.OnNodeDown(gone, reason);
  programs_.clear();
  dead_.push_back(gone);
  dead_.back().alive = false;
  if (dead_.size() > kDeadRemembered) dead_.erase(dead_.begin());
}

std::string Cluster::OtherNodesText(const model::NodeConstraint& constraint) const {
  std::string text;
  const std::vector<NodeInfo> nodes = Nodes();
  for (size_t i = 1; i < nodes.size(); ++i) {  // the first is this one
    const NodeInfo& node = nodes[i];
    if (!node.alive) continue;
    const std::string labels = constraint.Shown(node.labels);
    text += "; node " + std::to_string(node.index) + " has " + (labels.empty() ? "" : labels + " and ") + node.total.ToString();
  }
  return text;
}

std::vector<NodeInfo> Cluster::Nodes() const {
  std::vector<NodeInfo> nodes{self_};
  nodes.front().alive = true;
  nodes.front().available = available_();
  if (up()) nodes.push_back(peer_);
  nodes.insert(nodes.end(), dead_.begin(), dead_.end());
  return nodes;
}

// ---- Processes ----------------------------------------------------------------------------------------

void Cluster::Announce(const Process& process, const Program* program) {
  if (!up()) return;  // OnNodeUp announces what is there by then
  wire::ProcessJoinedT joined;
  joined.process = process.id.value;
  joined.role = process.role;
  joined.pid = process.pid;
  joined.job = process.job.value;
  joined.name = process.name;
  joined.ray_namespace = process.ray_namespace;
  joined.log_to_driver = process.log_to_driver;
  if (program != nullptr) {
    joined.executable = program->path;
    joined.build_id = program->build_id;
    joined.arguments = program->arguments;
    joined.environment = program->environment;
    joined.working_directory = program->working_directory;
    joined.python = program->python;
  }
  SendToNode(std::move(joined));
}

void Cluster::AnnounceGone(ProcessId process, const wire::CauseT& cause) {
  if (!up()) return;
  wire::ProcessGoneT gone;
  gone.process = process.value;
  gone.cause = std::make_unique<wire::CauseT>(cause);
  SendToNode(std::move(gone));
}

bool Cluster::OnJoined(const wire::ProcessJoined& joined) {
  const ProcessId id{joined.process()};
  if (!IsThere(id) || processes_.Find(id) != nullptr) return false;
  Process process;
  process.id = id;
  process.far = true;
  process.role = joined.role();
  process.pid = joined.pid();
  process.job = JobId{joined.job()};
  process.executable = Executables::OfJob(process.job);
  process.name = Text(joined.name());
  process.ray_namespace = Text(joined.ray_namespace());
  process.log_to_driver = joined.log_to_driver();
  process.since = EventLoop::Now();
  if (process.role == wire::Role::Driver) {
    Program& program = programs_[process.job];
    program.path = Text(joined.executable());
    program.build_id = Text(joined.build_id());
    program.arguments = Texts(joined.arguments());
    program.environment = Texts(joined.environment());
    program.working_directory = Text(joined.working_directory());
    program.python = Texts(joined.python());
  }
  observer_.OnFarProcess(processes_.Add(std::move(process)));
  return true;
}

const Program* Cluster::ProgramOf(JobId job) const {
  const auto found = programs_.find(job);
  return found == programs_.end() ? nullptr : &found->second;
}

// ---- Messages -----------------------------------------------------------------------------------------

bool Cluster::SendFrom(ProcessId process, std::span<const uint8_t> frame) {
  if (!up()) return false;
  link_->SendWithProcess(trunk::FrameKind::kFrom, process, frame);
  return true;
}

bool Cluster::SendTo(ProcessId process, std::span<const uint8_t> frame) {
  if (!IsThere(process)) return false;
  link_->SendWithProcess(trunk::FrameKind::kTo, process, frame);
  return true;
}

void Cluster::OnFrame(const trunk::FrameView& frame) {
  const std::shared_ptr<TrunkLink> link = link_;
  if (link == nullptr || Handle(frame) || link != link_) return;
  link->Close();
  OnClosed("broke the protocol with a frame of kind " +
           std::to_string(static_cast<int>(frame.kind)));
}

bool Cluster::Handle(const trunk::FrameView& frame) {
  std::span<const uint8_t> body = frame.body;
  uint64_t process = 0;
  switch (frame.kind) {
    case trunk::FrameKind::kNode: {
      const auto control = trunk::ControlFrame::Decode(body);
      return control && OnNode(control->frame());
    }
    case trunk::FrameKind::kFrom:
    case trunk::FrameKind::kTo: {
      if (!up() || !trunk::Take(&body, &process)) return false;
      auto control = trunk::ControlFrame::Decode(body);
      if (!control) return false;
      Process* known = processes_.Find(ProcessId{process});
      if (known == nullptr) return true;  // it has ended meanwhile
      const bool from = frame.kind == trunk::FrameKind::kFrom;
      if (known->far != from) return false;
      if (from) {
        observer_.OnFarRequest(*known, control->frame());
      } else {
        observer_.OnDelivery(*known, std::move(*control));
      }
      return true;
    }
    default: return up() && observer_.OnData(frame);
  }
}

bool Cluster::OnNode(const wire::Frame& frame) {
  if (const auto* facts = frame.message_as_NodeFacts()) return OnFacts(*facts);
  if (frame.message_type() == wire::Message::NodeFree) {
    peer_.available = ResourcesFrom(frame.message_as_NodeFree()->available());
    return true;
  }
  if (!up()) return false;
  if (const auto* joined = frame.message_as_ProcessJoined()) return OnJoined(*joined);
  if (const auto* gone = frame.message_as_ProcessGone()) {
    if (!IsThere(ProcessId{gone->process()})) return false;
    wire::CauseT cause;
    if (gone->cause() != nullptr) gone->cause()->UnPackTo(&cause);
    const Process* process = processes_.Find(ProcessId{gone->process()});
    if (process != nullptr && process->role == wire::Role::Driver) programs_.erase(process->job);
    observer_.OnFarProcessGone(ProcessId{gone->process()}, cause);
    return true;
  }
  observer_.OnNodeMessage(frame);
  return true;
}

}  // namespace manta::node
