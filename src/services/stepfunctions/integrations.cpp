// SPDX-License-Identifier: Apache-2.0
#include "services/stepfunctions/integrations.hpp"

#include <fmt/format.h>
#include <openssl/sha.h>

#include <stdexcept>
#include <typeinfo>
#include <utility>

#include "aws/error.hpp"
#include "base/log.hpp"
#include "base/strings.hpp"
#include "platform/ports.hpp"
#include "platform/registry.hpp"
#include "services/stepfunctions/names.hpp"
#include "services/stepfunctions/sdk_names.hpp"

namespace tarn::stepfunctions {
namespace {

using platform::CallPtr;

constexpr Microseconds k_poll_least = std::chrono::milliseconds(100);
constexpr Microseconds k_poll_most = std::chrono::seconds(2);

// How long the body of SNS's answer to Publish is.
constexpr std::string_view k_uuid = "00000000-0000-0000-0000-000000000000";
constexpr std::size_t k_published_bytes =
    std::string_view(
        "<PublishResponse xmlns=\"http://sns.amazonaws.com/doc/2010-03-31/\">\n"
        "  <PublishResult>\n    <MessageId></MessageId>\n  </PublishResult>\n"
        "  <ResponseMetadata>\n    <RequestId></RequestId>\n  </ResponseMetadata>\n"
        "</PublishResponse>\n")
        .size() +
    2 * k_uuid.size();
static_assert(k_published_bytes == 294);

// A task's own failure, named as the state machine sees it.
class TaskFailure : public std::exception {
 public:
  TaskFailure(std::string error, std::string cause)
      : error(std::move(error)),
        cause(std::move(cause)) {}
  const char* what() const noexcept override { return error.c_str(); }
  std::string error, cause;
};

// As the optimised integrations name services in errors, and in "(Service: …)".
struct OptimizedNames {
  std::string prefix, service;
};
OptimizedNames optimized_names(const std::string& service) {
  if (service == "lambda") return {"Lambda", "AWSLambda"};
  if (service == "sqs") return {"SQS", "AmazonSQS"};
  if (service == "sns") return {"SNS", "AmazonSNS"};
  if (service == "ecs") return {"ECS", "AmazonECS"};
  if (service == "states") return {"StepFunctions", "AWSStepFunctions"};
  if (service == "events") return {"EventBridge", "AmazonEventBridge"};
  if (service == "dynamodb") return {"DynamoDB", "AmazonDynamoDBv2"};
  if (service == "glue") return {"Glue", "AWSGlue"};
  if (service == "athena") return {"Athena", "AmazonAthena"};
  return {operation_name(service), operation_name(service)};
}

// Whether the SDK has a class of its own for the error. Generated errors do; what the wire layer
// finds wrong is a ValidationException, which most services model.
bool is_modelled(const aws::ApiError& error, const std::string& service) {
  if (typeid(error) != typeid(aws::ApiError)) return true;
  return error.code == "ValidationException" && service != "dynamodb" && service != "s3";
}

std::string with_suffix(std::string code) {
  if (!code.ends_with("Exception")) code += "Exception";
  return code;
}

// The error that a service answered, in the words of the SDK that Step Functions uses.
TaskFailure failure_of(const asl::Resource& resource, const aws::ApiError& error,
                       const std::string& request_id) {
  const bool modelled = is_modelled(error, resource.service);
  const std::string name = with_suffix(modelled ? error.shape : error.code);
  if (resource.kind == asl::Resource::Kind::sdk) {
    const auto service = sdk_service(resource.service);
    return TaskFailure(
        fmt::format("{}.{}", service.prefix, modelled ? name : service.prefix + "Exception"),
        fmt::format("{} (Service: {}, Status Code: {}, Request ID: {})", error.message,
                    service.prefix, error.http_status, request_id));
  }
  const auto names = optimized_names(resource.service);
  return TaskFailure(
      fmt::format("{}.{}", names.prefix,
                  modelled ? name : replace_all(names.service, "v2", "") + "Exception"),
      fmt::format("{} (Service: {}; Status Code: {}; Error Code: {}; Request ID: {}; Proxy: null)",
                  error.message, names.service, error.http_status, error.code, request_id));
}

// What the optimised integrations add to an answer. There is no HTTP in between: the header fields
// are those that the service would have sent.
void add_sdk_metadata(JsonObject& out, const std::string& request_id, std::size_t length,
                      std::string_view content_type, Timestamp now) {
  const std::string size = std::to_string(length);
  const std::string date = http_date(now);
  const std::vector<std::pair<std::string, std::string>> fields{
      {"x-amzn-RequestId", request_id},
      {"connection", "keep-alive"},
      {"Content-Length", size},
      {"Date", date},
      {"Content-Type", std::string(content_type)}};
  JsonObject all;
  JsonObject single;
  for (const auto& [name, value] : fields) {
    all[name] = JsonArray{Json(value)};
    single[name] = value;
  }
  out["SdkHttpMetadata"] = JsonObject{{"AllHttpHeaders", std::move(all)},
                                      {"HttpHeaders", std::move(single)},
                                      {"HttpStatusCode", 200}};
  out["SdkResponseMetadata"] = JsonObject{{"RequestId", request_id}};
}

// A token that is the same for every repetition of an effect: 32 hexadecimal digits.
std::string effect_token(const std::string& effect_id) {
  unsigned char digest[SHA256_DIGEST_LENGTH];
  SHA256(reinterpret_cast<const unsigned char*>(effect_id.data()), effect_id.size(), digest);
  return to_hex({reinterpret_cast<const char*>(digest), 16});
}

JsonObject object_of(const Json& value) {
  if (value.is_object()) return value.get_object();
  throw TaskFailure("States.Runtime",
                    fmt::format("The Parameters '{}' could not be used to start the Task: they "
                                "must be an object",
                                dump_json(value)));
}

// Objects given where the operation wants text become JSON text.
void as_text(JsonObject& input, std::string_view field) {
  Json* value = input.if_contains(field);
  if (value && (value->is_object() || value->is_array())) *value = Json(dump_json(*value));
}

// Times as the optimised integrations give them: milliseconds since the epoch.
void times_to_millis(JsonObject& object, std::initializer_list<const char*> fields) {
  for (const char* field : fields) {
    Json* value = object.if_contains(field);
    if (!value || !value->is_string()) continue;
    if (const auto time = parse_iso8601(json_text(value->get_string()))) *value = to_millis(*time);
  }
}

Task<Json> invoke(CallPtr call, std::string service, std::string operation, Json input) {
  const platform::OpRow* row = call->registry().find(service, operation);
  Json out = co_await call->invoke_json(service, operation, std::move(input));
  if (row) co_return with_capitals(*row->operation->output, out);
  co_return out;
}

}  // namespace

// ---------------------------------------------------------------- the order

Task<TaskOutcome> Integrations::carry_out(OrderPtr order) {
  TaskOutcome out;
  std::string request_id;
  try {
    auto& identities = platform::Ports::require(environment_.ports.identities, "IAM");
    const auto identity = identities.assume_for_service(order->role_arn, "states.amazonaws.com",
                                                        order->execution_name);
    const CallPtr call = environment_.call_as(identity, order->scope.region);
    request_id = call->request_id();
    Json output = co_await run(order, call);
    if (order->resource.pattern == asl::Resource::Pattern::token) {
      order->submitted(asl::Datum(std::move(output)));
      out.abandoned = true;  // who has the token tells the result
    } else {
      out.succeeded = true;
      out.output = asl::Datum(std::move(output));
    }
  } catch (const TaskFailure& failure) {
    out.error = failure.error;
    out.cause = failure.cause;
  } catch (const aws::ApiError& error) {
    const TaskFailure failure = failure_of(order->resource, error, request_id);
    out.error = failure.error;
    out.cause = failure.cause;
  } catch (const Cancelled&) {
    out.abandoned = true;
  } catch (const std::length_error&) {  // a body that no state may hold
    out.error = "States.DataLimitExceeded";
    out.cause = fmt::format(
        "The state/task '{}' returned a result with a size exceeding the "
        "maximum number of bytes service limit.",
        order->resource.type);
  } catch (const std::exception& error) {
    log::error("stepfunctions", "{}: {}", order->effect_id, error.what());
    out.error = "States.TaskFailed";
    out.cause = error.what();
  }
  co_return out;
}

Task<Json> Integrations::run(OrderPtr order, CallPtr call) {
  switch (order->resource.kind) {
    case asl::Resource::Kind::lambda: co_return co_await run_lambda(order, call);
    case asl::Resource::Kind::sdk: co_return co_await run_sdk(order, call);
    default: co_return co_await run_optimized(order, call);
  }
}

Task<void> Integrations::pause(Microseconds duration) {
  co_await sleep_for(environment_.clock, duration);
}

Task<Json> Integrations::run_sdk(OrderPtr order, CallPtr call) {
  const auto service = sdk_service(order->resource.service);
  const std::string operation = operation_name(order->resource.action);
  JsonObject input = object_of(order->arguments.value());
  const platform::OpRow* row = call->registry().find(service.id, operation);
  if (!row) {
    throw TaskFailure(
        fmt::format("{}.{}Exception", service.prefix, service.prefix),
        fmt::format("aws-sdk:{}:{}: the operation {} of {} is not implemented by Tarn",
                    order->resource.service, order->resource.action, operation, service.id));
  }
  for (const aws::Member& member : row->operation->input->members) {
    const std::string name = operation_name(member.name);
    if (member.idempotency_token && !input.contains(name)) {
      input[name] = effect_token(order->effect_id);
    }
    // A body that is no text is its JSON.
    Json* given = input.if_contains(name);
    if (given && member.shape->kind == aws::Kind::stream && !given->is_string() &&
        !given->is_null()) {
      *given = Json(dump_json(*given));
    }
  }
  Json whole(std::move(input));
  co_return co_await invoke(call, service.id, operation, std::move(whole));
}

Task<Json> Integrations::run_optimized(OrderPtr order, CallPtr call) {
  const auto& resource = order->resource;
  const std::string name = resource.service + ":" + resource.action;
  if (name == "lambda:invoke") co_return co_await invoke_lambda(order, call);
  if (name == "states:startExecution") co_return co_await start_execution(order, call);
  if (name == "ecs:runTask") co_return co_await run_ecs_task(order, call);
  if (name == "events:putEvents") co_return co_await put_events(order, call);
  if (name == "sqs:sendMessage") {
    co_return co_await send(order, call, "sqs", "SendMessage", "MessageBody");
  }
  if (name == "sns:publish") co_return co_await send(order, call, "sns", "Publish", "Message");
  if (resource.pattern == asl::Resource::Pattern::request &&
      call->registry().find(resource.service, operation_name(resource.action))) {
    co_return co_await send(order, call, resource.service, operation_name(resource.action), "");
  }
  throw TaskFailure(optimized_names(resource.service).prefix + ".NotImplemented",
                    fmt::format("the integration {} is not implemented by Tarn", resource.arn));
}

// ---------------------------------------------------------------- Lambda

namespace {

// The function's payload, or its failure.
Json lambda_payload(const Json& answer) {
  const auto bytes = from_base64(string_or(answer, "Payload"));
  const std::string text = bytes.value_or("");
  Json payload;
  try {
    payload = text.empty() ? Json(nullptr) : parse_json(text);
  } catch (const JsonError&) {
    throw TaskFailure("States.Runtime", "The function's response is not JSON: " + text);
  }
  if (find_string(answer, "FunctionError")) {
    throw TaskFailure(string_or(payload, "errorType", "Lambda.Unknown"), text);
  }
  return payload;
}

}  // namespace

Task<Json> Integrations::run_lambda(OrderPtr order, CallPtr call) {
  JsonObject input{{"FunctionName", order->resource.arn},
                   {"Payload", to_base64(order->arguments.text())}};
  Json whole(std::move(input));
  const Json answer = co_await invoke(call, "lambda", "Invoke", std::move(whole));
  co_return lambda_payload(answer);
}

Task<Json> Integrations::invoke_lambda(OrderPtr order, CallPtr call) {
  JsonObject input = object_of(order->arguments.value());
  const Json* payload = input.if_contains("Payload");
  // No payload is an empty object, as the integration sends it.
  const std::string text = payload ? dump_json(*payload) : "{}";
  input["Payload"] = to_base64(text);
  Json whole(std::move(input));
  const Json answer = co_await invoke(call, "lambda", "Invoke", std::move(whole));
  Json result = lambda_payload(answer);
  JsonObject out;
  out["ExecutedVersion"] = string_or(answer, "ExecutedVersion", "$LATEST");
  const std::size_t size = dump_json(result).size();
  out["Payload"] = std::move(result);
  add_sdk_metadata(out, call->request_id(), size, "application/json", environment_.clock.now());
  out["StatusCode"] = 200;
  co_return out;
}

// ---------------------------------------------------------------- SQS, SNS, EventBridge

Task<Json> Integrations::send(OrderPtr order, CallPtr call, std::string service,
                              std::string operation, std::string text_field) {
  JsonObject input = object_of(order->arguments.value());
  if (!text_field.empty()) as_text(input, text_field);
  Json whole(std::move(input));
  Json answer = co_await invoke(call, service, operation, std::move(whole));
  const std::size_t size = service == "sns" ? k_published_bytes : dump_json(answer).size();
  JsonObject out = std::move(answer.get_object());
  add_sdk_metadata(out, call->request_id(), size,
                   service == "sns" ? "text/xml" : "application/x-amz-json-1.0",
                   environment_.clock.now());
  co_return out;
}

Task<Json> Integrations::put_events(OrderPtr order, CallPtr call) {
  JsonObject input = object_of(order->arguments.value());
  if (Json* entries = input.if_contains("Entries"); entries && entries->is_array()) {
    for (auto& entry : entries->get_array()) {
      if (!entry.is_object()) continue;
      as_text(entry.get_object(), "Detail");
      // AWS names the execution and the machine as resources of every entry.
      JsonArray resources;
      if (const Json* given = entry.get_object().if_contains("Resources");
          given && given->is_array()) {
        resources = given->get_array();
      }
      resources.emplace_back(order->machine_arn);
      resources.emplace_back(order->execution_arn);
      entry.get_object()["Resources"] = std::move(resources);
    }
  }
  Json whole(std::move(input));
  Json answer = co_await invoke(call, "events", "PutEvents", std::move(whole));
  const Json* failed = find_member(answer, "FailedEntryCount");
  if (failed && failed->is_number() && failed->to_number<std::int64_t>() > 0) {
    throw TaskFailure("EventBridge.FailedEntry", dump_json(answer));
  }
  co_return JsonObject{{"Entries", *find_member(answer, "Entries")}, {"FailedEntryCount", 0}};
}

// ---------------------------------------------------------------- nested executions

Task<Json> Integrations::start_execution(OrderPtr order, CallPtr call) {
  if (order->submission) {
    Json before = order->submission->value();
    co_return co_await wait_for_started(order, call, std::move(before));
  }
  JsonObject input = object_of(order->arguments.value());
  if (Json* given = input.if_contains("Input")) {
    if (given->is_null()) {
      *given = Json("{}");
    } else if (!given->is_string()) {
      *given = Json(dump_json(*given));
    }
  }
  // A name of our own makes a repeated start find the first one.
  const bool own_name = !input.contains("Name");
  if (own_name) input["Name"] = effect_token(order->effect_id);
  Json whole(std::move(input));
  Json answer = co_await start_once(call, std::move(whole), own_name);
  JsonObject started = std::move(answer.get_object());
  times_to_millis(started, {"StartDate"});
  // The length of the answer's body on AWS, where dates are written as 1.713422821123E9.
  const std::size_t size = fmt::format(R"({{"executionArn":"{}","startDate":1.713422821123E9}})",
                                       string_or(Json(started), "ExecutionArn"))
                               .size();
  JsonObject out{{"ExecutionArn", started["ExecutionArn"]}};
  add_sdk_metadata(out, call->request_id(), size, "application/x-amz-json-1.0",
                   environment_.clock.now());
  out["StartDate"] = started["StartDate"];
  Json made(std::move(out));
  if (order->resource.pattern != asl::Resource::Pattern::sync) co_return made;
  order->submitted(asl::Datum(made));
  co_return co_await wait_for_started(order, call, std::move(made));
}

// An execution of our own name that has ended already was started by us, before a crash took the
// answer: it is the answer.
Task<Json> Integrations::start_once(CallPtr call, Json input, bool own_name) {
  const auto machine = split(string_or(input, "StateMachineArn"), ':');
  const std::string name = string_or(input, "Name");
  try {
    co_return co_await invoke(call, "stepfunctions", "StartExecution", std::move(input));
  } catch (const aws::ApiError& error) {
    if (!own_name || error.code != "ExecutionAlreadyExists" || machine.size() < 7) throw;
  }
  // As Tarn itself: the role may start executions and need not be allowed to look at them.
  const auto own_call =
      environment_.call_as(platform::root_identity(call->account()), call->region());
  Json which =
      JsonObject{{"ExecutionArn", execution_arn({machine[4], machine[3]}, machine[6], name)}};
  const Json found =
      co_await invoke(own_call, "stepfunctions", "DescribeExecution", std::move(which));
  co_return JsonObject{{"ExecutionArn", *find_member(found, "ExecutionArn")},
                       {"StartDate", *find_member(found, "StartDate")}};
}

Task<Json> Integrations::wait_for_started(OrderPtr order, CallPtr call, Json started) {
  const std::string arn = string_or(started, "ExecutionArn");
  JsonObject which{{"ExecutionArn", arn}};
  const Json stop_input(which);
  try {
    for (;;) {
      Json input(which);
      Json answer = co_await invoke(call, "stepfunctions", "DescribeExecution", std::move(input));
      if (string_or(answer, "Status") != "RUNNING") {
        JsonObject out = std::move(answer.get_object());
        times_to_millis(out, {"StartDate", "StopDate"});
        if (string_or(Json(out), "Status") != "SUCCEEDED") {
          throw TaskFailure("States.TaskFailed", dump_json(Json(out)));
        }
        if (order->resource.output_is_json) {
          for (const char* field : {"Input", "Output"}) {
            const auto text = find_string(Json(out), field);
            if (text) out[field] = parse_json(*text);
          }
        }
        co_return out;
      }
      if (wait_for_execution) {
        co_await wait_for_execution(arn);
      } else {
        co_await pause(k_poll_least);
      }
    }
  } catch (const Cancelled&) {
    clean_up(order, "stepfunctions", "StopExecution", stop_input);
    throw;
  }
}

// ---------------------------------------------------------------- ECS

Task<Json> Integrations::run_ecs_task(OrderPtr order, CallPtr call) {
  if (order->submission) {
    Json before = order->submission->value();
    co_return co_await wait_for_ecs(order, call, std::move(before));
  }
  JsonObject input = object_of(order->arguments.value());
  if (!input.contains("ClientToken")) input["ClientToken"] = effect_token(order->effect_id);
  if (!input.contains("StartedBy")) input["StartedBy"] = "AWS Step Functions";
  Json whole(std::move(input));
  Json answer = co_await invoke(call, "ecs", "RunTask", std::move(whole));
  const Json* failures = find_member(answer, "Failures");
  if (failures && failures->is_array() && !failures->get_array().empty()) {
    throw TaskFailure("ECS.AmazonECSException", dump_json(answer));
  }
  const std::size_t size = dump_json(answer).size();
  JsonObject out = std::move(answer.get_object());
  add_sdk_metadata(out, call->request_id(), size, "application/x-amz-json-1.1",
                   environment_.clock.now());
  Json made(std::move(out));
  if (order->resource.pattern != asl::Resource::Pattern::sync) co_return made;
  order->submitted(asl::Datum(made));
  co_return co_await wait_for_ecs(order, call, std::move(made));
}

namespace {

// Did the task do its work? Every essential container ended with 0.
bool ecs_task_failed(const Json& task) {
  const auto code = string_or(task, "StopCode");
  const Json* containers = find_member(task, "Containers");
  if (code == "TaskFailedToStart" || !containers || !containers->is_array()) return true;
  for (const auto& container : containers->get_array()) {
    const Json* exit = find_member(container, "ExitCode");
    if (!exit || !exit->is_number() || exit->to_number<std::int64_t>() != 0) return true;
  }
  return false;
}

}  // namespace

Task<Json> Integrations::wait_for_ecs(OrderPtr order, CallPtr call, Json started) {
  const Json* tasks = find_member(started, "Tasks");
  if (!tasks || !tasks->is_array() || tasks->get_array().empty()) {
    throw TaskFailure("ECS.AmazonECSException", dump_json(started));
  }
  const Json& first = tasks->get_array().front();
  const std::string arn = string_or(first, "TaskArn");
  const std::string cluster = string_or(first, "ClusterArn");
  const JsonObject which{{"Cluster", cluster}, {"Tasks", JsonArray{Json(arn)}}};
  const Json stop_input(
      JsonObject{{"Cluster", cluster}, {"Task", arn}, {"Reason", "Stopped by AWS Step Functions"}});
  Microseconds wait = k_poll_least;
  try {
    for (;;) {
      Json input(which);
      const Json answer = co_await invoke(call, "ecs", "DescribeTasks", std::move(input));
      const Json* found = find_member(answer, "Tasks");
      if (!found || !found->is_array() || found->get_array().empty()) {
        throw TaskFailure("ECS.AmazonECSException", dump_json(answer));
      }
      const Json& task = found->get_array().front();
      if (string_or(task, "LastStatus") == "STOPPED") {
        if (ecs_task_failed(task)) throw TaskFailure("States.TaskFailed", dump_json(task));
        co_return task;
      }
      co_await pause(wait);
      wait = std::min(wait * 3 / 2, k_poll_most);
    }
  } catch (const Cancelled&) {
    clean_up(order, "ecs", "StopTask", stop_input);
    throw;
  }
}

namespace {

Task<void> call_once(platform::Environment& environment, std::string role, std::string session,
                     std::string region, std::string service, std::string operation, Json input) {
  auto& identities = platform::Ports::require(environment.ports.identities, "IAM");
  const auto identity = identities.assume_for_service(role, "states.amazonaws.com", session);
  const CallPtr call = environment.call_as(identity, region);
  co_await call->invoke_json(service, operation, std::move(input));
}

}  // namespace

void Integrations::clean_up(OrderPtr order, std::string service, std::string operation,
                            Json input) {
  if (order->shutting_down && order->shutting_down()) return;  // a restart goes on waiting for it
  spawn<void>({&environment_.background, {}},
              call_once(environment_, order->role_arn, order->execution_name, order->scope.region,
                        service, operation, std::move(input)),
              [service, operation](Outcome<void> outcome) {
                if (outcome.failed()) {
                  log::warning("stepfunctions", "{} {} of an aborted task failed", service,
                               operation);
                }
              });
}

}  // namespace tarn::stepfunctions
