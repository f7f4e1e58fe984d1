// SPDX-License-Identifier: Apache-2.0
// CloudFormation: stacks and change sets from templates, on the resource types of all services.
//
// What is where: the template engine (template*, intrinsics, difference, …) is pure;
// stack_operation drives a stack as a durable job; the handlers here check, record, and submit such
// jobs. Thread-safe: handlers keep nothing but records; `active_` admits one driver per stack.
#pragma once
#include <memory>
#include <mutex>
#include <set>
#include <string>

#include "aws/cloudformation/errors.hpp"
#include "aws/cloudformation/operations.hpp"
#include "platform/service.hpp"
#include "services/cloudformation/difference.hpp"
#include "services/cloudformation/stack_operation.hpp"

namespace tarn::cloudformation {

class CloudFormation : public platform::ServiceOf<CloudFormation> {
 public:
  explicit CloudFormation(platform::Environment& environment);
  std::string_view name() const override { return "cloudformation"; }
  void operations(platform::OpTable& t);
  void resources(platform::ResourceTypes& types) override;
  void start() override;

 private:
  using Call = platform::Call;
  using CallPtr = platform::CallPtr;

  // stacks.cpp
  Task<CreateStackOutput> create_stack(CallPtr, CreateStackInput);
  Task<UpdateStackOutput> update_stack(CallPtr, UpdateStackInput);
  DeleteStackOutput delete_stack(Call&, const DeleteStackInput&);
  CancelUpdateStackOutput cancel_update(Call&, const CancelUpdateStackInput&);
  ContinueUpdateRollbackOutput continue_rollback(Call&, const ContinueUpdateRollbackInput&);
  RollbackStackOutput rollback_stack(Call&, const RollbackStackInput&);
  UpdateTerminationProtectionOutput protect(Call&, const UpdateTerminationProtectionInput&);

  // stack_reads.cpp
  Task<DescribeStacksOutput> describe_stacks(CallPtr, DescribeStacksInput);
  ListStacksOutput list_stacks(Call&, const ListStacksInput&);
  DescribeStackEventsOutput describe_events(Call&, const DescribeStackEventsInput&);
  DescribeStackResourceOutput describe_resource(Call&, const DescribeStackResourceInput&);
  DescribeStackResourcesOutput describe_resources(Call&, const DescribeStackResourcesInput&);
  ListStackResourcesOutput list_resources(Call&, const ListStackResourcesInput&);
  ListExportsOutput list_exports(Call&, const ListExportsInput&);
  ListImportsOutput list_imports(Call&, const ListImportsInput&);

  // template_reads.cpp
  GetTemplateOutput get_template(Call&, const GetTemplateInput&);
  Task<GetTemplateSummaryOutput> summarize_template(CallPtr, GetTemplateSummaryInput);
  Task<ValidateTemplateOutput> validate_template(CallPtr, ValidateTemplateInput);

  // change_sets.cpp
  Task<CreateChangeSetOutput> create_change_set(CallPtr, CreateChangeSetInput);
  DescribeChangeSetOutput describe_change_set(Call&, const DescribeChangeSetInput&);
  ExecuteChangeSetOutput execute_change_set(Call&, const ExecuteChangeSetInput&);
  DeleteChangeSetOutput delete_change_set(Call&, const DeleteChangeSetInput&);
  ListChangeSetsOutput list_change_sets(Call&, const ListChangeSetsInput&);

  // What a request asks to make of a stack, read and checked.
  struct Request {
    std::string stack_name, stack_id;
    std::optional<std::string> body, url;
    std::string text;  // set beforehand where the previous template is used
    std::vector<ParameterInput> parameters;
    std::vector<ParameterValue> former_parameters;
    std::map<std::string, std::string> tags;
    std::vector<std::string> capabilities;
  };
  struct Prepared {
    std::string text;
    Template whole;
    EvaluatedTemplate evaluated;
    StackInputs inputs;  // but for the template's version
  };
  // Everything that can be refused is refused here, as ValidationError.
  Task<Prepared> prepare(CallPtr call, Request request);
  // What a stack is now, evaluated, for comparison.
  Prepared present(kernel::Txn& txn, const StackRecord& stack);
  std::vector<PlannedChange> compare_versions(const Prepared* before, const Prepared& after);
  // Whether nothing at all would change.
  static bool is_same(const Prepared& before, const Prepared& after,
                      const std::vector<PlannedChange>& changes);

  // What a change set starts from.
  struct Start {
    std::optional<StackRecord> stack;
    std::optional<Prepared> before;
    std::map<std::string, std::string> physical_ids;
  };
  ChangeSetRecord find_change_set(kernel::Txn& txn, const std::string& name_or_id,
                                  const std::optional<std::string>& stack);
  Start look_at_start(kernel::Txn& txn, const std::string& name, const CreateChangeSetInput& in);
  ChangeSetRecord make_change_set(Call& call, const CreateChangeSetInput& in, const Start& start,
                                  const std::string& stack_id, const Prepared& prepared);
  void put_change_set(kernel::Txn& txn, Call& call, const std::string& name,
                      const ChangeSetRecord& record);

  // Gives the stack its next template and hands it to a new operation.
  void begin_operation(kernel::Txn& txn, StackRecord& stack, std::string status,
                       std::string reason);
  void submit_job(kernel::Txn& txn, const StackRecord& stack);
  std::uint64_t put_template(kernel::Txn& txn, StackRecord& stack, const std::string& text);
  void check_role(const std::optional<std::string>& role_arn);
  static Task<void> run_job(CloudFormation* self, kernel::JobContextPtr context);

  platform::Environment& environment_;
  Vault vault_;
  std::unique_ptr<Types> types_;
  std::mutex mutex_;
  std::set<std::string> active_;  // stacks that a driver is at
};

// Shared by the handlers' files.
[[noreturn]] void throw_validation(std::string message);
std::string new_stack_id(platform::Call& call, Random& random, const std::string& name);
void check_stack_name(const std::string& name);

// NextToken texts: opaque, of the last key that was told.
std::string encode_token(const std::string& key);
std::string decode_token(const std::optional<std::string>& token);

template <class TagList>
std::map<std::string, std::string> read_tags(const TagList& tags) {
  std::map<std::string, std::string> out;
  if (tags) {
    for (const auto& tag : *tags) out[tag.key] = tag.value;
  }
  return out;
}

template <class ParameterList>
std::vector<ParameterInput> read_parameters(const ParameterList& parameters) {
  std::vector<ParameterInput> out;
  if (!parameters) return out;
  for (const auto& parameter : *parameters) {
    out.push_back({parameter.parameter_key.value_or(""), parameter.parameter_value,
                   parameter.use_previous_value.value_or(false)});
  }
  return out;
}

// What Tarn does not do with a request is refused by name.
template <class Input>
void refuse_unsupported(const Input& in) {
  const auto refuse = [](const char* what) {
    throw_validation(std::string(what) + " is not supported by Tarn");
  };
  if (in.rollback_configuration && in.rollback_configuration->rollback_triggers &&
      !in.rollback_configuration->rollback_triggers->empty()) {
    refuse("RollbackConfiguration.RollbackTriggers");
  }
  if (in.notification_arns && !in.notification_arns->empty()) refuse("NotificationARNs");
  if (in.resource_types && !in.resource_types->empty()) refuse("ResourceTypes");
  if constexpr (requires { in.stack_policy_body; }) {
    if (in.stack_policy_body) refuse("StackPolicyBody");
    if (in.stack_policy_url) refuse("StackPolicyURL");
  }
  if constexpr (requires { in.stack_policy_during_update_body; }) {
    if (in.stack_policy_during_update_body) refuse("StackPolicyDuringUpdateBody");
    if (in.stack_policy_during_update_url) refuse("StackPolicyDuringUpdateURL");
  }
}

}  // namespace tarn::cloudformation
