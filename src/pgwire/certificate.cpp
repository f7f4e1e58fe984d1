// SPDX-License-Identifier: Apache-2.0
#include "pgwire/certificate.hpp"

#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <unistd.h>

#include <memory>
#include <stdexcept>

namespace tarn::pgwire {

namespace {

template <class T, void (*F)(T*)>
struct Free {
  void operator()(T* pointer) const { F(pointer); }
};
using Key = std::unique_ptr<EVP_PKEY, Free<EVP_PKEY, EVP_PKEY_free>>;
using Certificate = std::unique_ptr<X509, Free<X509, X509_free>>;

void add_extension(X509* certificate, int id, const char* value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, certificate, certificate, nullptr, nullptr, 0);
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, id, value);
  if (!extension) throw std::runtime_error("cannot make the warehouse's certificate");
  X509_add_ext(certificate, extension, -1);
  X509_EXTENSION_free(extension);
}

Certificate make_certificate(EVP_PKEY* key) {
  constexpr long k_ten_years = 10L * 365 * 24 * 3600;
  Certificate certificate(X509_new());
  X509_set_version(certificate.get(), 2);
  unsigned char serial[8];
  if (RAND_bytes(serial, sizeof serial) != 1) throw std::runtime_error("no randomness");
  serial[0] &= 0x7f;
  std::unique_ptr<BIGNUM, Free<BIGNUM, BN_free>> number(BN_bin2bn(serial, sizeof serial, nullptr));
  BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(certificate.get()));
  X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -24 * 3600);
  X509_gmtime_adj(X509_getm_notAfter(certificate.get()), k_ten_years);
  X509_set_pubkey(certificate.get(), key);
  X509_NAME* name = X509_get_subject_name(certificate.get());
  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                             reinterpret_cast<const unsigned char*>("localhost"), -1, -1, 0);
  X509_set_issuer_name(certificate.get(), name);
  add_extension(certificate.get(), NID_subject_alt_name,
                "DNS:localhost,DNS:host.tarn.internal,IP:127.0.0.1,IP:0:0:0:0:0:0:0:1");
  add_extension(certificate.get(), NID_basic_constraints, "critical,CA:TRUE");
  if (X509_sign(certificate.get(), key, EVP_sha256()) == 0) {
    throw std::runtime_error("cannot sign the warehouse's certificate");
  }
  return certificate;
}

template <class F>
void write_file(const std::filesystem::path& path, int mode, F write) {
  const std::string partial = path.string() + ".new";
  const int fd = ::open(partial.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
  FILE* file = fd < 0 ? nullptr : ::fdopen(fd, "w");
  const bool good = file && write(file) == 1 && std::fflush(file) == 0 && ::fsync(fd) == 0;
  if (file) std::fclose(file);
  if (!good) throw std::runtime_error("cannot write " + path.string());
  std::filesystem::rename(partial, path);
}

}  // namespace

CertificateFiles ensure_certificate(const std::filesystem::path& directory) {
  const CertificateFiles files{directory / "warehouse.crt", directory / "warehouse.key"};
  if (std::filesystem::exists(files.certificate) && std::filesystem::exists(files.key)) {
    return files;
  }
  std::filesystem::create_directories(directory);
  const Key key(EVP_EC_gen("P-256"));
  if (!key) throw std::runtime_error("cannot make the warehouse's key");
  const Certificate certificate = make_certificate(key.get());
  write_file(files.key, 0600, [&](FILE* file) {
    return PEM_write_PrivateKey(file, key.get(), nullptr, nullptr, 0, nullptr, nullptr);
  });
  write_file(files.certificate, 0644,
             [&](FILE* file) { return PEM_write_X509(file, certificate.get()); });
  return files;
}

}  // namespace tarn::pgwire
