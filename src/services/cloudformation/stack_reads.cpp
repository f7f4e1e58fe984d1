// SPDX-License-Identifier: Apache-2.0
// The operations that tell of stacks.
#include <algorithm>

#include "aws/error.hpp"
#include "base/strings.hpp"
#include "services/cloudformation/service.hpp"

namespace tarn::cloudformation {
namespace {

constexpr std::size_t k_page = 100;
constexpr const char* k_hidden = "****";
constexpr std::chrono::seconds k_hold{45};  // below the clients' read timeout of 60 s
constexpr std::chrono::milliseconds k_look{25};

bool is_waiter(const platform::Call& call) {
  const auto* http = call.http();
  const auto agent = http ? http->header("User-Agent") : std::nullopt;
  if (!agent) return false;
  for (const auto& word : split(*agent, ' ')) {
    if (!word.starts_with("m/")) continue;
    const auto features = split(std::string_view(word).substr(2), ',');
    return std::find(features.begin(), features.end(), "B") != features.end();
  }
  return false;
}

std::optional<std::string> some(const std::string& text) {
  return text.empty() ? std::nullopt : std::optional(text);
}

Stack describe(const StackRecord& record, const Vault& vault) {
  Stack stack;
  stack.stack_id = record.id;
  stack.stack_name = record.name;
  stack.change_set_id = some(record.change_set_id);
  stack.description = some(record.inputs.description);
  std::vector<Parameter> parameters;
  for (const auto& value : vault.open_parameters(record.inputs.sealed_parameters)) {
    Parameter parameter;
    parameter.parameter_key = value.name;
    parameter.parameter_value = value.no_echo ? std::string(k_hidden) : value.text;
    if (!value.resolved.empty())
      parameter.resolved_value = value.no_echo ? k_hidden : value.resolved;
    parameters.push_back(std::move(parameter));
  }
  if (!parameters.empty()) stack.parameters = std::move(parameters);
  stack.creation_time = record.created;
  stack.last_updated_time = record.updated;
  stack.deletion_time = record.deleted;
  stack.rollback_configuration = RollbackConfiguration{};
  stack.stack_status = record.status;
  stack.stack_status_reason = some(record.reason);
  stack.disable_rollback = record.on_failure == "DO_NOTHING";
  stack.notification_arns = std::vector<std::string>();
  if (record.timeout_minutes > 0) {
    stack.timeout_in_minutes = static_cast<std::int32_t>(record.timeout_minutes);
  }
  if (!record.inputs.capabilities.empty()) stack.capabilities = record.inputs.capabilities;
  std::vector<Output> outputs;
  for (const auto& output : record.outputs) {
    outputs.push_back({.output_key = output.key,
                       .output_value = output.value,
                       .description = some(output.description),
                       .export_name = some(output.export_name)});
  }
  if (!outputs.empty()) stack.outputs = std::move(outputs);
  stack.role_arn = some(record.role_arn);
  std::vector<Tag> tags;
  for (const auto& [key, value] : record.inputs.tags) tags.push_back({.key = key, .value = value});
  stack.tags = std::move(tags);
  stack.enable_termination_protection = record.termination_protection;
  stack.parent_id = some(record.parent_id);
  stack.root_id = some(record.root_id);
  stack.drift_information = StackDriftInformation{.stack_drift_status = "NOT_CHECKED"};
  return stack;
}

bool is_told(const ResourceRecord& resource) { return !resource.status.empty(); }

const ResourceRecord require_resource(kernel::Txn& txn, const StackRecord& stack,
                                      const std::string& logical_id) {
  auto resource = txn.find<ResourceRecord>(stack.id, logical_id);
  if (!resource || !is_told(*resource)) {
    throw_validation(
        fmt::format("Resource {} does not exist for stack {}", logical_id, stack.name));
  }
  return *std::move(resource);
}

StackResource describe(const StackRecord& stack, const ResourceRecord& resource) {
  return {.stack_name = stack.name,
          .stack_id = stack.id,
          .logical_resource_id = resource.logical_id,
          .physical_resource_id = some(resource.current.physical_id),
          .resource_type = resource.type,
          .timestamp = resource.updated,
          .resource_status = resource.status,
          .resource_status_reason = some(resource.reason),
          .drift_information =
              StackResourceDriftInformation{.stack_resource_drift_status = "NOT_CHECKED"}};
}

}  // namespace

// A client that waits (a botocore waiter says so in its User-Agent: feature "B") sleeps for 30 s
// between looks. Its question is answered when the stack rests, or after a while.
Task<DescribeStacksOutput> CloudFormation::describe_stacks(CallPtr call, DescribeStacksInput in) {
  DescribeStacksOutput out;
  out.stacks.emplace();
  if (in.stack_name && !in.stack_name->empty()) {
    const auto until = std::chrono::steady_clock::now() + k_hold;
    bool hold = is_waiter(*call);
    while (true) {
      const auto stack = environment_.store.transact(
          call->scope(), [&](kernel::Txn& txn) { return require_stack(txn, *in.stack_name); });
      hold = hold && in_progress(stack.status) && std::chrono::steady_clock::now() < until;
      if (!hold) {
        out.stacks->push_back(describe(stack, vault_));
        co_return out;
      }
      co_await sleep_for(environment_.clock, k_look);
    }
  }
  auto txn = environment_.store.begin(call->scope());
  std::string last;
  kernel::ScanOptions options;
  options.after = decode_token(in.next_token);
  txn.scan<StackRecord>({}, options, [&](StackRecord& stack, const std::string& key) {
    if (stack.status == "DELETE_COMPLETE") return true;
    if (out.stacks->size() == k_page) {
      out.next_token = encode_token(last);
      return false;
    }
    last = key;
    out.stacks->push_back(describe(stack, vault_));
    return true;
  });
  co_return out;
}

ListStacksOutput CloudFormation::list_stacks(Call& call, const ListStacksInput& in) {
  auto txn = environment_.store.begin(call.scope());
  ListStacksOutput out;
  out.stack_summaries.emplace();
  const auto wanted = in.stack_status_filter.value_or(std::vector<std::string>());
  std::string last;
  kernel::ScanOptions options;
  options.after = decode_token(in.next_token);
  txn.scan<StackRecord>({}, options, [&](StackRecord& stack, const std::string& key) {
    const bool shown =
        wanted.empty() || std::find(wanted.begin(), wanted.end(), stack.status) != wanted.end();
    if (!shown) return true;
    if (out.stack_summaries->size() == k_page) {
      out.next_token = encode_token(last);
      return false;
    }
    last = key;
    StackSummary summary;
    summary.stack_id = stack.id;
    summary.stack_name = stack.name;
    summary.template_description = some(stack.inputs.description);
    summary.creation_time = stack.created;
    summary.last_updated_time = stack.updated;
    summary.deletion_time = stack.deleted;
    summary.stack_status = stack.status;
    summary.stack_status_reason = some(stack.reason);
    summary.parent_id = some(stack.parent_id);
    summary.root_id = some(stack.root_id);
    summary.drift_information = StackDriftInformationSummary{.stack_drift_status = "NOT_CHECKED"};
    out.stack_summaries->push_back(std::move(summary));
    return true;
  });
  return out;
}

DescribeStackEventsOutput CloudFormation::describe_events(Call& call,
                                                          const DescribeStackEventsInput& in) {
  auto txn = environment_.store.begin(call.scope());
  const auto found = find_stack(txn, in.stack_name);
  if (!found) throw_validation(fmt::format("Stack [{}] does not exist", in.stack_name));
  DescribeStackEventsOutput out;
  out.stack_events.emplace();
  std::string last;
  kernel::ScanOptions options;
  options.reverse = true;
  options.after = decode_token(in.next_token);
  txn.scan<EventRecord>(kernel::Key(found->id), options,
                        [&](EventRecord& event, const std::string& key) {
                          if (out.stack_events->size() == k_page) {
                            out.next_token = encode_token(last);
                            return false;
                          }
                          last = key;
                          StackEvent told;
                          told.stack_id = found->id;
                          told.event_id = event.event_id;
                          told.stack_name = found->name;
                          told.operation_id = some(event.operation);
                          told.logical_resource_id = event.logical_id;
                          told.physical_resource_id = event.physical_id;
                          told.resource_type = event.type;
                          told.timestamp = event.time;
                          told.resource_status = event.status;
                          told.resource_status_reason = some(event.reason);
                          told.resource_properties = some(event.properties);
                          told.client_request_token = some(event.client_token);
                          out.stack_events->push_back(std::move(told));
                          return true;
                        });
  return out;
}

DescribeStackResourceOutput CloudFormation::describe_resource(
    Call& call, const DescribeStackResourceInput& in) {
  auto txn = environment_.store.begin(call.scope());
  const auto found = find_stack(txn, in.stack_name);
  if (!found) throw_validation(fmt::format("Stack '{}' does not exist", in.stack_name));
  const auto resource = require_resource(txn, *found, in.logical_resource_id);
  StackResourceDetail detail;
  detail.stack_name = found->name;
  detail.stack_id = found->id;
  detail.logical_resource_id = resource.logical_id;
  detail.physical_resource_id = some(resource.current.physical_id);
  detail.resource_type = resource.type;
  detail.last_updated_timestamp = resource.updated;
  detail.resource_status = resource.status;
  detail.resource_status_reason = some(resource.reason);
  detail.metadata = resource.metadata.empty() ? "{}" : resource.metadata;
  detail.drift_information =
      StackResourceDriftInformation{.stack_resource_drift_status = "NOT_CHECKED"};
  return {.stack_resource_detail = std::move(detail)};
}

DescribeStackResourcesOutput CloudFormation::describe_resources(
    Call& call, const DescribeStackResourcesInput& in) {
  if (!in.stack_name == !in.physical_resource_id) {
    throw_validation("You must specify either StackName or PhysicalResourceId, but not both.");
  }
  auto txn = environment_.store.begin(call.scope());
  DescribeStackResourcesOutput out;
  out.stack_resources.emplace();
  std::optional<StackRecord> stack;
  if (in.stack_name) {
    stack = require_stack(txn, *in.stack_name);
  } else {
    txn.scan<ResourceRecord>({}, {}, [&](ResourceRecord& resource, const std::string&) {
      if (!resource.current.exists || resource.current.physical_id != *in.physical_resource_id) {
        return true;
      }
      stack = txn.find<StackRecord>(resource.stack_id);
      return !stack.has_value();
    });
    if (!stack) {
      throw_validation(fmt::format("Stack for {} does not exist", *in.physical_resource_id));
    }
  }
  if (in.logical_resource_id) {
    out.stack_resources->push_back(
        describe(*stack, require_resource(txn, *stack, *in.logical_resource_id)));
    return out;
  }
  for (const auto& resource : resources_of(txn, stack->id)) {
    if (is_told(resource)) out.stack_resources->push_back(describe(*stack, resource));
  }
  return out;
}

ListStackResourcesOutput CloudFormation::list_resources(Call& call,
                                                        const ListStackResourcesInput& in) {
  auto txn = environment_.store.begin(call.scope());
  const auto stack = require_stack(txn, in.stack_name);
  ListStackResourcesOutput out;
  std::string last;
  kernel::ScanOptions options;
  options.after = decode_token(in.next_token);
  txn.scan<ResourceRecord>(
      kernel::Key(stack.id), options, [&](ResourceRecord& resource, const std::string& key) {
        if (!is_told(resource)) return true;
        if (out.stack_resource_summaries && out.stack_resource_summaries->size() == k_page) {
          out.next_token = encode_token(last);
          return false;
        }
        last = key;
        StackResourceSummary summary;
        summary.logical_resource_id = resource.logical_id;
        summary.physical_resource_id = some(resource.current.physical_id);
        summary.resource_type = resource.type;
        summary.last_updated_timestamp = resource.updated;
        summary.resource_status = resource.status;
        summary.resource_status_reason = some(resource.reason);
        summary.drift_information =
            StackResourceDriftInformationSummary{.stack_resource_drift_status = "NOT_CHECKED"};
        if (!out.stack_resource_summaries) out.stack_resource_summaries.emplace();
        out.stack_resource_summaries->push_back(std::move(summary));
        return true;
      });
  if (!out.stack_resource_summaries) out.stack_resource_summaries.emplace();
  return out;
}

ListExportsOutput CloudFormation::list_exports(Call& call, const ListExportsInput& in) {
  auto txn = environment_.store.begin(call.scope());
  ListExportsOutput out;
  out.exports.emplace();
  std::string last;
  kernel::ScanOptions options;
  options.after = decode_token(in.next_token);
  txn.scan<ExportRecord>({}, options, [&](ExportRecord& record, const std::string& key) {
    if (out.exports->size() == k_page) {
      out.next_token = encode_token(last);
      return false;
    }
    last = key;
    out.exports->push_back(
        {.exporting_stack_id = record.stack_id, .name = record.name, .value = record.value});
    return true;
  });
  return out;
}

ListImportsOutput CloudFormation::list_imports(Call& call, const ListImportsInput& in) {
  auto txn = environment_.store.begin(call.scope());
  ListImportsOutput out;
  out.imports = importers(txn, in.export_name);
  if (out.imports->empty()) {
    throw_validation(txn.find<ExportRecord>(in.export_name)
                         ? fmt::format("Export '{}' is not imported by any stack.", in.export_name)
                         : fmt::format("Export '{}' does not exist.", in.export_name));
  }
  return out;
}

}  // namespace tarn::cloudformation
