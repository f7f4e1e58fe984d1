// SPDX-License-Identifier: Apache-2.0
#include "platform/secret_box.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <openssl/evp.h>
#include <unistd.h>

#include <cstring>
#include <fstream>
#include <memory>
#include <stdexcept>

#include "base/check.hpp"

namespace tarn::platform {
namespace {

constexpr char k_version = 1;
constexpr std::size_t k_key_size = 32, k_nonce_size = 12, k_tag_size = 16;

using Cipher = std::unique_ptr<EVP_CIPHER_CTX, decltype(&EVP_CIPHER_CTX_free)>;

const unsigned char* bytes(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

std::string load_or_make_key(const std::filesystem::path& file, Random& random) {
  if (std::filesystem::exists(file)) {
    std::ifstream in(file, std::ios::binary);
    std::string key((std::istreambuf_iterator<char>(in)), {});
    if (key.size() != k_key_size) {
      throw std::runtime_error(fmt::format("{}: not a key of {} bytes; restore it from a backup",
                                           file.string(), k_key_size));
    }
    return key;
  }
  const std::string key = random.bytes(k_key_size);
  // Written aside and renamed: a crash leaves a whole key or none.
  const auto temporary = file.string() + ".new";
  const int fd = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  const bool written =
      fd >= 0 && ::write(fd, key.data(), key.size()) == ssize_t(key.size()) && ::fsync(fd) == 0;
  if (fd >= 0) ::close(fd);
  if (!written || ::rename(temporary.c_str(), file.c_str()) != 0) {
    throw std::runtime_error(fmt::format("{}: {}", file.string(), std::strerror(errno)));
  }
  return key;
}

}  // namespace

SecretBox::SecretBox(const std::filesystem::path& data_directory, Random& random)
    : key_(load_or_make_key(data_directory / "master.key", random)),
      random_(random) {}

std::string SecretBox::seal(std::string_view secret, std::string_view context) const {
  const std::string nonce = random_.bytes(k_nonce_size);
  const Cipher cipher(EVP_CIPHER_CTX_new(), &EVP_CIPHER_CTX_free);
  std::string sealed(secret.size(), '\0');
  std::string tag(k_tag_size, '\0');
  int size = 0;
  auto* out = reinterpret_cast<unsigned char*>(sealed.data());
  TARN_CHECK(
      EVP_EncryptInit_ex(cipher.get(), EVP_aes_256_gcm(), nullptr, bytes(key_), bytes(nonce)) == 1);
  TARN_CHECK(EVP_EncryptUpdate(cipher.get(), nullptr, &size, bytes(context),
                               static_cast<int>(context.size())) == 1);
  TARN_CHECK(EVP_EncryptUpdate(cipher.get(), out, &size, bytes(secret),
                               static_cast<int>(secret.size())) == 1);
  TARN_CHECK(EVP_EncryptFinal_ex(cipher.get(), out + size, &size) == 1);
  TARN_CHECK(EVP_CIPHER_CTX_ctrl(cipher.get(), EVP_CTRL_GCM_GET_TAG, k_tag_size, tag.data()) == 1);
  return std::string(1, k_version) + nonce + tag + sealed;
}

std::string SecretBox::open(std::string_view sealed, std::string_view context) const {
  constexpr std::size_t k_head = 1 + k_nonce_size + k_tag_size;
  const auto fail = [&] {
    throw std::runtime_error(fmt::format("a secret ({}) cannot be opened with this key", context));
  };
  if (sealed.size() < k_head || sealed[0] != k_version) fail();
  const std::string_view nonce = sealed.substr(1, k_nonce_size);
  std::string tag(sealed.substr(1 + k_nonce_size, k_tag_size));
  const std::string_view body = sealed.substr(k_head);
  const Cipher cipher(EVP_CIPHER_CTX_new(), &EVP_CIPHER_CTX_free);
  std::string secret(body.size(), '\0');
  int size = 0;
  auto* out = reinterpret_cast<unsigned char*>(secret.data());
  TARN_CHECK(
      EVP_DecryptInit_ex(cipher.get(), EVP_aes_256_gcm(), nullptr, bytes(key_), bytes(nonce)) == 1);
  TARN_CHECK(EVP_DecryptUpdate(cipher.get(), nullptr, &size, bytes(context),
                               static_cast<int>(context.size())) == 1);
  TARN_CHECK(
      EVP_DecryptUpdate(cipher.get(), out, &size, bytes(body), static_cast<int>(body.size())) == 1);
  TARN_CHECK(EVP_CIPHER_CTX_ctrl(cipher.get(), EVP_CTRL_GCM_SET_TAG, k_tag_size, tag.data()) == 1);
  if (EVP_DecryptFinal_ex(cipher.get(), out + size, &size) != 1) fail();
  return secret;
}

}  // namespace tarn::platform
