// SPDX-License-Identifier: Apache-2.0
// Digests and MACs on OpenSSL's EVP interface, as raw bytes. A `Hasher` is used by one thread.
#pragma once
#include <memory>
#include <string>
#include <string_view>

namespace tarn::aws {

enum class Digest { sha256, sha1, md5 };

class Hasher {
 public:
  explicit Hasher(Digest digest = Digest::sha256);
  ~Hasher();
  Hasher(Hasher&&) noexcept;
  Hasher& operator=(Hasher&&) noexcept;
  void update(std::string_view bytes);
  // The raw digest; the hasher starts anew.
  std::string finish();

 private:
  struct Context;
  std::unique_ptr<Context> context_;
};

std::string digest(Digest digest, std::string_view bytes);
std::string sha256_hex(std::string_view bytes);
std::string hmac(Digest digest, std::string_view key, std::string_view bytes);

}  // namespace tarn::aws
