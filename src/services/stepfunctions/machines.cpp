// SPDX-License-Identifier: Apache-2.0
// State machines: definitions, roles, tags.
#include <fmt/format.h>

#include "aws/codec.hpp"
#include "aws/stepfunctions/errors.hpp"
#include "base/strings.hpp"
#include "services/stepfunctions/names.hpp"
#include "services/stepfunctions/service.hpp"
#include "services/stepfunctions/versions.hpp"

namespace tarn::stepfunctions {
namespace {

constexpr std::size_t k_diagnostics_max = 100;
constexpr std::size_t k_tags_max = 50;

std::shared_ptr<const asl::Definition> parse(const std::string& text, bool express) {
  const auto parsed = asl::parse_definition(text, express);
  if (!parsed.ok()) throw InvalidDefinition(parsed.error_message());
  return parsed.definition;
}

void check_role(const std::string& arn) {
  const auto parts = split(arn, ':');
  const bool fits = parts.size() == 6 && parts[0] == "arn" && parts[2] == "iam" &&
                    parts[5].starts_with("role/") && parts[5].size() > 5;
  if (!fits) throw InvalidArn(fmt::format("Invalid Role Arn: '{}'", arn));
}

template <class Shape>
Json as_json(const std::optional<Shape>& given) {
  if (!given) return nullptr;
  return aws::encode_json(aws::shape_of<Shape>(), &*given);
}
template <class Shape>
Shape from_json(const Json& stored) {
  Shape out{};
  aws::decode_json(aws::shape_of<Shape>(), stored, &out);
  return out;
}

LoggingConfiguration shown_logging(const MachineRecord& machine) {
  LoggingConfiguration out;
  if (!machine.logging.is_null()) out = from_json<LoggingConfiguration>(machine.logging);
  if (!out.level) out.level = "OFF";
  if (!out.include_execution_data) out.include_execution_data = false;
  return out;
}
TracingConfiguration shown_tracing(const MachineRecord& machine) {
  TracingConfiguration out;
  if (!machine.tracing.is_null()) out = from_json<TracingConfiguration>(machine.tracing);
  if (!out.enabled) out.enabled = false;
  return out;
}
EncryptionConfiguration shown_encryption(const Json& stored) {
  if (!stored.is_null()) return from_json<EncryptionConfiguration>(stored);
  EncryptionConfiguration out{};
  out.type = "AWS_OWNED_KEY";
  return out;
}

std::map<std::string, std::string> tag_map(const std::vector<Tag>& tags) {
  std::map<std::string, std::string> out;
  for (const auto& tag : tags) out[tag.key.value_or("")] = tag.value.value_or("");
  return out;
}

std::optional<std::map<std::string, std::vector<std::string>>> variables_of(
    const asl::Definition& definition) {
  std::map<std::string, std::vector<std::string>> out;
  for (const auto& [state, names] : definition.variables) {
    out[state] = std::vector<std::string>(names.begin(), names.end());
  }
  if (out.empty()) return std::nullopt;
  return out;
}

void check_publish(const std::optional<bool>& publish,
                   const std::optional<std::string>& description) {
  if (description && !publish.value_or(false)) {
    throw aws::validation_error("Version description can only be set when publish is true");
  }
}

}  // namespace

Task<CreateStateMachineOutput> StepFunctions::create_state_machine(CallPtr call,
                                                                   CreateStateMachineInput in) {
  check_name(in.name);
  check_role(in.role_arn);
  co_await check_logging(call, in.logging_configuration);
  co_return create_checked(*call, in);
}

Task<UpdateStateMachineOutput> StepFunctions::update_state_machine(CallPtr call,
                                                                   UpdateStateMachineInput in) {
  co_await check_logging(call, in.logging_configuration);
  co_return update_checked(*call, in);
}

// Creating again what exists just so is a success, as in AWS.
CreateStateMachineOutput StepFunctions::create_checked(Call& call,
                                                       const CreateStateMachineInput& in) {
  check_publish(in.publish, in.version_description);
  const std::string type = in.type.value_or("STANDARD");
  const auto definition = parse(in.definition, type == "EXPRESS");
  auto txn = environment_.store.begin(call.scope());
  MachineRecord made;
  made.name = in.name;
  made.arn = machine_arn(call.scope(), in.name);
  made.type = type;
  made.role_arn = in.role_arn;
  made.logging = as_json(in.logging_configuration);
  made.tracing = as_json(in.tracing_configuration);
  made.encryption = as_json(in.encryption_configuration);
  if (in.tags) made.tags = tag_map(*in.tags);
  if (const auto existing = txn.find_for_update<MachineRecord>(in.name)) {
    const auto revision = txn.peek<RevisionRecord>(existing->name, existing->revision);
    const bool same = revision && revision->definition == in.definition &&
                      existing->type == made.type && existing->role_arn == made.role_arn &&
                      json_equal(existing->logging, made.logging) &&
                      json_equal(existing->tracing, made.tracing) &&
                      json_equal(existing->encryption, made.encryption);
    if (same) {
      CreateStateMachineOutput out{.state_machine_arn = existing->arn,
                                   .creation_date = existing->created};
      if (in.publish.value_or(false)) {
        MachineRecord machine = *existing;
        out.state_machine_version_arn =
            publish_version(txn, machine, in.version_description, call.now()).arn;
        txn.commit();
      }
      return out;
    }
    throw StateMachineAlreadyExists(
        fmt::format("State Machine Already Exists: '{}'", existing->arn));
  }
  made.revision = environment_.random.uuid();
  made.created = made.changed = call.now();
  CreateStateMachineOutput out{.state_machine_arn = made.arn, .creation_date = made.created};
  txn.put(made);
  txn.put(RevisionRecord{made.name, made.revision, in.definition});
  if (in.publish.value_or(false)) {
    out.state_machine_version_arn =
        publish_version(txn, made, in.version_description, call.now()).arn;
  }
  txn.commit();
  runner_.remember(made.revision, definition);
  return out;
}

UpdateStateMachineOutput StepFunctions::update_checked(Call& call,
                                                       const UpdateStateMachineInput& in) {
  check_publish(in.publish, in.version_description);
  const auto name = parse_name(in.state_machine_arn, "stateMachine");
  if (!in.definition && !in.role_arn && !in.logging_configuration && !in.tracing_configuration &&
      !in.encryption_configuration) {
    throw MissingRequiredParameter(
        "Either the definition, the role ARN, the LoggingConfiguration, or the "
        "TracingConfiguration must be specified");
  }
  if (in.role_arn) check_role(*in.role_arn);
  auto txn = environment_.store.begin(call.scope());
  auto machine = txn.find_for_update<MachineRecord>(name.name);
  if (!machine || !name.qualifier.empty() || !(name.scope == call.scope())) {
    no_machine(in.state_machine_arn);
  }
  const auto before = txn.peek<RevisionRecord>(machine->name, machine->revision);
  std::shared_ptr<const asl::Definition> definition;
  if (in.definition) definition = parse(*in.definition, machine->type == "EXPRESS");
  const bool changed = (in.definition && (!before || *in.definition != before->definition)) ||
                       (in.role_arn && *in.role_arn != machine->role_arn);
  if (in.role_arn) machine->role_arn = *in.role_arn;
  if (in.logging_configuration) machine->logging = as_json(in.logging_configuration);
  if (in.tracing_configuration) machine->tracing = as_json(in.tracing_configuration);
  if (in.encryption_configuration) machine->encryption = as_json(in.encryption_configuration);
  machine->changed = call.now();
  if (changed) {
    // Executions keep the revision that they began with; it is removed with the machine.
    machine->revision = environment_.random.uuid();
    machine->updated = true;
    txn.put(RevisionRecord{machine->name, machine->revision,
                           in.definition ? *in.definition : before->definition});
  }
  txn.put(*machine);
  UpdateStateMachineOutput out;
  if (in.publish.value_or(false)) {
    out.state_machine_version_arn =
        publish_version(txn, *machine, in.version_description, call.now()).arn;
  }
  txn.commit();
  if (changed && definition) runner_.remember(machine->revision, definition);
  out.update_date = machine->changed;
  if (machine->updated) out.revision_id = machine->revision;
  return out;
}

// Running executions go on with their own copy of everything; AWS says DELETING until they ended.
DeleteStateMachineOutput StepFunctions::delete_state_machine(Call& call,
                                                             const DeleteStateMachineInput& in) {
  const auto name = parse_name(in.state_machine_arn, "stateMachine");
  auto txn = environment_.store.begin(call.scope());
  if (!(name.scope == call.scope()) || !txn.find_for_update<MachineRecord>(name.name)) return {};
  txn.erase<MachineRecord>(name.name);
  for (const auto& version : txn.list<VersionRecord>(kernel::Key(name.name))) {
    txn.erase<VersionRecord>(version.machine, version.number);
  }
  for (const auto& alias : txn.list<AliasRecord>(kernel::Key(name.name))) {
    txn.erase<AliasRecord>(alias.machine, alias.name);
  }
  txn.commit();
  return {};
}

DescribeStateMachineOutput StepFunctions::describe_state_machine(
    Call& call, const DescribeStateMachineInput& in) {
  auto txn = environment_.store.begin(call.scope());
  const auto found = require_target(txn, in.state_machine_arn, environment_.random);
  const MachineRecord& machine = found.machine;
  const auto revision = txn.peek<RevisionRecord>(machine.name, machine.revision);
  DescribeStateMachineOutput out;
  out.state_machine_arn = found.version ? found.version->arn : machine.arn;
  if (found.version) out.description = found.version->description;
  out.name = machine.name;
  out.status = "ACTIVE";
  out.role_arn = machine.role_arn;
  out.type = machine.type;
  out.creation_date = found.version ? found.version->created : machine.created;
  out.logging_configuration = shown_logging(machine);
  out.tracing_configuration = shown_tracing(machine);
  out.encryption_configuration = shown_encryption(machine.encryption);
  if (machine.updated) out.revision_id = machine.revision;
  if (in.included_data.value_or("ALL_DATA") == "METADATA_ONLY") return out;
  out.definition = revision ? revision->definition : "";
  out.variable_references = variables_of(
      *runner_.definition_of(txn, machine.name, machine.revision, machine.type == "EXPRESS"));
  return out;
}

DescribeStateMachineForExecutionOutput StepFunctions::describe_for_execution(
    Call& call, const DescribeStateMachineForExecutionInput& in) {
  const auto name = parse_name(in.execution_arn, "execution");
  auto txn = environment_.store.begin(call.scope());
  const auto execution = txn.peek<ExecutionRecord>(name.name, name.execution);
  if (!execution || !(name.scope == call.scope())) {
    throw ExecutionDoesNotExist(fmt::format("Execution Does Not Exist: '{}'", in.execution_arn));
  }
  const auto revision = txn.peek<RevisionRecord>(execution->machine, execution->revision);
  const auto machine = txn.peek<MachineRecord>(execution->machine);
  DescribeStateMachineForExecutionOutput out;
  out.state_machine_arn = execution->machine_arn;
  out.name = execution->machine;
  out.definition = revision ? revision->definition : "";
  out.role_arn = execution->role_arn;
  out.update_date = machine ? machine->changed : execution->start;
  const MachineRecord shown = machine.value_or(MachineRecord{});
  out.logging_configuration = shown_logging(shown);
  out.tracing_configuration = shown_tracing(shown);
  out.encryption_configuration = shown_encryption(shown.encryption);
  if (machine && machine->updated && execution->revision == machine->revision) {
    out.revision_id = execution->revision;
  }
  out.variable_references = variables_of(
      *runner_.definition_of(txn, execution->machine, execution->revision, execution->express));
  return out;
}

ListStateMachinesOutput StepFunctions::list_state_machines(Call& call,
                                                           const ListStateMachinesInput& in) {
  auto txn = environment_.store.begin(call.scope());
  const auto most = static_cast<std::size_t>(in.max_results.value_or(0));
  const std::size_t limit = most == 0 ? 100 : most;
  auto options = page_options(in.next_token);
  options.limit = limit + 1;
  ListStateMachinesOutput out;
  std::string last;
  txn.scan<MachineRecord>({}, options, [&](MachineRecord& machine, const std::string& key) {
    if (out.state_machines.size() == limit) {
      out.next_token = page_token(last);
      return false;
    }
    out.state_machines.push_back({.state_machine_arn = machine.arn,
                                  .name = machine.name,
                                  .type = machine.type,
                                  .creation_date = machine.created});
    last = key;
    return true;
  });
  return out;
}

ValidateStateMachineDefinitionOutput StepFunctions::validate(
    Call&, const ValidateStateMachineDefinitionInput& in) {
  const auto parsed = asl::parse_definition(in.definition, in.type.value_or("") == "EXPRESS");
  const auto most = in.max_results.value_or(0) == 0 ? k_diagnostics_max
                                                    : static_cast<std::size_t>(*in.max_results);
  const bool warnings_too = in.severity.value_or("ERROR") == "WARNING";
  ValidateStateMachineDefinitionOutput out;
  out.result = parsed.ok() ? "OK" : "FAIL";
  out.truncated = false;
  for (const auto& each : parsed.diagnostics) {
    if (!each.error && !warnings_too) continue;
    if (out.diagnostics.size() == most) {
      out.truncated = true;
      break;
    }
    out.diagnostics.push_back({.severity = each.error ? "ERROR" : "WARNING",
                               .code = each.code,
                               .message = each.message,
                               .location = each.location});
  }
  return out;
}

// ---------------------------------------------------------------- tags

namespace {

// Calls change(tags) on the tags of a machine or activity.
template <class Change>
void with_tags(kernel::Txn& txn, const std::string& arn, Change change) {
  const auto name = parse_name(arn, "stateMachine|activity");
  const auto missing = [&] {
    throw ResourceNotFound(fmt::format("Resource not found: '{}'", arn)).with("resourceName", arn);
  };
  if (!(name.scope == txn.scope()) || !name.qualifier.empty()) missing();
  const auto work = [&]<class R>(std::optional<R> record) {
    if (!record) missing();
    if (change(record->tags)) txn.put(*record);
  };
  if (name.kind == "activity") {
    work(txn.find_for_update<ActivityRecord>(name.name));
  } else {
    work(txn.find_for_update<MachineRecord>(name.name));
  }
}

}  // namespace

TagResourceOutput StepFunctions::tag_resource(Call& call, const TagResourceInput& in) {
  auto txn = environment_.store.begin(call.scope());
  with_tags(txn, in.resource_arn, [&](std::map<std::string, std::string>& tags) {
    for (const auto& [key, value] : tag_map(in.tags)) tags[key] = value;
    if (tags.size() > k_tags_max) {
      throw TooManyTags(fmt::format("Too many tags for resource: '{}'", in.resource_arn));
    }
    return true;
  });
  txn.commit();
  return {};
}

UntagResourceOutput StepFunctions::untag_resource(Call& call, const UntagResourceInput& in) {
  auto txn = environment_.store.begin(call.scope());
  with_tags(txn, in.resource_arn, [&](std::map<std::string, std::string>& tags) {
    for (const auto& key : in.tag_keys) tags.erase(key);
    return true;
  });
  txn.commit();
  return {};
}

ListTagsForResourceOutput StepFunctions::list_tags(Call& call, const ListTagsForResourceInput& in) {
  auto txn = environment_.store.begin(call.scope());
  std::vector<Tag> listed;
  with_tags(txn, in.resource_arn, [&](std::map<std::string, std::string>& tags) {
    for (const auto& [key, value] : tags) listed.push_back({.key = key, .value = value});
    return false;
  });
  ListTagsForResourceOutput out;
  out.tags = std::move(listed);
  return out;
}

}  // namespace tarn::stepfunctions
