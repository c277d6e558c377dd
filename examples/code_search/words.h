// What a word is, and how to find the words in a text.
//
// A word is a maximal run of letters, digits and underscores of ASCII, as for `LC_ALL=C grep -w`. All
// other bytes stand between words, also NUL and those above 127.
#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

namespace code_search {

// Texts are read a few bytes beyond their end, where that many zeros have to be.
inline constexpr size_t kPadding = 128;

constexpr bool IsWordByte(unsigned char byte) {
  return (byte >= '0' && byte <= '9') || (byte >= 'A' && byte <= 'Z') ||
         (byte >= 'a' && byte <= 'z') || byte == '_';
}

inline bool IsWord(std::string_view text) {
  for (const char byte : text) {
    if (!IsWordByte(static_cast<unsigned char>(byte))) return false;
  }
  return !text.empty();
}

// The word at a place in a text, prepared for hash tables: `prefix` holds its first eight bytes, so
// that comparing most words is comparing two numbers.
struct Word {
  const char* text;
  size_t length;
  uint64_t prefix;
  uint64_t hash;

  // One that was prepared before.
  Word(const char* at, size_t size, uint64_t its_prefix, uint64_t its_hash)
      : text(at), length(size), prefix(its_prefix), hash(its_hash) {}

  // `text` is padded.
  Word(const char* at, size_t size) : text(at), length(size) {
    constexpr uint64_t kMultiplier = 0x9e3779b97f4a7c15;
    prefix = Load(at);
    if (size < 8) prefix &= (uint64_t{1} << (8 * size)) - 1;
    hash = (prefix ^ size) * kMultiplier;
    for (size_t i = 8; i < size; i += 8) {
      // The last step may overlap the one before.
      hash = (hash ^ hash >> 32 ^ Load(at + (i + 8 <= size ? i : size - 8))) * kMultiplier;
    }
    hash ^= hash >> 32;
  }

  // Whether the rest is the same, too, as in a text of the same prefix and length.
  bool RestEquals(const char* other) const {
    return length <= 8 || std::memcmp(text + 8, other + 8, length - 8) == 0;
  }

 private:
  static uint64_t Load(const char* from) {
    uint64_t bytes;
    std::memcpy(&bytes, from, sizeof(bytes));
    return bytes;
  }
};

// Which of `shards` a word belongs to: each has a range of hashes. The same in every process.
inline uint32_t ShardOf(uint64_t hash, uint32_t shards) {
  return static_cast<uint32_t>((hash >> 32) * shards >> 32);
}

// One bit for each of 64 bytes: whether it belongs to a word.
inline uint64_t WordBits(const char* text) {
  uint64_t bits = 0;
#ifdef __SSE2__
  for (int i = 0; i < 4; ++i) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(text + 16 * i));
    const auto within = [](__m128i value, char first, char last) {
      const __m128i distance = _mm_sub_epi8(value, _mm_set1_epi8(first));
      return _mm_cmpeq_epi8(distance, _mm_min_epu8(distance, _mm_set1_epi8(char(last - first))));
    };
    const __m128i lower = _mm_or_si128(bytes, _mm_set1_epi8('a' - 'A'));
    const __m128i in_word = _mm_or_si128(_mm_or_si128(within(lower, 'a', 'z'), within(bytes, '0', '9')),
                                         _mm_cmpeq_epi8(bytes, _mm_set1_epi8('_')));
    bits |= uint64_t{static_cast<uint32_t>(_mm_movemask_epi8(in_word))} << (16 * i);
  }
#else
  for (int i = 0; i < 64; ++i) {
    bits |= uint64_t{IsWordByte(static_cast<unsigned char>(text[i]))} << i;
  }
#endif
  return bits;
}

// Calls sink(text, length) for each word. `text` is padded.
template <class Sink>
void ForEachWord(const char* text, size_t size, Sink&& sink) {
  const char* start = nullptr;  // of the word that we are inside of
  uint64_t inside = 0;
  // The padding ends the last word.
  for (size_t at = 0; at <= size; at += 64) {
    const uint64_t bits = WordBits(text + at);
    uint64_t edges = bits ^ (bits << 1 | inside);
    inside = bits >> 63;
    for (; edges != 0; edges &= edges - 1) {
      const char* edge = text + at + __builtin_ctzll(edges);
      if (start == nullptr) {
        start = edge;
      } else {
        sink(start, static_cast<size_t>(edge - start));
        start = nullptr;
      }
    }
  }
}

}  // namespace code_search
