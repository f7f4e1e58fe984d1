// SPDX-License-Identifier: Apache-2.0
// What changes between two versions of a stack, as DescribeChangeSet tells it.
//
// Both versions are compared with the functions of resources left in place: a property changes
// statically when its evaluated text differs, and dynamically when it refers to a resource that
// changes. Pure.
#pragma once
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "services/cloudformation/evaluated_template.hpp"

namespace tarn::cloudformation {

struct ChangeDetail {
  std::string attribute;  // Properties, Metadata, DeletionPolicy, UpdateReplacePolicy, Tags, …
  std::string name;       // of the property
  Recreation recreation = Recreation::never;
  bool dynamic = false;        // Evaluation: Dynamic
  std::string source;          // DirectModification, ParameterReference, ResourceReference, …
  std::string causing_entity;  // parameter, resource, or resource.attribute
  std::optional<std::string> before, after;
};

struct PlannedChange {
  enum class Action { add, modify, remove };
  Action action = Action::add;
  std::string logical_id, type;
  std::string policy_action;  // Delete, Retain, Snapshot, ReplaceAndDelete, …
  // For modify.
  std::string replacement;  // True, False, Conditional
  std::vector<std::string> scope;
  std::vector<ChangeDetail> details;
};

// The version that a stack has: null where the stack does not exist yet. `whole` is unevaluated, to
// tell a changed parameter from a changed template.
struct StackVersion {
  const Template* whole = nullptr;
  const EvaluatedTemplate* evaluated = nullptr;
  std::map<std::string, std::string> tags;
};

// Order: additions and changes as in the new template, then removals. Throws TemplateError when a
// resource changes its type.
std::vector<PlannedChange> compare(const StackVersion& before, const StackVersion& after,
                                   const TypeCatalog& catalog);

// The names of top-level properties that differ, of concrete values.
std::vector<std::string> changed_properties(const Json& before, const Json& after);
// Whether going from one to the other in place is impossible.
bool needs_replacement(const TypeDescription& type, const Json& before, const Json& after);

}  // namespace tarn::cloudformation
