// SPDX-License-Identifier: Apache-2.0
// Event source mappings of SQS queues: one polling task each, as the function's role. A batch whose
// invocation fails stays in the queue and comes again when its visibility times out.
#include <fmt/format.h>

#include <set>

#include "aws/lambda/errors.hpp"
#include "base/log.hpp"
#include "services/lambda/service.hpp"

namespace tarn::lambda {
namespace {

constexpr std::chrono::seconds k_pause_after_error{5};
constexpr std::int32_t k_receive_max = 10;

std::string mapping_arn(const kernel::Scope& scope, const std::string& uuid) {
  return fmt::format("arn:aws:lambda:{}:{}:event-source-mapping:{}", scope.region, scope.account,
                     uuid);
}

template <class Output>
Output shown(const EventSourceRecord& source, const kernel::Scope& scope,
             const std::string& state = {}) {
  Output out;
  out.uuid = source.uuid;
  out.batch_size = source.batch_size;
  out.maximum_batching_window_in_seconds = source.batch_window_s;
  out.event_source_arn = source.source_arn;
  out.function_arn = function_arn(scope, source.function, source.qualifier);
  out.last_modified = source.modified;
  out.state = !state.empty() ? state : source.enabled ? "Enabled" : "Disabled";
  out.state_transition_reason = "USER_INITIATED";
  out.function_response_types = std::vector<std::string>();
  if (source.partial_failures) out.function_response_types->push_back("ReportBatchItemFailures");
  out.event_source_mapping_arn = mapping_arn(scope, source.uuid);
  return out;
}

template <class Input>
void refuse_unsupported(const Input& in) {
  const auto refuse = [](const char* what) {
    throw aws::ApiError("NotImplemented",
                        fmt::format("lambda: {} of event source mappings is not implemented by "
                                    "Tarn",
                                    what),
                        501);
  };
  if (in.filter_criteria && in.filter_criteria->filters && !in.filter_criteria->filters->empty()) {
    refuse("FilterCriteria");
  }
  if (in.scaling_config) refuse("ScalingConfig");
  if (in.batch_size && *in.batch_size > k_receive_max) refuse("a BatchSize above 10");
  if (in.maximum_batching_window_in_seconds.value_or(0) > 20) {
    refuse("a MaximumBatchingWindowInSeconds above 20");
  }
}

bool reports_failures(const std::optional<std::vector<std::string>>& types) {
  return types && !types->empty() && types->front() == "ReportBatchItemFailures";
}

// As SQS messages look in a Lambda event: the same things under other names.
Json event_of(const Json& received, const EventSourceRecord& source, const std::string& region) {
  JsonArray records;
  for (const Json& message : received.at("Messages").as_array()) {
    JsonObject attributes;
    if (const Json* found = find_member(message, "MessageAttributes");
        found && found->is_object()) {
      for (const auto& [name, value] : found->get_object()) {
        attributes[name] = JsonObject{{"stringValue", string_or(value, "StringValue")},
                                      {"stringListValues", JsonArray()},
                                      {"binaryListValues", JsonArray()},
                                      {"dataType", string_or(value, "DataType")}};
      }
    }
    const Json* system = find_member(message, "Attributes");
    records.push_back(JsonObject{{"messageId", string_or(message, "MessageId")},
                                 {"receiptHandle", string_or(message, "ReceiptHandle")},
                                 {"body", string_or(message, "Body")},
                                 {"attributes", system ? *system : Json(JsonObject())},
                                 {"messageAttributes", std::move(attributes)},
                                 {"md5OfBody", string_or(message, "MD5OfBody")},
                                 {"eventSource", "aws:sqs"},
                                 {"eventSourceARN", source.source_arn},
                                 {"awsRegion", region}});
  }
  return JsonObject{{"Records", std::move(records)}};
}

// The messages that a function's answer names as failed; all where it cannot be read.
std::set<std::string> failed_messages(const std::string& answer, const Json& messages) {
  std::set<std::string> failed;
  try {
    const Json json = parse_json(answer);
    const Json* list = find_member(json, "batchItemFailures");
    if (!list || !list->is_array()) return failed;
    for (const Json& item : list->get_array()) failed.insert(string_or(item, "itemIdentifier"));
    if (!failed.contains("")) return failed;
  } catch (const JsonError&) {}
  for (const Json& message : messages.as_array()) failed.insert(string_or(message, "MessageId"));
  return failed;
}

}  // namespace

void Lambda::event_source_operations(platform::OpTable& t) {
  const auto mapping = [](Call& call, const auto& in) {
    return mapping_arn(call.scope(), in.uuid);
  };
  t.op<CreateEventSourceMapping>(&Lambda::create_event_source)
      .partial("SQS queues only; no filters, scaling or batches above 10");
  t.op<GetEventSourceMapping>(&Lambda::get_event_source).on(mapping);
  t.op<ListEventSourceMappings>(&Lambda::list_event_sources);
  t.op<UpdateEventSourceMapping>(&Lambda::update_event_source)
      .on(mapping)
      .partial("SQS queues only; no filters, scaling or batches above 10");
  t.op<DeleteEventSourceMapping>(&Lambda::delete_event_source).on(mapping);
}

CreateEventSourceMappingOutput Lambda::create_event_source(
    Call& call, const CreateEventSourceMappingInput& in) {
  refuse_unsupported(in);
  const std::string arn = in.event_source_arn.value_or("");
  const auto parts = split(arn, ':');
  if (parts.size() != 6 || parts[2] != "sqs") {
    throw aws::ApiError("NotImplemented",
                        "lambda: event sources other than SQS queues are not implemented by Tarn",
                        501);
  }
  const FunctionId id = FunctionId::parse(in.function_name, std::nullopt);
  EventSourceRecord source;
  source.uuid = environment_.random.uuid();
  source.source_arn = arn;
  source.function = id.name;
  source.qualifier = id.qualifier;
  source.batch_size = in.batch_size.value_or(k_receive_max);
  source.batch_window_s = in.maximum_batching_window_in_seconds.value_or(0);
  source.enabled = in.enabled.value_or(true);
  source.partial_failures = reports_failures(in.function_response_types);
  source.modified = call.now();
  auto txn = store_.begin(call.scope());
  require_function(txn, id);
  for (const auto& other : txn.list<EventSourceRecord>()) {
    if (other.source_arn != arn || other.function != id.name) continue;
    throw ResourceConflictException(fmt::format(
        "An event source mapping with SQS arn (\" {} \") and function (\" {} \") already exists. "
        "Please update or delete the existing mapping with UUID {}",
        arn, id.name, other.uuid));
  }
  txn.put(source);
  txn.commit();
  if (source.enabled) start_polling(call.scope(), source);
  call.set_response_status(202);
  return shown<CreateEventSourceMappingOutput>(source, call.scope());
}

GetEventSourceMappingOutput Lambda::get_event_source(Call& call,
                                                     const GetEventSourceMappingInput& in) {
  auto txn = store_.begin(call.scope());
  const auto source = txn.find<EventSourceRecord>(in.uuid);
  if (!source) throw ResourceNotFoundException("The resource you requested does not exist.");
  return shown<GetEventSourceMappingOutput>(*source, call.scope());
}

ListEventSourceMappingsOutput Lambda::list_event_sources(Call& call,
                                                         const ListEventSourceMappingsInput& in) {
  auto txn = store_.begin(call.scope());
  ListEventSourceMappingsOutput out{.event_source_mappings =
                                        std::vector<EventSourceMappingConfiguration>()};
  for (const auto& source : txn.list<EventSourceRecord>()) {
    if (in.event_source_arn && *in.event_source_arn != source.source_arn) continue;
    if (in.function_name &&
        FunctionId::parse(*in.function_name, std::nullopt).name != source.function) {
      continue;
    }
    out.event_source_mappings->push_back(
        shown<EventSourceMappingConfiguration>(source, call.scope()));
  }
  return out;
}

UpdateEventSourceMappingOutput Lambda::update_event_source(
    Call& call, const UpdateEventSourceMappingInput& in) {
  refuse_unsupported(in);
  auto txn = store_.begin(call.scope());
  auto source = txn.find_for_update<EventSourceRecord>(in.uuid);
  if (!source) throw ResourceNotFoundException("The resource you requested does not exist.");
  if (in.function_name) {
    const FunctionId id = FunctionId::parse(*in.function_name, std::nullopt);
    require_function(txn, id);
    source->function = id.name;
    source->qualifier = id.qualifier;
  }
  if (in.enabled) source->enabled = *in.enabled;
  if (in.batch_size) source->batch_size = *in.batch_size;
  if (in.maximum_batching_window_in_seconds) {
    source->batch_window_s = *in.maximum_batching_window_in_seconds;
  }
  if (in.function_response_types) {
    source->partial_failures = reports_failures(in.function_response_types);
  }
  source->modified = call.now();
  txn.put(*source);
  txn.commit();
  stop_polling(in.uuid);
  if (source->enabled) start_polling(call.scope(), *source);
  return shown<UpdateEventSourceMappingOutput>(*source, call.scope());
}

DeleteEventSourceMappingOutput Lambda::delete_event_source(
    Call& call, const DeleteEventSourceMappingInput& in) {
  auto txn = store_.begin(call.scope());
  const auto source = txn.find_for_update<EventSourceRecord>(in.uuid);
  if (!source) throw ResourceNotFoundException("The resource you requested does not exist.");
  txn.erase<EventSourceRecord>(in.uuid);
  txn.commit();
  stop_polling(in.uuid);
  return shown<DeleteEventSourceMappingOutput>(*source, call.scope(), "Deleting");
}

// ---- Polling

void Lambda::start_polling(kernel::Scope scope, EventSourceRecord source) {
  std::stop_source stop;
  {
    std::lock_guard lock(polling_mutex_);
    polling_[source.uuid] = stop;
  }
  spawn<void>({&environment_.background, stop.get_token()},
              poll(std::move(scope), std::move(source), pollers_));
}

void Lambda::stop_polling(const std::string& uuid) {
  std::lock_guard lock(polling_mutex_);
  const auto found = polling_.find(uuid);
  if (found == polling_.end()) return;
  found->second.request_stop();
  polling_.erase(found);
}

Task<void> Lambda::poll(kernel::Scope scope, EventSourceRecord source,
                        std::shared_ptr<std::monostate>) {
  const TaskContext context = co_await current_context();
  std::string last_problem;
  while (!context.stop.stop_requested()) {
    std::string problem;
    try {
      co_await poll_once(scope, source);
    } catch (const Cancelled&) {
      co_return;
    } catch (const std::exception& error) {
      problem = error.what();
    }
    if (problem.empty()) {
      last_problem.clear();
      continue;
    }
    if (problem != last_problem) {
      log::warning("lambda", "{} of {}: {}", source.source_arn, source.function, problem);
    }
    last_problem = problem;
    co_await sleep_for(real_clock_, k_pause_after_error);
  }
}

Task<void> Lambda::poll_once(kernel::Scope scope, EventSourceRecord source) {
  FunctionRecord function;
  {
    auto txn = store_.begin(scope);
    function = require_function(txn, {source.function, source.qualifier});
  }
  auto& identities = platform::Ports::require(environment_.ports.identities, "IAM");
  const auto call = environment_.call_as(
      identities.assume_for_service(function.role, "lambda.amazonaws.com", function.name),
      scope.region);
  const auto parts = split(source.source_arn, ':');
  const std::string url = environment_.endpoint + "/" + parts[4] + "/" + parts[5];
  Json receive = JsonObject{{"QueueUrl", url},
                            {"MaxNumberOfMessages", source.batch_size},
                            {"WaitTimeSeconds", 20},
                            {"AttributeNames", JsonArray{"All"}},
                            {"MessageAttributeNames", JsonArray{"All"}}};
  const Json received = co_await call->invoke_json("sqs", "ReceiveMessage", std::move(receive));
  const Json* messages = find_member(received, "Messages");
  if (!messages || !messages->is_array() || messages->get_array().empty()) co_return;

  std::string payload = dump_json(event_of(received, source, scope.region));
  const InvocationResult result = co_await run(function, scope, source.qualifier,
                                               environment_.random.uuid(), std::move(payload), "");
  if (!result.function_error.empty()) co_return;  // they come again
  std::set<std::string> failed;
  if (source.partial_failures) failed = failed_messages(result.payload, *messages);
  JsonArray entries;
  for (const Json& message : messages->get_array()) {
    if (failed.contains(string_or(message, "MessageId"))) continue;
    entries.push_back(JsonObject{{"Id", std::to_string(entries.size())},
                                 {"ReceiptHandle", string_or(message, "ReceiptHandle")}});
  }
  if (entries.empty()) co_return;
  Json remove = JsonObject{{"QueueUrl", url}, {"Entries", std::move(entries)}};
  co_await call->invoke_json("sqs", "DeleteMessageBatch", std::move(remove));
}

}  // namespace tarn::lambda
