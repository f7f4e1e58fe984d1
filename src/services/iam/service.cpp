// SPDX-License-Identifier: Apache-2.0
#include "services/iam/service.hpp"

namespace tarn::iam {

Iam::Iam(platform::Environment& environment)
    : environment_(environment),
      store_(environment.store),
      identities_(environment) {}

void Iam::operations(platform::OpTable& t) {
  user_operations(t);
  group_operations(t);
  role_operations(t);
  policy_operations(t);
  tag_operations(t);
}

void Iam::start() { identities_.start(); }

}  // namespace tarn::iam
