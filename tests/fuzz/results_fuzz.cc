// The list of results of a completion, as its owner reads it.
#include "tests/fuzz/fuzz_target.h"
#include "worker/result_list.h"

namespace manta::fuzz {

std::vector<std::string> Seeds() {
  std::vector<unsigned char> list;
  worker::ResultWriter writer(&list);
  const shm::WireReference references[] = {{{{1}, 2, 3}, 4}, {{{5}, 6, 7}, 8}};
  writer.Add(shm::ValueKind::kInline, "a value", 7);
  writer.Add(shm::ValueKind::kInline, "with references", 15, references);
  writer.Add(shm::ValueKind::kError, "", 0);
  const std::string plain(list.begin(), list.end());
  worker::ResultWriter::AddKept(&list, references);
  return {plain, {list.begin(), list.end()}};
}

}  // namespace manta::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace manta;
  const fuzz::Exact bytes({reinterpret_cast<const char*>(data), size});
  worker::ResultReader reader(bytes.data(), bytes.size());
  worker::ResultReader::Entry entry;
  size_t seen = 0;
  std::string values;
  while (reader.Next(&entry)) {
    values.append(reinterpret_cast<const char*>(entry.bytes), entry.size);
    seen += sizeof(shm::ResultHeader) + entry.size + entry.references.size() * sizeof(shm::WireReference);
    fuzz::Require(seen <= size, "results lie beside one another within the list");
  }
  reader.Kept();
  return 0;
}
