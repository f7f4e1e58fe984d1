// SPDX-License-Identifier: Apache-2.0
// EventBridge: the operation table and its handlers.
//
// Threading: handlers run on the call pool, several at a time; all state is in the store.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "aws/events/operations.hpp"
#include "platform/service.hpp"
#include "services/events/delivery.hpp"
#include "services/events/records.hpp"

namespace tarn::events {

class Events : public platform::ServiceOf<Events> {
 public:
  explicit Events(platform::Environment& environment);
  std::string_view name() const override { return "events"; }
  void operations(platform::OpTable& t);
  void resources(platform::ResourceTypes& types) override;

 private:
  using Call = platform::Call;
  using Txn = kernel::Txn;

  CreateEventBusOutput create_bus(Call&, const CreateEventBusInput&);
  UpdateEventBusOutput update_bus(Call&, const UpdateEventBusInput&);
  DeleteEventBusOutput delete_bus(Call&, const DeleteEventBusInput&);
  DescribeEventBusOutput describe_bus(Call&, const DescribeEventBusInput&);
  ListEventBusesOutput list_buses(Call&, const ListEventBusesInput&);
  PutPermissionOutput put_permission(Call&, const PutPermissionInput&);
  RemovePermissionOutput remove_permission(Call&, const RemovePermissionInput&);
  TagResourceOutput tag_resource(Call&, const TagResourceInput&);
  UntagResourceOutput untag_resource(Call&, const UntagResourceInput&);
  ListTagsForResourceOutput list_tags(Call&, const ListTagsForResourceInput&);

  PutRuleOutput put_rule(Call&, const PutRuleInput&);
  DeleteRuleOutput delete_rule(Call&, const DeleteRuleInput&);
  DescribeRuleOutput describe_rule(Call&, const DescribeRuleInput&);
  ListRulesOutput list_rules(Call&, const ListRulesInput&);
  EnableRuleOutput enable_rule(Call&, const EnableRuleInput&);
  DisableRuleOutput disable_rule(Call&, const DisableRuleInput&);
  PutTargetsOutput put_targets(Call&, const PutTargetsInput&);
  RemoveTargetsOutput remove_targets(Call&, const RemoveTargetsInput&);
  ListTargetsByRuleOutput list_targets(Call&, const ListTargetsByRuleInput&);
  ListRuleNamesByTargetOutput list_rule_names(Call&, const ListRuleNamesByTargetInput&);
  TestEventPatternOutput test_pattern(Call&, const TestEventPatternInput&);

  PutEventsOutput put_events(Call&, const PutEventsInput&);

  std::optional<std::string> policy_for_putting(Call& call, const PutEventsInput& in);
  BusRecord require_bus(Txn& txn, const std::string& name, Timestamp now, bool for_update = false);
  RuleRecord require_rule(Txn& txn, const std::string& bus, const std::string& name);
  void set_state(Call& call, const std::optional<std::string>& bus, const std::string& name,
                 const std::string& state);
  void apply_schedule(Txn& txn, const RuleRecord& rule);
  template <class Change>
  void change_tags(Call& call, const std::string& arn, Change change);
  Task<void> fire_scheduled(kernel::Delivery delivery);

  platform::Environment& environment_;
  kernel::Store& store_;
  Deliveries deliveries_;
};

// "default" for none; the name of an ARN.
std::string bus_name_of(const std::optional<std::string>& name_or_arn);
std::string bus_arn(const kernel::Scope& scope, const std::string& bus);
std::string rule_arn(const kernel::Scope& scope, const std::string& bus, const std::string& rule);
// In one transaction: a delivery for every target of every rule of the bus that wants the event.
void route_event(kernel::Txn& txn, const std::string& bus, const Json& event, Timestamp now,
                 int hops);
void emit_deliveries(kernel::Txn& txn, const RuleRecord& rule, const Json& event, Timestamp now,
                     int hops);

}  // namespace tarn::events
