// Numbers in few bytes: seven bits in each, the high bit says that more follow.
#pragma once

#include <cstddef>
#include <cstdint>

namespace code_search {

inline constexpr size_t kMaxVarint = 10;

inline char* WriteVarint(char* to, uint64_t value) {
  for (; value >= 128; value >>= 7) *to++ = static_cast<char>(value | 128);
  *to++ = static_cast<char>(value);
  return to;
}

inline uint64_t ReadVarint(const char*& from) {
  uint64_t value = 0;
  for (int shift = 0;; shift += 7) {
    const auto byte = static_cast<unsigned char>(*from++);
    value |= uint64_t{byte & 127u} << shift;
    if (byte < 128) return value;
  }
}

}  // namespace code_search
