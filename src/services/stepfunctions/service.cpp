// SPDX-License-Identifier: Apache-2.0
#include "services/stepfunctions/service.hpp"

#include "platform/registry.hpp"
#include "services/stepfunctions/names.hpp"

namespace tarn::stepfunctions {
namespace {

constexpr const char* k_status_topic = "stepfunctions.status-change";
constexpr std::size_t k_event_data_bytes_max = 240 * 1024;

// The resource that an operation's permission is judged on: the member that names it.
template <class Input>
std::string machine_of(platform::Call&, const Input& in) {
  return in.state_machine_arn;
}
template <class Input>
std::string execution_of(platform::Call&, const Input& in) {
  return in.execution_arn;
}
template <class Input>
std::string activity_of(platform::Call&, const Input& in) {
  return in.activity_arn;
}
template <class Input>
std::string resource_of(platform::Call&, const Input& in) {
  return in.resource_arn;
}
template <class Input>
std::string version_of(platform::Call&, const Input& in) {
  return in.state_machine_version_arn;
}
template <class Input>
std::string alias_of(platform::Call&, const Input& in) {
  return in.state_machine_alias_arn;
}
std::string new_machine_of(platform::Call& call, const CreateStateMachineInput& in) {
  return machine_arn(call.scope(), in.name);
}
std::string listed_machine_of(platform::Call&, const ListExecutionsInput& in) {
  return in.state_machine_arn.value_or("*");
}

}  // namespace

StepFunctions::StepFunctions(platform::Environment& environment)
    : environment_(environment),
      integrations_(environment),
      runner_(
          environment,
          [this](std::shared_ptr<TaskOrder> order) {
            return integrations_.carry_out(std::move(order));
          },
          [this](kernel::Txn& txn, const ExecutionRecord& record, const ProgressRecord& progress) {
            status_changed(txn, record, progress);
          },
          [this](kernel::Txn& txn, const ExecutionRecord& record,
                 const std::vector<asl::HistoryEvent>& events) {
            log_events(txn, record, events);
          }) {
  integrations_.wait_for_execution = [this](std::string arn) {
    return runner_.wait_for_end(std::move(arn));
  };
}

StepFunctions::~StepFunctions() = default;

void StepFunctions::operations(platform::OpTable& t) {
  using S = StepFunctions;
  const auto role = [](platform::Call&, const auto& in) {
    return std::optional<std::string>(in.role_arn);
  };
  t.op<CreateStateMachine>(&S::create_state_machine)
      .on(&new_machine_of)
      .passes_role("states.amazonaws.com", role);
  t.op<UpdateStateMachine>(&S::update_state_machine)
      .on(&machine_of<UpdateStateMachineInput>)
      .passes_role("states.amazonaws.com", role);
  t.op<DeleteStateMachine>(&S::delete_state_machine).on(&machine_of<DeleteStateMachineInput>);
  t.op<DescribeStateMachine>(&S::describe_state_machine).on(&machine_of<DescribeStateMachineInput>);
  t.op<DescribeStateMachineForExecution>(&S::describe_for_execution)
      .on(&execution_of<DescribeStateMachineForExecutionInput>);
  t.op<ListStateMachines>(&S::list_state_machines);
  t.op<ValidateStateMachineDefinition>(&S::validate);
  t.op<StartExecution>(&S::start_execution).on(&machine_of<StartExecutionInput>);
  t.op<StartSyncExecution>(&S::start_sync_execution).on(&machine_of<StartSyncExecutionInput>);
  t.op<StopExecution>(&S::stop_execution).on(&execution_of<StopExecutionInput>);
  t.op<DescribeExecution>(&S::describe_execution).on(&execution_of<DescribeExecutionInput>);
  t.op<ListExecutions>(&S::list_executions).on(&listed_machine_of);
  t.op<GetExecutionHistory>(&S::get_execution_history).on(&execution_of<GetExecutionHistoryInput>);
  t.op<CreateActivity>(&S::create_activity);
  t.op<DeleteActivity>(&S::delete_activity).on(&activity_of<DeleteActivityInput>);
  t.op<DescribeActivity>(&S::describe_activity).on(&activity_of<DescribeActivityInput>);
  t.op<ListActivities>(&S::list_activities);
  t.op<GetActivityTask>(&S::get_activity_task).on(&activity_of<GetActivityTaskInput>);
  t.op<SendTaskSuccess>(&S::send_task_success);
  t.op<SendTaskFailure>(&S::send_task_failure);
  t.op<SendTaskHeartbeat>(&S::send_task_heartbeat);
  t.op<PublishStateMachineVersion>(&S::publish).on(&machine_of<PublishStateMachineVersionInput>);
  t.op<ListStateMachineVersions>(&S::list_versions).on(&machine_of<ListStateMachineVersionsInput>);
  t.op<DeleteStateMachineVersion>(&S::delete_version)
      .on(&version_of<DeleteStateMachineVersionInput>);
  t.op<CreateStateMachineAlias>(&S::create_alias);
  t.op<UpdateStateMachineAlias>(&S::update_alias).on(&alias_of<UpdateStateMachineAliasInput>);
  t.op<DescribeStateMachineAlias>(&S::describe_alias).on(&alias_of<DescribeStateMachineAliasInput>);
  t.op<ListStateMachineAliases>(&S::list_aliases).on(&machine_of<ListStateMachineAliasesInput>);
  t.op<DeleteStateMachineAlias>(&S::delete_alias).on(&alias_of<DeleteStateMachineAliasInput>);
  t.op<TagResource>(&S::tag_resource).on(&resource_of<TagResourceInput>);
  t.op<UntagResource>(&S::untag_resource).on(&resource_of<UntagResourceInput>);
  t.op<ListTagsForResource>(&S::list_tags).on(&resource_of<ListTagsForResourceInput>);
}

void StepFunctions::start() {
  kernel::Subscription subscription;
  subscription.topic = k_status_topic;
  subscription.subscriber = "stepfunctions.status";
  subscription.deliver = [this](kernel::Delivery delivery) {
    return deliver_status(std::move(delivery));
  };
  environment_.bus.subscribe(std::move(subscription));
  kernel::Subscription logs;
  logs.topic = k_log_topic;
  logs.subscriber = "stepfunctions.logs";
  logs.deliver = [this](kernel::Delivery delivery) { return deliver_logs(std::move(delivery)); };
  environment_.bus.subscribe(std::move(logs));
  runner_.start();
}

void StepFunctions::stop() { runner_.stop(); }

// "Step Functions Execution Status Change", as AWS puts it on the default bus.
void StepFunctions::status_changed(kernel::Txn& txn, const ExecutionRecord& record,
                                   const ProgressRecord& progress) {
  if (record.express) return;  // as on AWS
  const auto status = static_cast<asl::ExecutionStatus>(progress.status);
  JsonObject detail{{"executionArn", record.arn},
                    {"stateMachineArn", record.machine_arn},
                    {"name", record.name},
                    {"status", asl::status_name(status)},
                    {"startDate", to_millis(record.start)},
                    {"stopDate", nullptr},
                    {"input", record.input},
                    {"output", nullptr}};
  if (progress.stop) detail["stopDate"] = to_millis(*progress.stop);
  if (progress.output) detail["output"] = *progress.output;
  detail["inputDetails"] = JsonObject{{"included", true}};
  detail["outputDetails"] = progress.output ? Json(JsonObject{{"included", true}}) : Json(nullptr);
  // What does not fit into an event is left out, as on AWS.
  std::size_t room = k_event_data_bytes_max;
  for (const char* each : {"input", "output"}) {
    const Json& value = detail[each];
    if (!value.is_string()) continue;
    const std::size_t size = dump_json(value).size();
    if (size <= room) {
      room -= size;
      continue;
    }
    detail[each] = nullptr;
    detail[std::string(each) + "Details"] = JsonObject{{"included", false}};
  }
  detail["error"] = progress.error ? Json(*progress.error) : Json(nullptr);
  detail["cause"] = progress.cause ? Json(*progress.cause) : Json(nullptr);
  JsonObject payload{{"account", txn.scope().account},
                     {"region", txn.scope().region},
                     {"time", iso8601(environment_.clock.now(), Precision::seconds)},
                     {"resource", record.arn},
                     {"detail", std::move(detail)}};
  txn.emit({k_status_topic, record.arn, dump_json(Json(std::move(payload)))});
}

Task<void> StepFunctions::deliver_status(kernel::Delivery delivery) {
  const Json change = parse_json(delivery.payload);
  const auto call = environment_.call_as(
      platform::service_identity("states.amazonaws.com", string_or(change, "account"),
                                 string_or(change, "resource")),
      string_or(change, "region"));
  if (!call->registry().find("events", "PutEvents")) co_return;
  JsonObject entry{{"Source", "aws.states"},
                   {"DetailType", "Step Functions Execution Status Change"},
                   {"Time", string_or(change, "time")},
                   {"Resources", JsonArray{Json(string_or(change, "resource"))}},
                   {"Detail", dump_json(change.at("detail"))}};
  Json input(JsonObject{{"Entries", JsonArray{Json(std::move(entry))}}});
  co_await call->invoke_json("events", "PutEvents", std::move(input));
}

}  // namespace tarn::stepfunctions
