// SPDX-License-Identifier: Apache-2.0
// Event source mappings of SQS queues: a polling task each, as the function's role, and up to four
// that help it as long as there are messages. A batch whose invocation fails stays in the queue and
// comes again when its visibility times out.
#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <set>

#include "aws/lambda/errors.hpp"
#include "base/log.hpp"
#include "platform/event_pattern.hpp"
#include "services/lambda/service.hpp"

namespace tarn::lambda {
namespace {

constexpr std::chrono::seconds k_pause_after_error{5};
constexpr std::int32_t k_receive_max = 10;                  // of one ReceiveMessage
constexpr std::int32_t k_pollers_max = 5;                   // as many as AWS begins with
constexpr std::size_t k_batch_bytes_max = 5 * 1024 * 1024;  // a payload has six, with the rest
constexpr std::chrono::seconds k_wait_max{20};
constexpr std::chrono::milliseconds k_throttled_pause{200};
constexpr std::size_t k_page = 100;

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
  if (!source.filters.empty()) {
    out.filter_criteria = FilterCriteria{.filters = std::vector<Filter>()};
    for (const auto& pattern : source.filters) {
      out.filter_criteria->filters->push_back({.pattern = pattern});
    }
  }
  if (source.concurrency_max > 0) {
    out.scaling_config = ScalingConfig{.maximum_concurrency = source.concurrency_max};
  }
  return out;
}

// What create and update have in common; absent members change nothing.
template <class Input>
void apply(EventSourceRecord& source, const Input& in) {
  if (in.batch_size) source.batch_size = *in.batch_size;
  if (in.maximum_batching_window_in_seconds) {
    source.batch_window_s = *in.maximum_batching_window_in_seconds;
  }
  if (in.enabled) source.enabled = *in.enabled;
  if (in.function_response_types) {
    const auto& types = *in.function_response_types;
    source.partial_failures = !types.empty() && types.front() == "ReportBatchItemFailures";
  }
  if (in.scaling_config)
    source.concurrency_max = in.scaling_config->maximum_concurrency.value_or(0);
  if (in.filter_criteria) {
    source.filters.clear();
    for (const auto& filter : in.filter_criteria->filters.value_or(std::vector<Filter>())) {
      source.filters.push_back(filter.pattern.value_or("{}"));
    }
  }
  const bool fifo = source.source_arn.ends_with(".fifo");
  if (fifo && source.batch_window_s > 0) {
    throw InvalidParameterValueException("Batching window is not supported for FIFO queues");
  }
  if (fifo && source.batch_size > k_receive_max) {
    throw InvalidParameterValueException(
        "Batch size must be less than or equal to 10 for FIFO queues");
  }
  if (source.batch_size > k_receive_max && source.batch_window_s == 0) {
    throw InvalidParameterValueException(
        "Maximum batch window in seconds must be greater than 0 if maximum batch size is greater "
        "than 10");
  }
  for (const auto& pattern : source.filters) {
    try {
      platform::EventPattern::parse(pattern);
    } catch (const std::exception&) {
      throw InvalidParameterValueException("Invalid filter pattern definition.");
    }
  }
}

// As an SQS message looks in a Lambda event: the same things under other names.
Json record_of(const Json& message, const EventSourceRecord& source, const std::string& region) {
  JsonObject attributes;
  if (const Json* found = find_member(message, "MessageAttributes"); found && found->is_object()) {
    for (const auto& [name, value] : found->get_object()) {
      JsonObject shown{{"stringListValues", JsonArray()},
                       {"binaryListValues", JsonArray()},
                       {"dataType", string_or(value, "DataType")}};
      const bool binary = find_member(value, "BinaryValue") != nullptr;
      shown[binary ? "binaryValue" : "stringValue"] =
          string_or(value, binary ? "BinaryValue" : "StringValue");
      attributes[name] = std::move(shown);
    }
  }
  const Json* system = find_member(message, "Attributes");
  return JsonObject{{"messageId", string_or(message, "MessageId")},
                    {"receiptHandle", string_or(message, "ReceiptHandle")},
                    {"body", string_or(message, "Body")},
                    {"attributes", system ? *system : Json(JsonObject())},
                    {"messageAttributes", std::move(attributes)},
                    {"md5OfBody", string_or(message, "MD5OfBody")},
                    {"eventSource", "aws:sqs"},
                    {"eventSourceARN", source.source_arn},
                    {"awsRegion", region}};
}

// Filters see the body as JSON where it is JSON.
bool wanted(const std::vector<platform::EventPattern>& filters, const Json& message) {
  if (filters.empty()) return true;
  Json record = message;
  try {
    record.as_object()["body"] = parse_json(string_or(record, "body"));
  } catch (const JsonError&) {}
  return std::any_of(filters.begin(), filters.end(),
                     [&](const auto& filter) { return filter.matches(record); });
}

// The messages that a function's answer names as failed; all where it cannot be read.
std::set<std::string> failed_messages(const std::string& answer, const JsonArray& records) {
  std::set<std::string> failed;
  try {
    const Json json = parse_json(answer);
    const Json* list = find_member(json, "batchItemFailures");
    if (!list || !list->is_array()) return failed;
    for (const Json& item : list->get_array()) failed.insert(string_or(item, "itemIdentifier"));
    if (!failed.contains("")) return failed;
  } catch (const JsonError&) {}
  for (const Json& record : records) failed.insert(string_or(record, "messageId"));
  return failed;
}

std::string queue_url(const platform::Environment& environment, const std::string& arn) {
  const auto parts = split(arn, ':');
  return environment.endpoint + "/" + parts[4] + "/" + parts[5];
}

Task<void> remove_messages(platform::CallPtr call, std::string url,
                           std::vector<std::string> handles) {
  for (std::size_t from = 0; from < handles.size(); from += k_receive_max) {
    JsonArray entries;
    for (std::size_t i = from; i < std::min(handles.size(), from + k_receive_max); ++i) {
      entries.push_back(JsonObject{{"Id", std::to_string(i)}, {"ReceiptHandle", handles[i]}});
    }
    Json input = JsonObject{{"QueueUrl", url}, {"Entries", std::move(entries)}};
    co_await call->invoke_json("sqs", "DeleteMessageBatch", std::move(input));
  }
}

}  // namespace

void Lambda::event_source_operations(platform::OpTable& t) {
  const auto mapping = [](Call& call, const auto& in) {
    return mapping_arn(call.scope(), in.uuid);
  };
  t.op<CreateEventSourceMapping>(&Lambda::create_event_source).partial("SQS queues only");
  t.op<GetEventSourceMapping>(&Lambda::get_event_source).on(mapping);
  t.op<ListEventSourceMappings>(&Lambda::list_event_sources);
  t.op<UpdateEventSourceMapping>(&Lambda::update_event_source)
      .on(mapping)
      .partial("SQS queues only");
  t.op<DeleteEventSourceMapping>(&Lambda::delete_event_source).on(mapping);
}

Task<CreateEventSourceMappingOutput> Lambda::create_event_source(CallPtr call,
                                                                 CreateEventSourceMappingInput in) {
  const std::string arn = in.event_source_arn.value_or("");
  const auto parts = split(arn, ':');
  if (parts.size() != 6 || parts[2] != "sqs") {
    throw aws::ApiError("NotImplemented",
                        "lambda: event sources other than SQS queues are not implemented by Tarn",
                        501);
  }
  if (in.starting_position) {
    throw InvalidParameterValueException("StartingPosition is not valid for SQS event sources.");
  }
  const FunctionId id = FunctionId::parse(in.function_name, std::nullopt);
  EventSourceRecord source;
  source.uuid = environment_.random.uuid();
  source.source_arn = arn;
  source.function = id.name;
  source.qualifier = id.qualifier;
  source.modified = call->now();
  apply(source, in);
  FunctionRecord function;
  {
    auto txn = store_.begin(call->scope());
    function = require_function(txn, id);
  }
  co_await check_queue(source, std::move(function), call->region());
  store_.transact(call->scope(), [&](Txn& txn) {
    for (const auto& other : txn.list<EventSourceRecord>()) {
      if (other.source_arn != arn || other.function != id.name) continue;
      throw ResourceConflictException(fmt::format(
          "An event source mapping with SQS arn (\" {} \") and function (\" {} \") already exists. "
          "Please update or delete the existing mapping with UUID {}",
          arn, id.name, other.uuid));
    }
    txn.put(source);
  });
  if (source.enabled) start_polling(call->scope(), source);
  call->set_response_status(202);
  co_return shown<CreateEventSourceMappingOutput>(source, call->scope());
}

// AWS looks whether polling can work at all.
Task<void> Lambda::check_queue(EventSourceRecord source, FunctionRecord function,
                               std::string region) {
  auto& identities = platform::Ports::require(environment_.ports.identities, "IAM");
  const auto identity =
      identities.assume_for_service(function.role, "lambda.amazonaws.com", function.name);
  const auto call = environment_.call_as(identity, region);
  Json input = JsonObject{{"QueueUrl", queue_url(environment_, source.source_arn)},
                          {"AttributeNames", JsonArray{"All"}}};
  std::string problem;
  Json attributes;
  try {
    const Json out = co_await call->invoke_json("sqs", "GetQueueAttributes", std::move(input));
    attributes = out.at("Attributes");
  } catch (const aws::ApiError& error) {
    problem = error.code;
  }
  if (problem.find("NonExistent") != std::string::npos ||
      problem.find("DoesNotExist") != std::string::npos) {
    throw InvalidParameterValueException(
        "Error occurred while ReceiveMessage. SQS Error Code: AWS.SimpleQueueService."
        "NonExistentQueue. SQS Error Message: The specified queue does not exist.");
  }
  std::optional<std::string> policy;
  if (problem.empty() && find_member(attributes, "Policy")) {
    policy = string_or(attributes, "Policy");
  }
  for (const char* operation : {"ReceiveMessage", "DeleteMessage"}) {
    const bool allowed = role_allows(function.role, function.name, fmt::format("sqs:{}", operation),
                                     source.source_arn, policy);
    if (problem.empty() && allowed) continue;
    throw InvalidParameterValueException(
        fmt::format("The provided execution role does not have permissions to call {} on SQS",
                    allowed ? "GetQueueAttributes" : operation));
  }
  const auto visible_s = parse_int(string_or(attributes, "VisibilityTimeout", "30")).value_or(30);
  if (visible_s < function.timeout_s) {
    throw InvalidParameterValueException(fmt::format(
        "Queue visibility timeout: {} seconds is less than Function timeout: {} seconds", visible_s,
        function.timeout_s));
  }
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
  std::string function;
  if (in.function_name) function = FunctionId::parse(*in.function_name, std::nullopt).name;
  kernel::ScanOptions options;
  if (in.marker) options.after = from_base64(*in.marker).value_or("");
  const auto limit = std::min(k_page, static_cast<std::size_t>(in.max_items.value_or(k_page)));
  std::string last;
  txn.scan<EventSourceRecord>({}, options, [&](EventSourceRecord& source, const std::string& key) {
    if (in.event_source_arn && *in.event_source_arn != source.source_arn) return true;
    if (!function.empty() && function != source.function) return true;
    if (out.event_source_mappings->size() == limit) {
      out.next_marker = to_base64(last);
      return false;
    }
    out.event_source_mappings->push_back(
        shown<EventSourceMappingConfiguration>(source, call.scope()));
    last = key;
    return true;
  });
  return out;
}

UpdateEventSourceMappingOutput Lambda::update_event_source(
    Call& call, const UpdateEventSourceMappingInput& in) {
  auto txn = store_.begin(call.scope());
  auto source = txn.find_for_update<EventSourceRecord>(in.uuid);
  if (!source) throw ResourceNotFoundException("The resource you requested does not exist.");
  if (in.function_name) {
    const FunctionId id = FunctionId::parse(*in.function_name, std::nullopt);
    require_function(txn, id);
    source->function = id.name;
    source->qualifier = id.qualifier;
  }
  apply(*source, in);
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

namespace {

// Only waiting is broken off when a mapping ends; a batch in work is finished, and removed.
template <class T>
Task<T> until_stopped(std::stop_token stop, Task<T> task) {
  const TaskContext context = co_await current_context();
  OneShot<T> end;
  spawn<T>({context.executor, std::move(stop)}, std::move(task),
           [end](Outcome<T> outcome) { end.set_outcome(std::move(outcome)); });
  co_return co_await end;
}

Task<bool> pause(Clock& clock, Microseconds length) {
  co_await sleep_for(clock, length);
  co_return true;
}

}  // namespace

// What the tasks of one mapping share.
struct Lambda::Poll {
  kernel::Scope scope;
  EventSourceRecord source;
  std::vector<platform::EventPattern> filters;
  std::stop_source stop;
  std::shared_ptr<std::monostate> alive;  // counts the tasks
  std::atomic<std::int32_t> pollers{1};
};

void Lambda::start_polling(kernel::Scope scope, EventSourceRecord source) {
  auto poll_state = std::make_shared<Poll>();
  for (const auto& filter : source.filters) {
    poll_state->filters.push_back(platform::EventPattern::parse(filter));
  }
  poll_state->scope = std::move(scope);
  poll_state->source = std::move(source);
  poll_state->alive = pollers_;
  {
    std::lock_guard lock(polling_mutex_);
    polling_[poll_state->source.uuid] = poll_state->stop;
  }
  spawn<void>({&environment_.background, {}}, poll(std::move(poll_state), false));
}

void Lambda::stop_polling(const std::string& uuid) {
  std::lock_guard lock(polling_mutex_);
  const auto found = polling_.find(uuid);
  if (found == polling_.end()) return;
  found->second.request_stop();
  polling_.erase(found);
}

// One that helps ends when the queue is empty, or something fails.
Task<void> Lambda::poll(PollPtr poll, bool helps) {
  std::string last_problem;
  while (!poll->stop.stop_requested()) {
    std::string problem;
    bool again = true;
    try {
      again = co_await poll_once(poll, helps);
    } catch (const Cancelled&) {
      break;
    } catch (const std::exception& error) {
      problem = error.what();
    }
    if (helps && (!again || !problem.empty())) break;
    if (problem.empty()) {
      last_problem.clear();
      continue;
    }
    if (problem != last_problem) {
      log::warning("lambda", "{} of {}: {}", poll->source.source_arn, poll->source.function,
                   problem);
    }
    last_problem = problem;
    try {
      co_await until_stopped(poll->stop.get_token(), pause(real_clock_, k_pause_after_error));
    } catch (const Cancelled&) {}
  }
  --poll->pollers;
}

void Lambda::call_helper(const PollPtr& poll, const FunctionRecord& function) {
  std::int32_t most = k_pollers_max;
  if (poll->source.concurrency_max > 0) most = std::min(most, poll->source.concurrency_max);
  {
    auto txn = store_.begin(poll->scope);
    const auto latest = txn.peek<FunctionRecord>(function.name, k_latest);
    if (latest && latest->reserved_concurrency) {
      most = std::min(most, *latest->reserved_concurrency);
    }
  }
  if (++poll->pollers > most) {
    --poll->pollers;
    return;
  }
  spawn<void>({&environment_.background, {}}, this->poll(poll, true));
}

// Messages of one batch, as records of an event. The main poller waits for the first one; where
// the mapping has a window, for more. What no filter wants is removed.
Task<JsonArray> Lambda::gather(PollPtr poll, CallPtr call, bool helps) {
  const EventSourceRecord& source = poll->source;
  const std::string url = queue_url(environment_, source.source_arn);
  JsonArray records;
  std::size_t bytes = 0;
  std::vector<std::string> unwanted;
  std::optional<Timestamp> until;
  do {
    const auto room =
        static_cast<std::int64_t>(source.batch_size) - static_cast<std::int64_t>(records.size());
    auto wait = helps ? std::chrono::seconds(0) : k_wait_max;
    if (until) {
      wait = std::min(k_wait_max, std::chrono::ceil<std::chrono::seconds>(
                                      std::max(Microseconds(0), *until - real_clock_.now())));
    }
    Json receive = JsonObject{{"QueueUrl", url},
                              {"MaxNumberOfMessages", std::min<std::int64_t>(room, k_receive_max)},
                              {"WaitTimeSeconds", wait.count()},
                              {"AttributeNames", JsonArray{"All"}},
                              {"MessageAttributeNames", JsonArray{"All"}}};
    const Json received = co_await call->invoke_json("sqs", "ReceiveMessage", std::move(receive));
    const Json* messages = find_member(received, "Messages");
    if (!messages || !messages->is_array() || messages->get_array().empty()) break;
    if (!until) until = real_clock_.now() + Seconds(source.batch_window_s);
    for (const Json& message : messages->get_array()) {
      Json record = record_of(message, source, poll->scope.region);
      if (!wanted(poll->filters, record)) {
        unwanted.push_back(string_or(message, "ReceiptHandle"));
        continue;
      }
      bytes += string_or(message, "Body").size() + 1024;
      records.push_back(std::move(record));
    }
  } while (source.batch_window_s > 0 && real_clock_.now() < *until &&
           std::ssize(records) < source.batch_size && bytes < k_batch_bytes_max);
  if (!unwanted.empty()) co_await remove_messages(std::move(call), url, std::move(unwanted));
  co_return records;
}

// Throttled, the batch waits for a free environment as long as its messages stay hidden.
Task<InvocationResult> Lambda::invoke_batch(PollPtr poll, FunctionRecord function,
                                            std::string payload) {
  const Timestamp last = real_clock_.now() + k_wait_max;
  for (;;) {
    try {
      co_return co_await run(function, poll->scope, poll->source.qualifier,
                             environment_.random.uuid(), payload, "");
    } catch (const TooManyRequestsException&) {
      if (real_clock_.now() > last || poll->stop.stop_requested()) throw;
    }
    co_await sleep_for(real_clock_, k_throttled_pause);
  }
}

// False when the queue was empty.
Task<bool> Lambda::poll_once(PollPtr poll, bool helps) {
  const EventSourceRecord& source = poll->source;
  FunctionRecord function;
  {
    auto txn = store_.begin(poll->scope);
    function = require_function(txn, {source.function, source.qualifier});
  }
  auto& identities = platform::Ports::require(environment_.ports.identities, "IAM");
  const auto call = environment_.call_as(
      identities.assume_for_service(function.role, "lambda.amazonaws.com", function.name),
      poll->scope.region);
  JsonArray records = co_await until_stopped(poll->stop.get_token(), gather(poll, call, helps));
  if (records.empty()) co_return false;
  if (std::ssize(records) >= std::min(source.batch_size, k_receive_max)) {
    call_helper(poll, function);
  }
  std::string payload = dump_json(JsonObject{{"Records", records}});
  const InvocationResult result =
      co_await invoke_batch(poll, std::move(function), std::move(payload));
  if (!result.function_error.empty()) co_return true;  // they come again
  std::set<std::string> failed;
  if (source.partial_failures) failed = failed_messages(result.payload, records);
  std::vector<std::string> done;
  for (const Json& record : records) {
    if (failed.contains(string_or(record, "messageId"))) continue;
    done.push_back(string_or(record, "receiptHandle"));
  }
  co_await remove_messages(call, queue_url(environment_, source.source_arn), std::move(done));
  co_return true;
}

}  // namespace tarn::lambda
