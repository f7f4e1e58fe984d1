// SPDX-License-Identifier: Apache-2.0
#include "services/events/service.hpp"

#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "aws/arn.hpp"
#include "aws/events/errors.hpp"
#include "base/strings.hpp"

namespace tarn::events {
namespace {

constexpr std::int32_t k_page = 100;

std::string after_token(const std::optional<std::string>& token) {
  if (!token) return {};
  const auto key = from_base64(*token);
  if (!key) throw aws::validation_error("Invalid NextToken.");
  return *key;
}

// Removes the statements with that id; how many there were.
std::size_t erase_statements(JsonArray& statements, const std::string& id) {
  const std::size_t before = statements.size();
  for (auto at = statements.begin(); at != statements.end();) {
    at = string_or(*at, "Sid") == id ? statements.erase(at) : at + 1;
  }
  return before - statements.size();
}

EventBus shown(const kernel::Scope& scope, const BusRecord& bus) {
  EventBus out;
  out.name = bus.name;
  out.arn = bus_arn(scope, bus.name);
  if (!bus.description.empty()) out.description = bus.description;
  if (!bus.policy.empty()) out.policy = bus.policy;
  if (bus.created != Timestamp{}) {
    out.creation_time = bus.created;
    out.last_modified_time = bus.modified;
  }
  return out;
}

}  // namespace

std::string bus_name_of(const std::optional<std::string>& name_or_arn) {
  if (!name_or_arn || name_or_arn->empty()) return k_default_bus;
  const auto arn = aws::Arn::parse(*name_or_arn);
  return arn ? std::string(arn->resource_id()) : *name_or_arn;
}

std::string bus_arn(const kernel::Scope& scope, const std::string& bus) {
  return aws::make_arn("events", scope.region, scope.account, "event-bus/" + bus);
}

std::string rule_arn(const kernel::Scope& scope, const std::string& bus, const std::string& rule) {
  return aws::make_arn("events", scope.region, scope.account,
                       bus == k_default_bus ? "rule/" + rule : "rule/" + bus + "/" + rule);
}

Events::Events(platform::Environment& environment)
    : environment_(environment),
      store_(environment.store),
      deliveries_(environment) {
  deliveries_.subscribe();
  kernel::Subscription scheduled;
  scheduled.topic = "events.scheduled";
  scheduled.subscriber = "events.rules";
  scheduled.deliver = [this](kernel::Delivery d) { return fire_scheduled(std::move(d)); };
  environment.bus.subscribe(std::move(scheduled));
}

void Events::operations(platform::OpTable& t) {
  const auto rule_by_name = [](Call& call, const auto& in) {
    return rule_arn(call.scope(), bus_name_of(in.event_bus_name), in.name);
  };
  const auto rule = [](Call& call, const auto& in) {
    return rule_arn(call.scope(), bus_name_of(in.event_bus_name), in.rule);
  };
  const auto bus = [](Call& call, const auto& in) {
    return bus_arn(call.scope(), bus_name_of(in.name));
  };
  const auto tagged = [](Call&, const auto& in) { return in.resource_arn; };
  const auto buses = [](Call& call, const PutEventsInput& in) {
    std::vector<std::string> arns;
    for (const auto& entry : in.entries) {
      arns.push_back(bus_arn(call.scope(), bus_name_of(entry.event_bus_name)));
    }
    return arns;
  };
  t.op<PutEvents>(&Events::put_events)
      .on(buses)
      .resource_policy(
          [this](Call& call, const PutEventsInput& in) { return policy_for_putting(call, in); });
  constexpr auto k_self = "events.amazonaws.com";
  t.op<PutRule>(&Events::put_rule)
      .on(rule_by_name)
      .passes_role(k_self, [](Call&, const PutRuleInput& in) { return in.role_arn; });
  t.op<DeleteRule>(&Events::delete_rule).on(rule_by_name);
  t.op<DescribeRule>(&Events::describe_rule).on(rule_by_name);
  t.op<EnableRule>(&Events::enable_rule).on(rule_by_name);
  t.op<DisableRule>(&Events::disable_rule).on(rule_by_name);
  t.op<ListRules>(&Events::list_rules);
  t.op<PutTargets>(&Events::put_targets)
      .on(rule)
      .passes_role(k_self, [](Call&, const PutTargetsInput& in) {
        std::vector<std::string> roles;
        for (const auto& target : in.targets) roles.push_back(target.role_arn.value_or(""));
        return roles;
      });
  t.op<RemoveTargets>(&Events::remove_targets).on(rule);
  t.op<ListTargetsByRule>(&Events::list_targets).on(rule);
  t.op<ListRuleNamesByTarget>(&Events::list_rule_names);
  t.op<TestEventPattern>(&Events::test_pattern);
  t.op<CreateEventBus>(&Events::create_bus).on(bus);
  t.op<UpdateEventBus>(&Events::update_bus).on(bus);
  t.op<DeleteEventBus>(&Events::delete_bus).on(bus);
  t.op<DescribeEventBus>(&Events::describe_bus).on(bus);
  t.op<ListEventBuses>(&Events::list_buses);
  t.op<PutPermission>(&Events::put_permission);
  t.op<RemovePermission>(&Events::remove_permission);
  t.op<TagResource>(&Events::tag_resource).on(tagged);
  t.op<UntagResource>(&Events::untag_resource).on(tagged);
  t.op<ListTagsForResource>(&Events::list_tags).on(tagged);
}

// Who may put events beside those whom IAM allows: services of the account, always, and whom the
// bus's own policy names.
std::optional<std::string> Events::policy_for_putting(Call& call, const PutEventsInput& in) {
  const auto& identity = call.identity();
  if (identity.kind == platform::Identity::Kind::service) {
    return dump_json(JsonObject{
        {"Version", "2012-10-17"},
        {"Statement", JsonArray{JsonObject{{"Effect", "Allow"},
                                           {"Principal", JsonObject{{"Service", identity.service}}},
                                           {"Action", "events:PutEvents"},
                                           {"Resource", "*"}}}}});
  }
  // The buses of all entries: each statement names its own.
  std::set<std::string> buses;
  for (const auto& entry : in.entries) buses.insert(bus_name_of(entry.event_bus_name));
  Txn txn = store_.begin(call.scope());
  JsonArray statements;
  for (const auto& name : buses) {
    const auto bus = txn.peek<BusRecord>(name);
    if (!bus || bus->policy.empty()) continue;
    const Json policy = parse_json(bus->policy);
    const Json* given = find_member(policy, "Statement");
    if (given && given->is_object()) statements.push_back(*given);
    if (!given || !given->is_array()) continue;
    for (const Json& statement : given->get_array()) statements.push_back(statement);
  }
  if (statements.empty()) return std::nullopt;
  return dump_json(JsonObject{{"Version", "2012-10-17"}, {"Statement", std::move(statements)}});
}

BusRecord Events::require_bus(Txn& txn, const std::string& name, Timestamp now, bool for_update) {
  auto bus = for_update ? txn.find_for_update<BusRecord>(name) : txn.find<BusRecord>(name);
  if (bus) return *std::move(bus);
  if (name != k_default_bus) {
    throw ResourceNotFoundException(fmt::format("Event bus {} does not exist.", name));
  }
  BusRecord made;
  made.name = name;
  if (for_update) made.created = made.modified = now;
  return made;
}

namespace {

void refuse_logging(const std::optional<LogConfig>& config, std::string_view operation) {
  if (!config || config->level.value_or("OFF") == "OFF") return;
  throw aws::ApiError("NotImplemented",
                      fmt::format("events {}: LogConfig is not implemented by Tarn", operation),
                      501);
}

}  // namespace

CreateEventBusOutput Events::create_bus(Call& call, const CreateEventBusInput& in) {
  if (in.event_source_name) {
    throw aws::ApiError("NotImplemented",
                        "events CreateEventBus: EventSourceName (partner event sources) is not "
                        "implemented by Tarn",
                        501);
  }
  refuse_logging(in.log_config, "CreateEventBus");
  if (in.name == k_default_bus || in.name.find('/') != std::string::npos) {
    throw aws::validation_error(fmt::format("Event bus name {} is not valid.", in.name));
  }
  Txn txn = store_.begin(call.scope());
  if (txn.find_for_update<BusRecord>(in.name)) {
    throw ResourceAlreadyExistsException(fmt::format("Event bus {} already exists.", in.name));
  }
  BusRecord bus;
  bus.name = in.name;
  bus.description = in.description.value_or("");
  bus.kms_key = in.kms_key_identifier.value_or("");
  if (in.dead_letter_config) bus.dead_letter_arn = in.dead_letter_config->arn.value_or("");
  if (in.tags) {
    for (const auto& tag : *in.tags) bus.tags[tag.key] = tag.value;
  }
  bus.created = bus.modified = call.now();
  txn.put(bus);
  txn.commit();
  CreateEventBusOutput out;
  out.event_bus_arn = bus_arn(call.scope(), in.name);
  out.description = in.description;
  out.kms_key_identifier = in.kms_key_identifier;
  out.dead_letter_config = in.dead_letter_config;
  return out;
}

// What is not given is taken away, as what PutRule does not say.
UpdateEventBusOutput Events::update_bus(Call& call, const UpdateEventBusInput& in) {
  refuse_logging(in.log_config, "UpdateEventBus");
  Txn txn = store_.begin(call.scope());
  auto bus = require_bus(txn, bus_name_of(in.name), call.now(), true);
  bus.description = in.description.value_or("");
  bus.kms_key = in.kms_key_identifier.value_or("");
  bus.dead_letter_arn = in.dead_letter_config ? in.dead_letter_config->arn.value_or("") : "";
  bus.modified = call.now();
  txn.put(bus);
  txn.commit();
  UpdateEventBusOutput out;
  out.arn = bus_arn(call.scope(), bus.name);
  out.name = bus.name;
  out.description = in.description;
  out.kms_key_identifier = in.kms_key_identifier;
  out.dead_letter_config = in.dead_letter_config;
  return out;
}

// Deleting a bus takes its rules with it; one that does not exist is a success, as in AWS.
DeleteEventBusOutput Events::delete_bus(Call& call, const DeleteEventBusInput& in) {
  const std::string name = bus_name_of(in.name);
  if (name == k_default_bus) {
    throw aws::validation_error("Cannot delete event bus default.");
  }
  Txn txn = store_.begin(call.scope());
  if (!txn.find_for_update<BusRecord>(name)) return {};
  for (const auto& rule : txn.list<RuleRecord>(kernel::Key(name))) {
    txn.erase<RuleRecord>(rule.bus, rule.name);
  }
  txn.erase<BusRecord>(name);
  txn.commit();
  return {};
}

DescribeEventBusOutput Events::describe_bus(Call& call, const DescribeEventBusInput& in) {
  Txn txn = store_.begin(call.scope());
  const auto bus = require_bus(txn, bus_name_of(in.name), call.now());
  DescribeEventBusOutput out;
  out.name = bus.name;
  out.arn = bus_arn(call.scope(), bus.name);
  if (!bus.description.empty()) out.description = bus.description;
  if (!bus.kms_key.empty()) out.kms_key_identifier = bus.kms_key;
  if (!bus.dead_letter_arn.empty()) out.dead_letter_config = DeadLetterConfig{bus.dead_letter_arn};
  if (!bus.policy.empty()) out.policy = bus.policy;
  if (bus.created != Timestamp{}) {
    out.creation_time = bus.created;
    out.last_modified_time = bus.modified;
  }
  return out;
}

ListEventBusesOutput Events::list_buses(Call& call, const ListEventBusesInput& in) {
  Txn txn = store_.begin(call.scope());
  std::vector<BusRecord> buses;
  const std::string prefix = in.name_prefix.value_or("");
  const bool default_first = !in.next_token && std::string(k_default_bus).starts_with(prefix);
  if (default_first) buses.push_back(require_bus(txn, k_default_bus, call.now()));
  kernel::Key start;
  start.add_open_prefix(prefix);
  kernel::ScanOptions options;
  options.after = after_token(in.next_token);
  const auto page = static_cast<std::size_t>(std::clamp(in.limit.value_or(k_page), 1, k_page));
  ListEventBusesOutput out;
  std::string last;
  txn.scan<BusRecord>(start, options, [&](BusRecord& bus, const std::string& key) {
    if (bus.name == k_default_bus) return true;
    if (buses.size() == page) {
      out.next_token = to_base64(last);
      return false;
    }
    last = key;
    buses.push_back(std::move(bus));
    return true;
  });
  auto& all = out.event_buses.emplace();
  for (const auto& bus : buses) all.push_back(shown(call.scope(), bus));
  return out;
}

PutPermissionOutput Events::put_permission(Call& call, const PutPermissionInput& in) {
  Txn txn = store_.begin(call.scope());
  auto bus = require_bus(txn, bus_name_of(in.event_bus_name), call.now(), true);
  if (in.policy) {
    try {
      if (!parse_json(*in.policy).is_object()) throw aws::validation_error("Invalid policy.");
    } catch (const JsonError&) {
      throw aws::validation_error("Invalid policy: it is not JSON.");
    }
    bus.policy = *in.policy;
  } else {
    if (!in.statement_id || !in.principal || !in.action) {
      throw aws::validation_error("StatementId, Principal and Action must be specified.");
    }
    Json policy = bus.policy.empty()
                      ? Json(JsonObject{{"Version", "2012-10-17"}, {"Statement", JsonArray{}}})
                      : parse_json(bus.policy);
    auto& statements = policy.get_object()["Statement"].get_array();
    erase_statements(statements, *in.statement_id);
    JsonObject statement{
        {"Sid", *in.statement_id},
        {"Effect", "Allow"},
        {"Principal", *in.principal == "*"
                          ? Json("*")
                          : Json(JsonObject{{"AWS", "arn:aws:iam::" + *in.principal + ":root"}})},
        {"Action", *in.action},
        {"Resource", bus_arn(call.scope(), bus.name)}};
    if (in.condition) {
      statement["Condition"] =
          JsonObject{{in.condition->type, JsonObject{{in.condition->key, in.condition->value}}}};
    }
    statements.emplace_back(std::move(statement));
    bus.policy = dump_json(policy);
  }
  bus.modified = call.now();
  txn.put(bus);
  txn.commit();
  return {};
}

RemovePermissionOutput Events::remove_permission(Call& call, const RemovePermissionInput& in) {
  Txn txn = store_.begin(call.scope());
  auto bus = require_bus(txn, bus_name_of(in.event_bus_name), call.now(), true);
  if (in.remove_all_permissions.value_or(false)) {
    bus.policy.clear();
  } else {
    Json policy = bus.policy.empty() ? Json(JsonObject()) : parse_json(bus.policy);
    auto* statements = policy.get_object().if_contains("Statement");
    const std::size_t removed =
        statements && statements->is_array()
            ? erase_statements(statements->get_array(), in.statement_id.value_or(""))
            : 0;
    if (removed == 0) {
      throw ResourceNotFoundException("Statement with the provided id does not exist.");
    }
    bus.policy = statements->get_array().empty() ? std::string() : dump_json(policy);
  }
  bus.modified = call.now();
  txn.put(bus);
  txn.commit();
  return {};
}

// A rule or a bus, by its ARN.
template <class Change>
void Events::change_tags(Call& call, const std::string& text, Change change) {
  const auto arn = aws::Arn::parse(text);
  if (!arn || arn->service != "events") {
    throw aws::validation_error(fmt::format("Invalid ARN {}.", text));
  }
  Txn txn = store_.begin({arn->account, arn->region});
  const std::string id(arn->resource_id());
  if (arn->resource_type() == "event-bus") {
    auto bus = require_bus(txn, id, call.now(), true);
    if (change(bus.tags)) txn.put(bus);
  } else {
    const auto slash = id.find('/');
    const std::string bus = slash == std::string::npos ? k_default_bus : id.substr(0, slash);
    auto rule = require_rule(txn, bus, slash == std::string::npos ? id : id.substr(slash + 1));
    if (change(rule.tags)) txn.put(rule);
  }
  txn.commit();
}

TagResourceOutput Events::tag_resource(Call& call, const TagResourceInput& in) {
  change_tags(call, in.resource_arn, [&](auto& tags) {
    for (const auto& tag : in.tags) tags[tag.key] = tag.value;
    return true;
  });
  return {};
}

UntagResourceOutput Events::untag_resource(Call& call, const UntagResourceInput& in) {
  change_tags(call, in.resource_arn, [&](auto& tags) {
    for (const auto& key : in.tag_keys) tags.erase(key);
    return true;
  });
  return {};
}

ListTagsForResourceOutput Events::list_tags(Call& call, const ListTagsForResourceInput& in) {
  ListTagsForResourceOutput out;
  auto& all = out.tags.emplace();
  change_tags(call, in.resource_arn, [&](const auto& tags) {
    for (const auto& [key, value] : tags) all.push_back({.key = key, .value = value});
    return false;
  });
  return out;
}

}  // namespace tarn::events
