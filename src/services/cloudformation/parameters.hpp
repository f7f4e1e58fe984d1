// SPDX-License-Identifier: Apache-2.0
// Parameter values: what the caller gave, defaults, previous values, and the checks of the
// template. Pure; values of SSM parameters are looked up by the caller between the two steps.
#pragma once
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "services/cloudformation/template.hpp"

namespace tarn::cloudformation {

struct ParameterInput {
  std::string name;
  std::optional<std::string> value;
  bool use_previous_value = false;
};

struct ParameterValue {
  std::string name;
  std::string text;      // as given; for SSM types the SSM parameter's name
  std::string resolved;  // for SSM types what it was looked up to be
  bool no_echo = false;
  void fields(auto& f) { f(name, text, resolved, no_echo); }
};

// Checks names and values; throws TemplateError with AWS's text. Order is the template's.
std::vector<ParameterValue> choose_parameters(const Template& whole,
                                              const std::vector<ParameterInput>& inputs,
                                              const std::vector<ParameterValue>& previous);

// For functions: text, or a list of trimmed texts; an SSM type's resolved value.
std::map<std::string, Json, std::less<>> bind_parameters(const Template& whole,
                                                         const std::vector<ParameterValue>& values);

}  // namespace tarn::cloudformation
