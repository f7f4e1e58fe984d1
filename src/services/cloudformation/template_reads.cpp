// SPDX-License-Identifier: Apache-2.0
// The operations that tell of templates.
#include <algorithm>
#include <set>

#include "aws/error.hpp"
#include "base/strings.hpp"
#include "services/cloudformation/references.hpp"
#include "services/cloudformation/service.hpp"
#include "services/cloudformation/sources.hpp"

namespace tarn::cloudformation {
namespace {

std::optional<std::string> some(const std::string& text) {
  return text.empty() ? std::nullopt : std::optional(text);
}

// Capabilities by types alone: conditions have no values here.
NeededCapabilities capabilities_of(const Template& whole) {
  EvaluatedTemplate all;
  for (const auto& definition : whole.resources) {
    EvaluatedResource resource;
    resource.logical_id = definition.logical_id;
    resource.type = definition.type;
    resource.properties = definition.properties;
    all.resources.push_back(std::move(resource));
  }
  return needed_capabilities(all);
}

template <class Load>
auto refusing(Load load) {
  try {
    return load();
  } catch (const TemplateError& error) {
    throw_validation(error.what());
  }
}

ParameterDeclaration declare(const ParameterDefinition& definition) {
  ParameterDeclaration declaration;
  declaration.parameter_key = definition.name;
  declaration.default_value = definition.fallback;
  declaration.parameter_type = definition.type;
  declaration.no_echo = definition.no_echo;
  declaration.description = some(definition.description);
  ParameterConstraints constraints;
  if (!definition.allowed_values.empty()) constraints.allowed_values = definition.allowed_values;
  declaration.parameter_constraints = std::move(constraints);
  return declaration;
}

}  // namespace

GetTemplateOutput CloudFormation::get_template(Call& call, const GetTemplateInput& in) {
  auto txn = environment_.store.begin(call.scope());
  GetTemplateOutput out;
  if (in.change_set_name) {
    out.template_body = find_change_set(txn, *in.change_set_name, in.stack_name).template_text;
  } else {
    if (!in.stack_name) throw_validation("StackName or ChangeSetName must be specified");
    const auto stack = require_stack(txn, *in.stack_name);
    out.template_body = template_text(txn, stack.id, stack.inputs.template_version);
  }
  // No transform changes a text for good, so both stages are the same.
  out.stages_available = {"Original", "Processed"};
  return out;
}

Task<GetTemplateSummaryOutput> CloudFormation::summarize_template(CallPtr call,
                                                                  GetTemplateSummaryInput in) {
  if (in.stack_set_name) throw_validation("StackSetName is not supported by Tarn");
  std::string text;
  if (in.stack_name) {
    if (in.template_body || in.template_url) {
      throw_validation("Only one of StackName, TemplateBody and TemplateURL may be specified.");
    }
    text = environment_.store.transact(call->scope(), [&](kernel::Txn& txn) {
      const auto stack = require_stack(txn, *in.stack_name);
      return template_text(txn, stack.id, stack.inputs.template_version);
    });
  } else {
    auto source = read_template_source(call, in.template_body, in.template_url);
    text = co_await source;
  }
  const auto whole = refusing([&] { return load_template(text); });
  GetTemplateSummaryOutput out;
  out.parameters.emplace();
  for (const auto& definition : whole.parameters) out.parameters->push_back(declare(definition));
  out.description = some(whole.description);
  const auto needed = capabilities_of(whole);
  if (!needed.capabilities.empty()) {
    out.capabilities = needed.capabilities;
    out.capabilities_reason = needed.reason;
  }
  std::set<std::string> types;
  for (const auto& resource : whole.resources) types.insert(resource.type);
  out.resource_types = std::vector<std::string>(types.begin(), types.end());
  out.version = some(whole.format_version);
  if (!whole.metadata.is_null()) out.metadata = dump_json(whole.metadata);
  if (!whole.transforms.empty()) out.declared_transforms = whole.transforms;
  if (in.template_summary_config &&
      in.template_summary_config->treat_unrecognized_resource_types_as_warnings.value_or(false)) {
    std::vector<std::string> unknown;
    for (const auto& type : types) {
      if (!types_->find(type)) unknown.push_back(type);
    }
    if (!unknown.empty()) out.warnings = Warnings{.unrecognized_resource_types = unknown};
  }
  co_return out;
}

Task<ValidateTemplateOutput> CloudFormation::validate_template(CallPtr call,
                                                               ValidateTemplateInput in) {
  auto source = read_template_source(call, in.template_body, in.template_url);
  const std::string text = co_await source;
  const auto whole = refusing([&] { return load_template(text); });
  ValidateTemplateOutput out;
  out.parameters.emplace();
  for (const auto& definition : whole.parameters) {
    TemplateParameter parameter;
    parameter.parameter_key = definition.name;
    parameter.default_value = definition.fallback;
    parameter.no_echo = definition.no_echo;
    parameter.description = some(definition.description);
    out.parameters->push_back(std::move(parameter));
  }
  out.description = some(whole.description);
  const auto needed = capabilities_of(whole);
  if (!needed.capabilities.empty()) {
    out.capabilities = needed.capabilities;
    out.capabilities_reason = needed.reason;
  }
  if (!whole.transforms.empty()) out.declared_transforms = whole.transforms;
  co_return out;
}

}  // namespace tarn::cloudformation
