// SPDX-License-Identifier: Apache-2.0
#include "services/cloudformation/difference.hpp"

#include <algorithm>

#include "base/strings.hpp"
#include "services/cloudformation/references.hpp"

namespace tarn::cloudformation {
namespace {

bool same(const Json* left, const Json* right) {
  if (!left || !right) return left == right;
  return json_equal(*left, *right);
}

std::optional<std::string> text_of(const Json* value) {
  if (!value) return std::nullopt;
  const auto text = scalar_text(*value);
  return text ? *text : dump_json(*value);
}

std::string_view policy_of_removal(const std::string& policy) {
  if (policy == "RetainExceptOnCreate") return "Retain";
  return policy;
}

// The parameter that a property's function takes its value from, if the template's text of the
// property is the same in both versions.
std::string changed_parameter(const StackVersion& before, const StackVersion& after,
                              const std::string& id, const std::string& property) {
  const auto* old_definition = before.whole->resource(id);
  const auto* new_definition = after.whole->resource(id);
  if (!old_definition || !new_definition) return {};
  const Json* old_value = find_member(old_definition->properties, property);
  const Json* new_value = find_member(new_definition->properties, property);
  if (!old_value || !new_value || !json_equal(*old_value, *new_value)) return {};
  std::string parameter;
  for_each_reference(*new_value, [&](const Reference& reference) {
    if (reference.kind == Reference::Kind::ref && after.whole->parameter(reference.name)) {
      parameter = reference.name;
    }
  });
  return parameter;
}

std::string replacement_of(const std::vector<ChangeDetail>& details) {
  bool conditional = false;
  for (const auto& detail : details) {
    if (detail.recreation == Recreation::always && !detail.dynamic) return "True";
    conditional = conditional || detail.recreation != Recreation::never;
  }
  return conditional ? "Conditional" : "False";
}

class Comparison {
 public:
  Comparison(const StackVersion& before, const StackVersion& after, const TypeCatalog& catalog)
      : before_(before),
        after_(after),
        catalog_(catalog) {}

  std::vector<PlannedChange> run() {
    refuse_changed_types();
    compare_resources();
    std::vector<PlannedChange> out;
    for (const auto& resource : after_.evaluated->resources) {
      const auto it = changes_.find(resource.logical_id);
      if (it != changes_.end()) out.push_back(std::move(it->second));
    }
    if (!before_.evaluated) return out;
    for (const auto& resource : before_.evaluated->resources) {
      if (after_.evaluated->resource(resource.logical_id)) continue;
      PlannedChange change;
      change.action = PlannedChange::Action::remove;
      change.logical_id = resource.logical_id;
      change.type = resource.type;
      change.policy_action = policy_of_removal(resource.deletion_policy);
      out.push_back(std::move(change));
    }
    return out;
  }

 private:
  const EvaluatedResource* old_resource(const std::string& id) const {
    return before_.evaluated ? before_.evaluated->resource(id) : nullptr;
  }

  void refuse_changed_types() const {
    std::vector<std::string> changed;
    for (const auto& resource : after_.evaluated->resources) {
      const auto* old = old_resource(resource.logical_id);
      if (old && old->type != resource.type) changed.push_back(resource.logical_id);
    }
    if (changed.empty()) return;
    throw TemplateError(
        "Update of resource type is not permitted. The new template modifies "
        "resource type of the following resources: [" +
        join(changed, ", ") + "]");
  }

  // Dependencies first, so that a change is known when those that refer to it are looked at.
  void compare_resources() {
    for (const auto& wave : after_.evaluated->graph.waves()) {
      for (const auto& id : wave) {
        const auto& resource = *after_.evaluated->resource(id);
        const auto* old = old_resource(id);
        if (!old) {
          PlannedChange change;
          change.logical_id = id;
          change.type = resource.type;
          changes_.emplace(id, std::move(change));
          continue;
        }
        compare_resource(*old, resource);
      }
    }
  }

  void compare_resource(const EvaluatedResource& old, const EvaluatedResource& now) {
    PlannedChange change;
    change.action = PlannedChange::Action::modify;
    change.logical_id = now.logical_id;
    change.type = now.type;
    compare_properties(old, now, change);
    const auto note = [&](const char* attribute, bool differs) {
      if (!differs) return;
      ChangeDetail detail;
      detail.attribute = attribute;
      detail.source = "DirectModification";
      change.details.push_back(std::move(detail));
    };
    note("Metadata", !json_equal(old.metadata, now.metadata));
    note("CreationPolicy", !json_equal(old.creation_policy, now.creation_policy));
    note("UpdatePolicy", !json_equal(old.update_policy, now.update_policy));
    note("DeletionPolicy", old.deletion_policy != now.deletion_policy);
    note("UpdateReplacePolicy", old.update_replace_policy != now.update_replace_policy);
    const auto* type = catalog_(now.type);
    note("Tags", before_.tags != after_.tags && type && find_member(type->schema, "tags"));
    if (change.details.empty()) return;
    for (const auto& detail : change.details) {
      if (std::find(change.scope.begin(), change.scope.end(), detail.attribute) ==
          change.scope.end()) {
        change.scope.push_back(detail.attribute);
      }
    }
    change.replacement = replacement_of(change.details);
    if (change.replacement == "True") {
      change.policy_action = now.update_replace_policy == "Retain"     ? "ReplaceAndRetain"
                             : now.update_replace_policy == "Snapshot" ? "ReplaceAndSnapshot"
                                                                       : "ReplaceAndDelete";
    }
    changes_.emplace(change.logical_id, std::move(change));
  }

  void compare_properties(const EvaluatedResource& old, const EvaluatedResource& now,
                          PlannedChange& change) {
    const auto* type = catalog_(now.type);
    const Json before = type ? convert_properties(*type, old.properties) : old.properties;
    const Json after = type ? convert_properties(*type, now.properties) : now.properties;
    for (const auto& name : changed_properties(before, after)) {
      ChangeDetail detail;
      detail.attribute = "Properties";
      detail.name = name;
      const Json* was = find_member(before, name);
      const Json* is = find_member(after, name);
      detail.recreation = type ? recreation_of(*type, name, was, is) : Recreation::never;
      detail.before = text_of(was);
      detail.after = text_of(is);
      detail.causing_entity = changed_parameter(before_, after_, now.logical_id, name);
      detail.source = detail.causing_entity.empty() ? "DirectModification" : "ParameterReference";
      change.details.push_back(std::move(detail));
    }
    for (const auto& [key, value] : after.get_object()) {
      add_dynamic_details(type, std::string(key), value, change);
    }
  }

  // A property that refers to a resource which changes may change, too.
  void add_dynamic_details(const TypeDescription* type, const std::string& name, const Json& value,
                           PlannedChange& change) {
    for_each_reference(value, [&](const Reference& reference) {
      if (reference.kind == Reference::Kind::condition) return;
      const auto it = changes_.find(reference.name);
      if (it == changes_.end() || it->second.action != PlannedChange::Action::modify) return;
      const bool attribute = reference.kind == Reference::Kind::attribute;
      if (it->second.replacement == "False" && !attribute) return;
      ChangeDetail detail;
      detail.attribute = "Properties";
      detail.name = name;
      detail.dynamic = true;
      detail.source = attribute ? "ResourceAttribute" : "ResourceReference";
      detail.causing_entity =
          attribute ? reference.name + "." + reference.attribute : reference.name;
      detail.recreation = type ? recreation_of(*type, name, &value, &value) : Recreation::never;
      const bool known =
          std::any_of(change.details.begin(), change.details.end(), [&](const ChangeDetail& other) {
            return other.name == name && other.causing_entity == detail.causing_entity;
          });
      if (!known) change.details.push_back(std::move(detail));
    });
  }

  const StackVersion& before_;
  const StackVersion& after_;
  const TypeCatalog& catalog_;
  std::map<std::string, PlannedChange> changes_;
};

}  // namespace

std::vector<PlannedChange> compare(const StackVersion& before, const StackVersion& after,
                                   const TypeCatalog& catalog) {
  return Comparison(before, after, catalog).run();
}

std::vector<std::string> changed_properties(const Json& before, const Json& after) {
  std::vector<std::string> names;
  for (const auto& [key, value] : after.get_object()) {
    if (!same(find_member(before, key), &value)) names.emplace_back(key);
  }
  for (const auto& [key, value] : before.get_object()) {
    if (!find_member(after, key)) names.emplace_back(key);
  }
  return names;
}

bool needs_replacement(const TypeDescription& type, const Json& before, const Json& after) {
  const auto names = changed_properties(before, after);
  return std::any_of(names.begin(), names.end(), [&](const std::string& name) {
    return recreation_of(type, name, find_member(before, name), find_member(after, name)) ==
           Recreation::always;
  });
}

}  // namespace tarn::cloudformation
