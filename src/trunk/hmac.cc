#include "trunk/hmac.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <vector>

namespace manta::trunk {

Digest HmacSha256(std::string_view key, std::initializer_list<std::span<const uint8_t>> parts) {
  std::vector<uint8_t> message;
  for (const auto& part : parts) message.insert(message.end(), part.begin(), part.end());
  Digest digest{};
  unsigned size = digest.size();
  HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), message.data(), message.size(),
       digest.data(), &size);
  return digest;
}

bool SameDigest(const Digest& expected, std::span<const uint8_t> given) {
  return given.size() == expected.size() &&
         CRYPTO_memcmp(expected.data(), given.data(), expected.size()) == 0;
}

}  // namespace manta::trunk
