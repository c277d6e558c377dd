// How outcomes get to their owners when they do not fit into a completion, or there is no room for them just now.

#include <algorithm>
#include <cstring>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

#include "model/error_codec.h"
#include "worker/clock.h"
#include "worker/executor.h"
#include "worker/result_list.h"
#include "worker/shared_objects.h"

namespace manta::worker {
namespace {

// Of the parts of an error that has to fit into any ring.
constexpr size_t kMostText = 4096;

void CutTo(size_t most, std::string* text) {
  if (text->size() <= most) return;
  const std::string more = "... (" + std::to_string(text->size() - most) + " bytes more)";
  text->resize(most);
  *text += more;
}

// What the outcome's own error says, if it is one.
std::optional<Error> OwnError(const Outcome& outcome) {
  ResultReader reader(outcome.bytes, outcome.size);
  ResultReader::Entry entry;
  if (outcome.status == shm::TaskStatus::kOk || !reader.Next(&entry) || entry.kind != shm::ValueKind::kError) return std::nullopt;
  Error error = model::DecodeError(entry.bytes, entry.size);
  error.payload.clear();
  for (std::string* text : {&error.message, &error.type_name, &error.stack}) CutTo(kMostText, text);
  return error;
}

// [lock] of `owner`. Gives back what the next `values` of a list have in the object arena; says which references they contain, whose pins
// are the caller's to drop.
std::vector<model::PassedReference> FreeLostValues(Owner& owner, uint32_t values, ResultReader* reader) {
  std::vector<model::PassedReference> passed;
  ResultReader::Entry entry;
  for (uint32_t i = 0; i < values && reader->Next(&entry); ++i) {
    for (const shm::WireReference& reference : entry.references) passed.push_back({reference.object, reference.number});
    shm::SharedHandle handle;
    if (entry.kind != shm::ValueKind::kShared || entry.size != sizeof handle) continue;
    std::memcpy(&handle, entry.bytes, sizeof handle);
    if (owner.memory().Contains(handle)) owner.FreeLater(handle);
  }
  return passed;
}

}  // namespace

// In the place of a list that is larger than the ring, and for which there is no space elsewhere: what failed itself keeps its error. The
// references that this process holds stay in it, however many: their owners would free what they stand for.
void Executor::ReplaceByError(ProcessId receiver, uint32_t results, const Error& no_space, Unsent* unsent) {
  Outcome& outcome = unsent->outcome;
  const uint32_t values = outcome.status == shm::TaskStatus::kOk ? results : 1;
  ResultReader reader(outcome.bytes, outcome.size);
  std::optional<Error> error = OwnError(outcome);
  {
    std::lock_guard guard(owner_->lock());
    references_->ValuesWithheld(receiver, FreeLostValues(*owner_, values, &reader));
    references_->Flush();
  }
  if (!error) {
    error = no_space;
    CutTo(kMostText, &error->message);
    if (outcome.status != shm::TaskStatus::kItem) outcome.status = shm::TaskStatus::kNotRunnable;
  }
  const std::string encoded = model::EncodeError(*error);
  std::vector<unsigned char> list;
  ResultWriter(&list).Add(shm::ValueKind::kError, encoded.data(), static_cast<uint32_t>(encoded.size()));
  if (outcome.has_kept) ResultWriter::AddKept(&list, reader.Kept());
  unsent->is_least = true;
  unsent->bytes = std::move(list);
  outcome.bytes = unsent->bytes.data();
  outcome.size = static_cast<uint32_t>(unsent->bytes.size());
}

// The ring comes first: it costs no word to the daemon. While it is full, the arena is asked; when that is full too, whatever fits into the ring
// waits there until its owner has read what is before it.
bool Executor::PlaceList(Incoming& channel, uint32_t results, Unsent* unsent, ListPlace* place) {
  for (;;) {
    channel.ReclaimPayload();
    const Outcome& outcome = unsent->outcome;
    if (const std::optional<uint32_t> offset = channel.payload.Allocate(outcome.size, channel.completions.position())) {
      std::memcpy(channel.view.result_payload + *offset, outcome.bytes, outcome.size);
      *place = {.flags = shm::kResultsInRing, .bytes = outcome.size, .offset = *offset};
      return true;
    }
    if (unsent->may_ask) {
      unsent->may_ask = false;
      unsent->space = ListSpace::Ask(shared_, owner_, outcome.size, ProcessId{channel.view.header->owner});
    }
    if (unsent->space == nullptr || !unsent->space->answered()) return false;
    const Result<shm::SharedHandle> space = std::exchange(unsent->space, nullptr)->Take();
    if (space) {
      std::memcpy(shared_->Writable(space.value()), outcome.bytes, outcome.size);
      shared_->Seal(space.value());
      *place = {.flags = shm::kResultsShared, .apart = space.value()};
      return true;
    }
    if (outcome.size <= channel.view.header->result_payload_bytes) return false;
    if (!unsent->is_least) ReplaceByError({channel.view.header->owner}, results, space.error(), unsent);
    unsent->may_ask = true;  // the ring may still be too small: there is nothing for it but to wait for space
  }
}

bool Executor::CompletePlaced(Incoming& channel, const shm::TaskBody& task, Unsent* unsent, uint64_t now) {
  ListPlace place;
  if (unsent->outcome.is_list && !PlaceList(channel, task.results, unsent, &place)) return false;
  Publish(channel, task, unsent->outcome, place, now);
  return true;
}

// The main thread of a worker without others.
void Executor::CompleteWithList(Incoming& channel, const shm::TaskBody& task, const Outcome& outcome, uint64_t now) {
  Unsent unsent{.outcome = outcome};
  bool completed = false;
  const auto complete = [&] { return completed = completed || CompletePlaced(channel, task, &unsent, now); };
  if (complete()) return;
  int64_t until = INT64_MAX;
  while (AwaitOwner(channel, nullptr, kRoomAgainNs, complete) == Sent::kStop && !IsGone(channel)) {
    // This process is to end, and its owner may be stopped.
    const int64_t time = NowNs();
    until = std::min(until, time + kLateAtTheEndNs);
    if (time >= until) return;
  }
}

// ---- With threads. All of it but CompleteFromThread under `completing`.

bool Executor::HasRoom(Incoming& channel) {
  if (channel.unread() < channel.completions.size()) return true;
  shm::Ring(channel.owner_page->doorbell);
  return false;
}

// What is late of other tasks holds nobody up while there is ample room; what a task says comes in order.
bool Executor::CompleteIfRoom(Incoming& channel, const shm::TaskBody& task, Unsent* unsent) {
  if (!channel.late.empty()) {
    if (channel.unread() >= channel.completions.size() / 2 || channel.late_tasks.contains(task.record)) return false;
  }
  return HasRoom(channel) && CompletePlaced(channel, task, unsent, 0);
}

// There may be more calls under way than the completion ring has entries: then the owner has to read first.
void Executor::CompleteFromThread(Incoming& channel, const shm::TaskBody& task, const Outcome& outcome) {
  bool asks;
  {
    std::lock_guard guard(channel.completing);
    if (channel.closed) return;
    Unsent unsent{.outcome = outcome};
    if (CompleteIfRoom(channel, task, &unsent)) return;
    asks = unsent.space != nullptr;
    Incoming::Late& late = channel.late.emplace_back();
    std::memcpy(&late.task, &task, offsetof(shm::TaskBody, payload));
    late.unsent = std::move(unsent);
    if (late.unsent.bytes.empty()) late.unsent.bytes.assign(outcome.bytes, outcome.bytes + outcome.size);
    late.unsent.outcome.bytes = late.unsent.bytes.data();
    ++channel.late_tasks[task.record];
    late_.fetch_add(1);
  }
  if (asks) shared_->Flush();
  if (!late_is_news_.exchange(true)) waiting_->WakeAll();
}

// The main thread, which has the channels.
void Executor::CompleteLate() {
  late_is_news_.store(false);
  if (late_.load() == 0) return;
  for (const std::shared_ptr<Incoming>& channel : channels_) {
    std::lock_guard guard(channel->completing);
    std::unordered_set<uint32_t> held_up;  // tasks of which something earlier stays
    for (auto late = channel->late.begin(); late != channel->late.end() && HasRoom(*channel);) {
      const uint32_t record = late->task.record;
      if (held_up.contains(record) || !CompletePlaced(*channel, late->task, &late->unsent, 0)) {
        held_up.insert(record);
        ++late;
        continue;
      }
      late = channel->late.erase(late);
      if (const auto left = channel->late_tasks.find(record); --left->second == 0) channel->late_tasks.erase(left);
      late_.fetch_sub(1);
    }
  }
  shared_->Flush();  // some may have asked for space again
}

}  // namespace manta::worker
