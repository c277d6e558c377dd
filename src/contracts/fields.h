// Fields of control frames as values of ours, and back. A field that is not there reads as an empty value.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "contracts/control_generated.h"
#include "model/node_labels.h"
#include "model/resources.h"

namespace manta::contracts {

inline std::string Text(const flatbuffers::String* text) { return text == nullptr ? std::string() : text->str(); }

inline std::string Bytes(const flatbuffers::Vector<uint8_t>* bytes) {
  return bytes == nullptr ? std::string() : std::string(bytes->begin(), bytes->end());
}

inline std::vector<std::string> Texts(const flatbuffers::Vector<flatbuffers::Offset<flatbuffers::String>>* texts) {
  std::vector<std::string> list;
  if (texts == nullptr) return list;
  for (const flatbuffers::String* text : *texts) list.push_back(text->str());
  return list;
}

inline std::unique_ptr<wire::AmountT> AmountOf(const std::string& name, int64_t fixed_point) {
  auto amount = std::make_unique<wire::AmountT>();
  amount->name = name;
  amount->fixed_point = fixed_point;
  return amount;
}

inline std::vector<std::unique_ptr<wire::AmountT>> AmountsOf(const model::ResourceSet& set) {
  std::vector<std::unique_ptr<wire::AmountT>> amounts;
  for (const auto& [name, fixed_point] : set.amounts()) amounts.push_back(AmountOf(name, fixed_point));
  return amounts;
}

inline std::vector<std::unique_ptr<wire::LabelT>> LabelsOf(const model::NodeLabels& labels) {
  std::vector<std::unique_ptr<wire::LabelT>> list;
  for (const auto& [name, value] : labels) {
    list.push_back(std::make_unique<wire::LabelT>());
    list.back()->name = name;
    list.back()->value = value;
  }
  return list;
}

inline model::NodeLabels Labels(const flatbuffers::Vector<flatbuffers::Offset<wire::Label>>* list) {
  model::NodeLabels labels;
  if (list == nullptr) return labels;
  for (const wire::Label* label : *list) labels[Text(label->name())] = Text(label->value());
  return labels;
}

}  // namespace manta::contracts
