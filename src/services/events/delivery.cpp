// SPDX-License-Identifier: Apache-2.0
#include "services/events/delivery.hpp"

#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "aws/arn.hpp"
#include "aws/digest.hpp"
#include "aws/error.hpp"
#include "base/log.hpp"
#include "base/strings.hpp"
#include "services/events/service.hpp"
#include "services/events/target_input.hpp"

namespace tarn::events {
namespace {

constexpr int k_retries_max = 185;  // AWS's default, over 24 hours
constexpr std::int64_t k_age_max_s = 86'400;
constexpr int k_hops_max = 5;

// What stands for a kind of target: the ARN's service and resource type.
enum class Kind { lambda, sqs, sns, state_machine, ecs, logs, bus, redshift_data, unknown };

Kind kind_of(const std::optional<aws::Arn>& arn) {
  if (!arn) return Kind::unknown;
  if (arn->service == "lambda") return Kind::lambda;
  if (arn->service == "sqs") return Kind::sqs;
  if (arn->service == "sns") return Kind::sns;
  if (arn->service == "states" && arn->resource_type() == "stateMachine") {
    return Kind::state_machine;
  }
  if (arn->service == "ecs" && arn->resource_type() == "cluster") return Kind::ecs;
  if (arn->service == "logs" && arn->resource_type() == "log-group") return Kind::logs;
  if (arn->service == "events" && arn->resource_type() == "event-bus") return Kind::bus;
  if (arn->service == "redshift" && arn->resource_type() == "cluster") return Kind::redshift_data;
  return Kind::unknown;
}

std::int64_t number_or(const Json& object, std::string_view key, std::int64_t fallback) {
  const Json* value = find_member(object, key);
  return value && value->is_int64() ? value->get_int64() : fallback;
}

// Worth another try: throttled, unavailable, or Tarn's own trouble.
bool is_passing(const aws::ApiError& error) {
  return error.http_status >= 500 || error.http_status == 429 ||
         error.code.find("Throttl") != std::string::npos ||
         error.code.find("TooManyRequests") != std::string::npos;
}

// What the message in a dead-letter queue calls the error: one of AWS's own codes.
std::string_view dead_letter_code(const aws::ApiError& error) {
  const auto has = [&](std::initializer_list<std::string_view> words) {
    return std::any_of(words.begin(), words.end(), [&](std::string_view word) {
      return error.code.find(word) != std::string::npos;
    });
  };
  if (has({"AccessDenied", "NotAuthorized", "AuthorizationError"})) return "NO_PERMISSIONS";
  if (has({"NotFound", "NonExistent", "DoesNotExist", "NoSuch"}) || error.http_status == 404) {
    return "NO_RESOURCE";
  }
  if (has({"Throttl", "TooManyRequests"}) || error.http_status == 429) return "THROTTLING";
  if (has({"LimitExceeded", "QuotaExceeded"})) return "RESOURCE_LIMIT_EXCEEDED";
  if (has({"Validation", "Invalid"})) return "INVALID_PARAMETER";
  return error.http_status >= 500 ? "ERROR_FROM_TARGET" : "SDK_CLIENT_ERROR";
}

std::string queue_url(const aws::Arn& arn) {
  return fmt::format("http://127.0.0.1/{}/{}", arn.account, arn.resource);
}

Json message_input(const Json& target, const aws::Arn& arn, const std::string& input,
                   const std::string& token) {
  JsonObject message{{"QueueUrl", queue_url(arn)}, {"MessageBody", input}};
  if (const Json* parameters = find_member(target, "SqsParameters")) {
    if (auto group = find_string(*parameters, "MessageGroupId")) {
      message["MessageGroupId"] = *group;
      message["MessageDeduplicationId"] = token;
    }
  }
  return message;
}

Json statement_input(const Json& target, const aws::Arn& arn, const std::string& token) {
  const Json* parameters = find_member(target, "RedshiftDataParameters");
  if (!parameters) {
    throw aws::ApiError("ValidationException", "RedshiftDataParameters is required");
  }
  JsonObject statement{{"ClusterIdentifier", std::string(arn.resource_id())},
                       {"ClientToken", token}};
  for (const auto& [from, to] :
       {std::pair("Database", "Database"), std::pair("DbUser", "DbUser"),
        std::pair("SecretManagerArn", "SecretArn"), std::pair("Sql", "Sql"),
        std::pair("StatementName", "StatementName"), std::pair("WithEvent", "WithEvent")}) {
    if (const Json* value = find_member(*parameters, from)) statement[to] = *value;
  }
  return statement;
}

Json run_task_input(const Json& target, const std::string& cluster, const std::string& input,
                    const PendingDelivery& pending, const std::string& token) {
  const Json empty = JsonObject();
  const Json* parameters = find_member(target, "EcsParameters");
  if (!parameters) parameters = &empty;
  JsonObject out{{"cluster", cluster},
                 {"taskDefinition", string_or(*parameters, "TaskDefinitionArn")},
                 {"count", number_or(*parameters, "TaskCount", 1)},
                 {"startedBy", "events-rule/" + pending.rule.substr(0, 24)},
                 {"clientToken", token}};
  const auto copy = [&](const char* from, const char* to) {
    if (const Json* value = find_member(*parameters, from)) out[to] = *value;
  };
  copy("LaunchType", "launchType");
  copy("PlatformVersion", "platformVersion");
  copy("Group", "group");
  copy("EnableECSManagedTags", "enableECSManagedTags");
  copy("EnableExecuteCommand", "enableExecuteCommand");
  copy("PropagateTags", "propagateTags");
  copy("ReferenceId", "referenceId");
  if (const Json* network = find_member(*parameters, "NetworkConfiguration")) {
    if (const Json* vpc = find_member(*network, "awsvpcConfiguration")) {
      JsonObject inner;
      for (const auto& [from, to] :
           {std::pair("Subnets", "subnets"), std::pair("SecurityGroups", "securityGroups"),
            std::pair("AssignPublicIp", "assignPublicIp")}) {
        if (const Json* value = find_member(*vpc, from)) inner[to] = *value;
      }
      out["networkConfiguration"] = JsonObject{{"awsvpcConfiguration", std::move(inner)}};
    }
  }
  // The input of an ECS target is the task's overrides; the event itself is none.
  if (find_member(target, "Input") || find_member(target, "InputTransformer") ||
      find_member(target, "InputPath")) {
    out["overrides"] = parse_json(input);
  }
  return out;
}

}  // namespace

void Deliveries::check_target(const Json& target) {
  const std::string arn = string_or(target, "Arn");
  const Kind kind = kind_of(aws::Arn::parse(arn));
  const auto invalid = [](std::string text) {
    return aws::ApiError("ValidationException", std::move(text));
  };
  if (kind == Kind::unknown) {
    throw invalid(
        fmt::format("Parameter {} is not valid. Reason: Tarn delivers to Lambda "
                    "functions, SQS queues, SNS topics, state machines, ECS clusters, "
                    "log groups, event buses and Redshift clusters.",
                    arn));
  }
  const bool needs_role =
      kind == Kind::state_machine || kind == Kind::ecs || kind == Kind::redshift_data;
  if (needs_role && !find_string(target, "RoleArn")) {
    throw invalid(fmt::format("RoleArn is required for target {}.", arn));
  }
  if (kind == Kind::ecs && !find_member(target, "EcsParameters")) {
    throw invalid(fmt::format("EcsParameters is required for target {}.", arn));
  }
  if (kind == Kind::sqs && arn.ends_with(".fifo") && !find_member(target, "SqsParameters")) {
    throw invalid(fmt::format("Parameter(s) SqsParameters must be specified for target: {}.",
                              string_or(target, "Id")));
  }
  int inputs = 0;
  for (const char* name : {"Input", "InputPath", "InputTransformer"}) {
    inputs += find_member(target, name) != nullptr;
  }
  if (inputs > 1) {
    throw invalid(fmt::format(
        "Only one of Input, InputPath, or InputTransformer must be provided for target {}.",
        string_or(target, "Id")));
  }
  if (const Json* transformer = find_member(target, "InputTransformer")) {
    const auto unknown = unknown_placeholder(string_or(*transformer, "InputTemplate"),
                                             transformer_paths(*transformer));
    if (unknown) {
      throw invalid(fmt::format("InputTemplate for target {} contains invalid placeholder {}.",
                                string_or(target, "Id"), *unknown));
    }
  }
  try {
    // Paths and constants are checked on an event without anything in it.
    const std::string input = target_input(target, JsonObject(), {});
    if (find_member(target, "Input")) parse_json(input);
  } catch (const BadPath& error) {
    throw invalid(fmt::format("Invalid InputPath for target {} : [{}].", string_or(target, "Id"),
                              error.what()));
  } catch (const JsonError&) {
    throw invalid(fmt::format("JSON syntax error in input for target {} : [Source: Input]",
                              string_or(target, "Id")));
  }
}

void Deliveries::subscribe() {
  kernel::Subscription subscription;
  subscription.topic = k_topic;
  subscription.subscriber = "events.targets";
  subscription.attempts_max = k_retries_max + 2;  // the target's own policy ends it before
  subscription.deliver = [this](kernel::Delivery d) { return deliver(std::move(d)); };
  environment_.bus.subscribe(std::move(subscription));
}

platform::CallPtr Deliveries::call_for(const PendingDelivery& pending, const Json& target,
                                       const std::string& region) const {
  const auto role = find_string(target, "RoleArn");
  if (!role) {
    return environment_.call_as(
        platform::service_identity("events.amazonaws.com", pending.account, pending.rule_arn),
        region);
  }
  auto& identities = platform::Ports::require(environment_.ports.identities, "IAM");
  return environment_.call_as(
      identities.assume_for_service(*role, "events.amazonaws.com", pending.rule.substr(0, 64)),
      region);
}

Task<void> Deliveries::deliver(kernel::Delivery delivery) {
  const auto pending = kernel::decode_record<PendingDelivery>(delivery.payload);
  const Json target = parse_json(pending.target);
  const Json event = parse_json(pending.event);
  const RuleNames rule{pending.rule_arn, pending.rule,
                       iso8601(pending.ingested, Precision::seconds)};
  DeadLetter dead{.attempt = delivery.attempt};
  bool passing = true;
  try {
    std::string input = target_input(target, event, rule);
    // The same for every repetition of this delivery.
    std::string token = aws::sha256_hex(delivery.event_id + pending.rule_arn + pending.target);
    token.resize(32);
    co_await send(pending, target, std::move(input), std::move(token));
    co_return;
  } catch (const aws::ApiError& error) {
    dead.code = dead_letter_code(error);
    dead.message = error.message.empty() ? error.code : error.message;
    passing = is_passing(error);
  } catch (const JsonError& error) {
    dead.code = "INVALID_JSON";
    dead.message = error.what();
    passing = false;
  }
  const Json empty = JsonObject();
  const Json* policy = find_member(target, "RetryPolicy");
  if (!policy) policy = &empty;
  const auto retries = number_or(*policy, "MaximumRetryAttempts", k_retries_max);
  const Seconds age(number_or(*policy, "MaximumEventAgeInSeconds", k_age_max_s));
  const bool too_often = delivery.attempt > retries;
  if (passing && !too_often && environment_.clock.now() < pending.ingested + age) {
    throw std::runtime_error(
        fmt::format("{}: {}", dead.code, dead.message));  // the bus tries again
  }
  if (passing) dead.exhausted = too_often ? "MaximumRetryAttempts" : "MaximumEventAgeInSeconds";
  co_await dead_letter(pending, target, std::move(dead));
}

Task<void> Deliveries::dead_letter(PendingDelivery pending, Json target, DeadLetter dead) {
  const Json* config = find_member(target, "DeadLetterConfig");
  const auto queue = config ? find_string(*config, "Arn") : std::nullopt;
  const auto arn = queue ? aws::Arn::parse(*queue) : std::nullopt;
  log::warning("events", "{}: target {} failed: {}: {}", pending.rule_arn, string_or(target, "Arn"),
               dead.code, dead.message);
  if (!arn) co_return;
  const auto text = [](std::string value) {
    return Json(JsonObject{{"DataType", "String"}, {"StringValue", std::move(value)}});
  };
  JsonObject attributes{{"ERROR_CODE", text(dead.code)},
                        {"ERROR_MESSAGE", text(dead.message.empty() ? dead.code : dead.message)},
                        {"RULE_ARN", text(pending.rule_arn)},
                        {"TARGET_ARN", text(string_or(target, "Arn"))},
                        {"RETRY_ATTEMPTS", text(std::to_string(dead.attempt - 1))}};
  if (!dead.exhausted.empty()) attributes["EXHAUSTED_RETRY_CONDITION"] = text(dead.exhausted);
  const Json input = JsonObject{{"QueueUrl", queue_url(*arn)},
                                {"MessageBody", pending.event},
                                {"MessageAttributes", std::move(attributes)}};
  const auto call = environment_.call_as(
      platform::service_identity("events.amazonaws.com", pending.account, pending.rule_arn),
      arn->region);
  try {
    co_await call->invoke_json("sqs", "SendMessage", input);
  } catch (const aws::ApiError& error) {
    if (is_passing(error)) throw;
    log::error("events", "{}: dead-letter queue {} refused: {}", pending.rule_arn, *queue,
               error.message);
  }
}

Task<void> Deliveries::send(PendingDelivery pending, Json target, std::string input,
                            std::string token) {
  const std::string arn_text = string_or(target, "Arn");
  const auto arn = aws::Arn::parse(arn_text);
  const Kind kind = kind_of(arn);
  if (kind == Kind::bus) {
    if (pending.hops >= k_hops_max) co_return;  // a ring of buses
    const Json event = parse_json(pending.event);
    store_event_on_bus(*arn, event, pending.hops + 1);
    co_return;
  }
  const std::string region = arn->region.empty() ? pending.region : arn->region;
  const auto call = call_for(pending, target, region);
  Json request;
  switch (kind) {
    case Kind::lambda:
      request = JsonObject{
          {"FunctionName", arn_text}, {"InvocationType", "Event"}, {"Payload", to_base64(input)}};
      co_await call->invoke_json("lambda", "Invoke", std::move(request));
      break;
    case Kind::sqs:
      request = message_input(target, *arn, input, token);
      co_await call->invoke_json("sqs", "SendMessage", std::move(request));
      break;
    case Kind::sns:
      request = JsonObject{{"TopicArn", arn_text}, {"Message", input}};
      co_await call->invoke_json("sns", "Publish", std::move(request));
      break;
    case Kind::state_machine:
      request = JsonObject{{"stateMachineArn", arn_text},
                           {"name", string_or(parse_json(pending.event), "id") + "_" + token},
                           {"input", input}};
      try {
        co_await call->invoke_json("stepfunctions", "StartExecution", std::move(request));
      } catch (const aws::ApiError& error) {
        // Started by an earlier attempt whose acknowledgement was lost.
        if (error.code != "ExecutionAlreadyExists") throw;
      }
      break;
    case Kind::ecs:
      request = run_task_input(target, arn_text, input, pending, token);
      co_await call->invoke_json("ecs", "RunTask", std::move(request));
      break;
    case Kind::logs: co_await write_log(pending, *arn, std::move(input), std::move(token)); break;
    case Kind::redshift_data:
      request = statement_input(target, *arn, token);
      co_await call->invoke_json("redshift-data", "ExecuteStatement", std::move(request));
      break;
    case Kind::bus:
    case Kind::unknown:
      throw aws::ApiError("ValidationException", "unsupported target " + arn_text);
  }
}

// On another bus the event keeps its id and source.
void Deliveries::store_event_on_bus(const aws::Arn& arn, const Json& event, int hops) {
  const std::string bus(arn.resource_id());
  environment_.store.transact({arn.account, arn.region}, [&](kernel::Txn& txn) {
    if (bus != k_default_bus && !txn.find<BusRecord>(bus)) {
      throw aws::ApiError("ResourceNotFoundException",
                          fmt::format("Event bus {} does not exist.", bus));
    }
    route_event(txn, bus, event, environment_.clock.now(), hops);
  });
}

// Log groups have no resource policies here: the account that owns rule and group decides alone.
Task<void> Deliveries::write_log(PendingDelivery pending, aws::Arn arn, std::string input,
                                 std::string token) {
  if (arn.account != pending.account) {
    throw aws::ApiError("AccessDeniedException", "the log group belongs to another account");
  }
  std::string group(arn.resource_id());
  if (group.ends_with(":*")) group.resize(group.size() - 2);
  const auto call = environment_.call_as(platform::root_identity(pending.account), arn.region);
  Json stream = JsonObject{{"logGroupName", group}, {"logStreamName", token}};
  try {
    co_await call->invoke_json("logs", "CreateLogStream", std::move(stream));
  } catch (const aws::ApiError& error) {
    if (error.code != "ResourceAlreadyExistsException") throw;
  }
  Json request = JsonObject{
      {"logGroupName", group},
      {"logStreamName", token},
      {"logEvents", JsonArray{JsonObject{{"timestamp", to_millis(environment_.clock.now())},
                                         {"message", std::move(input)}}}}};
  co_await call->invoke_json("logs", "PutLogEvents", std::move(request));
}

}  // namespace tarn::events
