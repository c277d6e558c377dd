// memcpy for the small sizes of most arguments and results, where calling it costs more than the copy.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace manta::worker {

inline void CopyFew(void* to, const void* from, size_t size) {
  if (size - 8 <= 8) {  // 8 to 16: two words that overlap, both read before the first is written
    uint64_t first, last;
    std::memcpy(&first, from, 8);
    std::memcpy(&last, static_cast<const char*>(from) + size - 8, 8);
    std::memcpy(to, &first, 8);
    std::memcpy(static_cast<char*>(to) + size - 8, &last, 8);
  } else if (size == 4) {
    std::memcpy(to, from, 4);
  } else if (size != 0) {
    std::memcpy(to, from, size);
  }
}

}  // namespace manta::worker
