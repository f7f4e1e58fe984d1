// SPDX-License-Identifier: Apache-2.0
#include "services/cloudformation/service.hpp"

#include <algorithm>

#include "aws/error.hpp"
#include "base/log.hpp"
#include "base/strings.hpp"
#include "platform/registry.hpp"
#include "services/cloudformation/custom_resource.hpp"
#include "services/cloudformation/sources.hpp"
#include "services/cloudformation/wait_condition.hpp"

namespace tarn::cloudformation {
namespace {

constexpr const char* k_job = "cloudformation.stack-operation";
constexpr std::size_t k_running_max = 64;
constexpr std::size_t k_name_length_max = 128;
constexpr std::chrono::milliseconds k_turn{20};  // between looks whether a stack is free

// The ARN that policies know a stack by.
std::string arn_of(platform::Call& call, const std::string& name_or_id) {
  if (is_stack_arn(name_or_id)) return name_or_id;
  return fmt::format("arn:aws:cloudformation:{}:{}:stack/{}/*", call.region(), call.account(),
                     name_or_id);
}

template <class Input>
std::string stack_of(platform::Call& call, const Input& in) {
  if constexpr (std::is_same_v<decltype(in.stack_name), std::string>) {
    return arn_of(call, in.stack_name);
  } else {
    return arn_of(call, in.stack_name.value_or("*"));
  }
}

}  // namespace

void throw_validation(std::string message) {
  throw aws::ApiError("ValidationError", std::move(message));
}

std::string new_stack_id(platform::Call& call, Random& random, const std::string& name) {
  return fmt::format("arn:aws:cloudformation:{}:{}:stack/{}/{}", call.region(), call.account(),
                     name, random.uuid());
}

void check_stack_name(const std::string& name) {
  const bool valid = !name.empty() && std::isalpha(static_cast<unsigned char>(name[0])) &&
                     std::all_of(name.begin(), name.end(),
                                 [](unsigned char c) { return std::isalnum(c) || c == '-'; });
  if (!valid) {
    throw_validation(
        fmt::format("1 validation error detected: Value '{}' at 'stackName' failed to satisfy "
                    "constraint: Member "
                    "must satisfy regular expression pattern: [a-zA-Z][-a-zA-Z0-9]*",
                    name));
  }
  if (name.size() > k_name_length_max) {
    throw_validation(
        fmt::format("1 validation error detected: Value '{}' at 'stackName' failed to satisfy "
                    "constraint: Member "
                    "must have length less than or equal to {}",
                    name, k_name_length_max));
  }
}

std::string encode_token(const std::string& key) { return to_base64(key); }

std::string decode_token(const std::optional<std::string>& token) {
  if (!token || token->empty()) return {};
  const auto key = from_base64(*token);
  if (!key) throw_validation("Invalid NextToken");
  return *key;
}

CloudFormation::CloudFormation(platform::Environment& environment)
    : environment_(environment),
      vault_(environment.secrets) {}

void CloudFormation::operations(platform::OpTable& t) {
  constexpr auto k_self = "cloudformation.amazonaws.com";
  const auto role = [](Call&, const auto& in) { return in.role_arn; };
  t.op<CreateStack>(&CloudFormation::create_stack)
      .on(&stack_of<CreateStackInput>)
      .passes_role(k_self, role);
  t.op<UpdateStack>(&CloudFormation::update_stack)
      .on(&stack_of<UpdateStackInput>)
      .passes_role(k_self, role);
  t.op<DeleteStack>(&CloudFormation::delete_stack)
      .on(&stack_of<DeleteStackInput>)
      .passes_role(k_self, role);
  t.op<CancelUpdateStack>(&CloudFormation::cancel_update).on(&stack_of<CancelUpdateStackInput>);
  t.op<ContinueUpdateRollback>(&CloudFormation::continue_rollback)
      .on(&stack_of<ContinueUpdateRollbackInput>)
      .passes_role(k_self, role);
  t.op<RollbackStack>(&CloudFormation::rollback_stack)
      .on(&stack_of<RollbackStackInput>)
      .passes_role(k_self, role);
  t.op<UpdateTerminationProtection>(&CloudFormation::protect)
      .on(&stack_of<UpdateTerminationProtectionInput>);
  t.op<DescribeStacks>(&CloudFormation::describe_stacks).on(&stack_of<DescribeStacksInput>);
  t.op<ListStacks>(&CloudFormation::list_stacks);
  t.op<DescribeStackEvents>(&CloudFormation::describe_events)
      .on(&stack_of<DescribeStackEventsInput>);
  t.op<DescribeStackResource>(&CloudFormation::describe_resource)
      .on(&stack_of<DescribeStackResourceInput>);
  t.op<DescribeStackResources>(&CloudFormation::describe_resources)
      .on(&stack_of<DescribeStackResourcesInput>);
  t.op<ListStackResources>(&CloudFormation::list_resources).on(&stack_of<ListStackResourcesInput>);
  t.op<ListExports>(&CloudFormation::list_exports);
  t.op<ListImports>(&CloudFormation::list_imports);
  t.op<GetTemplate>(&CloudFormation::get_template).on(&stack_of<GetTemplateInput>);
  t.op<GetTemplateSummary>(&CloudFormation::summarize_template)
      .on(&stack_of<GetTemplateSummaryInput>);
  t.op<ValidateTemplate>(&CloudFormation::validate_template);
  t.op<CreateChangeSet>(&CloudFormation::create_change_set)
      .on(&stack_of<CreateChangeSetInput>)
      .passes_role(k_self, role)
      .partial("IncludeNestedStacks is recorded; nested stacks are listed as one change");
  t.op<DescribeChangeSet>(&CloudFormation::describe_change_set)
      .on(&stack_of<DescribeChangeSetInput>);
  t.op<ExecuteChangeSet>(&CloudFormation::execute_change_set).on(&stack_of<ExecuteChangeSetInput>);
  t.op<DeleteChangeSet>(&CloudFormation::delete_change_set).on(&stack_of<DeleteChangeSetInput>);
  t.op<ListChangeSets>(&CloudFormation::list_change_sets).on(&stack_of<ListChangeSetsInput>);
}

void CloudFormation::start() {
  types_ = std::make_unique<Types>(environment_.registry);
  mount_custom_responses(environment_);
  mount_wait_signals(environment_);
  kernel::Jobs::Type type;
  type.name = k_job;
  type.run = [this](kernel::JobContextPtr context) { return run_job(this, std::move(context)); };
  type.failed = [this](kernel::JobContextPtr context, const std::string& reason) {
    const Json input = parse_json(context->input());
    StackOperation(environment_, *types_, context->scope(), string_or(input, "stack"),
                   string_or(input, "operation"))
        .give_up(reason);
  };
  type.running_max = k_running_max;
  environment_.jobs.define(std::move(type));
}

Task<void> CloudFormation::run_job(CloudFormation* self, kernel::JobContextPtr context) {
  // Gives the stack free whatever happens.
  struct Turn {
    CloudFormation* self;
    std::string stack;
    bool taken = false;
    bool take() {
      std::lock_guard lock(self->mutex_);
      return taken = self->active_.insert(stack).second;
    }
    ~Turn() {
      std::lock_guard lock(self->mutex_);
      if (taken) self->active_.erase(stack);
    }
  };
  const Json input = parse_json(context->input());
  Turn turn{self, string_or(input, "stack")};
  while (!turn.take()) co_await sleep_for(self->environment_.clock, k_turn);
  auto operation =
      std::make_shared<StackOperation>(self->environment_, *self->types_, context->scope(),
                                       turn.stack, string_or(input, "operation"));
  auto running = StackOperation::run(std::move(operation));
  co_await running;
}

void CloudFormation::submit_job(kernel::Txn& txn, const StackRecord& stack) {
  JsonObject input;
  input["stack"] = stack.id;
  input["operation"] = stack.operation;
  environment_.jobs.submit(txn, k_job, environment_.random.uuid(), dump_json(input));
}

void CloudFormation::begin_operation(kernel::Txn& txn, StackRecord& stack, std::string status,
                                     std::string reason) {
  const auto now = environment_.clock.now();
  stack.operation = environment_.random.uuid();
  stack.operation_began = now;
  stack.cancel_requested = false;
  stack.skipped.clear();
  set_status(txn, stack, std::move(status), std::move(reason), now);
  txn.put(stack);
  submit_job(txn, stack);
}

std::uint64_t CloudFormation::put_template(kernel::Txn& txn, StackRecord& stack,
                                           const std::string& text) {
  const auto version = ++stack.template_versions;
  txn.put(TemplateRecord{stack.id, version, text});
  return version;
}

void CloudFormation::check_role(const std::optional<std::string>& role_arn) {
  if (!role_arn || role_arn->empty()) return;
  auto& identities = platform::Ports::require(environment_.ports.identities, "IAM");
  try {
    identities.assume_for_service(*role_arn, "cloudformation.amazonaws.com", "AWSCloudFormation");
  } catch (const aws::ApiError&) {
    throw_validation(fmt::format("Role {} is invalid or cannot be assumed", *role_arn));
  }
}

Task<CloudFormation::Prepared> CloudFormation::prepare(CallPtr call, Request request) {
  Prepared prepared;
  prepared.text = std::move(request.text);
  if (prepared.text.empty()) {
    auto source = read_template_source(call, std::move(request.body), std::move(request.url));
    prepared.text = co_await source;
  }
  std::string refusal;
  try {
    prepared.whole = load_template(prepared.text, request.parameters, request.former_parameters);
    auto values = choose_parameters(prepared.whole, request.parameters, request.former_parameters);
    auto looked_up = look_up_parameters(call, prepared.whole, std::move(values));
    values = co_await looked_up;
    Surroundings surroundings;
    surroundings.pseudo.account = call->account();
    surroundings.pseudo.region = call->region();
    surroundings.pseudo.stack_name = request.stack_name;
    surroundings.pseudo.stack_id = request.stack_id;
    surroundings.parameters = bind_parameters(prepared.whole, values);
    prepared.evaluated = evaluate_template(prepared.whole, surroundings);
    check_types(prepared.evaluated, types_->catalog());
    prepared.inputs.sealed_parameters = vault_.seal_parameters(values);
  } catch (const TemplateError& error) {
    refusal = error.what();
  }
  if (!refusal.empty()) throw_validation(refusal);
  const auto has = [&](std::string_view capability) {
    const auto& given = request.capabilities;
    return std::find(given.begin(), given.end(), capability) != given.end();
  };
  for (const auto& needed : needed_capabilities(prepared.evaluated).capabilities) {
    if (has(needed) || (needed == "CAPABILITY_IAM" && has("CAPABILITY_NAMED_IAM"))) continue;
    throw InsufficientCapabilitiesException("Requires capabilities : [" + needed + "]");
  }
  prepared.inputs.tags = std::move(request.tags);
  prepared.inputs.capabilities = std::move(request.capabilities);
  prepared.inputs.description = prepared.whole.description;
  co_return prepared;
}

CloudFormation::Prepared CloudFormation::present(kernel::Txn& txn, const StackRecord& stack) {
  Prepared prepared;
  prepared.inputs = stack.inputs;
  prepared.text = template_text(txn, stack.id, stack.inputs.template_version);
  const auto values = vault_.open_parameters(stack.inputs.sealed_parameters);
  std::vector<ParameterInput> given;
  for (const auto& value : values) given.push_back({value.name, value.text, false});
  prepared.whole = load_template(prepared.text, given);
  Surroundings surroundings;
  surroundings.pseudo.account = txn.scope().account;
  surroundings.pseudo.region = txn.scope().region;
  surroundings.pseudo.stack_name = stack.name;
  surroundings.pseudo.stack_id = stack.id;
  surroundings.parameters = bind_parameters(prepared.whole, values);
  prepared.evaluated = evaluate_template(prepared.whole, surroundings);
  return prepared;
}

std::vector<PlannedChange> CloudFormation::compare_versions(const Prepared* before,
                                                            const Prepared& after) {
  StackVersion old_version;
  if (before) old_version = {&before->whole, &before->evaluated, before->inputs.tags};
  try {
    return compare(old_version, {&after.whole, &after.evaluated, after.inputs.tags},
                   types_->catalog());
  } catch (const TemplateError& error) {
    throw_validation(error.what());
  }
}

bool CloudFormation::is_same(const Prepared& before, const Prepared& after,
                             const std::vector<PlannedChange>& changes) {
  if (!changes.empty() || before.inputs.tags != after.inputs.tags) return false;
  const auto& old_outputs = before.evaluated.outputs;
  const auto& new_outputs = after.evaluated.outputs;
  return std::equal(old_outputs.begin(), old_outputs.end(), new_outputs.begin(), new_outputs.end(),
                    [](const EvaluatedOutput& left, const EvaluatedOutput& right) {
                      return left.name == right.name && left.description == right.description &&
                             json_equal(left.value, right.value) &&
                             json_equal(left.export_name, right.export_name);
                    });
}

}  // namespace tarn::cloudformation
