#include "model/reference_table.h"

#include <gtest/gtest.h>

#include <map>

namespace manta::model {
namespace {

constexpr ProcessId kOwner{1}, kSender{2}, kWorker{3};
constexpr ObjectId kX{kOwner, 1, 1};  // the owner's
constexpr ObjectId kR{kSender, 7, 1};  // the result of a task of the sender

using Failed = ReferenceFailed::Reason;

// Three processes. Messages wait until the test delivers them; other actions are kept for it to
// look at.
class ReferenceTableTest : public testing::Test {
 protected:
  ReferenceTableTest() {
    for (const ProcessId process : {kOwner, kSender, kWorker}) {
      tables_.emplace(process, ReferenceTable(process));
    }
    owner().Own(kX);
  }

  ReferenceTable& At(ProcessId process) { return tables_.at(process); }
  ReferenceTable& owner() { return At(kOwner); }
  ReferenceTable& sender() { return At(kSender); }
  ReferenceTable& worker() { return At(kWorker); }

  void Collect() {
    for (auto& [process, table] : tables_) {
      const char* broken = table.BrokenInvariant();
      EXPECT_EQ(broken, nullptr) << broken;
      for (const ReferenceAction& action : table.TakeActions()) {
        if (const auto* send = std::get_if<SendReferenceMessage>(&action)) {
          network_.push_back({process, *send});
        } else {
          seen_.push_back(action);
        }
      }
    }
  }

  // Delivers the oldest message of this kind; false: there is none.
  template <class Message>
  bool Deliver() {
    Collect();
    for (auto it = network_.begin(); it != network_.end(); ++it) {
      if (!std::holds_alternative<Message>(it->second.message)) continue;
      const auto [from, send] = *it;
      network_.erase(it);
      if (tables_.contains(send.to)) At(send.to).Handle(from, send.message);
      Collect();
      return true;
    }
    return false;
  }

  void DeliverAll() {
    Collect();
    while (!network_.empty()) {
      const auto [from, send] = network_.front();
      network_.erase(network_.begin());
      if (tables_.contains(send.to)) At(send.to).Handle(from, send.message);
      Collect();
    }
  }

  // A crash: its messages are lost, the others learn of it in order.
  void Kill(ProcessId process) {
    Collect();
    tables_.erase(process);
    std::erase_if(network_, [&](const auto& entry) { return entry.first == process; });
    for (auto& [id, table] : tables_) table.ProcessDied(process);
    Collect();
  }

  // What users were told about, but for messages.
  bool Saw(const ReferenceAction& action) {
    Collect();
    return std::find(seen_.begin(), seen_.end(), action) != seen_.end();
  }
  bool IsFreed(ObjectId object) { return Saw(FreeObject{object}); }

  // The sender gets X from its owner with a task, and keeps it.
  void MakeSenderABorrower() {
    owner().PinTask(1, {kX});
    sender().TaskReceived(kOwner, 1, {kX});
    sender().SetLocal(kX, true);
    owner().TaskCompleted(1, kSender, sender().TaskFinished(kOwner, 1, {}));
    DeliverAll();
    ASSERT_EQ(owner().BorrowersOf(kX), std::vector({kSender}));
  }

  // The sender submits a task with X, the worker takes a handle.
  void PassToWorker() {
    sender().PinTask(5, {kX});
    worker().TaskReceived(kSender, 5, {kX});
    worker().SetLocal(kX, true);
  }
  // It ends and returns a value that contains X.
  void ReturnToSender() {
    sender().Own(kR);
    sender().TaskCompleted(5, kWorker, worker().TaskFinished(kSender, 5, {{kR, {kX}}}));
    Collect();
  }

  std::map<ProcessId, ReferenceTable> tables_;
  std::vector<std::pair<ProcessId, SendReferenceMessage>> network_;
  std::vector<ReferenceAction> seen_;
};

TEST_F(ReferenceTableTest, AnObjectLivesAsLongAsItsHandles) {
  EXPECT_FALSE(IsFreed(kX));
  owner().SetLocal(kX, false);
  EXPECT_TRUE(IsFreed(kX));
  EXPECT_TRUE(owner().empty());
}

// ---- Task arguments

TEST_F(ReferenceTableTest, AnArgumentThatIsNotKeptCostsNoMessage) {
  owner().PinTask(1, {kX});
  owner().SetLocal(kX, false);
  worker().TaskReceived(kOwner, 1, {kX});
  EXPECT_FALSE(IsFreed(kX)) << "the pending task holds it";
  const CompletionReferences completion = worker().TaskFinished(kOwner, 1, {});
  EXPECT_TRUE(completion.kept.empty());
  EXPECT_TRUE(worker().empty());
  owner().TaskCompleted(1, kWorker, completion);
  EXPECT_TRUE(IsFreed(kX));
  EXPECT_TRUE(network_.empty());
}

TEST_F(ReferenceTableTest, AnArgumentKeptFromItsOwnerCostsOneMessageInTheEnd) {
  owner().PinTask(1, {kX});
  worker().TaskReceived(kOwner, 1, {kX});
  worker().SetLocal(kX, true);
  owner().TaskCompleted(1, kWorker, worker().TaskFinished(kOwner, 1, {}));
  owner().SetLocal(kX, false);
  EXPECT_EQ(owner().BorrowersOf(kX), std::vector({kWorker}));
  EXPECT_FALSE(IsFreed(kX));
  EXPECT_TRUE(network_.empty());

  worker().SetLocal(kX, false);
  EXPECT_TRUE(Deliver<RemoveBorrower>());
  EXPECT_TRUE(IsFreed(kX));
  EXPECT_TRUE(network_.empty());
}

TEST_F(ReferenceTableTest, AnArgumentKeptFromABorrowerStaysPinnedUntilTheOwnerKnows) {
  MakeSenderABorrower();
  owner().SetLocal(kX, false);
  PassToWorker();
  sender().TaskCompleted(5, kWorker, worker().TaskFinished(kSender, 5, {}));
  sender().SetLocal(kX, false);
  EXPECT_TRUE(sender().Knows(kX)) << "the worker is not registered yet";

  EXPECT_TRUE(Deliver<AddBorrower>());
  EXPECT_EQ(owner().BorrowersOf(kX), std::vector({kSender, kWorker}));
  EXPECT_TRUE(sender().Knows(kX));
  EXPECT_TRUE(Deliver<AddAcknowledged>());
  EXPECT_TRUE(Deliver<TransferConfirmed>());
  EXPECT_TRUE(sender().empty());
  DeliverAll();
  EXPECT_EQ(owner().BorrowersOf(kX), std::vector({kWorker}));
  worker().SetLocal(kX, false);
  DeliverAll();
  EXPECT_TRUE(IsFreed(kX));
}

TEST_F(ReferenceTableTest, AReceiverThatLetsGoReleasesTheSenderAtOnce) {
  MakeSenderABorrower();
  PassToWorker();
  sender().TaskCompleted(5, kWorker, worker().TaskFinished(kSender, 5, {}));
  worker().SetLocal(kX, false);
  EXPECT_TRUE(Deliver<TransferConfirmed>()) << "without waiting for the owner";
  EXPECT_TRUE(sender().IsSettled());
  DeliverAll();
  EXPECT_EQ(owner().BorrowersOf(kX), std::vector({kSender}));
}

TEST_F(ReferenceTableTest, AConfirmationMayOvertakeTheCompletion) {
  MakeSenderABorrower();
  PassToWorker();
  const CompletionReferences completion = worker().TaskFinished(kSender, 5, {});
  DeliverAll();
  sender().TaskCompleted(5, kWorker, completion);
  EXPECT_TRUE(sender().IsSettled()) << "there must be no pin that nobody will confirm";
}

TEST_F(ReferenceTableTest, ATaskThatWasNeverRunLeavesNothing) {
  owner().PinTask(1, {kX});
  owner().SetLocal(kX, false);
  owner().UnpinTask(1);
  EXPECT_TRUE(IsFreed(kX));
}

TEST_F(ReferenceTableTest, ARetryPinsBeforeTheFormerAttemptEnds) {
  owner().PinTask(1, {kX});
  owner().SetLocal(kX, false);
  Kill(kWorker);
  owner().PinTask(2, {kX});
  owner().UnpinTask(1);
  EXPECT_FALSE(IsFreed(kX));
}

// ---- Epochs

TEST_F(ReferenceTableTest, DuplicatesDoNoHarm) {
  owner().Handle(kWorker, AddBorrower{kX, 1});
  owner().Handle(kWorker, AddBorrower{kX, 1});
  owner().SetLocal(kX, false);
  owner().Handle(kWorker, RemoveBorrower{kX, 1});
  EXPECT_TRUE(IsFreed(kX));
  owner().Handle(kWorker, RemoveBorrower{kX, 1});
  EXPECT_TRUE(owner().empty());
}

TEST_F(ReferenceTableTest, ARemoveThatOvertakesItsAddWins) {
  owner().Handle(kWorker, RemoveBorrower{kX, 1});
  owner().Handle(kWorker, AddBorrower{kX, 1});
  EXPECT_TRUE(owner().BorrowersOf(kX).empty());
  owner().SetLocal(kX, false);
  EXPECT_TRUE(IsFreed(kX));
}

TEST_F(ReferenceTableTest, ALateRemoveDoesNotTouchTheNextEpoch) {
  owner().Handle(kWorker, AddBorrower{kX, 2});
  owner().SetLocal(kX, false);
  owner().Handle(kWorker, RemoveBorrower{kX, 1});
  EXPECT_EQ(owner().BorrowersOf(kX), std::vector({kWorker}));
  EXPECT_FALSE(IsFreed(kX));
}

TEST_F(ReferenceTableTest, ABorrowerThatComesBackHasAGreaterEpoch) {
  std::vector<KeptReference> kept;
  for (TaskNumber task : {1, 2}) {
    owner().PinTask(task, {kX});
    worker().TaskReceived(kOwner, task, {kX});
    worker().SetLocal(kX, true);
    const CompletionReferences completion = worker().TaskFinished(kOwner, task, {});
    owner().TaskCompleted(task, kWorker, completion);
    worker().SetLocal(kX, false);
    ASSERT_EQ(completion.kept.size(), 1u);
    kept.push_back(completion.kept[0]);
  }
  EXPECT_LT(kept[0].epoch, kept[1].epoch) << "though the worker had forgotten the object";
}

TEST_F(ReferenceTableTest, TheAcknowledgementOfAFormerEpochMeansNothing) {
  MakeSenderABorrower();
  PassToWorker();
  sender().TaskCompleted(5, kWorker, worker().TaskFinished(kSender, 5, {}));
  worker().SetLocal(kX, false);
  Collect();
  sender().PinTask(6, {kX});
  worker().TaskReceived(kSender, 6, {kX});
  worker().SetLocal(kX, true);
  worker().Handle(kOwner, AddAcknowledged{kX, 1, true});
  EXPECT_FALSE(worker().IsRegistered(kX));
}

// ---- References inside values

TEST_F(ReferenceTableTest, AValueHoldsWhatItContains) {
  const ObjectId outer{kOwner, 2, 1};
  owner().Own(outer);
  owner().Put(outer, {kX});
  owner().SetLocal(kX, false);
  EXPECT_FALSE(IsFreed(kX));
  owner().SetLocal(outer, false);
  EXPECT_TRUE(IsFreed(kX));
  EXPECT_TRUE(IsFreed(outer));
}

TEST_F(ReferenceTableTest, DeepValuesAreFreedWithoutRecursion) {
  ObjectId inner = kX;
  for (uint32_t i = 0; i < 100'000; ++i) {
    const ObjectId outer{kOwner, 2 + i, 1};
    owner().Own(outer);
    owner().Put(outer, {inner});
    owner().SetLocal(inner, false);
    inner = outer;
  }
  owner().SetLocal(inner, false);
  EXPECT_TRUE(owner().empty());
}

TEST_F(ReferenceTableTest, AResultTurnsVisibleWhenItsInnerReferencesAreRegistered) {
  // The worker returns a reference to an object of its own.
  const ObjectId put{kWorker, 1, 1};
  sender().PinTask(5, {});
  sender().Own(kR);
  worker().TaskReceived(kSender, 5, {});
  worker().Own(put);
  sender().TaskCompleted(5, kWorker, worker().TaskFinished(kSender, 5, {{kR, {put}}}));
  worker().SetLocal(put, false);
  EXPECT_FALSE(Saw(ValueVisible{kR}));
  EXPECT_TRUE(Deliver<AddBorrower>());
  EXPECT_TRUE(Deliver<AddAcknowledged>());
  EXPECT_TRUE(Saw(ValueVisible{kR}));
  EXPECT_TRUE(Deliver<TransferConfirmed>());
  EXPECT_FALSE(IsFreed(put));
  sender().SetLocal(kR, false);
  DeliverAll();
  EXPECT_TRUE(IsFreed(put));
  EXPECT_TRUE(worker().empty() && sender().empty());
}

TEST_F(ReferenceTableTest, AResultThatReturnsTheReceiversObjectIsVisibleAtOnce) {
  const ObjectId result{kOwner, 7, 1};
  owner().PinTask(1, {kX});
  owner().Own(result);
  worker().TaskReceived(kOwner, 1, {kX});
  owner().TaskCompleted(1, kWorker, worker().TaskFinished(kOwner, 1, {{result, {kX}}}));
  owner().SetLocal(kX, false);
  EXPECT_TRUE(Saw(ValueVisible{result}));
  DeliverAll();
  EXPECT_FALSE(IsFreed(kX));
  owner().SetLocal(result, false);
  EXPECT_TRUE(IsFreed(kX));
  EXPECT_TRUE(owner().empty() && worker().empty());
}

TEST_F(ReferenceTableTest, AResultThatNobodyWantsReleasesWhatItContains) {
  MakeSenderABorrower();
  PassToWorker();
  sender().Own(kR);
  sender().SetLocal(kR, false);
  const CompletionReferences completion = worker().TaskFinished(kSender, 5, {{kR, {kX}}});
  sender().TaskCompleted(5, kWorker, completion);
  worker().SetLocal(kX, false);
  DeliverAll();
  EXPECT_TRUE(worker().empty());
  EXPECT_EQ(owner().BorrowersOf(kX), std::vector({kSender}));
}

TEST_F(ReferenceTableTest, AValueThatContainsItselfDoesNotHoldItself) {
  sender().PinTask(5, {});
  sender().Own(kR);
  sender().TaskCompleted(5, kWorker, {{}, {{kR, {{kR, 0}}}}});
  sender().SetLocal(kR, false);
  EXPECT_TRUE(IsFreed(kR));
}

TEST_F(ReferenceTableTest, AFetchedValueIsHeldUntilItsInnerReferencesAreRegistered) {
  // The sender owns a value that contains X; the worker has it as an argument, looks into it and
  // forgets it.
  MakeSenderABorrower();
  sender().Own(kR);
  sender().Put(kR, {kX});
  sender().SetLocal(kX, false);
  sender().PinTask(5, {kR});
  worker().TaskReceived(kSender, 5, {kR});
  worker().SetLocal(kR, true);
  worker().ValueReceived(kR, {kX});
  sender().TaskCompleted(5, kWorker, worker().TaskFinished(kSender, 5, {}));
  worker().SetLocal(kR, false);
  sender().SetLocal(kR, false);
  EXPECT_TRUE(worker().Knows(kR)) << "it protects X";
  EXPECT_TRUE(Deliver<AddBorrower>());
  EXPECT_TRUE(Deliver<AddAcknowledged>());
  EXPECT_TRUE(Saw(ValueVisible{kR}));
  EXPECT_FALSE(worker().Knows(kR));
  DeliverAll();
  EXPECT_TRUE(IsFreed(kR));
  EXPECT_TRUE(worker().empty());
}

// ---- Deaths

TEST_F(ReferenceTableTest, ADeadBorrowerIsTakenOffTheList) {
  MakeSenderABorrower();
  owner().SetLocal(kX, false);
  Kill(kSender);
  EXPECT_TRUE(IsFreed(kX));
  EXPECT_TRUE(owner().empty());
}

TEST_F(ReferenceTableTest, ADeadReceiverIsNotWaitedFor) {
  MakeSenderABorrower();
  PassToWorker();
  sender().TaskCompleted(5, kWorker, worker().TaskFinished(kSender, 5, {}));
  sender().SetLocal(kX, false);
  EXPECT_TRUE(sender().Knows(kX));
  Kill(kWorker);
  EXPECT_TRUE(sender().empty());
}

TEST_F(ReferenceTableTest, TheObjectsOfADeadOwnerFailEverywhere) {
  MakeSenderABorrower();
  PassToWorker();
  Kill(kOwner);
  EXPECT_TRUE(Saw(ReferenceFailed{kX, Failed::kOwnerDied}));
  EXPECT_TRUE(sender().HasFailed(kX) && worker().HasFailed(kX));
  sender().TaskCompleted(5, kWorker, worker().TaskFinished(kSender, 5, {}));
  sender().SetLocal(kX, false);
  worker().SetLocal(kX, false);
  EXPECT_TRUE(sender().empty() && worker().empty());
}

TEST_F(ReferenceTableTest, AReferenceOfADeadOwnerFailsWhenItComes) {
  MakeSenderABorrower();
  sender().PinTask(5, {kX});
  worker().ProcessDied(kOwner);
  worker().TaskReceived(kSender, 5, {kX});
  EXPECT_TRUE(Saw(ReferenceFailed{kX, Failed::kOwnerDied}));
}

TEST_F(ReferenceTableTest, AResultWithAReferenceToADeadOwnerTurnsVisible) {
  MakeSenderABorrower();
  PassToWorker();
  ReturnToSender();
  Kill(kOwner);
  EXPECT_TRUE(Saw(ValueVisible{kR})) << "the inner reference fails on its own";
}

TEST_F(ReferenceTableTest, AResultWhoseSenderDiedTooEarlyIsLost) {
  // The sender has never heard of X, and the worker dies before the sender is registered.
  owner().PinTask(1, {kX});
  worker().TaskReceived(kOwner, 1, {kX});
  worker().SetLocal(kX, true);
  owner().TaskCompleted(1, kWorker, worker().TaskFinished(kOwner, 1, {}));
  owner().SetLocal(kX, false);
  sender().PinTask(5, {});
  sender().Own(kR);
  worker().TaskReceived(kSender, 5, {});
  sender().TaskCompleted(5, kWorker, worker().TaskFinished(kSender, 5, {{kR, {kX}}}));
  Kill(kWorker);
  ASSERT_TRUE(IsFreed(kX));
  DeliverAll();
  EXPECT_FALSE(Saw(ValueVisible{kR}));
  EXPECT_TRUE(Saw(ValueLost{kR, kX}));
  sender().SetLocal(kR, false);
  EXPECT_TRUE(sender().empty());
}

TEST_F(ReferenceTableTest, AWorkerThatOutlivesItsSenderRegistersByItself) {
  MakeSenderABorrower();
  PassToWorker();
  worker().ProcessDied(kSender);
  EXPECT_TRUE(Deliver<AddBorrower>()) << "nobody else protects X for it";
  owner().ProcessDied(kSender);
  DeliverAll();
  EXPECT_EQ(owner().BorrowersOf(kX), std::vector({kWorker}));
  EXPECT_TRUE(worker().TaskFinished(kSender, 5, {}).kept.empty());
}

TEST_F(ReferenceTableTest, AnAddOfADeadProcessIsNotListed) {
  Kill(kWorker);
  owner().Handle(kWorker, AddBorrower{kX, 1});
  owner().SetLocal(kX, false);
  EXPECT_TRUE(IsFreed(kX));
}

}  // namespace
}  // namespace manta::model
