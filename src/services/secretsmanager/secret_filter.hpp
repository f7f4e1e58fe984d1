// SPDX-License-Identifier: Apache-2.0
// Filters of ListSecrets and BatchGetSecretValue. All filters must hold; one of a filter's values
// is enough; a value behind "!" must not match. Names and tags match by prefix and case, texts by
// words. https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_Filter.html
// Pure functions.
#pragma once
#include <string>
#include <vector>

#include "services/secretsmanager/records.hpp"

namespace tarn::secretsmanager {

struct SecretFilter {
  std::string key;
  std::vector<std::string> values;
};

// Throws InvalidParameterException.
void check_filters(const std::vector<SecretFilter>& filters);
bool matches(const SecretRecord& secret, const std::vector<SecretFilter>& filters,
             const std::string& region);

}  // namespace tarn::secretsmanager
