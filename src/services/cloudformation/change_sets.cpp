// SPDX-License-Identifier: Apache-2.0
// Change sets: what a request would change, told before it is done.
#include <algorithm>
#include <array>
#include <set>

#include "aws/codec.hpp"
#include "aws/error.hpp"
#include "base/strings.hpp"
#include "services/cloudformation/service.hpp"

namespace tarn::cloudformation {
namespace {

constexpr const char* k_no_changes =
    "The submitted information didn't contain changes. Submit different information to create a "
    "change set.";

constexpr std::string_view k_changes_context = "cloudformation/changes";

std::optional<std::string> some(const std::string& text) {
  return text.empty() ? std::nullopt : std::optional(text);
}

bool is_change_set_arn(std::string_view text) {
  return text.starts_with("arn:") && text.find(":changeSet/") != std::string_view::npos;
}

std::string_view recreation_word(Recreation recreation) {
  static constexpr std::array<std::string_view, 3> k_words = {"Never", "Conditionally", "Always"};
  return k_words[static_cast<std::size_t>(recreation)];
}

Json detail_json(const ChangeDetail& detail) {
  JsonObject target;
  target["Attribute"] = detail.attribute;
  if (!detail.name.empty()) target["Name"] = detail.name;
  target["RequiresRecreation"] = recreation_word(detail.recreation);
  if (!detail.name.empty()) target["Path"] = "/" + detail.attribute + "/" + detail.name;
  if (!detail.dynamic) {
    if (detail.before) target["BeforeValue"] = *detail.before;
    if (detail.after) target["AfterValue"] = *detail.after;
    target["AttributeChangeType"] = !detail.before ? "Add" : !detail.after ? "Remove" : "Modify";
  }
  JsonObject out;
  out["Target"] = std::move(target);
  out["Evaluation"] = detail.dynamic ? "Dynamic" : "Static";
  out["ChangeSource"] = detail.source;
  if (!detail.causing_entity.empty()) out["CausingEntity"] = detail.causing_entity;
  return out;
}

Json context_json(const EvaluatedResource* resource) {
  JsonObject out;
  out["Properties"] = resource->properties;
  if (!resource->metadata.is_null()) out["Metadata"] = resource->metadata;
  return Json(dump_json(out));
}

Json change_json(const PlannedChange& change, const EvaluatedResource* before,
                 const EvaluatedResource* after,
                 const std::map<std::string, std::string>& physical_ids) {
  static constexpr std::array<std::string_view, 3> k_actions = {"Add", "Modify", "Remove"};
  JsonObject out;
  if (!change.policy_action.empty()) out["PolicyAction"] = change.policy_action;
  out["Action"] = k_actions[static_cast<std::size_t>(change.action)];
  out["LogicalResourceId"] = change.logical_id;
  const auto physical = physical_ids.find(change.logical_id);
  if (physical != physical_ids.end()) out["PhysicalResourceId"] = physical->second;
  out["ResourceType"] = change.type;
  if (!change.replacement.empty()) out["Replacement"] = change.replacement;
  JsonArray scope;
  for (const auto& name : change.scope) scope.push_back(Json(name));
  out["Scope"] = std::move(scope);
  JsonArray details;
  for (const auto& detail : change.details) details.push_back(detail_json(detail));
  out["Details"] = std::move(details);
  if (before) out["BeforeContext"] = context_json(before);
  if (after) out["AfterContext"] = context_json(after);
  JsonObject whole;
  whole["Type"] = "Resource";
  whole["ResourceChange"] = std::move(out);
  return whole;
}

void hide_values(Json& changes) {
  for (auto& change : changes.at("Changes").as_array()) {
    auto& resource = change.at("ResourceChange").as_object();
    resource.erase("BeforeContext");
    resource.erase("AfterContext");
    for (auto& detail : resource.at("Details").as_array()) {
      auto& target = detail.at("Target").as_object();
      for (const char* name : {"BeforeValue", "AfterValue", "Path", "AttributeChangeType"}) {
        target.erase(name);
      }
    }
  }
}

void check_change_set_name(const std::string& name) {
  const bool valid = !name.empty() && std::isalpha(static_cast<unsigned char>(name[0])) &&
                     std::all_of(name.begin(), name.end(),
                                 [](unsigned char c) { return std::isalnum(c) || c == '-'; });
  if (valid) return;
  throw_validation(fmt::format(
      "1 validation error detected: Value '{}' at 'changeSetName' failed to satisfy constraint: "
      "Member must satisfy regular expression pattern: [a-zA-Z][-a-zA-Z0-9]*",
      name));
}

}  // namespace

ChangeSetRecord CloudFormation::find_change_set(kernel::Txn& txn, const std::string& name_or_id,
                                                const std::optional<std::string>& stack) {
  std::optional<ChangeSetRecord> found;
  if (is_change_set_arn(name_or_id)) {
    if (const auto index = txn.find<ChangeSetIdRecord>(name_or_id)) {
      found = txn.find_for_update<ChangeSetRecord>(index->stack_id, index->name);
      if (found && found->id != name_or_id) found.reset();
    }
  } else {
    if (!stack) {
      throw_validation("StackName must be specified if ChangeSetName is not specified as an ARN.");
    }
    const auto record = require_stack(txn, *stack);
    found = txn.find_for_update<ChangeSetRecord>(record.id, name_or_id);
  }
  if (!found) {
    throw ChangeSetNotFoundException(fmt::format("ChangeSet [{}] does not exist", name_or_id));
  }
  return *std::move(found);
}

// What the change set would start from. Throws where there may be none.
CloudFormation::Start CloudFormation::look_at_start(kernel::Txn& txn, const std::string& name,
                                                    const CreateChangeSetInput& in) {
  Start start;
  start.stack = find_stack(txn, in.stack_name);
  const auto& stack = start.stack;
  if (in.change_set_type.value_or("UPDATE") == "UPDATE") {
    if (!stack) throw_validation(fmt::format("Stack [{}] does not exist", name));
    const auto& status = stack->status;
    if (in_progress(status) || status == "REVIEW_IN_PROGRESS" || status.starts_with("ROLLBACK_") ||
        status.starts_with("DELETE_") || status == "UPDATE_ROLLBACK_FAILED") {
      throw_validation(
          fmt::format("Stack:{} is in {} state and can not be updated.", stack->id, status));
    }
    start.before = present(txn, *stack);
    std::set<std::string> alive;
    for (const auto& resource : resources_of(txn, stack->id)) {
      start.physical_ids[resource.logical_id] = resource.current.physical_id;
      const bool failed = resource.status == "CREATE_FAILED" || resource.status.empty();
      if (resource.current.exists && !failed) alive.insert(resource.logical_id);
    }
    // Where a failure was left (rollback was disabled), what is not there is still to be added.
    if (status.ends_with("_FAILED")) {
      std::erase_if(start.before->evaluated.resources, [&](const EvaluatedResource& resource) {
        return !alive.contains(resource.logical_id);
      });
    }
  } else if (stack && stack->status != "REVIEW_IN_PROGRESS") {
    throw_validation(fmt::format(
        "Stack [{}] already exists and cannot be created again with the changeSet [{}].", name,
        in.change_set_name));
  }
  const auto same_name =
      stack ? txn.find<ChangeSetRecord>(stack->id, in.change_set_name) : std::nullopt;
  // One that can be executed no more gives its name free: the aws CLI names them by the second.
  if (same_name && same_name->execution_status == "AVAILABLE") {
    throw AlreadyExistsException(
        fmt::format("ChangeSet {} cannot be created as it already exists", in.change_set_name));
  }
  return start;
}

Task<CreateChangeSetOutput> CloudFormation::create_change_set(CallPtr call,
                                                              CreateChangeSetInput in) {
  const auto name = is_stack_arn(in.stack_name) ? stack_name_of_arn(in.stack_name) : in.stack_name;
  check_stack_name(name);
  check_change_set_name(in.change_set_name);
  refuse_unsupported(in);
  const std::string type = in.change_set_type.value_or("UPDATE");
  if (type != "CREATE" && type != "UPDATE") {
    throw_validation(fmt::format("ChangeSetType {} is not supported by Tarn", type));
  }
  if (in.resources_to_import && !in.resources_to_import->empty()) {
    throw_validation("ResourcesToImport is not supported by Tarn");
  }
  check_role(in.role_arn);
  const auto start = environment_.store.transact(
      call->scope(), [&](kernel::Txn& txn) { return look_at_start(txn, name, in); });
  Request request;
  request.stack_name = name;
  request.stack_id = start.stack ? start.stack->id : new_stack_id(*call, environment_.random, name);
  request.body = in.template_body;
  request.url = in.template_url;
  if (in.use_previous_template.value_or(false)) {
    if (!start.before) throw_validation("UsePreviousTemplate needs a stack that exists");
    request.text = start.before->text;
  }
  request.parameters = read_parameters(in.parameters);
  if (start.before) {
    request.former_parameters = vault_.open_parameters(start.before->inputs.sealed_parameters);
  }
  request.tags = read_tags(in.tags);
  if (!in.tags && start.stack) request.tags = start.stack->inputs.tags;
  request.capabilities = in.capabilities.value_or(std::vector<std::string>());
  const std::string stack_id = request.stack_id;
  auto preparing = prepare(call, std::move(request));
  const auto prepared = co_await preparing;
  const auto record = make_change_set(*call, in, start, stack_id, prepared);
  environment_.store.transact(call->scope(),
                              [&](kernel::Txn& txn) { put_change_set(txn, *call, name, record); });
  co_return CreateChangeSetOutput{.id = record.id, .stack_id = stack_id};
}

ChangeSetRecord CloudFormation::make_change_set(Call& call, const CreateChangeSetInput& in,
                                                const Start& start, const std::string& stack_id,
                                                const Prepared& prepared) {
  const Prepared* before = start.before ? &*start.before : nullptr;
  const auto changes = compare_versions(before, prepared);
  const bool retries = start.stack && start.stack->status.ends_with("_FAILED");
  const bool empty = before && !retries && is_same(*before, prepared, changes);
  ChangeSetRecord record;
  record.stack_id = stack_id;
  record.name = in.change_set_name;
  record.id = fmt::format("arn:aws:cloudformation:{}:{}:changeSet/{}/{}", call.region(),
                          call.account(), in.change_set_name, environment_.random.uuid());
  record.description = in.description.value_or("");
  record.type = in.change_set_type.value_or("UPDATE");
  record.status = empty ? "FAILED" : "CREATE_COMPLETE";
  record.reason = empty ? k_no_changes : "";
  record.execution_status = empty ? "UNAVAILABLE" : "AVAILABLE";
  record.created = call.now();
  record.template_text = prepared.text;
  record.inputs = prepared.inputs;
  JsonArray list;
  for (const auto& change : changes) {
    list.push_back(change_json(change,
                               before ? before->evaluated.resource(change.logical_id) : nullptr,
                               prepared.evaluated.resource(change.logical_id), start.physical_ids));
  }
  JsonObject told;
  told["Changes"] = std::move(list);
  // Values of properties may be those of hidden parameters.
  record.changes = environment_.secrets.seal(dump_json(told), k_changes_context);
  record.role_arn = in.role_arn.value_or("");
  record.identity = write_identity(call.identity());
  record.on_failure = in.on_stack_failure.value_or("ROLLBACK");
  record.client_token = in.client_token.value_or("");
  record.include_nested = in.include_nested_stacks.value_or(false);
  record.import_existing = in.import_existing_resources.value_or(false);
  record.based_on = before ? before->inputs.template_version : 0;
  record.based_on_operation = start.stack ? start.stack->operation : "";
  return record;
}

// With the stack, in review, where there is none yet.
void CloudFormation::put_change_set(kernel::Txn& txn, Call& call, const std::string& name,
                                    const ChangeSetRecord& record) {
  const auto existing = txn.find_for_update<StackNameRecord>(name);
  if (!existing) {
    if (record.type != "CREATE") throw_validation(fmt::format("Stack [{}] does not exist", name));
    StackRecord review;
    review.id = record.stack_id;
    review.name = name;
    review.created = call.now();
    review.identity = record.identity;
    review.inputs.tags = record.inputs.tags;
    set_status(txn, review, "REVIEW_IN_PROGRESS", "User Initiated", call.now());
    txn.put(review);
    txn.put(StackNameRecord{name, record.stack_id});
  } else if (existing->id != record.stack_id) {
    throw AlreadyExistsException(fmt::format("Stack [{}] already exists", name));
  }
  txn.put(record);
  txn.put(ChangeSetIdRecord{record.id, record.stack_id, record.name});
}

DescribeChangeSetOutput CloudFormation::describe_change_set(Call& call,
                                                            const DescribeChangeSetInput& in) {
  auto txn = environment_.store.begin(call.scope());
  const auto record = find_change_set(txn, in.change_set_name, in.stack_name);
  DescribeChangeSetOutput out;
  Json changes = parse_json(environment_.secrets.open(record.changes, k_changes_context));
  if (!in.include_property_values.value_or(false)) hide_values(changes);
  aws::decode_json(*DescribeChangeSet::operation().output, changes, &out, {.lenient = true},
                   DescribeChangeSet::operation().service);
  out.change_set_name = record.name;
  out.change_set_id = record.id;
  out.stack_id = record.stack_id;
  out.stack_name = stack_name_of_arn(record.stack_id);
  out.description = some(record.description);
  std::vector<Parameter> parameters;
  for (const auto& value : vault_.open_parameters(record.inputs.sealed_parameters)) {
    Parameter parameter;
    parameter.parameter_key = value.name;
    parameter.parameter_value = value.no_echo ? std::string("****") : value.text;
    if (!value.resolved.empty()) parameter.resolved_value = value.resolved;
    parameters.push_back(std::move(parameter));
  }
  if (!parameters.empty()) out.parameters = std::move(parameters);
  out.creation_time = record.created;
  out.execution_status = record.execution_status;
  out.status = record.status;
  out.status_reason = some(record.reason);
  out.notification_arns = std::vector<std::string>();
  out.rollback_configuration = RollbackConfiguration{};
  if (!record.inputs.capabilities.empty()) out.capabilities = record.inputs.capabilities;
  std::vector<Tag> tags;
  for (const auto& [key, value] : record.inputs.tags) tags.push_back({.key = key, .value = value});
  if (!tags.empty()) out.tags = std::move(tags);
  out.include_nested_stacks = record.include_nested;
  out.on_stack_failure = some(record.on_failure);
  out.import_existing_resources = record.import_existing;
  return out;
}

ExecuteChangeSetOutput CloudFormation::execute_change_set(Call& call,
                                                          const ExecuteChangeSetInput& in) {
  auto txn = environment_.store.begin(call.scope());
  auto record = find_change_set(txn, in.change_set_name, in.stack_name);
  auto stack = require_stack_for_update(txn, record.stack_id);
  const auto token = in.client_request_token.value_or("");
  if (!token.empty() && stack.client_token == token &&
      record.execution_status.starts_with("EXECUTE_")) {
    return {};
  }
  if (record.status != "CREATE_COMPLETE" || record.execution_status != "AVAILABLE") {
    throw InvalidChangeSetStatusException(
        fmt::format("ChangeSet [{}] cannot be executed in its current status of [{}]", record.id,
                    record.status == "CREATE_COMPLETE" ? record.execution_status : record.status));
  }
  const bool creates = record.type == "CREATE";
  const bool stale =
      creates ? stack.status != "REVIEW_IN_PROGRESS"
              : stack.operation != record.based_on_operation || in_progress(stack.status);
  if (stale) {
    throw_validation(
        fmt::format("Stack:{} is in {} state and can not be updated.", stack.id, stack.status));
  }
  record.execution_status = "EXECUTE_COMPLETE";
  txn.put(record);
  // The others told of a stack that will not be any more: they go, as on AWS.
  for (const auto& other : txn.list<ChangeSetRecord>(kernel::Key(stack.id))) {
    if (other.name == record.name) continue;
    txn.erase<ChangeSetRecord>(stack.id, other.name);
    txn.erase<ChangeSetIdRecord>(other.id);
  }
  stack.former = creates ? record.inputs : stack.inputs;
  stack.inputs = record.inputs;
  stack.inputs.template_version = put_template(txn, stack, record.template_text);
  if (creates) stack.former.template_version = stack.inputs.template_version;
  if (!creates) stack.updated = call.now();
  if (!record.role_arn.empty()) stack.role_arn = record.role_arn;
  stack.identity = write_identity(call.identity());
  stack.on_failure = in.disable_rollback.value_or(false) ? "DO_NOTHING" : record.on_failure;
  stack.retain_except_on_create = in.retain_except_on_create.value_or(false);
  stack.change_set_id = record.id;
  stack.client_token = token;
  begin_operation(txn, stack, creates ? "CREATE_IN_PROGRESS" : "UPDATE_IN_PROGRESS",
                  "User Initiated");
  txn.commit();
  return {};
}

DeleteChangeSetOutput CloudFormation::delete_change_set(Call& call,
                                                        const DeleteChangeSetInput& in) {
  auto txn = environment_.store.begin(call.scope());
  try {
    const auto record = find_change_set(txn, in.change_set_name, in.stack_name);
    txn.erase<ChangeSetRecord>(record.stack_id, record.name);
    txn.erase<ChangeSetIdRecord>(record.id);
  } catch (const ChangeSetNotFoundException&) {
    return {};  // gone already
  }
  txn.commit();
  return {};
}

ListChangeSetsOutput CloudFormation::list_change_sets(Call& call, const ListChangeSetsInput& in) {
  auto txn = environment_.store.begin(call.scope());
  const auto stack = require_stack(txn, in.stack_name);
  ListChangeSetsOutput out;
  out.summaries.emplace();
  for (const auto& record : txn.list<ChangeSetRecord>(kernel::Key(stack.id))) {
    ChangeSetSummary summary;
    summary.stack_id = stack.id;
    summary.stack_name = stack.name;
    summary.change_set_id = record.id;
    summary.change_set_name = record.name;
    summary.execution_status = record.execution_status;
    summary.status = record.status;
    summary.status_reason = some(record.reason);
    summary.creation_time = record.created;
    summary.description = some(record.description);
    summary.include_nested_stacks = record.include_nested;
    summary.import_existing_resources = record.import_existing;
    out.summaries->push_back(std::move(summary));
  }
  return out;
}

}  // namespace tarn::cloudformation
