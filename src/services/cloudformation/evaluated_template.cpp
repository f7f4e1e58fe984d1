// SPDX-License-Identifier: Apache-2.0
#include "services/cloudformation/evaluated_template.hpp"

#include <algorithm>

#include "base/strings.hpp"
#include "services/cloudformation/for_each.hpp"
#include "services/cloudformation/references.hpp"

namespace tarn::cloudformation {
namespace {

[[noreturn]] void fail(std::string message) { throw TemplateError(std::move(message)); }

void add_once(std::vector<std::string>& names, const std::string& name) {
  if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
}

// Functions of resources that the conditions left out.
void check_left_out(const EvaluatedTemplate& evaluated, const Json& value,
                    std::vector<std::string>& unresolved) {
  for_each_reference(value, [&](const Reference& reference) {
    if (reference.kind == Reference::Kind::condition) return;
    if (!evaluated.resource(reference.name)) add_once(unresolved, reference.name);
  });
}

void refuse_unresolved(const std::vector<std::string>& unresolved, std::string_view block) {
  if (unresolved.empty()) return;
  fail(
      fmt::format("Template format error: Unresolved resource dependencies [{}] in the {} block of "
                  "the template",
                  join(unresolved, ", "), block));
}

std::string policy_text(Evaluator& evaluator, const Json& policy) {
  if (policy.is_null()) return "Delete";
  const auto text = scalar_text(evaluator.evaluate(policy));
  if (!text) fail("Template format error: Every DeletionPolicy member must evaluate to a string.");
  return *text;
}

EvaluatedResource evaluate_resource(Evaluator& evaluator, const ResourceDefinition& definition) {
  EvaluatedResource resource;
  resource.logical_id = definition.logical_id;
  resource.type = definition.type;
  resource.properties = evaluator.evaluate(definition.properties);
  // Metadata may hold anything that looks like a function; it is informative only.
  resource.metadata = definition.metadata;
  resource.creation_policy = evaluator.evaluate(definition.creation_policy);
  resource.update_policy = evaluator.evaluate(definition.update_policy);
  resource.deletion_policy = policy_text(evaluator, definition.deletion_policy);
  resource.update_replace_policy = policy_text(evaluator, definition.update_replace_policy);
  return resource;
}

void add_dependencies(const Template& whole, const EvaluatedResource& resource,
                      EvaluatedTemplate& out) {
  out.graph.add(resource.logical_id);
  for (const auto& dependency : whole.resource(resource.logical_id)->depends_on) {
    if (out.resource(dependency)) out.graph.add(resource.logical_id, dependency);
  }
  for_each_reference(resource.properties, [&](const Reference& reference) {
    if (reference.kind == Reference::Kind::condition) return;
    out.graph.add(resource.logical_id, reference.name);
  });
}

}  // namespace

const EvaluatedResource* EvaluatedTemplate::resource(std::string_view logical_id) const {
  const auto it = std::find_if(resources.begin(), resources.end(),
                               [&](const auto& item) { return item.logical_id == logical_id; });
  return it == resources.end() ? nullptr : &*it;
}

Template load_template(std::string_view text, const std::vector<ParameterInput>& inputs,
                       const std::vector<ParameterValue>& previous) {
  const Json value = parse_template_text(text);
  const bool loops = has_loops(value);
  if (!loops && !has_computed_names(value)) return read_template(value);
  const Template head = read_template_head(value);
  if (!head.has_transform(k_language_extensions)) {
    if (!loops) return read_template(value);
    fail("Template error: Fn::ForEach needs the transform AWS::LanguageExtensions");
  }
  Template for_values = head;
  if (const Json* mappings = find_member(value, "Mappings"); mappings && mappings->is_object()) {
    for_values.mappings = mappings->get_object();
  }
  Surroundings surroundings;
  for (const auto& definition : head.parameters) {
    // What has no value yet has an empty one here; choose_parameters refuses it later, by name.
    ParameterInput chosen{definition.name, definition.fallback.value_or(""), false};
    for (const auto& before : previous) {
      const bool wanted = std::any_of(inputs.begin(), inputs.end(), [&](const auto& input) {
        return input.name == before.name && input.use_previous_value;
      });
      if (before.name == definition.name && wanted) chosen.value = before.text;
    }
    for (const auto& input : inputs) {
      if (input.name == definition.name && input.value) chosen.value = input.value;
    }
    Template one;
    one.parameters.push_back(definition);
    one.parameters.back().allowed_values.clear();
    auto bound = bind_parameters(one, {{chosen.name, *chosen.value, *chosen.value, false}});
    surroundings.parameters.merge(bound);
  }
  Evaluator evaluator(for_values, surroundings);
  const auto evaluate = [&](const Json& function) { return evaluator.evaluate(function); };
  return read_template(compute_names(expand_loops(value, evaluate), evaluate));
}

EvaluatedTemplate evaluate_template(const Template& whole, const Surroundings& surroundings) {
  Surroundings known = surroundings;
  known.ref = nullptr;
  known.attribute = nullptr;
  known.import_value = nullptr;
  Evaluator evaluator(whole, known);
  EvaluatedTemplate out;
  out.conditions = evaluator.conditions();
  evaluator.check_rules();
  for (const auto& definition : whole.resources) {
    if (!definition.condition.empty() && !out.conditions.at(definition.condition)) continue;
    out.resources.push_back(evaluate_resource(evaluator, definition));
  }
  if (out.resources.empty()) {
    fail("Template format error: At least one Resources member must be defined.");
  }
  std::vector<std::string> unresolved;
  for (const auto& resource : out.resources) check_left_out(out, resource.properties, unresolved);
  refuse_unresolved(unresolved, "Resources");
  for (const auto& definition : whole.outputs) {
    if (!definition.condition.empty() && !out.conditions.at(definition.condition)) continue;
    EvaluatedOutput output{definition.name, definition.description, {}, {}};
    output.value = evaluator.evaluate(definition.value);
    output.export_name = evaluator.evaluate(definition.export_name);
    const bool list = output.value.is_array();
    if (list || (output.value.is_object() && !is_function(output.value))) {
      fail(
          fmt::format("Template format error: Output {} is malformed. The Value field of every "
                      "Outputs member must evaluate to a String and not a {}.",
                      definition.name, list ? "List" : "Map"));
    }
    check_left_out(out, output.value, unresolved);
    check_left_out(out, output.export_name, unresolved);
    out.outputs.push_back(std::move(output));
  }
  refuse_unresolved(unresolved, "Outputs");
  for (const auto& resource : out.resources) add_dependencies(whole, resource, out);
  out.graph.check_acyclic();
  return out;
}

void check_types(const EvaluatedTemplate& evaluated, const TypeCatalog& catalog) {
  std::vector<std::string> unknown;
  for (const auto& resource : evaluated.resources) {
    if (!catalog(resource.type)) add_once(unknown, resource.type);
  }
  if (!unknown.empty()) {
    fail("Template format error: Unrecognized resource types: [" + join(unknown, ", ") + "]");
  }
  const auto check_attributes = [&](const Json& value) {
    for_each_reference(value, [&](const Reference& reference) {
      if (reference.kind != Reference::Kind::attribute || reference.attribute.empty()) return;
      const auto* target = evaluated.resource(reference.name);
      if (!target || may_have_attribute(*catalog(target->type), reference.attribute)) return;
      fail(fmt::format(
          "Template error: resource {} does not support attribute type {} in Fn::GetAtt",
          reference.name, reference.attribute));
    });
  };
  for (const auto& resource : evaluated.resources) {
    check_properties(*catalog(resource.type), resource.logical_id, resource.properties);
    check_attributes(resource.properties);
  }
  for (const auto& output : evaluated.outputs) check_attributes(output.value);
}

NeededCapabilities needed_capabilities(const EvaluatedTemplate& evaluated) {
  static const std::map<std::string, std::string, std::less<>> k_name_of = {
      {"AWS::IAM::Role", "RoleName"},
      {"AWS::IAM::User", "UserName"},
      {"AWS::IAM::Group", "GroupName"},
      {"AWS::IAM::ManagedPolicy", "ManagedPolicyName"},
      {"AWS::IAM::InstanceProfile", "InstanceProfileName"},
      {"AWS::IAM::AccessKey", ""},
      {"AWS::IAM::Policy", ""},
      {"AWS::IAM::RolePolicy", ""},
      {"AWS::IAM::UserPolicy", ""},
      {"AWS::IAM::GroupPolicy", ""},
      {"AWS::IAM::UserToGroupAddition", ""}};
  bool any = false;
  bool named = false;
  std::vector<std::string> types;
  for (const auto& resource : evaluated.resources) {
    const auto it = k_name_of.find(resource.type);
    if (it == k_name_of.end()) continue;
    any = true;
    add_once(types, resource.type);
    if (!it->second.empty() && find_member(resource.properties, it->second)) named = true;
  }
  NeededCapabilities needed;
  if (any) needed.capabilities.push_back(named ? "CAPABILITY_NAMED_IAM" : "CAPABILITY_IAM");
  if (any) {
    needed.reason = "The following resource(s) require capabilities: [" + join(types, ", ") + "]";
  }
  return needed;
}

}  // namespace tarn::cloudformation
