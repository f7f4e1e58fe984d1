// SPDX-License-Identifier: Apache-2.0
#include "services/cloudformation/template.hpp"

#include <algorithm>
#include <array>

#include "base/strings.hpp"
#include "services/cloudformation/references.hpp"

namespace tarn::cloudformation {
namespace {

constexpr std::size_t k_resources_max = 500;
constexpr std::size_t k_parameters_max = 200;
constexpr std::size_t k_outputs_max = 200;
constexpr std::size_t k_mappings_max = 200;
constexpr std::size_t k_description_bytes_max = 1024;

[[noreturn]] void fail(std::string message) { throw TemplateError(std::move(message)); }

std::string scalar(const Json& value) { return scalar_text(value).value_or(std::string()); }

bool is_alphanumeric(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(),
                                      [](unsigned char c) { return std::isalnum(c) != 0; });
}

void refuse_nulls(const Json& value, const std::string& path) {
  if (value.is_null()) fail(fmt::format("[{}] 'null' values are not allowed in templates", path));
  if (const auto* object = value.if_object()) {
    for (const auto& [key, member] : *object) refuse_nulls(member, path + "/" + std::string(key));
  } else if (const auto* array = value.if_array()) {
    for (std::size_t i = 0; i < array->size(); ++i) {
      refuse_nulls((*array)[i], path + "/" + std::to_string(i));
    }
  }
}

// A section as an object; absent is empty.
const JsonObject& section(const Json& root, std::string_view name) {
  static const JsonObject k_empty;
  const Json* value = find_member(root, name);
  if (!value) return k_empty;
  if (!value->is_object()) fail(fmt::format("Template format error: {} is malformed", name));
  return value->get_object();
}

void check_count(std::string_view what, std::size_t count, std::size_t count_max) {
  if (count <= count_max) return;
  fail(fmt::format("Template format error: Number of {}, {}, is greater than maximum allowed, {}",
                   what, count, count_max));
}

std::optional<double> number_member(const Json& value, std::string_view key,
                                    const std::string& parameter) {
  const Json* member = find_member(value, key);
  if (!member) return std::nullopt;
  const auto number = parse_double(scalar(*member));
  if (!number) {
    fail(fmt::format("Template format error: Parameter '{}' {} must be a number", parameter, key));
  }
  return number;
}

std::optional<std::int64_t> length_member(const Json& value, std::string_view key,
                                          const std::string& parameter) {
  const auto number = number_member(value, key, parameter);
  if (!number) return std::nullopt;
  return static_cast<std::int64_t>(*number);
}

bool is_known_parameter_type(std::string_view type) {
  static constexpr std::array<std::string_view, 4> k_plain = {"String", "Number", "List<Number>",
                                                              "CommaDelimitedList"};
  if (std::find(k_plain.begin(), k_plain.end(), type) != k_plain.end()) return true;
  if (type == "List<String>" || type == "AWS::SSM::Parameter::Name") return true;
  constexpr std::string_view k_ssm = "AWS::SSM::Parameter::Value<";
  if (type.starts_with(k_ssm) && type.ends_with('>')) {
    return is_known_parameter_type(type.substr(k_ssm.size(), type.size() - k_ssm.size() - 1));
  }
  if (type.starts_with("List<") && type.ends_with('>')) type = type.substr(5, type.size() - 6);
  return type.starts_with("AWS::EC2::") || type.starts_with("AWS::Route53::");
}

void check_members(const JsonObject& object, std::initializer_list<std::string_view> known,
                   std::string_view message) {
  for (const auto& [key, member] : object) {
    if (std::find(known.begin(), known.end(), std::string_view(key)) == known.end()) {
      fail(fmt::format("{} '{}'", message, std::string_view(key)));
    }
  }
}

ParameterDefinition read_parameter(const std::string& name, const Json& value) {
  if (!is_alphanumeric(name)) {
    fail(fmt::format("Template format error: Parameter name {} is non alphanumeric.", name));
  }
  if (!value.is_object() || !find_member(value, "Type")) {
    fail("Template format error: Every Parameters object must contain a Type member.");
  }
  check_members(value.get_object(),
                {"Type", "Default", "AllowedValues", "AllowedPattern", "MinLength", "MaxLength",
                 "MinValue", "MaxValue", "NoEcho", "Description", "ConstraintDescription"},
                "Template format error: Invalid template parameter property");
  ParameterDefinition parameter;
  parameter.name = name;
  parameter.type = scalar(*find_member(value, "Type"));
  if (!is_known_parameter_type(parameter.type)) {
    fail("Template format error: Unrecognized parameter type: " + parameter.type);
  }
  if (const Json* fallback = find_member(value, "Default")) {
    parameter.fallback = scalar_text(*fallback);
    if (!parameter.fallback) {
      fail("Template format error: Every Default member must be a string.");
    }
  }
  if (const Json* allowed = find_member(value, "AllowedValues")) {
    if (!allowed->is_array()) {
      fail("Template format error: AllowedValues in parameter '" + name + "' must be a list.");
    }
    for (const auto& item : allowed->get_array()) parameter.allowed_values.push_back(scalar(item));
  }
  if (const Json* pattern = find_member(value, "AllowedPattern")) {
    parameter.allowed_pattern = scalar(*pattern);
  }
  parameter.length_min = length_member(value, "MinLength", name);
  parameter.length_max = length_member(value, "MaxLength", name);
  parameter.value_min = number_member(value, "MinValue", name);
  parameter.value_max = number_member(value, "MaxValue", name);
  if (const Json* echo = find_member(value, "NoEcho")) parameter.no_echo = scalar(*echo) == "true";
  if (const Json* text = find_member(value, "Description")) parameter.description = scalar(*text);
  if (const Json* text = find_member(value, "ConstraintDescription")) {
    parameter.constraint_description = scalar(*text);
  }
  return parameter;
}

std::vector<std::string> read_transforms(const Json& root) {
  std::vector<std::string> transforms;
  const Json* value = find_member(root, "Transform");
  if (!value) return transforms;
  const auto add = [&](const Json& item) {
    const auto name = item.is_object() ? string_or(item, "Name") : scalar(item);
    if (name != k_language_extensions) fail(fmt::format("No transform named {} found.", name));
    transforms.push_back(name);
  };
  if (const auto* list = value->if_array()) {
    for (const auto& item : *list) add(item);
  } else {
    add(*value);
  }
  return transforms;
}

Json policy_member(const JsonObject& object, std::string_view key, bool functions_allowed,
                   std::string_view snapshots) {
  const auto* value = object.if_contains(key);
  if (!value) return nullptr;
  if (value->is_object() && functions_allowed) return *value;
  if (!value->is_string()) {
    fail(fmt::format("Template format error: Every {} member must be a string.", key));
  }
  const auto text = json_text(value->get_string());
  const bool once = key == "DeletionPolicy" && text == "RetainExceptOnCreate";
  if (text != "Delete" && text != "Retain" && text != snapshots && !once) {
    fail(fmt::format("Template format error: Unrecognized {} {}", key, text));
  }
  return *value;
}

ResourceDefinition read_resource(const std::string& id, const Json& value, bool functions) {
  if (!is_alphanumeric(id)) {
    fail(fmt::format("Template format error: Resource name {} is non alphanumeric.", id));
  }
  if (!value.is_object()) fail("Template format error: Any Resources member must be an object.");
  const auto& object = value.get_object();
  const auto* type = object.if_contains("Type");
  if (!type || !type->is_string()) {
    fail(fmt::format(
        "Template format error: [/Resources/{}] Every Resources object must contain a Type member.",
        id));
  }
  check_members(object,
                {"Type", "Properties", "DependsOn", "Condition", "Metadata", "DeletionPolicy",
                 "UpdateReplacePolicy", "CreationPolicy", "UpdatePolicy", "Description"},
                "Invalid template resource property");
  ResourceDefinition resource;
  resource.logical_id = id;
  resource.type = scalar(*type);
  if (const auto* properties = object.if_contains("Properties")) {
    if (!properties->is_object()) {
      fail(
          fmt::format("Template format error: [/Resources/{}/Properties] Properties must be an "
                      "object.",
                      id));
    }
    resource.properties = *properties;
  }
  const auto copy = [&](std::string_view key, Json& to) {
    if (const auto* member = object.if_contains(key)) to = *member;
  };
  copy("Metadata", resource.metadata);
  copy("CreationPolicy", resource.creation_policy);
  copy("UpdatePolicy", resource.update_policy);
  resource.deletion_policy = policy_member(object, "DeletionPolicy", functions, "Snapshot");
  resource.update_replace_policy =
      policy_member(object, "UpdateReplacePolicy", functions, "Snapshot");
  if (const auto* condition = object.if_contains("Condition")) {
    if (!condition->is_string()) {
      fail("Template format error: Every Condition member must be a string.");
    }
    resource.condition = scalar(*condition);
  }
  if (const auto* depends = object.if_contains("DependsOn")) {
    if (depends->is_string()) {
      resource.depends_on.push_back(scalar(*depends));
    } else if (depends->is_array()) {
      for (const auto& item : depends->get_array()) {
        if (!item.is_string()) {
          fail("Template format error: Every DependsOn value must be a string.");
        }
        resource.depends_on.push_back(scalar(item));
      }
    } else {
      fail("Template format error: DependsOn must be a string or list of strings.");
    }
  }
  return resource;
}

OutputDefinition read_output(const std::string& name, const Json& value) {
  if (!is_alphanumeric(name)) {
    fail(fmt::format("Template format error: Output name {} is non alphanumeric.", name));
  }
  if (!value.is_object() || !find_member(value, "Value")) {
    fail("Template format error: Every Outputs member must contain a Value object");
  }
  check_members(value.get_object(), {"Value", "Description", "Export", "Condition"},
                "Template format error: Invalid template output property");
  OutputDefinition output;
  output.name = name;
  output.value = *find_member(value, "Value");
  output.description = string_or(value, "Description");
  output.condition = string_or(value, "Condition");
  if (const Json* exported = find_member(value, "Export")) {
    const Json* exported_name = find_member(*exported, "Name");
    if (!exported_name) {
      fail("Template format error: Output " + name + " is malformed: Export needs a Name");
    }
    output.export_name = *exported_name;
  }
  return output;
}

RuleDefinition read_rule(const std::string& name, const Json& value) {
  RuleDefinition rule;
  rule.name = name;
  if (const Json* condition = find_member(value, "RuleCondition")) rule.condition = *condition;
  const Json* assertions = find_member(value, "Assertions");
  if (!assertions || !assertions->is_array()) {
    fail("Template format error: Rule " + name + " must contain a list of Assertions.");
  }
  for (const auto& item : assertions->get_array()) {
    const Json* assertion = find_member(item, "Assert");
    if (!assertion)
      fail("Template format error: Rule " + name + " has an assertion without Assert.");
    rule.assertions.push_back({*assertion, string_or(item, "AssertDescription")});
  }
  return rule;
}

void check_mappings(const JsonObject& mappings) {
  for (const auto& [name, map] : mappings) {
    const bool valid =
        map.is_object() && std::all_of(map.get_object().begin(), map.get_object().end(),
                                       [](const auto& entry) { return entry.value().is_object(); });
    if (!valid) {
      fail(
          fmt::format("Template format error: Every Mappings attribute must be a String or a List. "
                      "(mapping {})",
                      std::string_view(name)));
    }
  }
}

std::string bracketed(const std::vector<std::string>& names) {
  return "[" + join(names, ", ") + "]";
}

void add_once(std::vector<std::string>& names, const std::string& name) {
  if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
}

// Every Ref, Fn::GetAtt and Fn::Sub of `value` names something that exists.
void check_references(const Template& whole, const Json& value, std::string_view block) {
  std::vector<std::string> unresolved;
  for_each_reference(value, [&](const Reference& reference) {
    if (reference.kind == Reference::Kind::condition) {
      if (reference.in_if && !whole.conditions.contains(reference.name)) {
        fail(fmt::format(
            "Template format error: Unresolved condition dependency {} in the {} block of the "
            "template",
            reference.name, block));
      }
      return;
    }
    if (is_pseudo_parameter(reference.name)) return;
    const bool resource = whole.resource(reference.name) != nullptr;
    if (reference.kind == Reference::Kind::attribute) {
      if (!resource && reference.in_sub) add_once(unresolved, reference.name);
      if (!resource && !reference.in_sub) {
        fail("Template error: instance of Fn::GetAtt references undefined resource " +
             reference.name);
      }
      return;
    }
    if (!resource && !whole.parameter(reference.name)) add_once(unresolved, reference.name);
  });
  if (!unresolved.empty()) {
    fail(
        fmt::format("Template format error: Unresolved resource dependencies {} in the {} block of "
                    "the template",
                    bracketed(unresolved), block));
  }
}

void check_conditions(const Template& whole) {
  for (const auto& [name, value] : whole.conditions) {
    std::vector<std::string> resources;
    for_each_reference(value, [&](const Reference& reference) {
      if (reference.kind == Reference::Kind::condition) {
        if (!whole.conditions.contains(reference.name)) {
          fail(
              fmt::format("Template format error: Unresolved condition dependency {} in the "
                          "Conditions block of the template",
                          reference.name));
        }
        return;
      }
      if (is_pseudo_parameter(reference.name) || whole.parameter(reference.name)) return;
      add_once(resources, reference.name);
    });
    if (!resources.empty()) {
      fail(
          fmt::format("Template format error: Unresolved dependencies {}. Cannot reference "
                      "resources in the Conditions block of the template",
                      bracketed(resources)));
    }
  }
}

void check_condition_name(const Template& whole, const std::string& name, std::string_view block) {
  if (name.empty() || whole.conditions.contains(name)) return;
  fail(
      fmt::format("Template format error: Unresolved condition dependency {} in the {} block of "
                  "the template",
                  name, block));
}

void check_whole(const Template& whole) {
  check_conditions(whole);
  std::vector<std::string> missing;
  for (const auto& resource : whole.resources) {
    check_condition_name(whole, resource.condition, "Resources");
    for (const auto& dependency : resource.depends_on) {
      if (!whole.resource(dependency)) add_once(missing, dependency);
    }
  }
  if (!missing.empty()) {
    fail(
        fmt::format("Template format error: Unresolved resource dependencies {} in the Resources "
                    "block of the template",
                    bracketed(missing)));
  }
  for (const auto& resource : whole.resources) {
    check_references(whole, resource.properties, "Resources");
  }
  for (const auto& output : whole.outputs) {
    check_condition_name(whole, output.condition, "Outputs");
    check_references(whole, output.value, "Outputs");
    check_references(whole, output.export_name, "Outputs");
  }
}

void read_head(const Json& value, Template& out) {
  out.transforms = read_transforms(value);
  const auto& parameters = section(value, "Parameters");
  check_count("parameters", parameters.size(), k_parameters_max);
  for (const auto& [name, definition] : parameters) {
    out.parameters.push_back(read_parameter(std::string(name), definition));
  }
}

}  // namespace

bool ParameterDefinition::is_list() const {
  const auto inner = ssm_value_type();
  const std::string_view effective = inner.empty() ? std::string_view(type) : inner;
  return effective == "CommaDelimitedList" || effective.starts_with("List<");
}

bool ParameterDefinition::is_number() const { return type == "Number" || type == "List<Number>"; }

std::string ParameterDefinition::ssm_value_type() const {
  constexpr std::string_view k_prefix = "AWS::SSM::Parameter::Value<";
  if (!type.starts_with(k_prefix)) return {};
  return type.substr(k_prefix.size(), type.size() - k_prefix.size() - 1);
}

const ParameterDefinition* Template::parameter(std::string_view name) const {
  const auto it = std::find_if(parameters.begin(), parameters.end(),
                               [&](const auto& item) { return item.name == name; });
  return it == parameters.end() ? nullptr : &*it;
}

const ResourceDefinition* Template::resource(std::string_view logical_id) const {
  const auto it = std::find_if(resources.begin(), resources.end(),
                               [&](const auto& item) { return item.logical_id == logical_id; });
  return it == resources.end() ? nullptr : &*it;
}

bool Template::has_transform(std::string_view name) const {
  return std::find(transforms.begin(), transforms.end(), name) != transforms.end();
}

Template read_template_head(const Json& value) {
  Template out;
  read_head(value, out);
  return out;
}

Template read_template(const Json& value) {
  static constexpr std::array<std::string_view, 12> k_sections = {"AWSTemplateFormatVersion",
                                                                  "Description",
                                                                  "Metadata",
                                                                  "Parameters",
                                                                  "Mappings",
                                                                  "Conditions",
                                                                  "Transform",
                                                                  "Resources",
                                                                  "Outputs",
                                                                  "Rules",
                                                                  "Hooks",
                                                                  "Globals"};
  std::vector<std::string> unknown;
  for (const auto& [key, member] : value.get_object()) {
    const bool known =
        std::find(k_sections.begin(), k_sections.end(), std::string_view(key)) != k_sections.end();
    if (!known) unknown.emplace_back(key);
    if (key == "Hooks") fail("Template format error: Hooks are not supported.");
  }
  if (!unknown.empty()) {
    fail("Invalid template property or properties " + bracketed(unknown));
  }
  Template out;
  read_head(value, out);
  refuse_nulls(value, "");
  if (find_member(value, "Globals")) fail("Invalid template property or properties [Globals]");
  if (const Json* version = find_member(value, "AWSTemplateFormatVersion")) {
    out.format_version = scalar(*version);
    if (out.format_version != "2010-09-09") {
      fail("Template format error: Unsupported AWSTemplateFormatVersion " + out.format_version);
    }
  }
  if (const Json* description = find_member(value, "Description")) {
    if (!description->is_string()) {
      fail("Template format error: Every Description member must be a string.");
    }
    out.description = scalar(*description);
    if (out.description.size() > k_description_bytes_max) {
      fail(fmt::format("Template format error: 'Description' length is greater than {}.",
                       k_description_bytes_max));
    }
  }
  if (const Json* metadata = find_member(value, "Metadata")) out.metadata = *metadata;
  out.mappings = section(value, "Mappings");
  check_count("mappings", out.mappings.size(), k_mappings_max);
  check_mappings(out.mappings);
  out.conditions = section(value, "Conditions");
  const auto& resources = section(value, "Resources");
  if (resources.empty()) {
    fail("Template format error: At least one Resources member must be defined.");
  }
  check_count("resources", resources.size(), k_resources_max);
  const bool functions = out.has_transform(k_language_extensions);
  for (const auto& [id, definition] : resources) {
    out.resources.push_back(read_resource(std::string(id), definition, functions));
  }
  const auto& outputs = section(value, "Outputs");
  check_count("outputs", outputs.size(), k_outputs_max);
  for (const auto& [name, definition] : outputs) {
    out.outputs.push_back(read_output(std::string(name), definition));
  }
  for (const auto& [name, definition] : section(value, "Rules")) {
    out.rules.push_back(read_rule(std::string(name), definition));
  }
  check_whole(out);
  return out;
}

}  // namespace tarn::cloudformation
