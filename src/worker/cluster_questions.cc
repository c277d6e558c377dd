#include "worker/cluster_questions.h"

#include "model/resources.h"

namespace manta::worker {
namespace {

ClusterQuestions::Amounts Read(const flatbuffers::Vector<flatbuffers::Offset<wire::Amount>>* list) {
  ClusterQuestions::Amounts amounts;
  if (list == nullptr) return amounts;
  for (const wire::Amount* amount : *list) {
    if (amount->name() == nullptr) continue;
    amounts.emplace_back(amount->name()->str(),
                         static_cast<double>(amount->fixed_point()) / model::kResourceUnit);
  }
  return amounts;
}

}  // namespace

Result<ClusterQuestions::Resources> ClusterQuestions::AskResources() { return Ask(false); }

Result<ClusterQuestions::Amounts> ClusterQuestions::AskAssigned() {
  Result<Resources> answer = Ask(true);
  if (!answer) return answer.error();
  return std::move(answer->total);
}

Result<ClusterQuestions::Resources> ClusterQuestions::Ask(bool of_lease) {
  wire::ResourcesRequestT question;
  question.of_lease = of_lease;
  const uint64_t request = resources_.NewRequest();
  question.request = request;
  control_->Queue(std::move(question));
  control_->Flush();
  return resources_.Await(request, "the cluster's resources");
}

void ClusterQuestions::OnResources(const wire::ResourcesAnswer& message) {
  resources_.Answer(message.request(), Resources{Read(message.total()), Read(message.available())});
}

}  // namespace manta::worker
