// SPDX-License-Identifier: Apache-2.0
#include "aws/digest.hpp"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "base/check.hpp"
#include "base/strings.hpp"

namespace tarn::aws {

namespace {

// Fetched once: looking an algorithm up by name costs more than a short hash.
const EVP_MD* algorithm(Digest digest) {
  static const EVP_MD* const k_sha256 = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  static const EVP_MD* const k_sha1 = EVP_MD_fetch(nullptr, "SHA1", nullptr);
  static const EVP_MD* const k_md5 = EVP_MD_fetch(nullptr, "MD5", nullptr);
  switch (digest) {
    case Digest::sha256: return k_sha256;
    case Digest::sha1: return k_sha1;
    case Digest::md5: return k_md5;
  }
  return nullptr;
}

}  // namespace

struct Hasher::Context {
  EVP_MD_CTX* handle = EVP_MD_CTX_new();
  const EVP_MD* md;
  explicit Context(const EVP_MD* md) : md(md) {
    TARN_CHECK(handle && EVP_DigestInit_ex(handle, md, nullptr) == 1);
  }
  ~Context() { EVP_MD_CTX_free(handle); }
};

Hasher::Hasher(Digest digest) : context_(std::make_unique<Context>(algorithm(digest))) {}
Hasher::~Hasher() = default;
Hasher::Hasher(Hasher&&) noexcept = default;
Hasher& Hasher::operator=(Hasher&&) noexcept = default;

void Hasher::update(std::string_view bytes) {
  TARN_CHECK(EVP_DigestUpdate(context_->handle, bytes.data(), bytes.size()) == 1);
}

std::string Hasher::finish() {
  unsigned char out[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  TARN_CHECK(EVP_DigestFinal_ex(context_->handle, out, &size) == 1);
  TARN_CHECK(EVP_DigestInit_ex(context_->handle, context_->md, nullptr) == 1);
  return {reinterpret_cast<const char*>(out), size};
}

std::string digest(Digest digest, std::string_view bytes) {
  unsigned char out[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  TARN_CHECK(EVP_Digest(bytes.data(), bytes.size(), out, &size, algorithm(digest), nullptr) == 1);
  return {reinterpret_cast<const char*>(out), size};
}

std::string sha256_hex(std::string_view bytes) { return to_hex(digest(Digest::sha256, bytes)); }

std::string hmac(Digest digest, std::string_view key, std::string_view bytes) {
  unsigned char out[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  TARN_CHECK(HMAC(algorithm(digest), key.data(), static_cast<int>(key.size()),
                  reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(), out,
                  &size) != nullptr);
  return {reinterpret_cast<const char*>(out), size};
}

}  // namespace tarn::aws
