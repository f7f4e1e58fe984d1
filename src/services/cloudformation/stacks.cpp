// SPDX-License-Identifier: Apache-2.0
// The operations that change stacks.
#include <algorithm>
#include <array>

#include "aws/error.hpp"
#include "base/strings.hpp"
#include "services/cloudformation/service.hpp"

namespace tarn::cloudformation {
namespace {

void refuse_state(const StackRecord& stack) {
  throw_validation(
      fmt::format("Stack:{} is in {} state and can not be updated.", stack.id, stack.status));
}

bool may_update(const StackRecord& stack) {
  static constexpr std::array<std::string_view, 5> k_states = {"CREATE_COMPLETE", "UPDATE_COMPLETE",
                                                               "UPDATE_ROLLBACK_COMPLETE",
                                                               "CREATE_FAILED", "UPDATE_FAILED"};
  return std::find(k_states.begin(), k_states.end(), stack.status) != k_states.end();
}

template <class Input>
std::string failure_choice(const Input& in) {
  std::string choice = "ROLLBACK";
  if constexpr (requires { in.on_failure; }) {
    if (in.on_failure && in.disable_rollback) {
      throw_validation("Either DisableRollback or OnFailure may be specified, but not both.");
    }
    choice = in.on_failure.value_or("ROLLBACK");
  }
  if (in.disable_rollback.value_or(false)) choice = "DO_NOTHING";
  return choice;
}

}  // namespace

Task<CreateStackOutput> CloudFormation::create_stack(CallPtr call, CreateStackInput in) {
  check_stack_name(in.stack_name);
  refuse_unsupported(in);
  const auto on_failure = failure_choice(in);
  check_role(in.role_arn);
  const auto token = in.client_request_token.value_or("");
  const std::string known = environment_.store.transact(call->scope(), [&](kernel::Txn& txn) {
    const auto existing = find_stack(txn, in.stack_name);
    if (!existing) return std::string();
    if (!token.empty() && existing->client_token == token) return existing->id;
    throw AlreadyExistsException(fmt::format("Stack [{}] already exists", in.stack_name));
  });
  if (!known.empty()) co_return CreateStackOutput{.stack_id = known};
  Request request;
  request.stack_name = in.stack_name;
  request.stack_id = new_stack_id(*call, environment_.random, in.stack_name);
  request.body = in.template_body;
  request.url = in.template_url;
  request.parameters = read_parameters(in.parameters);
  request.tags = read_tags(in.tags);
  request.capabilities = in.capabilities.value_or(std::vector<std::string>());
  const auto stack_id = request.stack_id;
  auto preparing = prepare(call, std::move(request));
  auto prepared = co_await preparing;
  environment_.store.transact(call->scope(), [&](kernel::Txn& txn) {
    if (txn.find_for_update<StackNameRecord>(in.stack_name)) {
      throw AlreadyExistsException(fmt::format("Stack [{}] already exists", in.stack_name));
    }
    StackRecord stack;
    stack.id = stack_id;
    stack.name = in.stack_name;
    stack.created = call->now();
    stack.inputs = prepared.inputs;
    stack.inputs.template_version = put_template(txn, stack, prepared.text);
    stack.role_arn = in.role_arn.value_or("");
    stack.identity = write_identity(call->identity());
    stack.on_failure = on_failure;
    stack.retain_except_on_create = in.retain_except_on_create.value_or(false);
    stack.termination_protection = in.enable_termination_protection.value_or(false);
    stack.timeout_minutes = in.timeout_in_minutes.value_or(0);
    stack.client_token = token;
    txn.put(StackNameRecord{stack.name, stack.id});
    begin_operation(txn, stack, "CREATE_IN_PROGRESS", "User Initiated");
  });
  co_return CreateStackOutput{.stack_id = stack_id};
}

Task<UpdateStackOutput> CloudFormation::update_stack(CallPtr call, UpdateStackInput in) {
  refuse_unsupported(in);
  check_role(in.role_arn);
  const auto token = in.client_request_token.value_or("");
  Request request;
  std::optional<Prepared> before;
  StackRecord now_is;
  environment_.store.transact(call->scope(), [&](kernel::Txn& txn) {
    now_is = require_stack(txn, in.stack_name);
    if (!token.empty() && now_is.client_token == token) return;
    if (!may_update(now_is)) refuse_state(now_is);
    before = present(txn, now_is);
  });
  if (!before) co_return UpdateStackOutput{.stack_id = now_is.id};
  request.stack_name = now_is.name;
  request.stack_id = now_is.id;
  request.body = in.template_body;
  request.url = in.template_url;
  if (in.use_previous_template.value_or(false)) {
    if (in.template_body || in.template_url) {
      throw_validation(
          "You cannot specify both usePreviousTemplate and Template Body/Template URL.");
    }
    request.text = before->text;
  }
  request.parameters = read_parameters(in.parameters);
  request.former_parameters = vault_.open_parameters(now_is.inputs.sealed_parameters);
  request.tags = in.tags ? read_tags(in.tags) : now_is.inputs.tags;
  request.capabilities = in.capabilities.value_or(std::vector<std::string>());
  auto preparing = prepare(call, std::move(request));
  auto prepared = co_await preparing;
  const auto changes = compare_versions(&*before, prepared);
  const bool failed = now_is.status.ends_with("_FAILED");
  if (!failed && is_same(*before, prepared, changes)) {
    throw_validation("No updates are to be performed.");
  }
  environment_.store.transact(call->scope(), [&](kernel::Txn& txn) {
    auto stack = require_stack_for_update(txn, now_is.id);
    if (!may_update(stack) || stack.operation != now_is.operation) refuse_state(stack);
    stack.former = stack.inputs;
    stack.inputs = prepared.inputs;
    stack.inputs.template_version = put_template(txn, stack, prepared.text);
    stack.updated = call->now();
    if (in.role_arn) stack.role_arn = *in.role_arn;
    stack.identity = write_identity(call->identity());
    stack.on_failure = failure_choice(in);
    stack.retain_except_on_create = in.retain_except_on_create.value_or(false);
    stack.client_token = token;
    begin_operation(txn, stack, "UPDATE_IN_PROGRESS", "User Initiated");
  });
  co_return UpdateStackOutput{.stack_id = now_is.id};
}

// Deleting what does not exist is a success, as in AWS. A stack that is being made or changed may
// be deleted, too: its driver sees that it was superseded and leaves the field.
DeleteStackOutput CloudFormation::delete_stack(Call& call, const DeleteStackInput& in) {
  check_role(in.role_arn);
  auto txn = environment_.store.begin(call.scope());
  auto found = find_stack_for_update(txn, in.stack_name);
  if (!found || found->status == "DELETE_COMPLETE" || found->status == "DELETE_IN_PROGRESS")
    return {};
  StackRecord& stack = *found;
  if (stack.termination_protection) {
    throw_validation(
        fmt::format("Stack [{}] cannot be deleted while TerminationProtection is "
                    "enabled",
                    stack.name));
  }
  const auto retained = in.retain_resources.value_or(std::vector<std::string>());
  if (!retained.empty() && stack.status != "DELETE_FAILED") {
    throw_validation("Invalid operation on stack [" + stack.id +
                     "]. RetainResources may only be specified for a stack in DELETE_FAILED state");
  }
  if (in.deletion_mode == "FORCE_DELETE_STACK" && stack.status != "DELETE_FAILED") {
    throw_validation("FORCE_DELETE_STACK may only be used for a stack in DELETE_FAILED state");
  }
  for (const auto& id : retained) {
    if (!txn.find<ResourceRecord>(stack.id, id)) {
      throw_validation(fmt::format("Resource {} does not exist for stack {}", id, stack.name));
    }
  }
  if (in.role_arn) stack.role_arn = *in.role_arn;
  stack.identity = write_identity(call.identity());
  stack.client_token = in.client_request_token.value_or("");
  if (stack.status == "REVIEW_IN_PROGRESS") {  // nothing was made
    txn.erase<StackNameRecord>(stack.name);
    stack.deleted = call.now();
    set_status(txn, stack, "DELETE_COMPLETE", "User Initiated", call.now());
    txn.put(stack);
    txn.commit();
    return {};
  }
  begin_operation(txn, stack, "DELETE_IN_PROGRESS", "User Initiated");
  stack.skipped.insert(retained.begin(), retained.end());
  if (in.deletion_mode == "FORCE_DELETE_STACK") {
    for (const auto& resource : resources_of(txn, stack.id)) {
      if (resource.status == "DELETE_FAILED") stack.skipped.insert(resource.logical_id);
    }
  }
  txn.put(stack);
  txn.commit();
  return {};
}

CancelUpdateStackOutput CloudFormation::cancel_update(Call& call,
                                                      const CancelUpdateStackInput& in) {
  auto txn = environment_.store.begin(call.scope());
  auto stack = require_stack_for_update(txn, in.stack_name);
  if (stack.status != "UPDATE_IN_PROGRESS") {
    throw_validation("CancelUpdateStack cannot be called from current stack status");
  }
  stack.cancel_requested = true;
  txn.put(stack);
  txn.commit();
  return {};
}

// The operation that failed goes on: what was put back stays, what failed is tried again or left.
ContinueUpdateRollbackOutput CloudFormation::continue_rollback(
    Call& call, const ContinueUpdateRollbackInput& in) {
  check_role(in.role_arn);
  auto txn = environment_.store.begin(call.scope());
  auto stack = require_stack_for_update(txn, in.stack_name);
  if (stack.status != "UPDATE_ROLLBACK_FAILED") {
    throw_validation(
        fmt::format("Stack:{} is in {} state and can not be rolled back.", stack.id, stack.status));
  }
  if (in.role_arn) stack.role_arn = *in.role_arn;
  stack.identity = write_identity(call.identity());
  stack.client_token = in.client_request_token.value_or("");
  stack.skipped.clear();
  for (const auto& id : in.resources_to_skip.value_or(std::vector<std::string>())) {
    const auto resource = txn.find<ResourceRecord>(stack.id, id);
    if (!resource || resource->status != "UPDATE_FAILED") {
      throw_validation(fmt::format("The following resource(s) could not be skipped: [{}]", id));
    }
    stack.skipped.insert(id);
  }
  set_status(txn, stack, "UPDATE_ROLLBACK_IN_PROGRESS", "User Initiated", call.now());
  txn.put(stack);
  submit_job(txn, stack);
  txn.commit();
  return {};
}

// What failed and was left (DisableRollback) is put back after all, by the same operation.
RollbackStackOutput CloudFormation::rollback_stack(Call& call, const RollbackStackInput& in) {
  check_role(in.role_arn);
  auto txn = environment_.store.begin(call.scope());
  auto stack = require_stack_for_update(txn, in.stack_name);
  const auto token = in.client_request_token.value_or("");
  if (!token.empty() && stack.client_token == token) return {.stack_id = stack.id};
  const bool created = stack.status == "CREATE_FAILED";
  if (!created && stack.status != "UPDATE_FAILED") {
    throw_validation(
        fmt::format("Stack:{} is in {} state and can not be rolled back.", stack.id, stack.status));
  }
  if (in.role_arn) stack.role_arn = *in.role_arn;
  stack.identity = write_identity(call.identity());
  stack.client_token = token;
  stack.retain_except_on_create = in.retain_except_on_create.value_or(false);
  stack.skipped.clear();
  set_status(txn, stack, created ? "ROLLBACK_IN_PROGRESS" : "UPDATE_ROLLBACK_IN_PROGRESS",
             "User Initiated", call.now());
  txn.put(stack);
  submit_job(txn, stack);
  txn.commit();
  return {.stack_id = stack.id};
}

UpdateTerminationProtectionOutput CloudFormation::protect(
    Call& call, const UpdateTerminationProtectionInput& in) {
  auto txn = environment_.store.begin(call.scope());
  auto stack = require_stack_for_update(txn, in.stack_name);
  stack.termination_protection = in.enable_termination_protection;
  txn.put(stack);
  txn.commit();
  return {.stack_id = stack.id};
}

}  // namespace tarn::cloudformation
