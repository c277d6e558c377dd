#include "testing/model_checker/reference_encoding.h"

#include <algorithm>
#include <iterator>

namespace manta::model_checker {

using model::kFirstTransfer;

void NumberRenaming::AddEpoch(ProcessId borrower, ObjectId object, uint64_t epoch) {
  if (epoch != 0) epochs_[{borrower, object}].insert(epoch);
}

void NumberRenaming::AddTransfer(ProcessId sender, model::TransferNumber transfer) {
  if (transfer >= kFirstTransfer) transfers_[sender].insert(transfer);
}

void NumberRenaming::Add(const model::ReferenceTable& table) {
  table.ForEachNumber(
      [&](ProcessId borrower, ObjectId object, uint64_t epoch) {
        AddEpoch(borrower, object, epoch);
      },
      [&](ProcessId sender, model::TransferNumber transfer) { AddTransfer(sender, transfer); });
}

void NumberRenaming::Add(ProcessId from, ProcessId to, const ReferenceWorld::Message& message) {
  const auto open = [&](ProcessId borrower, ObjectId object, uint64_t epoch) {
    AddEpoch(borrower, object, epoch);
    const auto [oldest, added] = oldest_open_.try_emplace({borrower, object}, epoch);
    if (!added) oldest->second = std::min(oldest->second, epoch);
  };
  if (const auto* completion = std::get_if<ReferenceWorld::Completion>(&message)) {
    for (const auto& kept : completion->references.kept) open(from, kept.object, kept.epoch);
    for (const auto& result : completion->references.results) {
      for (const auto& inner : result.inners) AddTransfer(from, inner.transfer);
    }
    return;
  }
  const auto* reference = std::get_if<model::ReferenceMessage>(&message);
  if (reference == nullptr) return;
  if (const auto* add = std::get_if<model::AddBorrower>(reference)) {
    open(from, add->object, add->epoch);
  } else if (const auto* ack = std::get_if<model::AddAcknowledged>(reference)) {
    AddEpoch(to, ack->object, ack->epoch);
  } else if (const auto* remove = std::get_if<model::RemoveBorrower>(reference)) {
    AddEpoch(from, remove->object, remove->epoch);
  } else if (const auto* confirmed = std::get_if<model::TransferConfirmed>(reference)) {
    AddTransfer(to, confirmed->transfer);
  }
}

uint64_t NumberRenaming::Epoch(ProcessId borrower, ObjectId object, uint64_t epoch) {
  if (epoch == 0) return 0;
  const std::set<uint64_t>& known = epochs_.at({borrower, object});
  return 1 + std::distance(known.begin(), known.find(epoch));
}

uint64_t NumberRenaming::Transfer(ProcessId sender, model::TransferNumber transfer) {
  if (transfer < kFirstTransfer) return transfer;
  const std::set<uint64_t>& known = transfers_.at(sender);
  return 100 + std::distance(known.begin(), known.find(transfer));
}

bool NumberRenaming::IsStale(ProcessId borrower, ObjectId object, uint64_t epoch) {
  const auto oldest = oldest_open_.find({borrower, object});
  return oldest == oldest_open_.end() || oldest->second > epoch;
}

void StateEncoder::Number(uint64_t value) {
  do {
    out_->push_back(static_cast<char>((value & 0x7f) | (value > 0x7f ? 0x80 : 0)));
    value >>= 7;
  } while (value != 0);
}

void StateEncoder::Network(
    const std::map<std::pair<ProcessId, ProcessId>, std::vector<ReferenceWorld::Message>>& network,
    bool in_order) {
  for (const auto& [link, messages] : network) {
    std::vector<std::string> encoded;
    for (const ReferenceWorld::Message& message : messages) {
      StateEncoder encoder(renaming_, &encoded.emplace_back());
      encoder.Encode(link.first, link.second, message);
    }
    if (!in_order) std::sort(encoded.begin(), encoded.end());
    Id(link.first);
    Id(link.second);
    Number(encoded.size());
    for (const std::string& message : encoded) {
      Number(message.size());
      *out_ += message;
    }
  }
  Number(0);
}

void StateEncoder::Encode(ProcessId from, ProcessId to, const ReferenceWorld::Message& message) {
  Number(message.index());
  std::visit([&](const auto& specific) { Encode(from, to, specific); }, message);
}

void StateEncoder::Encode(ProcessId from, ProcessId to, const model::ReferenceMessage& message) {
  Number(message.index());
  std::visit([&](const auto& specific) { Encode(from, to, specific); }, message);
}

void StateEncoder::Encode(ProcessId, ProcessId, const ReferenceWorld::TaskPush& push) {
  Number(push.task);
  Number(push.arguments.size());
  for (const ObjectId argument : push.arguments) Id(argument);
  Id(push.result);
}

void StateEncoder::Encode(ProcessId from, ProcessId, const ReferenceWorld::Completion& completion) {
  Number(completion.task);
  Number(completion.references.kept.size());
  for (const auto& kept : completion.references.kept) {
    Id(kept.object);
    Number(renaming_->Epoch(from, kept.object, kept.epoch));
  }
  Number(completion.references.results.size());
  for (const auto& result : completion.references.results) {
    Id(result.outer);
    Number(result.inners.size());
    for (const auto& inner : result.inners) {
      Id(inner.object);
      Number(renaming_->Transfer(from, inner.transfer));
    }
  }
}

void StateEncoder::Encode(ProcessId, ProcessId, const ReferenceWorld::GetRequest& request) {
  Id(request.object);
}

void StateEncoder::Encode(ProcessId, ProcessId, const ReferenceWorld::GetReply& reply) {
  Id(reply.object);
  Number(reply.found);
  Number(reply.inners.size());
  for (const ObjectId inner : reply.inners) Id(inner);
}

void StateEncoder::Encode(ProcessId from, ProcessId, const model::AddBorrower& message) {
  Id(message.object);
  Number(renaming_->Epoch(from, message.object, message.epoch));
}

void StateEncoder::Encode(ProcessId, ProcessId to, const model::AddAcknowledged& message) {
  Id(message.object);
  Number(renaming_->Epoch(to, message.object, message.epoch));
  Number(message.known);
}

void StateEncoder::Encode(ProcessId from, ProcessId, const model::RemoveBorrower& message) {
  Id(message.object);
  Number(renaming_->Epoch(from, message.object, message.epoch));
}

void StateEncoder::Encode(ProcessId, ProcessId to, const model::TransferConfirmed& message) {
  Id(message.object);
  Number(renaming_->Transfer(to, message.transfer));
}

}  // namespace manta::model_checker
