#include "node/key_value_service.h"

#include <utility>

#include "contracts/fields.h"

namespace manta::node {
namespace {

using contracts::Text;

std::string BytesOf(const flatbuffers::Vector<uint8_t>* bytes) {
  return bytes == nullptr ? std::string() : std::string(bytes->begin(), bytes->end());
}

bool HasLargeAnswer(wire::KeyValueOperation operation) {
  return operation == wire::KeyValueOperation::Get || operation == wire::KeyValueOperation::Keys;
}

}  // namespace

void KeyValueService::Refuse(ProcessId to, uint64_t request, const Error& error) {
  wire::KeyValueAnswerT answer;
  answer.request = request;
  answer.error_kind = error.kind;
  answer.error = error.message;
  processes_.Send(to, std::move(answer));
}

void KeyValueService::Request(const Process& from, const wire::KeyValueRequest& message) {
  if (!from.page) {
    return Refuse(from.id, message.request(),
                  MakeError(MANTA_ERROR_INVALID_ARGUMENT, "only drivers and workers use the key-value tables"));
  }
  const bool crosses = !cluster_.is_head() || (from.far && HasLargeAnswer(message.operation()));
  if (!crosses) return Answer(from.id, message);
  wire::KeyValueRequestT request;
  message.UnPackTo(&request);
  std::vector<uint8_t> frame = contracts::Encode(std::move(request));
  if (waiting_bytes_ + frame.size() > kMostWaiting) {
    return Refuse(from.id, message.request(),
                  MakeError(MANTA_ERROR_SYSTEM, "the connection of two nodes is too slow for what uses the key-value tables: " +
                                                    std::to_string(waiting_bytes_ >> 20) +
                                                    " MiB of requests wait for it; try again later"));
  }
  waiting_bytes_ += frame.size();
  waiting_.push_back({from.id, std::move(frame)});
  GoOn();
}

void KeyValueService::GoOn() {
  while (!waiting_.empty() && cluster_.up() && cluster_.pending() <= TrunkLink::kDrained) {
    const Waiting next = std::move(waiting_.front());
    waiting_.pop_front();
    waiting_bytes_ -= next.frame.size();
    if (cluster_.is_head()) {
      Answer(next.from, *wire::GetSizePrefixedFrame(next.frame.data())->message_as_KeyValueRequest());
    } else {
      cluster_.SendFrom(next.from, next.frame);
    }
  }
}

void KeyValueService::ProcessGone(ProcessId process) {
  std::erase_if(waiting_, [&](const Waiting& waiting) {
    if (waiting.from != process) return false;
    waiting_bytes_ -= waiting.frame.size();
    return true;
  });
}

void KeyValueService::JobOver(JobId job) {
  if (cluster_.is_head()) tables_.DropJob(job);
}

void KeyValueService::Answer(ProcessId from, const wire::KeyValueRequest& message) {
  const Process* process = processes_.Find(from);
  if (process == nullptr) return;
  const uint64_t request = message.request();
  const contracts::KeyName name{Text(message.table_name()), BytesOf(message.key())};
  // Sends what `fill` makes of the result, or its error.
  const auto answer = [this, request, from](auto fill) {
    return [this, request, from, fill](const auto& result) {
      if (!result) return Refuse(from, request, result.error());
      wire::KeyValueAnswerT filled;
      filled.request = request;
      fill(result.value(), &filled);
      processes_.Send(from, std::move(filled));
    };
  };
  switch (message.operation()) {
    case wire::KeyValueOperation::Put: {
      // Nobody would remove the entry any more.
      if (message.of_job() && processes_.IsOver(process->job)) {
        return Refuse(from, request, MakeError(MANTA_ERROR_INVALID_ARGUMENT, "nothing can be put of a job that is over"));
      }
      const contracts::KeyValues::PutOptions options{message.overwrite(), message.of_job() ? process->job : JobId{}};
      return tables_.Put(name, BytesOf(message.value()), options,
                         answer([](bool added, wire::KeyValueAnswerT* to) { to->found = added; }));
    }
    case wire::KeyValueOperation::Get:
      return tables_.Get(name, answer([](const std::string* value, wire::KeyValueAnswerT* to) {
                           to->found = value != nullptr;
                           if (value != nullptr) to->value.assign(value->begin(), value->end());
                         }));
    case wire::KeyValueOperation::Exists:
      return tables_.Exists(name, answer([](bool exists, wire::KeyValueAnswerT* to) { to->found = exists; }));
    case wire::KeyValueOperation::Delete:
    case wire::KeyValueOperation::DeletePrefix:
      return tables_.Delete(name, message.operation() == wire::KeyValueOperation::DeletePrefix,
                            answer([](uint64_t count, wire::KeyValueAnswerT* to) { to->count = count; }));
    case wire::KeyValueOperation::Keys:
      return tables_.Keys(name, answer([](const std::vector<std::string>& keys, wire::KeyValueAnswerT* to) {
                            const std::string list = contracts::ListOfKeys(keys);
                            to->value.assign(list.begin(), list.end());
                          }));
  }
  Refuse(from, request, MakeError(MANTA_ERROR_NOT_SUPPORTED, "the node daemon does not know this operation of the key-value tables"));
}

}  // namespace manta::node
