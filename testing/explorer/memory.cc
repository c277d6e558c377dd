#include "testing/explorer/memory.h"

#include <algorithm>

namespace manta::explorer {
namespace {

bool Acquires(std::memory_order order) {
  return order == std::memory_order_acquire || order == std::memory_order_consume ||
         order == std::memory_order_acq_rel || order == std::memory_order_seq_cst;
}

bool Releases(std::memory_order order) {
  return order == std::memory_order_release || order == std::memory_order_acq_rel ||
         order == std::memory_order_seq_cst;
}

bool Sequential(std::memory_order order) { return order == std::memory_order_seq_cst; }

uint64_t Apply(UpdateKind kind, uint64_t value, uint64_t operand) {
  switch (kind) {
    case UpdateKind::kExchange:
    case UpdateKind::kCompareExchange:
      return operand;
    case UpdateKind::kAdd:
      return value + operand;
    case UpdateKind::kSub:
      return value - operand;
    case UpdateKind::kAnd:
      return value & operand;
    case UpdateKind::kOr:
      return value | operand;
    case UpdateKind::kXor:
      return value ^ operand;
  }
  return operand;
}

template <size_t kSize>
void JoinInto(std::array<uint8_t, kSize>& into, const std::array<uint8_t, kSize>& from) {
  for (size_t i = 0; i < kSize; ++i) into[i] = std::max(into[i], from[i]);
}

}  // namespace

Memory::Memory(MemoryModel model) : model_(model), views_(1) {}

void Memory::Reset() {
  views_.assign(1, View());
  location_count_ = 0;
  plains_.clear();
  sc_accessed_ = Knowledge();
  sc_fenced_ = Knowledge();
  exhausted_.clear();
}

uint32_t Memory::AddAtomic(uint64_t value, uint32_t bytes) {
  if (location_count_ == kMaxLocations) {
    exhausted_ = "more than kMaxLocations atomics";
    return 0;
  }
  if (locations_.size() == location_count_) locations_.emplace_back();
  Location& location = locations_[location_count_];
  location.messages.assign(1, {value, Knowledge{}, false});
  location.mask = ~uint64_t{0} >> (64 - 8 * bytes);
  return location_count_++;
}

uint32_t Memory::AddPlain(uint64_t value) {
  plains_.emplace_back().value = value;
  return static_cast<uint32_t>(plains_.size() - 1);
}

uint32_t Memory::Oldest(uint32_t process, uint32_t location, std::memory_order order) const {
  if (model_ == MemoryModel::kSequential) return locations_[location].messages.size() - 1;
  uint32_t oldest = Of(process).current.seen[location];
  if (Sequential(order)) {
    oldest = std::max<uint32_t>(
        {oldest, sc_accessed_.seen[location], sc_fenced_.seen[location]});
  }
  return oldest;
}

void Memory::LoadVariants(uint32_t process, uint32_t location, std::memory_order order,
                          std::vector<Variant>* out) const {
  // Newest first: the first execution of an exploration is then the ordinary one.
  const uint32_t oldest = Oldest(process, location, order);
  for (uint32_t i = locations_[location].messages.size(); i-- > oldest;) {
    out->push_back({static_cast<uint8_t>(i), true});
  }
}

void Memory::StoreVariants(uint32_t process, uint32_t location, std::memory_order order,
                           std::vector<Variant>* out) const {
  const std::vector<Message>& messages = locations_[location].messages;
  const uint32_t oldest = Oldest(process, location, order);
  for (uint32_t i = messages.size(); i-- > oldest;) {
    if (i + 1 < messages.size() && messages[i + 1].glued) continue;
    out->push_back({static_cast<uint8_t>(i), true});
  }
}

void Memory::UpdateVariants(uint32_t process, uint32_t location, UpdateKind kind,
                            uint64_t expected, std::memory_order success,
                            std::memory_order failure, std::vector<Variant>* out) const {
  if (kind != UpdateKind::kCompareExchange) {
    StoreVariants(process, location, success, out);  // reads what it writes behind
    return;
  }
  const std::vector<Message>& messages = locations_[location].messages;
  const uint32_t oldest_success = Oldest(process, location, success);
  const uint32_t oldest_failure = Oldest(process, location, failure);
  for (uint32_t i = messages.size(); i-- > std::min(oldest_success, oldest_failure);) {
    if (messages[i].value == expected) {
      const bool taken = i + 1 < messages.size() && messages[i + 1].glued;
      if (i >= oldest_success && !taken) out->push_back({static_cast<uint8_t>(i), true});
    } else if (i >= oldest_failure) {
      out->push_back({static_cast<uint8_t>(i), false});
    }
  }
}

void Memory::Touch(uint32_t location, std::memory_order order, uint32_t position) {
  if (!Sequential(order)) return;
  uint8_t& accessed = sc_accessed_.seen[location];
  accessed = std::max<uint8_t>(accessed, position);
}

void Memory::ReadMessage(uint32_t process, uint32_t location, std::memory_order order,
                         uint32_t position) {
  View& view = Of(process);
  const Message& message = locations_[location].messages[position];
  uint8_t& seen = view.current.seen[location];
  seen = std::max<uint8_t>(seen, position);
  view.acquirable.Join(message.released);
  if (Acquires(order)) view.current.Join(message.released);
  view.acquirable.Join(view.current);
  Touch(location, order, position);
}

// Makes a new message at `position`. `continued`: what the message that an update read had released
// (a release sequence).
void Memory::Insert(uint32_t process, uint32_t location, std::memory_order order,
                    uint32_t position, uint64_t value, const Knowledge* continued) {
  std::vector<Message>& messages = locations_[location].messages;
  if (messages.size() >= kMaxMessages) {
    exhausted_ = "more than kMaxMessages stores to one location";
    return;
  }
  View& view = Of(process);
  Message message{value, view.released, continued != nullptr};
  if (continued != nullptr) message.released.Join(*continued);
  if (position < messages.size()) {
    // Younger messages move up by one.
    const auto shift = [&](Knowledge& knowledge) {
      if (knowledge.seen[location] >= position) ++knowledge.seen[location];
    };
    for (View& each : views_) {
      shift(each.current);
      shift(each.acquirable);
      shift(each.released);
    }
    for (uint32_t i = 0; i < location_count_; ++i) {
      for (Message& other : locations_[i].messages) shift(other.released);
    }
    shift(message.released);
    shift(sc_accessed_);
    shift(sc_fenced_);
  }
  view.current.seen[location] = position;
  if (Releases(order)) message.released.Join(view.current);
  message.released.seen[location] = std::max<uint8_t>(message.released.seen[location], position);
  messages.insert(messages.begin() + position, message);
  view.acquirable.Join(view.current);
  Touch(location, order, position);
}

uint64_t Memory::Load(uint32_t process, uint32_t location, std::memory_order order,
                      Variant variant) {
  Step(process);
  ReadMessage(process, location, order, variant.position);
  return locations_[location].messages[variant.position].value;
}

void Memory::Store(uint32_t process, uint32_t location, std::memory_order order, Variant variant,
                   uint64_t value) {
  Step(process);
  Insert(process, location, order, variant.position + 1u, value, nullptr);
}

uint64_t Memory::Update(uint32_t process, uint32_t location, UpdateKind kind, uint64_t operand,
                        std::memory_order success, std::memory_order failure, Variant variant) {
  Step(process);
  const uint64_t value = locations_[location].messages[variant.position].value;
  if (!variant.succeeds) {
    ReadMessage(process, location, failure, variant.position);
    return value;
  }
  ReadMessage(process, location, success, variant.position);
  const Knowledge continued = locations_[location].messages[variant.position].released;
  Insert(process, location, success, variant.position + 1u,
         Apply(kind, value, operand) & locations_[location].mask, &continued);
  return value;
}

void Memory::Fence(uint32_t process) {
  Step(process);
  View& view = Of(process);
  view.current.Join(view.acquirable);
  // These two tell what may be read; they are no synchronization, so their clocks stay zero.
  JoinInto(view.current.seen, sc_accessed_.seen);
  JoinInto(view.current.seen, sc_fenced_.seen);
  JoinInto(sc_fenced_.seen, view.current.seen);
  view.acquirable.Join(view.current);
  view.released = view.current;
}

uint64_t Memory::Newest(uint32_t location) const {
  return locations_[location].messages.back().value;
}

Variant Memory::NewestVariant(uint32_t location) const {
  return {static_cast<uint8_t>(locations_[location].messages.size() - 1), true};
}

bool Memory::HasNewer(uint32_t process, uint32_t location) const {
  return Of(process).current.seen[location] + 1u < locations_[location].messages.size();
}

void Memory::Advance(uint32_t process, uint32_t location) {
  Step(process);
  ++Of(process).current.seen[location];
  Of(process).acquirable.Join(Of(process).current);
}

uint32_t Memory::ReadPlain(uint32_t process, uint32_t plain, uint64_t* value) {
  Step(process);
  Plain& data = plains_[plain];
  const Knowledge& known = Of(process).current;
  *value = data.value;
  data.read_clock[process] = known.clock[process];
  if (data.writer != process && data.write_clock > known.clock[data.writer]) return data.writer;
  return kNoProcess;
}

uint32_t Memory::WritePlain(uint32_t process, uint32_t plain, uint64_t value) {
  Step(process);
  Plain& data = plains_[plain];
  const Knowledge& known = Of(process).current;
  uint32_t race = kNoProcess;
  if (data.writer != process && data.write_clock > known.clock[data.writer]) race = data.writer;
  for (uint32_t other = 0; other < views_.size(); ++other) {
    if (other != process && data.read_clock[other] > known.clock[other]) race = other;
  }
  data.value = value;
  data.writer = process;
  data.write_clock = known.clock[process];
  return race;
}

void Memory::Inherit(uint32_t process, uint32_t other) {
  View& view = Of(process);
  view.current.Join(Of(other).current);
  view.acquirable.Join(view.current);
}

uint64_t Memory::Hash(const std::vector<uint32_t>& live) const {
  const uint32_t locations = location_count_;
  const uint32_t processes = views_.size();
  // What every live process knows cannot tell states apart: messages that none may read any more,
  // steps that happened before the next step of each.
  Knowledge common;
  common.seen.fill(255);
  common.clock.fill(255);
  for (const uint32_t live_process : live) {
    const Knowledge& known = views_[live_process].current;
    for (uint32_t i = 0; i < locations; ++i) {
      common.seen[i] = std::min(common.seen[i], known.seen[i]);
    }
    for (uint32_t i = 0; i < processes; ++i) {
      common.clock[i] = std::min(common.clock[i], known.clock[i]);
    }
  }
  if (model_ == MemoryModel::kSequential) {
    // Nobody reads anything but the newest.
    for (uint32_t i = 0; i < locations; ++i) {
      common.seen[i] = locations_[i].messages.size() - 1;
    }
  }
  std::vector<const Knowledge*>& known = scratch_;
  known.clear();
  for (const uint32_t process : live) {
    const View& view = views_[process];
    known.insert(known.end(), {&view.current, &view.acquirable, &view.released});
  }
  const auto oldest = [&](uint32_t location) {
    return std::min<uint32_t>(common.seen[location], locations_[location].messages.size() - 1);
  };
  for (uint32_t i = 0; i < locations; ++i) {
    const std::vector<Message>& messages = locations_[i].messages;
    for (uint32_t at = oldest(i); at < messages.size(); ++at) {
      known.push_back(&messages[at].released);
    }
  }
  // A clock is only ever compared with the accesses noted in plain data: it matters how many of
  // them it includes, beyond those that everybody knows of.
  std::array<std::array<uint8_t, 256>, kMaxProcesses> rank;
  for (uint32_t process = 0; process < processes; ++process) {
    std::array<uint8_t, 256>& ranks = rank[process];
    const uint32_t newest = views_[process].current.clock[process];
    std::fill_n(ranks.begin(), newest + 1, 0);
    for (const Plain& plain : plains_) {
      ranks[plain.read_clock[process]] = 1;
      if (plain.writer == process) ranks[plain.write_clock] = 1;
    }
    uint8_t count = 0;
    for (uint32_t clock = 0; clock <= newest; ++clock) {
      if (clock > common.clock[process]) count += ranks[clock];
      ranks[clock] = count;
    }
  }

  uint64_t hash = 0x6d616e7461;
  // Eight bytes at a time.
  uint64_t word = 0;
  uint32_t filled = 0;
  const auto add = [&](uint8_t byte) {
    word = word << 8 | byte;
    if (++filled == 8) {
      hash = Mix(hash, word);
      filled = 0;
    }
  };
  const auto add_seen = [&](const Knowledge& knowledge) {
    for (uint32_t i = 0; i < locations; ++i) {
      add(knowledge.seen[i] > common.seen[i] ? knowledge.seen[i] - common.seen[i] : 0);
    }
  };
  for (const Knowledge* each : known) {
    add_seen(*each);
    for (uint32_t i = 0; i < processes; ++i) add(rank[i][each->clock[i]]);
  }
  add_seen(sc_accessed_);
  add_seen(sc_fenced_);
  for (uint32_t i = 0; i < locations; ++i) {
    const std::vector<Message>& messages = locations_[i].messages;
    for (uint32_t at = oldest(i); at < messages.size(); ++at) {
      hash = Mix(hash, messages[at].value);
      add(messages[at].glued);
    }
    add(255);
  }
  for (const Plain& plain : plains_) {
    hash = Mix(hash, plain.value);
    const uint8_t written = rank[plain.writer][plain.write_clock];
    add(written == 0 ? 0 : plain.writer);
    add(written);
    for (uint32_t i = 0; i < processes; ++i) add(rank[i][plain.read_clock[i]]);
  }
  return Mix(Mix(hash, word), filled);
}

}  // namespace manta::explorer
