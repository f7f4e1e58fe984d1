// SPDX-License-Identifier: Apache-2.0
#include "services/sns/signer.hpp"

#include <stdexcept>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include "base/strings.hpp"
#include "services/sns/records.hpp"

namespace tarn::sns {
namespace {

constexpr int k_key_bits = 2048;
constexpr long k_valid_seconds = 20L * 365 * 86'400;
constexpr const char* k_context = "sns/signing-key";

template <auto Free>
struct Deleter {
  template <class T>
  void operator()(T* thing) const {
    Free(thing);
  }
};
using Key = std::unique_ptr<EVP_PKEY, Deleter<EVP_PKEY_free>>;
using Certificate = std::unique_ptr<X509, Deleter<X509_free>>;
using Buffer = std::unique_ptr<BIO, Deleter<BIO_free>>;
using Digest = std::unique_ptr<EVP_MD_CTX, Deleter<EVP_MD_CTX_free>>;

void require(bool ok) {
  if (!ok) throw std::runtime_error("OpenSSL cannot sign");
}

std::string text_of(BIO* buffer) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(buffer, &data);
  return {data, static_cast<std::size_t>(size)};
}

std::string key_text(EVP_PKEY* key) {
  const Buffer out(BIO_new(BIO_s_mem()));
  require(PEM_write_bio_PrivateKey(out.get(), key, nullptr, nullptr, 0, nullptr, nullptr) == 1);
  return text_of(out.get());
}

Key key_from(const std::string& text) {
  const Buffer in(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
  Key key(PEM_read_bio_PrivateKey(in.get(), nullptr, nullptr, nullptr));
  require(key != nullptr);
  return key;
}

std::string self_signed(EVP_PKEY* key) {
  const Certificate certificate(X509_new());
  require(certificate != nullptr);
  X509_set_version(certificate.get(), 2);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), 1);
  X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -86'400);
  X509_gmtime_adj(X509_getm_notAfter(certificate.get()), k_valid_seconds);
  X509_set_pubkey(certificate.get(), key);
  X509_NAME* name = X509_get_subject_name(certificate.get());
  const auto* common_name = reinterpret_cast<const unsigned char*>("sns.amazonaws.com");
  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, common_name, -1, -1, 0);
  X509_set_issuer_name(certificate.get(), name);
  require(X509_sign(certificate.get(), key, EVP_sha256()) > 0);
  const Buffer out(BIO_new(BIO_s_mem()));
  require(PEM_write_bio_X509(out.get(), certificate.get()) == 1);
  return text_of(out.get());
}

}  // namespace

struct Signer::Keys {
  Key key;
  std::string certificate;
};

Signer::Signer(platform::Environment& environment) : environment_(environment) {}
Signer::~Signer() = default;

Signer::Keys& Signer::keys() {
  std::lock_guard lock(mutex_);
  if (keys_) return *keys_;
  auto keys = std::make_unique<Keys>();
  environment_.store.transact({}, [&](kernel::Txn& txn) {
    if (const auto record = txn.find_for_update<SigningKeyRecord>("key")) {
      keys->key = key_from(environment_.secrets.open(record->sealed_key, k_context));
      keys->certificate = record->certificate;
      return;
    }
    keys->key.reset(EVP_RSA_gen(k_key_bits));
    require(keys->key != nullptr);
    keys->certificate = self_signed(keys->key.get());
    txn.put(SigningKeyRecord{environment_.secrets.seal(key_text(keys->key.get()), k_context),
                             keys->certificate});
  });
  keys_ = std::move(keys);
  return *keys_;
}

std::string Signer::sign(const std::string& text, const std::string& version) {
  const Digest context(EVP_MD_CTX_new());
  const EVP_MD* algorithm = version == "2" ? EVP_sha256() : EVP_sha1();
  require(EVP_DigestSignInit(context.get(), nullptr, algorithm, nullptr, keys().key.get()) == 1);
  const auto* bytes = reinterpret_cast<const unsigned char*>(text.data());
  std::size_t size = 0;
  require(EVP_DigestSign(context.get(), nullptr, &size, bytes, text.size()) == 1);
  std::string signature(size, '\0');
  require(EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(signature.data()), &size,
                         bytes, text.size()) == 1);
  signature.resize(size);
  return to_base64(signature);
}

std::string Signer::certificate() { return keys().certificate; }

}  // namespace tarn::sns
