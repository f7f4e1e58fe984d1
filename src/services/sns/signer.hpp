// SPDX-License-Identifier: Apache-2.0
// Signs messages as SNS does, with an RSA key made at first use and kept sealed in the store; its
// certificate is served at /_tarn/sns/certificate.pem, which SigningCertURL names.
// Thread-safe.
#pragma once
#include <memory>
#include <mutex>
#include <string>

#include "platform/service.hpp"

namespace tarn::sns {

class Signer {
 public:
  explicit Signer(platform::Environment& environment);
  ~Signer();
  // Base64. Version "1" is SHA-1, "2" SHA-256.
  std::string sign(const std::string& text, const std::string& version);
  std::string certificate();  // PEM

 private:
  struct Keys;
  Keys& keys();
  platform::Environment& environment_;
  std::mutex mutex_;
  std::unique_ptr<Keys> keys_;
};

}  // namespace tarn::sns
