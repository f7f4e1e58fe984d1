// SPDX-License-Identifier: Apache-2.0
#include "pgwire/password.hpp"

#include <openssl/evp.h>

#include "base/check.hpp"
#include "base/strings.hpp"

namespace tarn::pgwire {

namespace {

std::string md5_hex(const std::string& text) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  TARN_CHECK(EVP_Digest(text.data(), text.size(), digest, &size, EVP_md5(), nullptr) == 1);
  return to_hex({reinterpret_cast<const char*>(digest), size});
}

}  // namespace

std::string md5_answer(std::string_view password, std::string_view user, std::string_view salt) {
  const std::string inner = md5_hex(std::string(password) + std::string(user));
  return "md5" + md5_hex(inner + std::string(salt));
}

}  // namespace tarn::pgwire
