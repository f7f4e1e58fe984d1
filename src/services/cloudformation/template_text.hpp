// SPDX-License-Identifier: Apache-2.0
// Template text (YAML with CloudFormation's short tags, or JSON) to one JSON value.
//
// Why our own reading of YAML events: short tags (`!Sub`) become long functions ("Fn::Sub") while
// building, duplicate keys win last and aliases are refused as AWS does, and plain scalars follow
// the rules below. Pure functions, no state.
//
// Plain scalars: true/false/yes/no/on/off are booleans (YAML 1.1); decimal numbers are numbers only
// if their text survives (42, 1.5); everything whose text would change (007, 1.10, 0x1F, 22:22,
// dates) stays the text that was written, because nearly every property wants text.
#pragma once
#include <stdexcept>
#include <string>
#include <string_view>

#include "base/json.hpp"

namespace tarn::cloudformation {

// A template, parameter or change that CloudFormation refuses: the message of a ValidationError.
class TemplateError : public std::runtime_error {
  using std::runtime_error::runtime_error;
};

// Throws TemplateError with AWS's text and, for broken syntax, line and column.
Json parse_template_text(std::string_view text);

}  // namespace tarn::cloudformation
