// SPDX-License-Identifier: Apache-2.0
// Passwords as GetRandomPassword and CloudFormation's GenerateSecretString make them. Thread-safe.
#pragma once
#include <string>

#include "base/ids.hpp"

namespace tarn::secretsmanager {

struct PasswordRules {
  std::size_t length = 32;
  std::string exclude;
  bool numbers = true, punctuation = true, upper = true, lower = true, space = false;
  bool require_each = true;
};

// Throws InvalidParameterException when no password can satisfy the rules.
std::string random_password(const PasswordRules& rules, Random& random);

}  // namespace tarn::secretsmanager
