// SPDX-License-Identifier: Apache-2.0
// AWS Step Functions: state machines, executions, activities. Handlers are thin; what an execution
// does is asl::step (execution.hpp), who keeps it going is Runner, what tasks do is Integrations.
#pragma once
#include <memory>
#include <string>

#include "aws/stepfunctions/operations.hpp"
#include "platform/service.hpp"
#include "services/stepfunctions/integrations.hpp"
#include "services/stepfunctions/records.hpp"
#include "services/stepfunctions/runner.hpp"
#include "services/stepfunctions/versions.hpp"

namespace tarn::stepfunctions {

// What executions logged, on its way to CloudWatch Logs.
inline constexpr const char* k_log_topic = "stepfunctions.log";

class StepFunctions : public platform::ServiceOf<StepFunctions> {
 public:
  explicit StepFunctions(platform::Environment& environment);
  ~StepFunctions() override;
  std::string_view name() const override { return "stepfunctions"; }
  std::string_view action_prefix() const override { return "states"; }
  void operations(platform::OpTable& t);
  void resources(platform::ResourceTypes& types) override;
  void start() override;
  void stop() override;

 private:
  using Call = platform::Call;
  using CallPtr = platform::CallPtr;

  // machines.cpp
  Task<CreateStateMachineOutput> create_state_machine(CallPtr, CreateStateMachineInput);
  Task<UpdateStateMachineOutput> update_state_machine(CallPtr, UpdateStateMachineInput);
  Task<void> check_logging(CallPtr call, std::optional<LoggingConfiguration> logging);
  CreateStateMachineOutput create_checked(Call&, const CreateStateMachineInput&);
  UpdateStateMachineOutput update_checked(Call&, const UpdateStateMachineInput&);
  DeleteStateMachineOutput delete_state_machine(Call&, const DeleteStateMachineInput&);
  DescribeStateMachineOutput describe_state_machine(Call&, const DescribeStateMachineInput&);
  DescribeStateMachineForExecutionOutput describe_for_execution(
      Call&, const DescribeStateMachineForExecutionInput&);
  ListStateMachinesOutput list_state_machines(Call&, const ListStateMachinesInput&);
  ValidateStateMachineDefinitionOutput validate(Call&, const ValidateStateMachineDefinitionInput&);
  TagResourceOutput tag_resource(Call&, const TagResourceInput&);
  UntagResourceOutput untag_resource(Call&, const UntagResourceInput&);
  ListTagsForResourceOutput list_tags(Call&, const ListTagsForResourceInput&);

  // versions.cpp
  PublishStateMachineVersionOutput publish(Call&, const PublishStateMachineVersionInput&);
  ListStateMachineVersionsOutput list_versions(Call&, const ListStateMachineVersionsInput&);
  DeleteStateMachineVersionOutput delete_version(Call&, const DeleteStateMachineVersionInput&);
  CreateStateMachineAliasOutput create_alias(Call&, const CreateStateMachineAliasInput&);
  UpdateStateMachineAliasOutput update_alias(Call&, const UpdateStateMachineAliasInput&);
  DescribeStateMachineAliasOutput describe_alias(Call&, const DescribeStateMachineAliasInput&);
  ListStateMachineAliasesOutput list_aliases(Call&, const ListStateMachineAliasesInput&);
  DeleteStateMachineAliasOutput delete_alias(Call&, const DeleteStateMachineAliasInput&);

  // executions.cpp
  StartExecutionOutput start_execution(Call&, const StartExecutionInput&);
  Task<StartSyncExecutionOutput> start_sync_execution(CallPtr, StartSyncExecutionInput);
  Task<StopExecutionOutput> stop_execution(CallPtr, StopExecutionInput);
  DescribeExecutionOutput describe_execution(Call&, const DescribeExecutionInput&);
  ListExecutionsOutput list_executions(Call&, const ListExecutionsInput&);
  GetExecutionHistoryOutput get_execution_history(Call&, const GetExecutionHistoryInput&);
  Runner::NewExecution new_execution(Call&, kernel::Txn&, const Target&,
                                     const std::optional<std::string>& name,
                                     const std::optional<std::string>& input,
                                     const std::optional<std::string>& trace_header);
  void status_changed(kernel::Txn&, const ExecutionRecord&, const ProgressRecord&);
  Task<void> deliver_status(kernel::Delivery delivery);

  // logging.cpp
  void log_events(kernel::Txn&, const ExecutionRecord&, const std::vector<asl::HistoryEvent>&);
  Task<void> deliver_logs(kernel::Delivery delivery);

  // activities.cpp
  CreateActivityOutput create_activity(Call&, const CreateActivityInput&);
  DeleteActivityOutput delete_activity(Call&, const DeleteActivityInput&);
  DescribeActivityOutput describe_activity(Call&, const DescribeActivityInput&);
  ListActivitiesOutput list_activities(Call&, const ListActivitiesInput&);
  Task<GetActivityTaskOutput> get_activity_task(CallPtr, GetActivityTaskInput);
  Task<SendTaskSuccessOutput> send_task_success(CallPtr, SendTaskSuccessInput);
  Task<SendTaskFailureOutput> send_task_failure(CallPtr, SendTaskFailureInput);
  Task<SendTaskHeartbeatOutput> send_task_heartbeat(CallPtr, SendTaskHeartbeatInput);

  platform::Environment& environment_;
  Integrations integrations_;
  Runner runner_;
};

}  // namespace tarn::stepfunctions
