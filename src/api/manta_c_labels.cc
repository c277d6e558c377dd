// The C interface of nodes' labels: conversions only; what they may be is in model/node_labels.h.
#include <string>

#include "api/handles.h"
#include "manta/manta_c.h"
#include "worker/runtime.h"

using manta::api::From;
using manta::api::Own;

extern "C" {

manta_error* manta_label_check(const char* name, const char* value) { return Own(manta::model::CheckUsersLabel(name, value)); }

manta_error* manta_label_condition_check(const char* name, const char* condition) {
  return Own(manta::model::LabelCondition::Parse(name, condition));
}

manta_error* manta_node_labels(manta_runtime* runtime, manta_label* out, size_t capacity, size_t* count) {
  if (runtime == nullptr) return manta_not_initialized_error("the labels of the node");
  const auto& labels = From(runtime).welcome().labels;
  for (size_t i = 0; i < labels.size() && i < capacity; ++i) out[i] = {labels[i]->name.c_str(), labels[i]->value.c_str()};
  *count = labels.size();
  return nullptr;
}

}  // extern "C"
