// The only source of chance in a simulation. The same on every machine, unlike the standard
// distributions.
#pragma once

#include <cstdint>

namespace manta::simulator {

class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}

  // splitmix64
  uint64_t Next() {
    uint64_t z = state_ += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
  }
  // 0 <= result < limit
  uint64_t Below(uint64_t limit) { return Next() % limit; }
  // first <= result <= last
  int64_t Between(int64_t first, int64_t last) {
    return first + static_cast<int64_t>(Below(static_cast<uint64_t>(last - first + 1)));
  }
  bool Chance(uint32_t percent) { return Below(100) < percent; }
  // Mostly small, sometimes up to the limit.
  int64_t Skewed(int64_t limit) { return Between(0, limit >> Below(6)); }

 private:
  uint64_t state_;
};

}  // namespace manta::simulator
