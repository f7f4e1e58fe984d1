// SPDX-License-Identifier: Apache-2.0
// A template's structure: its sections as typed values, functions still unevaluated.
//
// Reading checks everything that needs no parameter values: sections, names, attributes, references
// to what does not exist, conditions' circles. Messages are AWS's. Values; immutable once read.
#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.hpp"
#include "services/cloudformation/template_text.hpp"

namespace tarn::cloudformation {

inline constexpr std::string_view k_language_extensions = "AWS::LanguageExtensions";

struct ParameterDefinition {
  std::string name;
  std::string type = "String";
  std::optional<std::string> fallback;  // Default
  std::vector<std::string> allowed_values;
  std::optional<std::string> allowed_pattern;
  std::optional<std::int64_t> length_min, length_max;
  std::optional<double> value_min, value_max;
  std::string description;
  std::string constraint_description;
  bool no_echo = false;

  bool is_list() const;    // CommaDelimitedList, List<…>, or an SSM value of one
  bool is_number() const;  // Number or List<Number>
  // The type inside AWS::SSM::Parameter::Value<…>, or empty.
  std::string ssm_value_type() const;
};

struct ResourceDefinition {
  std::string logical_id;
  std::string type;
  Json properties = JsonObject();
  Json metadata;
  Json creation_policy, update_policy;
  std::vector<std::string> depends_on;
  std::string condition;
  Json deletion_policy, update_replace_policy;  // text, or a function with language extensions
};

struct OutputDefinition {
  std::string name;
  Json value;
  Json export_name;  // null: not exported
  std::string description;
  std::string condition;
};

struct RuleDefinition {
  struct Assertion {
    Json assertion;
    std::string description;
  };
  std::string name;
  Json condition;  // null: always
  std::vector<Assertion> assertions;
};

struct Template {
  std::string format_version;
  std::string description;
  Json metadata;
  std::vector<std::string> transforms;
  std::vector<ParameterDefinition> parameters;
  JsonObject mappings;
  JsonObject conditions;
  std::vector<ResourceDefinition> resources;
  std::vector<OutputDefinition> outputs;
  std::vector<RuleDefinition> rules;

  const ParameterDefinition* parameter(std::string_view name) const;
  const ResourceDefinition* resource(std::string_view logical_id) const;
  bool has_transform(std::string_view name) const;
};

// The template of a value from `parse_template_text`, loops already expanded.
Template read_template(const Json& value);
// Only Transform and Parameters: what is needed to expand loops.
Template read_template_head(const Json& value);

}  // namespace tarn::cloudformation
