// SPDX-License-Identifier: Apache-2.0
// Versions and aliases of state machines.
#include "services/stepfunctions/versions.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "aws/stepfunctions/errors.hpp"
#include "base/strings.hpp"
#include "services/stepfunctions/names.hpp"
#include "services/stepfunctions/service.hpp"

namespace tarn::stepfunctions {
namespace {

constexpr std::size_t k_page_default = 100;

std::optional<VersionRecord> find_version(kernel::Txn& txn, const ResourceName& name) {
  const auto number = parse_uint(name.qualifier);
  return number ? txn.peek<VersionRecord>(name.name, *number) : std::nullopt;
}

// The route that a new execution takes.
const std::string& choose_route(const AliasRecord& alias, Random& random) {
  auto rest = static_cast<std::int64_t>(random.next64() % 100);
  for (const auto& [arn, weight] : alias.routes) {
    if (rest < weight) return arn;
    rest -= weight;
  }
  return alias.routes.front().first;
}

Target of_version(MachineRecord machine, VersionRecord version) {
  machine.revision = version.revision;
  machine.role_arn = version.role_arn;
  machine.updated = version.updated;
  machine.logging = version.logging;
  machine.tracing = version.tracing;
  machine.encryption = version.encryption;
  return {std::move(machine), std::move(version), {}};
}

[[noreturn]] void no_resource() {
  throw ResourceNotFound("Request references a resource that does not exist.");
}

AliasRecord require_alias(kernel::Txn& txn, const std::string& arn, bool for_update) {
  const auto name = parse_name(arn, "stateMachine");
  if (!(name.scope == txn.scope()) || name.qualifier.empty()) no_resource();
  auto alias = for_update ? txn.find_for_update<AliasRecord>(name.name, name.qualifier)
                          : txn.peek<AliasRecord>(name.name, name.qualifier);
  if (!alias) no_resource();
  return *alias;
}

using Routes = std::vector<std::pair<std::string, std::int64_t>>;

// One or two versions of one machine whose weights make 100. Sets `machine`.
Routes checked_routes(kernel::Txn& txn, const std::vector<RoutingConfigurationListItem>& given,
                      std::string& machine) {
  Routes out;
  std::int64_t sum = 0;
  for (const auto& route : given) {
    const auto name = parse_name(route.state_machine_version_arn, "stateMachine");
    if (!(name.scope == txn.scope()) || !find_version(txn, name)) no_resource();
    if (!machine.empty() && machine != name.name) {
      throw aws::validation_error(
          "The routing configuration must refer to versions of one state machine.");
    }
    machine = name.name;
    sum += route.weight;
    out.emplace_back(route.state_machine_version_arn, route.weight);
  }
  if (sum != 100) {
    throw aws::validation_error("Sum of routing configuration weights must equal 100.");
  }
  return out;
}

// The model's pattern, whose look-ahead the wire layer cannot check.
void check_alias_name(const std::string& name) {
  bool letters = false;
  bool fits = !name.empty();
  for (const unsigned char c : name) {
    const bool other = std::isalpha(c) || c == '_' || c == '-' || c == '.';
    letters |= other;
    fits &= other || std::isdigit(c);
  }
  if (fits && letters) return;
  throw aws::validation_error(fmt::format(
      "1 validation error detected: Value '{}' at 'name' failed to satisfy constraint: Member must "
      "satisfy regular expression pattern: {}",
      name, R"(^(?=.*[a-zA-Z_\-\.])[a-zA-Z0-9_\-\.]+$)"));
}

std::size_t page_limit(const std::optional<std::int32_t>& given) {
  const auto most = static_cast<std::size_t>(given.value_or(0));
  return most == 0 ? k_page_default : most;
}

}  // namespace

void no_machine(const std::string& arn) {
  throw StateMachineDoesNotExist(fmt::format("State Machine Does Not Exist: '{}'", arn));
}

MachineRecord require_machine(kernel::Txn& txn, const std::string& arn) {
  const auto name = parse_name(arn, "stateMachine");
  if (!(name.scope == txn.scope()) || !name.qualifier.empty()) no_machine(arn);
  auto machine = txn.find<MachineRecord>(name.name);
  if (!machine) no_machine(arn);
  return *machine;
}

Target require_target(kernel::Txn& txn, const std::string& arn, Random& random) {
  const auto name = parse_name(arn, "stateMachine");
  if (!(name.scope == txn.scope())) no_machine(arn);
  auto machine = txn.find<MachineRecord>(name.name);
  if (!machine) no_machine(arn);
  if (name.qualifier.empty()) return {std::move(*machine), std::nullopt, {}};
  if (auto version = find_version(txn, name)) {
    return of_version(std::move(*machine), std::move(*version));
  }
  const auto alias = txn.peek<AliasRecord>(name.name, name.qualifier);
  if (!alias) no_machine(arn);
  auto version = find_version(txn, parse_name(choose_route(*alias, random), "stateMachine"));
  if (!version) no_machine(arn);
  auto out = of_version(std::move(*machine), std::move(*version));
  out.alias_arn = alias->arn;
  return out;
}

VersionRecord publish_version(kernel::Txn& txn, MachineRecord& machine,
                              const std::optional<std::string>& description, Timestamp now) {
  if (machine.versions > 0) {
    const auto last = txn.peek<VersionRecord>(machine.name, machine.versions);
    if (last && last->revision == machine.revision) return *last;
  }
  VersionRecord made;
  made.machine = machine.name;
  made.number = ++machine.versions;
  made.arn = fmt::format("{}:{}", machine.arn, made.number);
  made.revision = machine.revision;
  made.role_arn = machine.role_arn;
  made.updated = machine.updated;
  made.description = description;
  made.created = now;
  made.logging = machine.logging;
  made.tracing = machine.tracing;
  made.encryption = machine.encryption;
  txn.put(made);
  txn.put(machine);
  return made;
}

// ---------------------------------------------------------------- versions

PublishStateMachineVersionOutput StepFunctions::publish(Call& call,
                                                        const PublishStateMachineVersionInput& in) {
  const auto name = parse_name(in.state_machine_arn, "stateMachine");
  auto txn = environment_.store.begin(call.scope());
  auto machine = txn.find_for_update<MachineRecord>(name.name);
  if (!machine || !(name.scope == call.scope()) || !name.qualifier.empty()) {
    no_machine(in.state_machine_arn);
  }
  const std::string present = machine->updated ? machine->revision : "INITIAL";
  if (in.revision_id && *in.revision_id != present) {
    throw ConflictException(fmt::format(
        "Failed to publish the State Machine version for revision {}. The current State Machine "
        "revision is {}.",
        *in.revision_id, present));
  }
  const auto version = publish_version(txn, *machine, in.description, call.now());
  txn.commit();
  return {.creation_date = version.created, .state_machine_version_arn = version.arn};
}

// The newest first.
ListStateMachineVersionsOutput StepFunctions::list_versions(
    Call& call, const ListStateMachineVersionsInput& in) {
  auto txn = environment_.store.begin(call.scope());
  const auto machine = require_machine(txn, in.state_machine_arn);
  auto options = page_options(in.next_token);
  options.reverse = true;
  const auto limit = page_limit(in.max_results);
  ListStateMachineVersionsOutput out;
  std::string last;
  txn.scan<VersionRecord>(
      kernel::Key(machine.name), options, [&](VersionRecord& version, const std::string& key) {
        if (out.state_machine_versions.size() == limit) {
          out.next_token = page_token(last);
          return false;
        }
        out.state_machine_versions.push_back(
            {.state_machine_version_arn = version.arn, .creation_date = version.created});
        last = key;
        return true;
      });
  return out;
}

DeleteStateMachineVersionOutput StepFunctions::delete_version(
    Call& call, const DeleteStateMachineVersionInput& in) {
  const auto name = parse_name(in.state_machine_version_arn, "stateMachine");
  const auto number = parse_uint(name.qualifier);
  if (!number) {
    throw aws::validation_error("The ARN must be that of a state machine version");
  }
  auto txn = environment_.store.begin(call.scope());
  if (!(name.scope == call.scope())) return {};
  std::vector<std::string> users;
  for (const auto& alias : txn.list<AliasRecord>(kernel::Key(name.name))) {
    for (const auto& [arn, weight] : alias.routes) {
      if (arn == in.state_machine_version_arn) users.push_back(alias.name);
    }
  }
  if (!users.empty()) {
    throw ConflictException(fmt::format(
        "Version to be deleted must not be referenced by an alias. Current list of aliases "
        "referencing this version: [{}]",
        join(users, ", ")));
  }
  txn.erase<VersionRecord>(name.name, *number);
  txn.commit();
  return {};
}

// ---------------------------------------------------------------- aliases

// Creating it again just so is a success, as in AWS.
CreateStateMachineAliasOutput StepFunctions::create_alias(Call& call,
                                                          const CreateStateMachineAliasInput& in) {
  check_alias_name(in.name);
  auto txn = environment_.store.begin(call.scope());
  AliasRecord made;
  made.routes = checked_routes(txn, in.routing_configuration, made.machine);
  made.name = in.name;
  made.arn = fmt::format("{}:{}", machine_arn(call.scope(), made.machine), in.name);
  made.description = in.description;
  made.created = made.changed = call.now();
  if (!txn.find<MachineRecord>(made.machine)) no_resource();
  if (const auto existing = txn.find_for_update<AliasRecord>(made.machine, made.name)) {
    if (existing->routes == made.routes && existing->description == made.description) {
      return {.state_machine_alias_arn = existing->arn, .creation_date = existing->created};
    }
    throw ConflictException(
        "Failed to create alias because an alias with the same name and a different routing "
        "configuration already exists.");
  }
  txn.put(made);
  txn.commit();
  return {.state_machine_alias_arn = made.arn, .creation_date = made.created};
}

UpdateStateMachineAliasOutput StepFunctions::update_alias(Call& call,
                                                          const UpdateStateMachineAliasInput& in) {
  auto txn = environment_.store.begin(call.scope());
  auto alias = require_alias(txn, in.state_machine_alias_arn, true);
  if (!in.description && !in.routing_configuration) {
    throw aws::validation_error(
        "Either the description or the RoutingConfiguration must be specified");
  }
  if (in.description) alias.description = in.description;
  if (in.routing_configuration) {
    std::string machine = alias.machine;
    alias.routes = checked_routes(txn, *in.routing_configuration, machine);
  }
  alias.changed = call.now();
  txn.put(alias);
  txn.commit();
  return {.update_date = alias.changed};
}

DescribeStateMachineAliasOutput StepFunctions::describe_alias(
    Call& call, const DescribeStateMachineAliasInput& in) {
  auto txn = environment_.store.begin(call.scope());
  const auto alias = require_alias(txn, in.state_machine_alias_arn, false);
  DescribeStateMachineAliasOutput out;
  out.state_machine_alias_arn = alias.arn;
  out.name = alias.name;
  out.description = alias.description;
  out.creation_date = alias.created;
  out.update_date = alias.changed;
  auto& routes = out.routing_configuration.emplace();
  for (const auto& [arn, weight] : alias.routes) {
    routes.push_back(
        {.state_machine_version_arn = arn, .weight = static_cast<std::int32_t>(weight)});
  }
  return out;
}

ListStateMachineAliasesOutput StepFunctions::list_aliases(Call& call,
                                                          const ListStateMachineAliasesInput& in) {
  auto txn = environment_.store.begin(call.scope());
  const auto name = parse_name(in.state_machine_arn, "stateMachine");
  if (!(name.scope == call.scope()) || !txn.peek<MachineRecord>(name.name)) {
    no_machine(in.state_machine_arn);
  }
  // The ARN of a version lists the aliases that lead to it.
  const bool of_version = !name.qualifier.empty();
  const auto limit = page_limit(in.max_results);
  ListStateMachineAliasesOutput out;
  std::string last;
  txn.scan<AliasRecord>(kernel::Key(name.name), page_options(in.next_token),
                        [&](AliasRecord& alias, const std::string& key) {
                          const bool leads = std::any_of(
                              alias.routes.begin(), alias.routes.end(),
                              [&](auto& route) { return route.first == in.state_machine_arn; });
                          if (of_version && !leads) return true;
                          if (out.state_machine_aliases.size() == limit) {
                            out.next_token = page_token(last);
                            return false;
                          }
                          out.state_machine_aliases.push_back({.state_machine_alias_arn = alias.arn,
                                                               .creation_date = alias.created});
                          last = key;
                          return true;
                        });
  return out;
}

DeleteStateMachineAliasOutput StepFunctions::delete_alias(Call& call,
                                                          const DeleteStateMachineAliasInput& in) {
  const auto name = parse_name(in.state_machine_alias_arn, "stateMachine");
  auto txn = environment_.store.begin(call.scope());
  if (!(name.scope == call.scope()) || name.qualifier.empty()) return {};
  txn.erase<AliasRecord>(name.name, name.qualifier);
  txn.commit();
  return {};
}

}  // namespace tarn::stepfunctions
