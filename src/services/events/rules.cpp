// SPDX-License-Identifier: Apache-2.0
// Rules and their targets.
#include <algorithm>

#include <fmt/format.h>

#include "aws/arn.hpp"
#include "aws/codec.hpp"
#include "aws/events/errors.hpp"
#include "base/strings.hpp"
#include "platform/event_pattern.hpp"
#include "services/events/service.hpp"

namespace tarn::events {
namespace {

constexpr std::int32_t k_page = 100;
constexpr std::size_t k_targets_max = 5;

std::string after_token(const std::optional<std::string>& token) {
  if (!token) return {};
  const auto key = from_base64(*token);
  if (!key) throw aws::validation_error("Invalid NextToken.");
  return *key;
}

std::size_t page_size(const std::optional<std::int32_t>& limit) {
  return static_cast<std::size_t>(std::clamp(limit.value_or(k_page), 1, k_page));
}

std::string schedule_id(const kernel::Scope& scope, const RuleRecord& rule) {
  return fmt::format("events/{}/{}/{}/{}", scope.account, scope.region, rule.bus, rule.name);
}

// Stricter than the kernel's: no blanks inside, and at(…) is the scheduler's alone.
void check_schedule(const std::string& schedule) {
  const auto open = schedule.find('(');
  const std::string_view kind = std::string_view(schedule).substr(0, open);
  const bool blank = open != schedule.npos && open + 1 < schedule.size() &&
                     (schedule[open + 1] == ' ' || schedule[schedule.size() - 2] == ' ');
  if ((kind != "rate" && kind != "cron") || blank) {
    throw aws::validation_error("Parameter ScheduleExpression is not valid.");
  }
}

void check_pattern(const std::string& pattern) {
  try {
    platform::EventPattern::parse(pattern);
  } catch (const platform::BadPattern& error) {
    throw InvalidEventPatternException(
        fmt::format("Event pattern is not valid. Reason: {}", error.what()));
  }
}

Rule shown(const kernel::Scope& scope, const RuleRecord& rule) {
  Rule out;
  out.name = rule.name;
  out.arn = rule_arn(scope, rule.bus, rule.name);
  if (!rule.pattern.empty()) out.event_pattern = rule.pattern;
  if (!rule.schedule.empty()) out.schedule_expression = rule.schedule;
  if (!rule.description.empty()) out.description = rule.description;
  if (!rule.role_arn.empty()) out.role_arn = rule.role_arn;
  out.state = rule.state;
  out.event_bus_name = rule.bus;
  return out;
}

}  // namespace

RuleRecord Events::require_rule(Txn& txn, const std::string& bus, const std::string& name) {
  auto rule = txn.find_for_update<RuleRecord>(bus, name);
  if (!rule) {
    throw ResourceNotFoundException(
        fmt::format("Rule {} does not exist on EventBus {}.", name, bus));
  }
  return *std::move(rule);
}

void Events::apply_schedule(Txn& txn, const RuleRecord& rule) {
  const std::string id = schedule_id(txn.scope(), rule);
  if (rule.schedule.empty() || !rule.enabled()) {
    environment_.schedules.remove(txn, id);
    return;
  }
  const ScheduledRule due{txn.scope().account, txn.scope().region, rule.bus, rule.name};
  kernel::Event event{"events.scheduled", {}, kernel::encode_record(due)};
  try {
    environment_.schedules.put(txn, id, rule.schedule, "UTC", std::move(event));
  } catch (const kernel::BadSchedule&) {
    throw aws::validation_error("Parameter ScheduleExpression is not valid.");
  }
}

// Putting a rule again replaces what it says; its targets and tags stay.
PutRuleOutput Events::put_rule(Call& call, const PutRuleInput& in) {
  const std::string pattern = in.event_pattern.value_or("");
  const std::string schedule = in.schedule_expression.value_or("");
  if (pattern.empty() && schedule.empty()) {
    throw aws::validation_error(
        "Parameter(s) EventPattern or ScheduleExpression must be specified.");
  }
  const std::string bus = bus_name_of(in.event_bus_name);
  if (!schedule.empty() && bus != k_default_bus) {
    throw aws::validation_error("ScheduleExpression is supported only on the default event bus.");
  }
  if (!schedule.empty()) check_schedule(schedule);
  if (!pattern.empty()) check_pattern(pattern);
  Txn txn = store_.begin(call.scope());
  require_bus(txn, bus, call.now());
  auto rule = txn.find_for_update<RuleRecord>(bus, in.name);
  const bool is_new = !rule;
  if (is_new) {
    rule.emplace();
    rule->bus = bus;
    rule->name = in.name;
    rule->created = call.now();
    if (in.tags) {
      for (const auto& tag : *in.tags) rule->tags[tag.key] = tag.value;
    }
  }
  const bool same_schedule =
      !is_new && rule->schedule == schedule && rule->state == in.state.value_or("ENABLED");
  rule->pattern = pattern;
  rule->schedule = schedule;
  rule->state = in.state.value_or("ENABLED");
  rule->description = in.description.value_or("");
  rule->role_arn = in.role_arn.value_or("");
  txn.put(*rule);
  // An unchanged rate keeps its beat.
  if (!same_schedule) apply_schedule(txn, *rule);
  txn.commit();
  return {.rule_arn = rule_arn(call.scope(), bus, in.name)};
}

// A rule that does not exist is a success, as in AWS.
DeleteRuleOutput Events::delete_rule(Call& call, const DeleteRuleInput& in) {
  const std::string bus = bus_name_of(in.event_bus_name);
  Txn txn = store_.begin(call.scope());
  require_bus(txn, bus, call.now());
  auto rule = txn.find_for_update<RuleRecord>(bus, in.name);
  if (!rule) return {};
  if (!rule->targets.empty()) {
    throw aws::validation_error("Rule can't be deleted since it has targets.");
  }
  environment_.schedules.remove(txn, schedule_id(txn.scope(), *rule));
  txn.erase<RuleRecord>(bus, in.name);
  txn.commit();
  return {};
}

DescribeRuleOutput Events::describe_rule(Call& call, const DescribeRuleInput& in) {
  const std::string bus = bus_name_of(in.event_bus_name);
  Txn txn = store_.begin(call.scope());
  require_bus(txn, bus, call.now());
  const auto found = txn.peek<RuleRecord>(bus, in.name);
  if (!found) {
    throw ResourceNotFoundException(
        fmt::format("Rule {} does not exist on EventBus {}.", in.name, bus));
  }
  const Rule rule = shown(call.scope(), *found);
  DescribeRuleOutput out;
  out.name = rule.name;
  out.arn = rule.arn;
  out.event_pattern = rule.event_pattern;
  out.schedule_expression = rule.schedule_expression;
  out.state = rule.state;
  out.description = rule.description;
  out.role_arn = rule.role_arn;
  out.event_bus_name = rule.event_bus_name;
  out.created_by = call.account();
  return out;
}

ListRulesOutput Events::list_rules(Call& call, const ListRulesInput& in) {
  const std::string bus = bus_name_of(in.event_bus_name);
  Txn txn = store_.begin(call.scope());
  require_bus(txn, bus, call.now());
  kernel::Key prefix(bus);
  prefix.add_open_prefix(in.name_prefix.value_or(""));
  kernel::ScanOptions options;
  options.after = after_token(in.next_token);
  const std::size_t page = page_size(in.limit);
  ListRulesOutput out;
  auto& rules = out.rules.emplace();
  std::string last;
  txn.scan<RuleRecord>(prefix, options, [&](RuleRecord& rule, const std::string& key) {
    if (rules.size() == page) {
      out.next_token = to_base64(last);
      return false;
    }
    last = key;
    rules.push_back(shown(call.scope(), rule));
    return true;
  });
  return out;
}

void Events::set_state(Call& call, const std::optional<std::string>& bus_name,
                       const std::string& name, const std::string& state) {
  const std::string bus = bus_name_of(bus_name);
  Txn txn = store_.begin(call.scope());
  require_bus(txn, bus, call.now());
  auto rule = require_rule(txn, bus, name);
  if (rule.state == state) return;
  rule.state = state;
  txn.put(rule);
  apply_schedule(txn, rule);
  txn.commit();
}

EnableRuleOutput Events::enable_rule(Call& call, const EnableRuleInput& in) {
  set_state(call, in.event_bus_name, in.name, "ENABLED");
  return {};
}

DisableRuleOutput Events::disable_rule(Call& call, const DisableRuleInput& in) {
  set_state(call, in.event_bus_name, in.name, "DISABLED");
  return {};
}

PutTargetsOutput Events::put_targets(Call& call, const PutTargetsInput& in) {
  const std::string bus = bus_name_of(in.event_bus_name);
  Txn txn = store_.begin(call.scope());
  require_bus(txn, bus, call.now());
  auto rule = require_rule(txn, bus, in.rule);
  for (const auto& target : in.targets) {
    const Json json = aws::encode_json(aws::shape_of<Target>(), &target);
    Deliveries::check_target(json);
    const auto same = std::find_if(rule.targets.begin(), rule.targets.end(),
                                   [&](const TargetRecord& t) { return t.id == target.id; });
    TargetRecord record{target.id, target.arn, dump_json(json)};
    if (same == rule.targets.end()) {
      rule.targets.push_back(std::move(record));
    } else {
      *same = std::move(record);
    }
  }
  if (rule.targets.size() > k_targets_max) {
    throw LimitExceededException("The requested resource exceeds the maximum number allowed.");
  }
  txn.put(rule);
  txn.commit();
  PutTargetsOutput out;
  out.failed_entry_count = 0;
  out.failed_entries.emplace();
  return out;
}

RemoveTargetsOutput Events::remove_targets(Call& call, const RemoveTargetsInput& in) {
  const std::string bus = bus_name_of(in.event_bus_name);
  Txn txn = store_.begin(call.scope());
  require_bus(txn, bus, call.now());
  auto rule = require_rule(txn, bus, in.rule);
  RemoveTargetsOutput out;
  out.failed_entry_count = 0;
  auto& failed = out.failed_entries.emplace();
  for (const auto& id : in.ids) {
    const auto removed =
        std::erase_if(rule.targets, [&](const TargetRecord& t) { return t.id == id; });
    if (removed > 0) continue;
    ++*out.failed_entry_count;
    failed.push_back({.target_id = id,
                      .error_code = "ResourceNotFoundException",
                      .error_message = fmt::format("Rule {} does not have a target with the Id {}.",
                                                   in.rule, id)});
  }
  txn.put(rule);
  txn.commit();
  return out;
}

ListTargetsByRuleOutput Events::list_targets(Call& call, const ListTargetsByRuleInput& in) {
  const std::string bus = bus_name_of(in.event_bus_name);
  Txn txn = store_.begin(call.scope());
  require_bus(txn, bus, call.now());
  const auto rule = require_rule(txn, bus, in.rule);
  ListTargetsByRuleOutput out;
  auto& targets = out.targets.emplace();
  const auto skipped = parse_uint(in.next_token ? after_token(in.next_token) : "0");
  if (!skipped) throw aws::validation_error("Invalid NextToken.");
  const auto begin = std::min<std::size_t>(*skipped, rule.targets.size());
  const auto end = std::min(begin + page_size(in.limit), rule.targets.size());
  for (std::size_t i = begin; i < end; ++i) {
    Target target{};
    aws::decode_json(aws::shape_of<Target>(), parse_json(rule.targets[i].json), &target);
    targets.push_back(std::move(target));
  }
  if (end < rule.targets.size()) out.next_token = to_base64(std::to_string(end));
  return out;
}

ListRuleNamesByTargetOutput Events::list_rule_names(Call& call,
                                                    const ListRuleNamesByTargetInput& in) {
  const std::string bus = bus_name_of(in.event_bus_name);
  Txn txn = store_.begin(call.scope());
  require_bus(txn, bus, call.now());
  kernel::ScanOptions options;
  options.after = after_token(in.next_token);
  const std::size_t page = page_size(in.limit);
  ListRuleNamesByTargetOutput out;
  auto& names = out.rule_names.emplace();
  std::string last;
  txn.scan<RuleRecord>(kernel::Key(bus), options, [&](RuleRecord& rule, const std::string& key) {
    const bool has = std::any_of(rule.targets.begin(), rule.targets.end(),
                                 [&](const auto& target) { return target.arn == in.target_arn; });
    if (!has) return true;
    if (names.size() == page) {
      out.next_token = to_base64(last);
      return false;
    }
    last = key;
    names.push_back(rule.name);
    return true;
  });
  return out;
}

TestEventPatternOutput Events::test_pattern(Call&, const TestEventPatternInput& in) {
  check_pattern(in.event_pattern);
  Json event;
  try {
    event = parse_json(in.event);
  } catch (const JsonError&) {
    throw aws::validation_error("Parameter Event is not valid.");
  }
  for (const char* name :
       {"id", "account", "source", "time", "region", "resources", "detail-type"}) {
    if (!find_member(event, name)) {
      throw aws::validation_error(
          fmt::format("Parameter Event is not valid. Reason: {} is a required field.", name));
    }
  }
  return {.result = platform::EventPattern::parse(in.event_pattern).matches(event)};
}

}  // namespace tarn::events
