// SPDX-License-Identifier: Apache-2.0
// LoggingConfiguration: what happens in executions, as lines in CloudWatch Logs. Lines leave
// through the outbox, in the commit that stores what they tell of.
#include <fmt/format.h>

#include <utility>

#include "aws/codec.hpp"
#include "aws/error.hpp"
#include "aws/stepfunctions/errors.hpp"
#include "base/strings.hpp"
#include "platform/registry.hpp"
#include "services/stepfunctions/service.hpp"

namespace tarn::stepfunctions {
namespace {

// PutLogEvents takes 10,000 lines, 1 MiB in all, and 256 KiB each.
constexpr std::size_t k_lines_max = 2000;
constexpr std::size_t k_batch_bytes_max = 768 * 1024;
constexpr std::size_t k_line_bytes_max = 256 * 1024 - 26;

bool is_logged(std::string_view level, asl::HistoryType type) {
  if (level == "ALL") return true;
  const auto name = asl::history_type_name(type);
  const bool failure =
      name.ends_with("Failed") || name.ends_with("TimedOut") || name.ends_with("Aborted");
  if (level == "ERROR") return failure;
  return level == "FATAL" && failure && name.starts_with("Execution");
}

// Data that does not fit into a line is left out, and said to be.
void cut(JsonObject& details) {
  for (const char* key : {"input", "output", "parameters"}) {
    if (!details.contains(key)) continue;
    details.stable_erase(key);
    details[std::string(key) + "Details"] = JsonObject{{"truncated", true}};
  }
}

// As AWS writes an event into a log: numbers as text, the details under one name.
std::string line_of(const asl::HistoryEvent& event, const std::string& arn, bool data) {
  const JsonObject whole = asl::event_json(event, data);
  Json details = JsonObject();
  for (const auto& member : whole) {
    if (std::string_view(member.key()).ends_with("EventDetails")) details = member.value();
  }
  JsonObject out{{"id", std::to_string(event.id)},
                 {"type", asl::history_type_name(event.type)},
                 {"details", details},
                 {"redrive_count", "0"},
                 {"previous_event_id", std::to_string(event.previous)},
                 {"event_timestamp", std::to_string(to_millis(event.time))},
                 {"execution_arn", arn}};
  std::string line = dump_json(Json(out));
  if (line.size() <= k_line_bytes_max) return line;
  cut(details.get_object());
  out["details"] = std::move(details);
  return dump_json(Json(std::move(out)));
}

// "arn:aws:logs:REGION:ACCOUNT:log-group:NAME:*"
std::string group_of(const Json& logging) {
  const Json* destinations = find_member(logging, "destinations");
  if (!destinations || !destinations->is_array() || destinations->get_array().empty()) return "";
  const Json* group = find_member(destinations->get_array().front(), "cloudWatchLogsLogGroup");
  const auto arn = group ? string_or(*group, "logGroupArn") : std::string();
  const auto at = arn.find(":log-group:");
  if (at == std::string::npos) return "";
  std::string name = arn.substr(at + 11);
  if (name.ends_with(":*")) name.resize(name.size() - 2);
  return name;
}

[[noreturn]] void bad_logging(std::string_view why) {
  throw InvalidLoggingConfiguration(fmt::format("Invalid Logging Configuration: {}", why));
}

}  // namespace

// Before a machine is made or changed: exactly one log group, which exists.
Task<void> StepFunctions::check_logging(CallPtr call, std::optional<LoggingConfiguration> logging) {
  if (!logging || logging->level.value_or("OFF") == "OFF") co_return;
  if (!logging->destinations || logging->destinations->size() != 1) {
    bad_logging("Must specify exactly one Log Destination.");
  }
  const std::string group =
      group_of(aws::encode_json(aws::shape_of<LoggingConfiguration>(), &*logging));
  if (group.empty()) bad_logging("Log Destination not found.");
  if (!call->registry().find("logs", "DescribeLogGroups")) co_return;
  const auto own_call =
      environment_.call_as(platform::root_identity(call->account()), call->region());
  Json which = JsonObject{{"logGroupNamePrefix", group}};
  const Json found = co_await own_call->invoke_json("logs", "DescribeLogGroups", std::move(which));
  // The shortest of those that begin so comes first.
  const Json* groups = find_member(found, "logGroups");
  const bool exists = groups && groups->is_array() && !groups->get_array().empty() &&
                      string_or(groups->get_array().front(), "logGroupName") == group;
  if (!exists) bad_logging("Log Destination not found.");
}

void StepFunctions::log_events(kernel::Txn& txn, const ExecutionRecord& record,
                               const std::vector<asl::HistoryEvent>& events) {
  const auto level = string_or(record.logging, "level", "OFF");
  const std::string group = group_of(record.logging);
  if (level == "OFF" || group.empty()) return;
  const Json* include = find_member(record.logging, "includeExecutionData");
  const bool data = include && include->is_bool() && include->get_bool();
  const std::string stream =
      fmt::format("states/{}/{}", record.machine, iso8601(record.start).substr(0, 10));
  JsonArray lines;
  std::size_t bytes = 0;
  const auto send = [&] {
    if (lines.empty()) return;
    JsonObject payload{{"account", txn.scope().account},
                       {"region", txn.scope().region},
                       {"group", group},
                       {"stream", stream},
                       {"lines", std::exchange(lines, {})}};
    txn.emit({k_log_topic, group, dump_json(Json(std::move(payload)))});
    bytes = 0;
  };
  for (const auto& event : events) {
    if (!is_logged(level, event.type)) continue;
    std::string line = line_of(event, record.arn, data);
    if (lines.size() == k_lines_max || bytes + line.size() > k_batch_bytes_max) send();
    bytes += line.size();
    lines.push_back(JsonObject{{"timestamp", to_millis(event.time)}, {"message", std::move(line)}});
  }
  send();
}

Task<void> StepFunctions::deliver_logs(kernel::Delivery delivery) {
  const Json payload = parse_json(delivery.payload);
  const auto call = environment_.call_as(platform::root_identity(string_or(payload, "account")),
                                         string_or(payload, "region"));
  if (!call->registry().find("logs", "PutLogEvents")) co_return;
  const JsonObject stream{{"logGroupName", string_or(payload, "group")},
                          {"logStreamName", string_or(payload, "stream")}};
  JsonObject put = stream;
  put["logEvents"] = payload.at("lines");
  const Json input(std::move(put));
  bool missing = false;
  try {
    Json first = input;
    co_await call->invoke_json("logs", "PutLogEvents", std::move(first));
  } catch (const aws::ApiError& error) {
    if (error.code != "ResourceNotFoundException") throw;
    missing = true;
  }
  if (!missing) co_return;
  try {
    Json create(stream);
    co_await call->invoke_json("logs", "CreateLogStream", std::move(create));
  } catch (const aws::ApiError& error) {
    // Without its group, what was logged is lost, as on AWS.
    if (error.code == "ResourceNotFoundException") co_return;
    if (error.code != "ResourceAlreadyExistsException") throw;
  }
  Json again = input;
  co_await call->invoke_json("logs", "PutLogEvents", std::move(again));
}

}  // namespace tarn::stepfunctions
