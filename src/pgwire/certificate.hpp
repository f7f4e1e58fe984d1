// SPDX-License-Identifier: Apache-2.0
// The self-signed certificate of the warehouse ports: made at first start, kept in the data
// directory (warehouse.crt, warehouse.key with mode 0600), so that clients may pin it.
#pragma once
#include <filesystem>

namespace tarn::pgwire {

struct CertificateFiles {
  std::filesystem::path certificate, key;
};

// Makes both where one is missing; throws std::runtime_error naming the file that fails.
CertificateFiles ensure_certificate(const std::filesystem::path& directory);

}  // namespace tarn::pgwire
