// SPDX-License-Identifier: Apache-2.0
// Invocations: at once, or later (Event) with retries and destinations.
#include <fmt/format.h>

#include "aws/lambda/errors.hpp"
#include "base/log.hpp"
#include "services/lambda/list_page.hpp"
#include "services/lambda/service.hpp"

namespace tarn::lambda {
namespace {

constexpr std::size_t k_sync_bytes_max = 6'291'456;
constexpr std::size_t k_async_bytes_max = 1'048'576;
constexpr std::size_t k_error_message_max = 1024;  // in a dead letter's attributes
constexpr std::chrono::milliseconds k_throttled_pause{250}, k_throttled_pause_max{8000};
constexpr const char* k_topic = "lambda.async";

void check_payload(const std::string& payload, const std::string& type) {
  const std::size_t max = type == "Event" ? k_async_bytes_max : k_sync_bytes_max;
  if (payload.size() > max) {
    throw RequestTooLargeException(
        fmt::format("{} byte payload is too large for the {} invocation type (limit {} bytes)",
                    payload.size(), type, max));
  }
  try {
    parse_json(payload);
  } catch (const JsonError& error) {
    throw InvalidRequestContentException(
        fmt::format("Could not parse request body into json: Could not parse payload into json: {}",
                    error.what()));
  }
}

// A payload as a part of another document: JSON where it is JSON.
Json embedded(const std::string& payload) {
  try {
    return parse_json(payload);
  } catch (const JsonError&) {
    return Json(payload);
  }
}

// Whole characters of the beginning.
std::string cut(std::string text) {
  if (text.size() <= k_error_message_max) return text;
  std::size_t end = k_error_message_max;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;
  text.resize(end);
  return text;
}

template <class Output>
Output shown(const EventInvokeRecord& config, const kernel::Scope& scope) {
  Output out;
  out.last_modified = config.modified;
  out.function_arn =
      function_arn(scope, config.function, config.qualifier.empty() ? k_latest : config.qualifier);
  out.maximum_retry_attempts = config.retries_max;
  out.maximum_event_age_in_seconds = config.age_max_s;
  DestinationConfig destinations{.on_success = OnSuccess(), .on_failure = OnFailure()};
  if (!config.on_success.empty()) destinations.on_success->destination = config.on_success;
  if (!config.on_failure.empty()) destinations.on_failure->destination = config.on_failure;
  out.destination_config = std::move(destinations);
  return out;
}

// A function without a qualifier is its $LATEST.
EventInvokeRecord settings_of(kernel::Txn& txn, const AsyncInvocation& what) {
  const std::string qualifier = what.qualifier == k_latest ? "" : what.qualifier;
  return txn.peek<EventInvokeRecord>(what.function, qualifier)
      .value_or(EventInvokeRecord{what.function, qualifier});
}

// The action that a destination takes.
const char* action_of(const std::string& arn) {
  const auto parts = split(arn, ':');
  const std::string service = parts.size() > 5 ? parts[2] : "";
  if (service == "sqs") return "sqs:SendMessage";
  if (service == "sns") return "sns:Publish";
  if (service == "lambda") return "lambda:InvokeFunction";
  if (service == "events") return "events:PutEvents";
  return nullptr;
}

template <class Input>
void apply(EventInvokeRecord& config, const Input& in) {
  if (in.maximum_retry_attempts) config.retries_max = *in.maximum_retry_attempts;
  if (in.maximum_event_age_in_seconds) config.age_max_s = *in.maximum_event_age_in_seconds;
  if (!in.destination_config) return;
  const auto& destinations = *in.destination_config;
  if (destinations.on_success) {
    config.on_success = destinations.on_success->destination.value_or("");
  }
  if (destinations.on_failure) {
    config.on_failure = destinations.on_failure->destination.value_or("");
  }
}

}  // namespace

std::string AsyncInvocation::encode() const {
  return dump_json(JsonObject{{"account", scope.account},
                              {"region", scope.region},
                              {"function", function},
                              {"qualifier", qualifier},
                              {"id", request_id},
                              {"payload", payload},
                              {"context", client_context},
                              {"accepted", accepted_ms},
                              {"attempt", attempt},
                              {"throttled", throttled}});
}

AsyncInvocation AsyncInvocation::decode(std::string_view text) {
  const Json json = parse_json(text);
  const Json* throttled = find_member(json, "throttled");
  return {{string_or(json, "account"), string_or(json, "region")},
          string_or(json, "function"),
          string_or(json, "qualifier"),
          string_or(json, "id"),
          string_or(json, "payload"),
          string_or(json, "context"),
          json.at("accepted").to_number<std::int64_t>(),
          json.at("attempt").to_number<int>(),
          throttled ? throttled->to_number<int>() : 0};
}

void Lambda::invoke_operations(platform::OpTable& t) {
  const auto qualified = [](Call& call, const auto& in) {
    return asked_arn(call, in.function_name, in.qualifier);
  };
  const auto function = [](Call& call, const auto& in) {
    return asked_arn(call, in.function_name);
  };
  t.op<Invoke>(&Lambda::invoke)
      .action("lambda:InvokeFunction")
      .on(qualified)
      .resource_policy([this](Call& call, const auto& in) {
        return policy_of(call, in.function_name, in.qualifier);
      });
  t.op<PutFunctionEventInvokeConfig>(&Lambda::put_event_invoke).on(qualified);
  t.op<UpdateFunctionEventInvokeConfig>(&Lambda::update_event_invoke).on(qualified);
  t.op<GetFunctionEventInvokeConfig>(&Lambda::get_event_invoke).on(qualified);
  t.op<DeleteFunctionEventInvokeConfig>(&Lambda::delete_event_invoke).on(qualified);
  t.op<ListFunctionEventInvokeConfigs>(&Lambda::list_event_invoke).on(function);
}

Task<InvokeOutput> Lambda::invoke(CallPtr call, InvokeInput in) {
  const FunctionId id = FunctionId::parse(in.function_name, in.qualifier);
  const std::string type = in.invocation_type.value_or("RequestResponse");
  std::string payload = in.payload.value_or("");
  if (payload.empty()) payload = "{}";
  if (in.durable_execution_name) {
    throw aws::ApiError("NotImplemented", "lambda: durable executions are not implemented by Tarn",
                        501);
  }
  check_payload(payload, type);
  FunctionRecord function;
  {
    auto txn = store_.begin(call->scope());
    function = require_function(txn, id);
  }
  // One call from inside may invoke many times; each invocation has an id of its own.
  std::string request_id = call->http() ? call->request_id() : environment_.random.uuid();
  InvokeOutput out;
  if (type == "DryRun") {
    out.status_code = 204;
    co_return out;
  }
  if (type == "Event") {
    const AsyncInvocation what{call->scope(),         id.name,
                               id.qualifier,          std::move(request_id),
                               std::move(payload),    in.client_context.value_or(""),
                               to_millis(call->now())};
    store_.transact(call->scope(), [&](Txn& txn) { txn.emit({k_topic, "", what.encode()}); });
    out.status_code = 202;
    co_return out;
  }
  std::string qualifier = id.qualifier;
  std::string client_context = from_base64(in.client_context.value_or("")).value_or("");
  const std::string version = function.version;
  InvocationResult result =
      co_await run(std::move(function), call->scope(), std::move(qualifier), std::move(request_id),
                   std::move(payload), std::move(client_context));
  out.status_code = 200;
  out.executed_version = version;
  out.payload = std::move(result.payload);
  if (!result.function_error.empty()) out.function_error = std::move(result.function_error);
  if (in.log_type.value_or("None") == "Tail") out.log_result = to_base64(result.log_tail);
  co_return out;
}

Task<InvocationResult> Lambda::run(FunctionRecord function, kernel::Scope scope,
                                   std::string qualifier, std::string request_id,
                                   std::string payload, std::string client_context) {
  FunctionImage image = image_of(function, scope);
  Invocation invocation{std::move(request_id), std::move(payload),
                        function_arn(scope, function.name, qualifier), std::move(client_context)};
  std::string problem;
  try {
    co_return co_await pool_.invoke(std::move(image), std::move(invocation));
  } catch (const sandbox::SandboxError& error) {
    problem = error.what();
  } catch (const sandbox::ArchiveError& error) {
    problem = error.what();
  }
  log::error("lambda", "{} cannot run: {}", function.name, problem);
  throw ServiceException("Tarn cannot run the function: " + problem);
}

// ---- Asynchronous

Task<void> Lambda::deliver_async(kernel::Delivery delivery) {
  AsyncInvocation what = AsyncInvocation::decode(delivery.payload);
  FunctionRecord function;
  EventInvokeRecord config;
  try {
    auto txn = store_.begin(what.scope);
    function = require_function(txn, {what.function, what.qualifier});
    config = settings_of(txn, what);
  } catch (const ResourceNotFoundException&) {
    co_return;  // deleted since
  }
  const auto age_s = (to_millis(environment_.clock.now()) - what.accepted_ms) / 1000;
  if (age_s > config.age_max_s) {
    co_await finish_async(std::move(what), std::move(function), {}, "EventAgeExceeded");
    co_return;
  }
  std::string context = from_base64(what.client_context).value_or("");
  InvocationResult result;
  bool broken = false, throttled = false;
  try {
    result = co_await run(function, what.scope, what.qualifier, what.request_id, what.payload,
                          std::move(context));
  } catch (const TooManyRequestsException&) {
    throttled = true;
  } catch (const aws::ApiError& error) {
    result = {dump_json(JsonObject{{"errorType", error.code}, {"errorMessage", error.message}}),
              "Unhandled", ""};
    broken = true;
  }
  if (broken) log::warning("lambda", "{}: {}", what.function, result.payload);
  if (throttled) {
    // Until the event is too old, as in AWS. At a random moment, so that many do not meet again.
    const auto longest = std::min(k_throttled_pause_max, k_throttled_pause * (1 << what.throttled));
    what.throttled = std::min(what.throttled + 1, 10);
    run_later(std::move(what), std::chrono::duration_cast<Microseconds>(
                                   longest * (0.2 + 0.8 * environment_.random.unit())));
    co_return;
  }
  if (result.function_error.empty()) {
    co_await finish_async(std::move(what), std::move(function), std::move(result), "Success");
  } else if (what.attempt > config.retries_max) {
    co_await finish_async(std::move(what), std::move(function), std::move(result),
                          "RetriesExhausted");
  } else {
    // As in AWS: one minute before the second attempt, two before the third.
    const auto pause = std::chrono::minutes(what.attempt);
    ++what.attempt;
    what.throttled = 0;
    run_later(std::move(what), pause);
  }
}

void Lambda::run_later(AsyncInvocation what, Microseconds pause) {
  const auto due = environment_.clock.now() + pause;
  store_.transact(what.scope, [&](Txn& txn) {
    txn.set_timer(what.request_id, due, {k_topic, "", what.encode()});
  });
}

Task<void> Lambda::finish_async(AsyncInvocation what, FunctionRecord function,
                                InvocationResult result, std::string condition) {
  EventInvokeRecord config;
  {
    auto txn = store_.begin(what.scope);
    config = settings_of(txn, what);
  }
  const bool worked = condition == "Success";
  const std::string destination = worked ? config.on_success : config.on_failure;
  if (destination.empty() && (worked || function.dead_letter_arn.empty())) co_return;
  auto& identities = platform::Ports::require(environment_.ports.identities, "IAM");
  const auto call = environment_.call_as(
      identities.assume_for_service(function.role, "lambda.amazonaws.com", function.name),
      what.scope.region);
  if (!worked && !function.dead_letter_arn.empty()) {
    const auto text = [](std::string value, const char* type) {
      return JsonObject{{"DataType", type}, {"StringValue", std::move(value)}};
    };
    JsonObject attributes{
        {"RequestID", text(what.request_id, "String")},
        {"ErrorCode", text("200", "Number")},
        {"ErrorMessage",
         text(cut(string_or(embedded(result.payload), "errorMessage", condition)), "String")}};
    std::string arn = function.dead_letter_arn, payload = what.payload;
    co_await deliver_to(call, std::move(arn), std::move(payload), std::move(attributes));
  }
  if (destination.empty()) co_return;
  JsonObject response{{"statusCode", 200}, {"executedVersion", function.version}};
  if (!worked) response["functionError"] = "Unhandled";
  const JsonObject record{
      {"version", "1.0"},
      {"timestamp", iso8601(environment_.clock.now())},
      {"requestContext",
       JsonObject{{"requestId", what.request_id},
                  {"functionArn", function_arn(what.scope, what.function, function.version)},
                  {"condition", condition},
                  {"approximateInvokeCount", what.attempt}}},
      {"requestPayload", embedded(what.payload)},
      {"responseContext", std::move(response)},
      {"responsePayload", embedded(result.payload)}};
  std::string arn = destination, body = dump_json(record);
  co_await deliver_to(call, std::move(arn), std::move(body), {});
}

// What cannot be delivered is lost, as in AWS: the function has run and shall not run again.
Task<void> Lambda::deliver_to(CallPtr call, std::string arn, std::string body,
                              JsonObject attributes) {
  std::string problem;
  std::string to = arn;
  try {
    co_await send_to(std::move(call), std::move(to), std::move(body), std::move(attributes));
  } catch (const aws::ApiError& error) {
    problem = error.what();
  }
  if (!problem.empty()) log::warning("lambda", "nothing was delivered to {}: {}", arn, problem);
}

// To a queue, topic, event bus or function, as the function's role.
Task<void> Lambda::send_to(CallPtr call, std::string arn, std::string body, JsonObject attributes) {
  const auto parts = split(arn, ':');
  const std::string service = parts.size() > 5 ? parts[2] : "";
  std::string operation;
  JsonObject input;
  if (service == "sqs") {
    operation = "SendMessage";
    input = {{"QueueUrl", environment_.endpoint + "/" + parts[4] + "/" + parts[5]},
             {"MessageBody", body}};
    if (!attributes.empty()) input["MessageAttributes"] = std::move(attributes);
  } else if (service == "sns") {
    operation = "Publish";
    input = {{"TopicArn", arn}, {"Message", body}};
    if (!attributes.empty()) input["MessageAttributes"] = std::move(attributes);
  } else if (service == "lambda") {
    operation = "Invoke";
    input = {{"FunctionName", arn}, {"InvocationType", "Event"}, {"Payload", to_base64(body)}};
  } else if (service == "events") {
    operation = "PutEvents";
    input = {{"Entries", JsonArray{JsonObject{{"Source", "lambda"},
                                              {"DetailType", "Lambda Function Invocation Result"},
                                              {"EventBusName", arn},
                                              {"Detail", body}}}}};
  } else {
    log::warning("lambda", "{} is no destination that Tarn knows", arn);
    co_return;
  }
  std::string name = service;
  Json json = std::move(input);
  co_await call->invoke_json(std::move(name), std::move(operation), std::move(json));
}

// ---- Configuration of asynchronous invocations

namespace {

// What is configured: a function without a qualifier is its $LATEST.
FunctionId configured(const std::string& function, const std::optional<std::string>& qualifier) {
  FunctionId id = FunctionId::parse(function, qualifier);
  if (id.qualifier == k_latest) id.qualifier.clear();
  return id;
}

}  // namespace

// AWS looks at once whether the function's role may send there.
void Lambda::check_destinations(Txn& txn, const EventInvokeRecord& config) {
  const FunctionRecord function = require_function(txn, {config.function, config.qualifier});
  for (const auto& arn : {config.on_success, config.on_failure}) {
    if (arn.empty()) continue;
    const char* action = action_of(arn);
    if (!action) {
      throw InvalidParameterValueException(
          fmt::format("The provided destination config DestinationConfig(onSuccess=OnSuccess("
                      "destination={}), onFailure=OnFailure(destination={})) is invalid",
                      config.on_success.empty() ? "null" : config.on_success,
                      config.on_failure.empty() ? "null" : config.on_failure));
    }
    if (role_allows(function.role, function.name, action, arn)) continue;
    throw InvalidParameterValueException(
        fmt::format("The function's execution role does not have permissions to call {} on {}",
                    std::string_view(action).substr(std::string_view(action).find(':') + 1), arn));
  }
}

PutFunctionEventInvokeConfigOutput Lambda::put_event_invoke(
    Call& call, const PutFunctionEventInvokeConfigInput& in) {
  const FunctionId id = configured(in.function_name, in.qualifier);
  auto txn = store_.begin(call.scope());
  require_function(txn, id);
  EventInvokeRecord config{id.name, id.qualifier};
  apply(config, in);
  check_destinations(txn, config);
  config.modified = call.now();
  txn.put(config);
  txn.commit();
  return shown<PutFunctionEventInvokeConfigOutput>(config, call.scope());
}

UpdateFunctionEventInvokeConfigOutput Lambda::update_event_invoke(
    Call& call, const UpdateFunctionEventInvokeConfigInput& in) {
  const FunctionId id = configured(in.function_name, in.qualifier);
  auto txn = store_.begin(call.scope());
  auto config = txn.find_for_update<EventInvokeRecord>(id.name, id.qualifier);
  if (!config) {
    throw ResourceNotFoundException(fmt::format("The function {} doesn't have an EventInvokeConfig",
                                                function_arn(call.scope(), id.name, id.qualifier)));
  }
  apply(*config, in);
  check_destinations(txn, *config);
  config->modified = call.now();
  txn.put(*config);
  txn.commit();
  return shown<UpdateFunctionEventInvokeConfigOutput>(*config, call.scope());
}

GetFunctionEventInvokeConfigOutput Lambda::get_event_invoke(
    Call& call, const GetFunctionEventInvokeConfigInput& in) {
  const FunctionId id = configured(in.function_name, in.qualifier);
  auto txn = store_.begin(call.scope());
  const auto config = txn.find<EventInvokeRecord>(id.name, id.qualifier);
  if (!config) {
    throw ResourceNotFoundException(fmt::format("The function {} doesn't have an EventInvokeConfig",
                                                function_arn(call.scope(), id.name, id.qualifier)));
  }
  return shown<GetFunctionEventInvokeConfigOutput>(*config, call.scope());
}

DeleteFunctionEventInvokeConfigOutput Lambda::delete_event_invoke(
    Call& call, const DeleteFunctionEventInvokeConfigInput& in) {
  const FunctionId id = configured(in.function_name, in.qualifier);
  auto txn = store_.begin(call.scope());
  if (!txn.find_for_update<EventInvokeRecord>(id.name, id.qualifier)) {
    throw ResourceNotFoundException(fmt::format("The function {} doesn't have an EventInvokeConfig",
                                                function_arn(call.scope(), id.name, id.qualifier)));
  }
  txn.erase<EventInvokeRecord>(id.name, id.qualifier);
  txn.commit();
  return {};
}

ListFunctionEventInvokeConfigsOutput Lambda::list_event_invoke(
    Call& call, const ListFunctionEventInvokeConfigsInput& in) {
  const FunctionId id = FunctionId::parse(in.function_name, std::nullopt);
  auto txn = store_.begin(call.scope());
  ListFunctionEventInvokeConfigsOutput out{.function_event_invoke_configs =
                                               std::vector<FunctionEventInvokeConfig>()};
  for (const auto& config : txn.list<EventInvokeRecord>(kernel::Key(id.name))) {
    out.function_event_invoke_configs->push_back(
        shown<FunctionEventInvokeConfig>(config, call.scope()));
  }
  out.function_event_invoke_configs =
      page_of(*std::move(out.function_event_invoke_configs), in, out,
              [](const FunctionEventInvokeConfig& config) { return *config.function_arn; });
  return out;
}

}  // namespace tarn::lambda
