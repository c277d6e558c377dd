// A form of reference worlds that is equal for states with the same future: numbers that only grow
// (epochs, transfers) are replaced by their ranks, and the order of messages is left out where it
// decides nothing.
#pragma once

#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "testing/model_checker/reference_world.h"

namespace manta::model_checker {

// First Add all that is in the world, then ask.
class NumberRenaming final : public model::ReferenceTable::Renaming {
 public:
  void Add(const model::ReferenceTable& table);
  void Add(ProcessId from, ProcessId to, const ReferenceWorld::Message& message);

  uint64_t Epoch(ProcessId borrower, ObjectId object, uint64_t epoch) override;
  uint64_t Transfer(ProcessId sender, model::TransferNumber transfer) override;
  bool IsStale(ProcessId borrower, ObjectId object, uint64_t epoch) override;

 private:
  void AddEpoch(ProcessId borrower, ObjectId object, uint64_t epoch);
  void AddTransfer(ProcessId sender, model::TransferNumber transfer);

  std::map<std::pair<ProcessId, ObjectId>, std::set<uint64_t>> epochs_;
  std::map<std::pair<ProcessId, ObjectId>, uint64_t> oldest_open_;  // that may yet be added
  std::map<ProcessId, std::set<model::TransferNumber>> transfers_;
};

class StateEncoder {
 public:
  StateEncoder(NumberRenaming* renaming, std::string* out) : renaming_(renaming), out_(out) {}

  void Number(uint64_t value);
  void Id(ProcessId id) { Number(id.value); }
  void Id(ObjectId id) { Number(id.owner.value << 8 | id.index); }
  template <class Id_>
  void Ids(const std::set<Id_>& ids) {
    Number(ids.size());
    for (const Id_ id : ids) Id(id);
  }
  void Table(const model::ReferenceTable& table) { table.Encode(renaming_, out_); }
  void Network(const std::map<std::pair<ProcessId, ProcessId>,
                              std::vector<ReferenceWorld::Message>>& network,
               bool in_order);

  void Encode(ProcessId from, ProcessId to, const ReferenceWorld::Message& message);
  void Encode(ProcessId from, ProcessId to, const ReferenceWorld::TaskPush& push);

 private:
  void Encode(ProcessId from, ProcessId to, const model::ReferenceMessage& message);
  void Encode(ProcessId from, ProcessId to, const ReferenceWorld::Completion& completion);
  void Encode(ProcessId from, ProcessId to, const ReferenceWorld::GetRequest& request);
  void Encode(ProcessId from, ProcessId to, const ReferenceWorld::GetReply& reply);
  void Encode(ProcessId from, ProcessId to, const model::AddBorrower& message);
  void Encode(ProcessId from, ProcessId to, const model::AddAcknowledged& message);
  void Encode(ProcessId from, ProcessId to, const model::RemoveBorrower& message);
  void Encode(ProcessId from, ProcessId to, const model::TransferConfirmed& message);

  NumberRenaming* renaming_;
  std::string* out_;
};

}  // namespace manta::model_checker
