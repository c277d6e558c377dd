#include "worker/key_values.h"

#include <utility>

#include "contracts/fields.h"
#include "contracts/key_values.h"

namespace manta::worker {

Result<wire::KeyValueAnswerT> KeyValues::Ask(wire::KeyValueOperation operation, const std::string& table, BytesView key,
                                             BytesView value, bool overwrite, bool of_job) {
  // A frame that is too long would end the connection.
  if (Result<> valid = contracts::CheckEntrySize(table.size(), key.size(), value.size()); !valid) return valid.error();
  wire::KeyValueRequestT request;
  request.operation = operation;
  request.table_name = table;
  request.key.assign(key.begin(), key.end());
  request.value.assign(value.begin(), value.end());
  request.overwrite = overwrite;
  request.of_job = of_job;
  std::lock_guard guard(turn_);
  const uint64_t number = answers_.NewRequest();
  request.request = number;
  control_->Queue(std::move(request));
  control_->Flush();
  return answers_.Await(number, "a key and its value");
}

Result<bool> KeyValues::Put(const std::string& table, BytesView key, BytesView value, bool overwrite, bool of_job) {
  const Result<wire::KeyValueAnswerT> answer = Ask(wire::KeyValueOperation::Put, table, key, value, overwrite, of_job);
  if (!answer) return answer.error();
  return answer.value().found;
}

Result<std::optional<KeyValues::Bytes>> KeyValues::Get(const std::string& table, BytesView key) {
  Result<wire::KeyValueAnswerT> answer = Ask(wire::KeyValueOperation::Get, table, key);
  if (!answer) return answer.error();
  if (!answer->found) return std::optional<Bytes>();
  return std::optional<Bytes>(std::move(answer->value));
}

Result<bool> KeyValues::Exists(const std::string& table, BytesView key) {
  const Result<wire::KeyValueAnswerT> answer = Ask(wire::KeyValueOperation::Exists, table, key);
  if (!answer) return answer.error();
  return answer.value().found;
}

Result<uint64_t> KeyValues::Delete(const std::string& table, BytesView key, bool by_prefix) {
  const auto operation = by_prefix ? wire::KeyValueOperation::DeletePrefix : wire::KeyValueOperation::Delete;
  const Result<wire::KeyValueAnswerT> answer = Ask(operation, table, key);
  if (!answer) return answer.error();
  return answer.value().count;
}

Result<KeyValues::Bytes> KeyValues::Keys(const std::string& table, BytesView prefix) {
  Result<wire::KeyValueAnswerT> answer = Ask(wire::KeyValueOperation::Keys, table, prefix);
  if (!answer) return answer.error();
  return std::move(answer->value);
}

void KeyValues::OnAnswer(const wire::KeyValueAnswer& message) {
  if (message.error_kind() != 0) {
    return answers_.Answer(message.request(), MakeError(static_cast<manta_error_kind>(message.error_kind()),
                                                        contracts::Text(message.error())));
  }
  wire::KeyValueAnswerT answer;
  message.UnPackTo(&answer);
  answers_.Answer(message.request(), std::move(answer));
}

}  // namespace manta::worker
