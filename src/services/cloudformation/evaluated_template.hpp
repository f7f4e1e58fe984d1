// SPDX-License-Identifier: Apache-2.0
// A template under given parameters: conditions decided, resources that exist, their properties
// with functions of other resources left in place, their dependencies.
//
// This is what change sets compare and what orders a stack operation. Made by a pure function;
// immutable afterwards.
#pragma once
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "services/cloudformation/dependency_graph.hpp"
#include "services/cloudformation/intrinsics.hpp"
#include "services/cloudformation/parameters.hpp"
#include "services/cloudformation/template.hpp"
#include "services/cloudformation/type_description.hpp"

namespace tarn::cloudformation {

struct EvaluatedResource {
  std::string logical_id, type;
  Json properties;  // evaluated as far as possible
  Json metadata, creation_policy, update_policy;
  std::string deletion_policy = "Delete", update_replace_policy = "Delete";
};

struct EvaluatedOutput {
  std::string name, description;
  Json value, export_name;
};

struct EvaluatedTemplate {
  std::map<std::string, bool> conditions;
  std::vector<EvaluatedResource> resources;
  std::vector<EvaluatedOutput> outputs;
  DependencyGraph graph;

  const EvaluatedResource* resource(std::string_view logical_id) const;
};

// Text to template: loops expanded with the parameters' values (or defaults).
Template load_template(std::string_view text, const std::vector<ParameterInput>& inputs = {},
                       const std::vector<ParameterValue>& previous = {});

// Decides conditions, checks rules and references to resources that do not exist, orders, refuses
// circles. `surroundings.ref/attribute/import_value` are ignored.
EvaluatedTemplate evaluate_template(const Template& whole, const Surroundings& surroundings);

// Types exist, properties are supported and well-formed, attributes exist. Throws TemplateError.
void check_types(const EvaluatedTemplate& evaluated, const TypeCatalog& catalog);

// The capabilities that the template needs and `given` lacks, with the logical ids that need them:
// CAPABILITY_IAM or CAPABILITY_NAMED_IAM. CAPABILITY_NAMED_IAM includes CAPABILITY_IAM.
struct NeededCapabilities {
  std::vector<std::string> capabilities;
  std::string reason;
};
NeededCapabilities needed_capabilities(const EvaluatedTemplate& evaluated);

}  // namespace tarn::cloudformation
