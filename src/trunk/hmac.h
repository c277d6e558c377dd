// HMAC-SHA256, by which the two ends of a trunk prove that they know the cluster's secret.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string_view>

namespace manta::trunk {

using Digest = std::array<uint8_t, 32>;

// Of the parts in their order. Parts have to be of fixed size, or to carry it: their borders are not part of the message.
Digest HmacSha256(std::string_view key, std::initializer_list<std::span<const uint8_t>> parts);

// Takes the same time wherever the two differ. False when `given` has another size.
bool SameDigest(const Digest& expected, std::span<const uint8_t> given);

}  // namespace manta::trunk
