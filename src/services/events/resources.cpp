// SPDX-License-Identifier: Apache-2.0
// AWS::Events::Rule, AWS::Events::EventBus and AWS::Events::EventBusPolicy.
#include <algorithm>

#include <fmt/format.h>

#include "aws/codec.hpp"
#include "aws/events/errors.hpp"
#include "aws/events/service.hpp"
#include "platform/operation_resource.hpp"
#include "services/events/service.hpp"

namespace tarn::events {
namespace {

using platform::ResourceFacts;
using platform::ResourceRequest;

std::string bus_of(const Json& properties) {
  return bus_name_of(find_string(properties, "EventBusName"));
}

// Templates write "AwsVpcConfiguration" where the API has "awsvpcConfiguration".
Json api_shaped(Json value) {
  if (auto* object = value.if_object()) {
    JsonObject out;
    for (auto& member : *object) {
      const std::string_view key(member.key());
      out[key == "AwsVpcConfiguration" ? "awsvpcConfiguration" : key] =
          api_shaped(std::move(member.value()));
    }
    return out;
  }
  if (auto* items = value.if_array()) {
    for (Json& item : *items) item = api_shaped(std::move(item));
  }
  return value;
}

std::vector<Target> targets_of(const Json& properties) {
  std::vector<Target> targets;
  const Json* list = find_member(properties, "Targets");
  if (!list || !list->is_array()) return targets;
  aws::JsonStyle style;
  style.lenient = true;  // numbers and flags may be text
  for (const Json& item : list->get_array()) {
    const Json shaped = api_shaped(item);
    aws::decode_json(aws::shape_of<Target>(), shaped, &targets.emplace_back(), style,
                     &service_model());
  }
  return targets;
}

// Its physical id is the rule's name, or "bus|name" on another bus than the default.
class RuleType : public platform::OperationResource {
 public:
  RuleType()
      : OperationResource(
            {.name = "AWS::Events::Rule",
             .properties = {"Name", "Description", "EventBusName", "EventPattern", "RoleArn",
                            "ScheduleExpression", "State", "Targets", "Tags"},
             .replacing = {"Name", "EventBusName"},
             .name_property = "Name",
             .name_length_max = 64,
             .gone = {"ResourceNotFoundException"}}) {}

 protected:
  Task<void> make(ResourceRequest& request) const override {
    PutRuleInput in;
    in.name = rule_name(request);
    in.event_bus_name = bus_of(request.properties);
    in.description = find_string(request.properties, "Description");
    in.role_arn = find_string(request.properties, "RoleArn");
    in.schedule_expression = find_string(request.properties, "ScheduleExpression");
    in.state = find_string(request.properties, "State");
    const std::string pattern = platform::document_text(request.properties, "EventPattern");
    if (!pattern.empty()) in.event_pattern = pattern;
    in.tags = platform::tag_shapes<Tag>(platform::wanted_tags(request));
    co_await request.call->invoke<PutRule>(std::move(in));
    const std::string bus = bus_of(request.properties);
    const std::string name = rule_name(request);
    request.physical_id = bus == k_default_bus ? name : bus + "|" + name;
  }

  Task<JsonObject> settle(ResourceRequest& request) const override {
    if (!request.previous_properties.is_object() ||
        !request.previous_properties.get_object().empty()) {
      co_await make(request);  // an update: putting again replaces
    }
    const auto targets = targets_of(request.properties);
    std::vector<std::string> dropped;
    for (const auto& old : targets_of(request.previous_properties)) {
      const bool kept = std::any_of(targets.begin(), targets.end(),
                                    [&](const Target& t) { return t.id == old.id; });
      if (!kept) dropped.push_back(old.id);
    }
    if (!dropped.empty()) {
      RemoveTargetsInput remove;
      remove.rule = rule_name(request);
      remove.event_bus_name = bus_of(request.properties);
      remove.ids = std::move(dropped);
      co_await request.call->invoke<RemoveTargets>(std::move(remove));
    }
    if (!targets.empty()) {
      PutTargetsInput put;
      put.rule = rule_name(request);
      put.event_bus_name = bus_of(request.properties);
      put.targets = targets;
      co_await request.call->invoke<PutTargets>(std::move(put));
    }
    JsonObject attributes;
    attributes["Arn"] =
        rule_arn(request.call->scope(), bus_of(request.properties), rule_name(request));
    co_return attributes;
  }

  Task<void> erase(ResourceRequest& request) const override {
    const std::string bus = bus_of(request.properties);
    const std::string name = rule_name(request);
    ListTargetsByRuleInput list;
    list.rule = name;
    list.event_bus_name = bus;
    const auto out = co_await request.call->invoke<ListTargetsByRule>(std::move(list));
    RemoveTargetsInput remove;
    remove.rule = name;
    remove.event_bus_name = bus;
    if (out.targets) {
      for (const auto& target : *out.targets) remove.ids.push_back(target.id);
    }
    if (!remove.ids.empty()) co_await request.call->invoke<RemoveTargets>(std::move(remove));
    DeleteRuleInput in;
    in.name = name;
    in.event_bus_name = bus;
    co_await request.call->invoke<DeleteRule>(std::move(in));
  }

 private:
  static std::string rule_name(const ResourceRequest& request) {
    return request.physical_id.substr(request.physical_id.find('|') + 1);
  }
};

class EventBusType : public platform::OperationResource {
 public:
  EventBusType()
      : OperationResource({.name = "AWS::Events::EventBus",
                           .properties = {"Name", "Description", "KmsKeyIdentifier", "Policy",
                                          "DeadLetterConfig", "Tags"},
                           .replacing = {"Name"},
                           .required = {"Name"},
                           .name_property = "Name",
                           .name_length_max = 256,
                           .exists = {"ResourceAlreadyExistsException"},
                           .gone = {"ResourceNotFoundException"}}) {}

 protected:
  // What is the same to make and to change.
  template <class Input>
  static void fill(Input& in, const Json& properties) {
    in.description = find_string(properties, "Description");
    in.kms_key_identifier = find_string(properties, "KmsKeyIdentifier");
    if (const Json* config = find_member(properties, "DeadLetterConfig")) {
      in.dead_letter_config = DeadLetterConfig{find_string(*config, "Arn")};
    }
  }

  Task<void> make(ResourceRequest& request) const override {
    CreateEventBusInput in;
    in.name = request.physical_id;
    fill(in, request.properties);
    in.tags = platform::tag_shapes<Tag>(platform::wanted_tags(request));
    co_await request.call->invoke<CreateEventBus>(std::move(in));
  }

  Task<JsonObject> settle(ResourceRequest& request) const override {
    const auto* before_all = request.previous_properties.if_object();
    if (before_all && !before_all->empty()) {
      UpdateEventBusInput in;
      in.name = request.physical_id;
      fill(in, request.properties);
      co_await request.call->invoke<UpdateEventBus>(std::move(in));
    }
    const std::string policy = platform::document_text(request.properties, "Policy");
    const std::string before = platform::document_text(request.previous_properties, "Policy");
    if (!policy.empty()) {
      PutPermissionInput in;
      in.event_bus_name = request.physical_id;
      in.policy = policy;
      co_await request.call->invoke<PutPermission>(std::move(in));
    } else if (!before.empty()) {
      RemovePermissionInput in;
      in.event_bus_name = request.physical_id;
      in.remove_all_permissions = true;
      co_await request.call->invoke<RemovePermission>(std::move(in));
    }
    JsonObject attributes;
    attributes["Arn"] = bus_arn(request.call->scope(), request.physical_id);
    attributes["Name"] = request.physical_id;
    attributes["Policy"] = policy;
    co_return attributes;
  }

  Task<void> erase(ResourceRequest& request) const override {
    DeleteEventBusInput in;
    in.name = request.physical_id;
    co_await request.call->invoke<DeleteEventBus>(std::move(in));
  }

  Task<bool> is_ours(ResourceRequest& request) const override {
    ListTagsForResourceInput in;
    in.resource_arn = bus_arn(request.call->scope(), request.physical_id);
    const auto out = co_await request.call->invoke<ListTagsForResource>(std::move(in));
    platform::ResourceTags tags;
    if (out.tags) {
      for (const auto& tag : *out.tags) tags[tag.key] = tag.value;
    }
    co_return platform::are_our_tags(tags, request);
  }
};

// One statement of a bus's policy. Statements have no owner: so a step before the making finds that
// there is none of that id, and commits that by the physical id.
class EventBusPolicyType : public platform::OperationResource {
 public:
  EventBusPolicyType()
      : OperationResource({.name = "AWS::Events::EventBusPolicy",
                           .properties = {"EventBusName", "StatementId", "Statement", "Action",
                                          "Principal", "Condition"},
                           .replacing = {"EventBusName", "StatementId"},
                           .required = {"StatementId"},
                           .gone = {"ResourceNotFoundException"}}) {}

  Task<platform::ResourceProgress> create(ResourceRequest request) const override {
    if (!request.physical_id.empty()) co_return co_await OperationResource::create(request);
    const std::string id = bus_of(request.properties) + "|" + statement_id(request);
    const Json policy = co_await policy_of(request);
    for (const Json& statement : statements_of(policy)) {
      if (string_or(statement, "Sid") != statement_id(request)) continue;
      throw aws::ApiError(
          "AlreadyExists",
          fmt::format("Resource of type '{}' with identifier '{}' already exists.", name(), id));
    }
    co_return platform::ResourceProgress{.status = platform::ResourceProgress::Status::pending,
                                         .physical_id = id,
                                         .retry_after = std::chrono::milliseconds(0)};
  }

 protected:
  static std::string statement_id(const ResourceRequest& request) {
    return string_or(request.properties, "StatementId");
  }

  // An object; without statements where the bus has no policy.
  static Task<Json> policy_of(const ResourceRequest& request) {
    DescribeEventBusInput in;
    in.name = bus_of(request.properties);
    const auto out = co_await request.call->invoke<DescribeEventBus>(std::move(in));
    if (out.policy && !out.policy->empty()) co_return parse_json(*out.policy);
    co_return Json(JsonObject{{"Version", "2012-10-17"}, {"Statement", JsonArray()}});
  }

  // A single statement may stand without its list.
  static JsonArray statements_of(const Json& policy) {
    const Json* found = find_member(policy, "Statement");
    if (!found) return {};
    return found->is_array() ? found->get_array() : JsonArray{*found};
  }

  Task<void> make(ResourceRequest&) const override { co_return; }  // see `settle`

  Task<JsonObject> settle(ResourceRequest& request) const override {
    PutPermissionInput in;
    in.event_bus_name = bus_of(request.properties);
    if (find_member(request.properties, "Statement")) {
      in.policy = co_await with_statement(request);
    } else {
      in.statement_id = statement_id(request);
      in.action = find_string(request.properties, "Action");
      in.principal = find_string(request.properties, "Principal");
      if (const Json* condition = find_member(request.properties, "Condition")) {
        in.condition = Condition{.type = string_or(*condition, "Type"),
                                 .key = string_or(*condition, "Key"),
                                 .value = string_or(*condition, "Value")};
      }
    }
    co_await request.call->invoke<PutPermission>(std::move(in));
    co_return JsonObject();
  }

  // No operation puts a statement of any form, only whole policies: so the policy is read, changed
  // and written. A stack takes one step at a time, so its own statements do not meet here.
  static Task<std::string> with_statement(const ResourceRequest& request) {
    const std::string text = platform::document_text(request.properties, "Statement");
    Json given = parse_json(text);
    if (!given.is_object()) throw aws::validation_error("Statement must be a JSON object.");
    given.get_object()["Sid"] = statement_id(request);
    Json policy = co_await policy_of(request);
    JsonArray statements;
    for (const Json& statement : statements_of(policy)) {
      if (string_or(statement, "Sid") != statement_id(request)) statements.push_back(statement);
    }
    statements.push_back(std::move(given));
    policy.get_object()["Statement"] = std::move(statements);
    co_return dump_json(policy);
  }

  Task<void> erase(ResourceRequest& request) const override {
    RemovePermissionInput in;
    in.event_bus_name = bus_of(request.properties);
    in.statement_id = statement_id(request);
    co_await request.call->invoke<RemovePermission>(std::move(in));
  }
};

}  // namespace

void Events::resources(platform::ResourceTypes& types) {
  types.add(std::make_unique<RuleType>());
  types.add(std::make_unique<EventBusType>());
  types.add(std::make_unique<EventBusPolicyType>());
}

}  // namespace tarn::events
