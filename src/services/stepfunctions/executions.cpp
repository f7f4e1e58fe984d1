// SPDX-License-Identifier: Apache-2.0
// Executions: starting, stopping, describing, histories.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "aws/codec.hpp"
#include "aws/stepfunctions/errors.hpp"
#include "base/strings.hpp"
#include "services/stepfunctions/names.hpp"
#include "services/stepfunctions/service.hpp"
#include "services/stepfunctions/versions.hpp"

namespace tarn::stepfunctions {
namespace {

constexpr std::size_t k_page_default = 100;
constexpr std::size_t k_list_page_max = 1000;
constexpr double k_billed_step_ms = 100;

[[noreturn]] void no_execution(const std::string& arn) {
  throw ExecutionDoesNotExist(fmt::format("Execution Does Not Exist: '{}'", arn));
}

struct Found {
  ExecutionRecord execution;
  ProgressRecord progress;
  asl::ExecutionStatus status() const { return static_cast<asl::ExecutionStatus>(progress.status); }
};
Found require_execution(kernel::Txn& txn, const std::string& arn) {
  const auto name = parse_name(arn, "execution|express");
  if (name.kind == "express" || !(name.scope == txn.scope())) no_execution(arn);
  auto execution = txn.peek<ExecutionRecord>(name.name, name.execution);
  auto progress = txn.peek<ProgressRecord>(name.name, name.execution);
  if (!execution || !progress || execution->express) no_execution(arn);
  return {std::move(*execution), std::move(*progress)};
}

// The events of those ids, both included.
std::vector<asl::HistoryEvent> events_between(kernel::Txn& txn, const ExecutionRecord& execution,
                                              std::uint64_t low, std::uint64_t high) {
  const kernel::Key history(execution.machine, execution.name);
  std::vector<asl::HistoryEvent> out;
  const auto take = [&](const HistoryRecord& row) {
    std::vector<asl::HistoryEvent> events;
    asl::decode_events(row.bytes, events);
    for (auto& event : events) {
      if (event.id >= low && event.id <= high) out.push_back(std::move(event));
    }
  };
  // The row that holds the first of them is the last one that begins at or before it.
  kernel::ScanOptions options;
  options.reverse = true;
  options.limit = 1;
  options.after = kernel::Key(execution.machine, execution.name, low + 1).bytes();
  std::string first;
  txn.scan<HistoryRecord>(history, options, [&](HistoryRecord& row, const std::string& key) {
    take(row);
    first = key;
    return true;
  });
  options = {};
  options.after = first;
  txn.scan<HistoryRecord>(history, options, [&](HistoryRecord& row, const std::string&) {
    if (row.first > high) return false;
    take(row);
    return true;
  });
  return out;
}

std::string checked_input(const std::optional<std::string>& given) {
  const std::string text = given.value_or("{}");
  if (text.size() > asl::k_payload_bytes_max) {
    throw aws::validation_error(fmt::format(
        "1 validation error detected: Value at 'input' failed to satisfy constraint: Member must "
        "have length less than or equal to {}",
        asl::k_payload_bytes_max));
  }
  try {
    parse_json(text);
  } catch (const JsonError&) {
    throw InvalidExecutionInput(
        "Invalid State Machine Execution Input: 'The input is not valid "
        "JSON'");
  }
  return text;
}

}  // namespace

Runner::NewExecution StepFunctions::new_execution(Call& call, kernel::Txn& txn,
                                                  const Target& target,
                                                  const std::optional<std::string>& name,
                                                  const std::optional<std::string>& input,
                                                  const std::optional<std::string>& trace_header) {
  Runner::NewExecution made;
  auto& record = made.record;
  const MachineRecord& machine = target.machine;
  if (target.version) record.version_arn = target.version->arn;
  record.alias_arn = target.alias_arn;
  record.logging = machine.logging;
  record.machine = machine.name;
  record.express = machine.type == "EXPRESS";
  record.name = name.value_or(environment_.random.uuid());
  record.input = checked_input(input);
  record.machine_arn = machine.arn;
  record.role_arn = machine.role_arn;
  record.revision = machine.revision;
  record.trace_header = trace_header.value_or("");
  record.start = call.now();
  record.arn = execution_arn(call.scope(), machine.name, record.name);
  if (record.express) {  // its records are kept under a name of its own: names may repeat
    const std::string run = environment_.random.uuid();
    record.arn = fmt::format("{}:{}", replace_all(record.arn, ":execution:", ":express:"), run);
    record.name += ":" + run;
  }
  made.machine_name = machine.name;
  made.definition = runner_.definition_of(txn, machine.name, machine.revision, record.express);
  return made;
}

// Starting again with the name and input of a running execution gives that one, as in AWS.
StartExecutionOutput StepFunctions::start_execution(Call& call, const StartExecutionInput& in) {
  if (in.name) check_name(*in.name);
  auto peek = environment_.store.begin(call.scope());
  const auto target = require_target(peek, in.state_machine_arn, environment_.random);
  auto made = new_execution(call, peek, target, in.name, in.input, in.trace_header);
  StartExecutionOutput out{.execution_arn = made.record.arn, .start_date = made.record.start};
  const auto key = made.record;
  runner_.begin(call.scope(), std::move(made), [&](kernel::Txn& txn) {
    if (!txn.find<MachineRecord>(key.machine)) no_machine(in.state_machine_arn);
    if (!in.name || key.express) return true;
    const auto existing = txn.find_for_update<ExecutionRecord>(key.machine, key.name);
    if (!existing) return true;
    const auto progress = txn.find<ProgressRecord>(key.machine, key.name);
    const bool running = progress && static_cast<asl::ExecutionStatus>(progress->status) ==
                                         asl::ExecutionStatus::running;
    if (!running || existing->input != key.input) {
      throw ExecutionAlreadyExists(fmt::format("Execution Already Exists: '{}'", existing->arn));
    }
    out.start_date = existing->start;
    return false;
  });
  return out;
}

Task<StartSyncExecutionOutput> StepFunctions::start_sync_execution(CallPtr call,
                                                                   StartSyncExecutionInput in) {
  if (in.name) check_name(*in.name);
  Runner::NewExecution made;
  {
    auto txn = environment_.store.begin(call->scope());
    const auto target = require_target(txn, in.state_machine_arn, environment_.random);
    if (target.machine.type != "EXPRESS") {
      throw StateMachineTypeNotSupported(
          "This operation is not supported by this type of state "
          "machine");
    }
    made = new_execution(*call, txn, target, in.name, in.input, in.trace_header);
  }
  const ExecutionRecord record = made.record;
  made.record.name = record.name.substr(0, record.name.rfind(':'));
  const asl::Completed end = co_await runner_.run_in_memory(call->scope(), std::move(made));
  StartSyncExecutionOutput out;
  out.execution_arn = record.arn;
  out.state_machine_arn = record.machine_arn;
  out.name = record.name.substr(0, record.name.rfind(':'));
  out.start_date = record.start;
  out.stop_date = call->now();
  out.status = end.status == asl::ExecutionStatus::succeeded   ? "SUCCEEDED"
               : end.status == asl::ExecutionStatus::timed_out ? "TIMED_OUT"
                                                               : "FAILED";
  out.error = end.error;
  out.cause = end.cause;
  out.input = record.input;
  out.input_details = CloudWatchEventsExecutionDataDetails{.included = true};
  if (end.output) {
    out.output = end.output->text();
    out.output_details = CloudWatchEventsExecutionDataDetails{.included = true};
  }
  out.trace_header = in.trace_header;
  const auto took = std::chrono::duration_cast<Milliseconds>(out.stop_date - out.start_date);
  BillingDetails billing;
  billing.billed_memory_used_in_mb = 64;
  billing.billed_duration_in_milliseconds = static_cast<std::int64_t>(
      k_billed_step_ms *
      std::max(1.0, std::ceil(static_cast<double>(took.count()) / k_billed_step_ms)));
  out.billing_details = billing;
  co_return out;
}

Task<StopExecutionOutput> StepFunctions::stop_execution(CallPtr call, StopExecutionInput in) {
  std::string arn;
  {
    auto txn = environment_.store.begin(call->scope());
    arn = require_execution(txn, in.execution_arn).execution.arn;
  }
  asl::Event stop = asl::Stop{in.error, in.cause};
  co_await runner_.send(arn, std::move(stop));
  auto txn = environment_.store.begin(call->scope());
  const auto found = require_execution(txn, in.execution_arn);
  co_return StopExecutionOutput{.stop_date = found.progress.stop.value_or(call->now())};
}

DescribeExecutionOutput StepFunctions::describe_execution(Call& call,
                                                          const DescribeExecutionInput& in) {
  auto txn = environment_.store.begin(call.scope());
  const auto found = require_execution(txn, in.execution_arn);
  const bool data = in.included_data.value_or("ALL_DATA") != "METADATA_ONLY";
  DescribeExecutionOutput out;
  out.execution_arn = found.execution.arn;
  out.state_machine_arn = found.execution.machine_arn;
  out.name = found.execution.name;
  out.status = asl::status_name(found.status());
  out.start_date = found.execution.start;
  out.stop_date = found.progress.stop;
  out.input_details = CloudWatchEventsExecutionDataDetails{.included = data};
  if (data) out.input = found.execution.input;
  if (found.progress.output) {
    if (data) out.output = found.progress.output;
    out.output_details = CloudWatchEventsExecutionDataDetails{.included = data};
  }
  if (!found.execution.trace_header.empty()) out.trace_header = found.execution.trace_header;
  if (data) {
    out.error = found.progress.error;
    out.cause = found.progress.cause;
  }
  if (!found.execution.version_arn.empty()) {
    out.state_machine_version_arn = found.execution.version_arn;
  }
  if (!found.execution.alias_arn.empty()) out.state_machine_alias_arn = found.execution.alias_arn;
  out.redrive_count = 0;
  switch (found.status()) {
    case asl::ExecutionStatus::running:
      out.redrive_status = "NOT_REDRIVABLE";
      out.redrive_status_reason = "Execution is RUNNING and cannot be redriven";
      break;
    case asl::ExecutionStatus::succeeded:
      out.redrive_status = "NOT_REDRIVABLE";
      out.redrive_status_reason = "Execution is SUCCEEDED and cannot be redriven";
      break;
    default: out.redrive_status = "REDRIVABLE";
  }
  return out;
}

// The newest first.
ListExecutionsOutput StepFunctions::list_executions(Call& call, const ListExecutionsInput& in) {
  if (in.map_run_arn) {
    throw aws::ApiError("NotImplemented",
                        "stepfunctions ListExecutions: mapRunArn is not implemented by Tarn: the "
                        "iterations of a distributed Map are no executions of their own",
                        501);
  }
  if (!in.state_machine_arn) {
    throw aws::validation_error("Must specify exactly one of: stateMachineArn, mapRunArn");
  }
  if (in.redrive_filter) {
    throw aws::validation_error("redriveFilter can only be given with a mapRunArn");
  }
  auto txn = environment_.store.begin(call.scope());
  const auto target = require_target(txn, *in.state_machine_arn, environment_.random);
  const MachineRecord& machine = target.machine;
  if (machine.type == "EXPRESS") {
    throw StateMachineTypeNotSupported(
        "This operation is not supported by this type of state machine");
  }
  const auto most = static_cast<std::size_t>(in.max_results.value_or(0));
  const std::size_t limit = most == 0 ? k_page_default : std::min(most, k_list_page_max);
  auto options = page_options(in.next_token);
  options.reverse = true;
  ListExecutionsOutput out;
  std::string last;
  txn.scan<StartedRecord>(
      kernel::Key(machine.name), options, [&](StartedRecord& row, const std::string& key) {
        const auto execution = txn.peek<ExecutionRecord>(row.machine, row.name);
        const auto progress = txn.peek<ProgressRecord>(row.machine, row.name);
        if (!execution || !progress) return true;
        const auto status = asl::status_name(static_cast<asl::ExecutionStatus>(progress->status));
        if (in.status_filter && *in.status_filter != status) return true;
        if (target.version && !target.alias_arn.empty()
                ? execution->alias_arn != target.alias_arn
                : target.version && execution->version_arn != target.version->arn) {
          return true;
        }
        if (out.executions.size() == limit) {
          out.next_token = page_token(last);
          return false;
        }
        ExecutionListItem item{};
        item.execution_arn = execution->arn;
        item.state_machine_arn = execution->machine_arn;
        item.name = execution->name;
        item.status = status;
        item.start_date = execution->start;
        item.stop_date = progress->stop;
        item.redrive_count = 0;
        if (!execution->version_arn.empty()) {
          item.state_machine_version_arn = execution->version_arn;
        }
        if (!execution->alias_arn.empty()) item.state_machine_alias_arn = execution->alias_arn;
        out.executions.push_back(std::move(item));
        last = key;
        return true;
      });
  return out;
}

GetExecutionHistoryOutput StepFunctions::get_execution_history(Call& call,
                                                               const GetExecutionHistoryInput& in) {
  parse_name(in.execution_arn, "execution|express");
  auto txn = environment_.store.begin(call.scope());
  const auto found = require_execution(txn, in.execution_arn);
  const bool reverse = in.reverse_order.value_or(false);
  const bool data = in.include_execution_data.value_or(true);
  const auto most = static_cast<std::size_t>(in.max_results.value_or(0));
  const std::size_t limit = most == 0 ? k_page_default : most;
  const auto total = found.progress.next_event - 1;
  std::uint64_t from = reverse ? total : 1;
  if (in.next_token) {
    const auto text = from_base64(*in.next_token);
    const auto number = text ? parse_uint(*text) : std::nullopt;
    if (!number || *number < 1 || *number > total) {
      throw InvalidToken(fmt::format("Invalid Token: '{}'", *in.next_token));
    }
    from = *number;
  }
  const std::uint64_t low = reverse ? (from > limit ? from - limit + 1 : 1) : from;
  const std::uint64_t high = reverse ? from : std::min<std::uint64_t>(total, from + limit - 1);
  auto events = events_between(txn, found.execution, low, high);
  if (reverse) std::reverse(events.begin(), events.end());
  JsonArray listed;
  for (const auto& event : events) listed.push_back(asl::event_json(event, data));
  JsonObject shown{{"events", std::move(listed)}};
  const bool more = reverse ? low > 1 : high < total;
  if (more) shown["nextToken"] = to_base64(std::to_string(reverse ? low - 1 : high + 1));
  GetExecutionHistoryOutput out;
  aws::decode_json(aws::shape_of<GetExecutionHistoryOutput>(), Json(std::move(shown)), &out);
  return out;
}

}  // namespace tarn::stepfunctions
