// SPDX-License-Identifier: Apache-2.0
// What a piece of a template refers to, and the small predicates on function objects that the rest
// of the engine shares. Pure functions.
#pragma once
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.hpp"

namespace tarn::cloudformation {

struct Reference {
  enum class Kind { ref, attribute, condition };
  Kind kind = Kind::ref;
  std::string name;       // logical id, parameter, pseudo parameter, or condition
  std::string attribute;  // "Endpoint.Address"; empty unless an attribute with a literal name
  bool in_sub = false;
  bool in_if = false;  // a condition named by Fn::If, not by a member that happens to be so called
};

// Ref, Fn::GetAtt, ${…} of Fn::Sub, and the conditions of Fn::If, anywhere inside.
void for_each_reference(const Json& value, const std::function<void(const Reference&)>& visit);

// One `${…}` or literal run of a Fn::Sub text.
struct SubPart {
  std::string text;  // literal text, or the variable's name
  bool is_variable = false;
};
// Throws TemplateError for a variable name that AWS refuses. `${!X}` is the literal `${X}`.
std::vector<SubPart> parse_sub(std::string_view text);

// {"Fn::Join": …}: an object of one member, Ref or Fn::….
bool is_function(const Json& value);
// The function's name, or empty.
std::string_view function_name(const Json& value);
const Json& function_argument(const Json& value);
// Whether a function is left anywhere inside.
bool is_unresolved(const Json& value);

bool is_pseudo_parameter(std::string_view name);
Json no_value();  // {"Ref": "AWS::NoValue"}
bool is_no_value(const Json& value);

// Text of a string, number or boolean as CloudFormation writes it; nothing for others.
std::optional<std::string> scalar_text(const Json& value);

}  // namespace tarn::cloudformation
