// SPDX-License-Identifier: Apache-2.0
// What a stack takes from other services before it can be evaluated: templates in S3, values of SSM
// parameters, dynamic references. All as the caller, through public operations.
#pragma once
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/task.hpp"
#include "platform/call.hpp"
#include "services/cloudformation/dynamic_references.hpp"
#include "services/cloudformation/parameters.hpp"
#include "services/cloudformation/template.hpp"

namespace tarn::cloudformation {

struct ObjectLocation {
  std::string bucket, key, version;
};
// s3://b/k, http://127.0.0.1:4566/b/k, https://b.s3.region.amazonaws.com/k,
// https://s3.region.amazonaws.com/b/k; `endpoint` is Tarn's own. Throws ValidationError.
ObjectLocation parse_template_url(const std::string& url, const std::string& endpoint);

// One of body and URL; throws ValidationError for none, both, too long, or unreadable ones.
Task<std::string> read_template_source(platform::CallPtr call, std::optional<std::string> body,
                                       std::optional<std::string> url);

// Fills in what parameters of type AWS::SSM::Parameter::Value<…> stand for.
Task<std::vector<ParameterValue>> look_up_parameters(platform::CallPtr call, Template whole,
                                                     std::vector<ParameterValue> values);

// The values of dynamic references, by their text. Throws TemplateError naming the one that fails.
Task<std::map<std::string, std::string>> look_up_references(
    platform::CallPtr call, std::vector<DynamicReference> references);

}  // namespace tarn::cloudformation
