// SPDX-License-Identifier: Apache-2.0
// {{resolve:service:key}} inside evaluated texts. They are found after the functions, because a
// Fn::Join or Fn::Sub may build them; looking them up is the caller's. Pure.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "base/json.hpp"

namespace tarn::cloudformation {

struct DynamicReference {
  enum class Service { ssm, ssm_secure, secretsmanager };
  std::string text;  // "{{resolve:…}}" as written
  Service service = Service::ssm;
  std::string name;      // parameter's name, secret's name or ARN
  std::string version;   // ssm: a number; empty: the latest
  std::string json_key;  // secretsmanager; empty: the whole text
  std::string version_stage, version_id;
};

// Every reference inside `value`, each text once. Throws TemplateError for malformed ones.
std::vector<DynamicReference> find_dynamic_references(const Json& value);

// `values` by the reference's text.
Json replace_dynamic_references(const Json& value,
                                const std::map<std::string, std::string>& values);

}  // namespace tarn::cloudformation
