// memcpy for the small sizes of most arguments and results, where calling it costs more than the copy.
#pragma once

#include <cstddef>
#include <cstring>

namespace manta::worker {

inline void CopyFew(void* to, const void* from, size_t size) {
  if (size == 8) {
    std::memcpy(to, from, 8);
  } else if (size == 4) {
    std::memcpy(to, from, 4);
  } else if (size != 0) {
    std::memcpy(to, from, size);
  }
}

}  // namespace manta::worker
