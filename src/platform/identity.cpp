// SPDX-License-Identifier: Apache-2.0
#include "platform/identity.hpp"

namespace tarn::platform {

Identity root_identity(std::string account) {
  Identity identity;
  identity.kind = Identity::Kind::root;
  identity.arn = "arn:aws:iam::" + account + ":root";
  identity.principal_id = account;
  identity.account = std::move(account);
  return identity;
}

Identity service_identity(std::string service, std::string account, std::string source_arn) {
  Identity identity;
  identity.kind = Identity::Kind::service;
  identity.account = std::move(account);
  identity.arn = service;
  identity.principal_id = service;
  identity.service = std::move(service);
  identity.source_arn = std::move(source_arn);
  return identity;
}

}  // namespace tarn::platform
