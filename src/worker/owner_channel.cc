#include "worker/owner_channel.h"

#include <algorithm>
#include <cstddef>
#include <cstring>


namespace manta::worker {
namespace {

constexpr uint32_t kHeaderBytes = offsetof(shm::TaskBody, payload);

using shm::Align8;

// Small values travel with the task; shared ones by handle.
uint32_t DependencyBytes(const Owner& owner, const ObjectRecord& object) {
  if (object.state.load(std::memory_order_relaxed) == ValueState::kShared) {
    return sizeof(shm::DependencyHeader) + sizeof(shm::SharedHandle);
  }
  return sizeof(shm::DependencyHeader) + Align8(static_cast<uint32_t>(owner.Value(object).size));
}

// Returns where it ended.
unsigned char* WriteDependencies(const Owner& owner, const TaskRecord& task, unsigned char* out) {
  for (uint32_t i = 0; i < task.body.dependencies; ++i) {
    const ObjectRecord& object = *task.dependencies[i];
    const ObjectId id = owner.IdOf(object);
    shm::DependencyHeader header{id.owner.value, id.index, id.generation, shm::ValueKind::kInline, 0};
    const void* value;
    if (object.state.load(std::memory_order_relaxed) == ValueState::kShared) {
      header.kind = shm::ValueKind::kShared;
      header.bytes = sizeof(shm::SharedHandle);
      value = &object.shared;
    } else {
      const manta_bytes bytes = owner.Value(object);
      header.bytes = static_cast<uint32_t>(bytes.size);
      value = bytes.data;
    }
    std::memcpy(out, &header, sizeof header);
    std::memcpy(out + sizeof header, value, header.bytes);
    out += sizeof header + Align8(header.bytes);
  }
  return out;
}

}  // namespace

OwnerChannel::OwnerChannel(const shm::ChannelView& view, uint64_t offset, shm::ProcessPage* worker_page,
                           ProcessId worker)
    : view_(view),
      offset_(offset),
      worker_page_(worker_page),
      worker_(worker),
      slots_(view.slots, view.header->log2_slots),
      completions_(view.completions, view.header->log2_completions),
      payload_(view.header->task_payload_bytes),
      pushed_(size_t{1} << view.header->log2_slots) {}

uint64_t PayloadBytes(const Owner& owner, const TaskRecord& task) {
  uint64_t bytes = Align8(task.body.args_bytes);
  if (task.holds_references()) bytes += sizeof(shm::NestedHeader) + sizeof(ObjectId) * task.nested->ids.size();
  if (task.nested != nullptr && !task.nested->name.empty()) {
    bytes += Align8(task.nested->name.size()) + sizeof(shm::NameTrailer);
  }
  for (uint32_t i = 0; i < task.body.dependencies; ++i) {
    bytes += DependencyBytes(owner, *task.dependencies[i]);
  }
  return bytes;
}

void WritePayload(const Owner& owner, const TaskRecord& task, unsigned char* out) {
  std::memcpy(out, task.args(), task.body.args_bytes);
  out = WriteDependencies(owner, task, out + Align8(task.body.args_bytes));
  if (task.holds_references()) {
    const size_t ids = sizeof(ObjectId) * task.nested->ids.size();
    const shm::NestedHeader header{task.nested->number, task.nested->ids.size()};
    std::memcpy(out, &header, sizeof header);
    std::memcpy(out + sizeof header, task.nested->ids.data(), ids);
    out += sizeof header + ids;
  }
  if (task.nested != nullptr && !task.nested->name.empty()) {
    const shm::NameTrailer trailer{task.nested->name.size()};
    std::memcpy(out, task.nested->name.data(), trailer.bytes);
    std::memcpy(out + Align8(trailer.bytes), &trailer, sizeof trailer);
  }
}

void EncodeDependencies(const Owner& owner, const TaskRecord& task, std::vector<unsigned char>* out) {
  uint32_t bytes = 0;
  for (uint32_t i = 0; i < task.body.dependencies; ++i) {
    bytes += DependencyBytes(owner, *task.dependencies[i]);
  }
  out->resize(bytes);
  WriteDependencies(owner, task, out->data());
}

// The descriptor of a task that has more than small arguments. False: no room for its payload just now.
bool OwnerChannel::WriteSlot(const Owner& owner, const TaskRecord& task) {
  shm::TaskBody* body = slots_.Reserved();
  if (task.nested != nullptr && task.nested->payload.size > 0) {
    const shm::SharedHandle& handle = task.nested->payload;
    std::memcpy(body, &task.body, kHeaderBytes);
    std::memcpy(body->payload, &handle, sizeof handle);
    body->payload_bytes = static_cast<uint32_t>(handle.size);
    body->flags |= shm::kPayloadShared;
    return true;
  }
  const uint64_t all_bytes = PayloadBytes(owner, task);
  if (all_bytes > view_.header->task_payload_bytes) return false;
  const auto bytes = static_cast<uint32_t>(all_bytes);
  if (bytes <= shm::kInlinePayload) {
    std::memcpy(body, &task.body, kHeaderBytes);
    WritePayload(owner, task, body->payload);
    body->payload_bytes = bytes;
    return true;
  }
  ReclaimPayload();
  const std::optional<uint32_t> offset = payload_.Allocate(bytes, slots_.position());
  if (!offset) return false;
  std::memcpy(body, &task.body, kHeaderBytes);
  WritePayload(owner, task, view_.task_payload + *offset);
  body->payload_bytes = bytes;
  shm::SetRingOffset(*offset, body);
  body->flags |= shm::kPayloadInRing;
  return true;
}

bool OwnerChannel::TakeBack(TaskRecord* task) {
  if (!slots_.TakeBack(task->position)) return false;
  Forget(task);
  return true;
}

std::vector<uint32_t> OwnerChannel::InFlight() const {
  std::vector<uint32_t> tasks;
  if (in_flight_ == 0) return tasks;
  if (overlapping_) {
    std::vector<std::pair<uint32_t, uint32_t>> by_age;  // positions wrap around: what counts is how long ago
    for (const auto& [position, task] : overlapping_tasks_) by_age.emplace_back(slots_.position() - position, task);
    std::sort(by_age.rbegin(), by_age.rend());
    for (const auto& [age, task] : by_age) tasks.push_back(task);
    return tasks;
  }
  const uint32_t window = slots_.position() - oldest_ < slots() ? slots_.position() - oldest_ : slots();
  for (uint32_t position = slots_.position() - window; position != slots_.position(); ++position) {
    if (const uint32_t task = pushed_[position & (slots() - 1)]) tasks.push_back(task);
  }
  return tasks;
}

const unsigned char* OwnerChannel::ResultPayload(const shm::CompletionBody& completion) const {
  const uint32_t ring = view_.header->result_payload_bytes;
  if (completion.payload_bytes > ring || completion.payload_offset > ring - completion.payload_bytes) {
    return nullptr;
  }
  return view_.result_payload + completion.payload_offset;
}

}  // namespace manta::worker
