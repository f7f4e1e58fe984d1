// SPDX-License-Identifier: Apache-2.0
#include "services/s3/notifications.hpp"

#include <algorithm>
#include <array>
#include <set>

#include <fmt/format.h>

#include "aws/arn.hpp"
#include "aws/error.hpp"
#include "base/strings.hpp"
#include "kernel/record.hpp"

namespace tarn::s3 {
namespace {

template <class Record>
std::string encode(Record record) {
  kernel::RecordWriter writer(Record::k_kind.version);
  record.fields(writer);
  return writer.take();
}

template <class Record>
Record decode(std::string_view bytes) {
  kernel::RecordReader reader(bytes, Record::k_kind);
  Record record;
  record.fields(reader);
  reader.finish();
  return record;
}

std::string detail_type(const ObjectChange& change) {
  if (change.event.starts_with("ObjectCreated")) return "Object Created";
  if (change.event == "ObjectTagging:Put") return "Object Tags Added";
  if (change.event == "ObjectTagging:Delete") return "Object Tags Deleted";
  return "Object Deleted";
}

// As S3 sends them to the default bus.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html
Json event_bridge_entry(const ObjectChange& change) {
  const std::string type = detail_type(change);
  const bool tags = change.event.starts_with("ObjectTagging");
  JsonObject object{{"key", change.key}};
  if (type == "Object Created") object["size"] = static_cast<std::int64_t>(change.size);
  if (!change.etag.empty()) object["etag"] = change.etag;
  if (!tags) object["sequencer"] = change.sequencer;
  JsonObject detail{{"version", "0"},
                    {"bucket", JsonObject{{"name", change.bucket}}},
                    {"object", std::move(object)},
                    {"request-id", change.request_id},
                    {"requester", change.requester},
                    {"source-ip-address", change.source_ip}};
  if (!tags) detail["reason"] = change.reason;
  if (type == "Object Deleted") detail["deletion-type"] = "Permanently Deleted";
  return JsonObject{{"Source", "aws.s3"},
                    {"DetailType", type},
                    {"Time", iso8601(change.time, Precision::seconds)},
                    {"Resources", JsonArray{Json("arn:aws:s3:::" + change.bucket)}},
                    {"Detail", dump_json(Json(std::move(detail)))}};
}

const JsonArray* list_of(const Json& configuration, std::string_view name) {
  const Json* member = find_member(configuration, name);
  return member ? member->if_array() : nullptr;
}

// One delivery that a configuration asks for.
struct Target {
  std::string service, operation;
  Json input;
};

Target to_queue(const std::string& arn, const std::string& message) {
  const auto parts = split(arn, ':');
  const std::string path = parts.size() > 5 ? "/" + parts[4] + "/" + parts[5] : "/";
  return {"sqs", "SendMessage",
          JsonObject{{"QueueUrl", "http://127.0.0.1" + path}, {"MessageBody", message}}};
}

Target to_topic(const std::string& arn, const std::string& message) {
  return {
      "sns", "Publish",
      JsonObject{{"TopicArn", arn}, {"Subject", "Amazon S3 Notification"}, {"Message", message}}};
}

Target to_function(const std::string& arn, const std::string& message) {
  return {"lambda", "Invoke",
          JsonObject{
              {"FunctionName", arn}, {"InvocationType", "Event"}, {"Payload", to_base64(message)}}};
}

// The lists of a configuration whose entries have events and filters.
struct List {
  const char *name, *arn_member, *service;
  Target (*target)(const std::string& arn, const std::string& message);
};
constexpr std::array k_lists{
    List{"QueueConfigurations", "QueueArn", "sqs", to_queue},
    List{"TopicConfigurations", "TopicArn", "sns", to_topic},
    List{"LambdaFunctionConfigurations", "LambdaFunctionArn", "lambda", to_function}};

template <class Visit>
void each_entry(const Json& configuration, Visit visit) {
  for (const List& list : k_lists) {
    const auto* entries = list_of(configuration, list.name);
    if (!entries) continue;
    for (const Json& entry : *entries) visit(list, entry);
  }
}

std::vector<Target> targets_of(const Json& configuration, const ObjectChange& change) {
  std::vector<Target> targets;
  each_entry(configuration, [&](const List& list, const Json& entry) {
    if (!event_takes(entry, change.event)) return;
    if (!filter_takes(find_member(entry, "Filter"), change.key)) return;
    const std::string message = dump_json(notification_message(change, string_or(entry, "Id")));
    targets.push_back(list.target(string_or(entry, list.arn_member), message));
  });
  if (find_member(configuration, "EventBridgeConfiguration")) {
    targets.push_back(
        {"events", "PutEvents", JsonObject{{"Entries", JsonArray{event_bridge_entry(change)}}}});
  }
  return targets;
}

aws::ApiError invalid(std::string text) {
  return aws::ApiError("InvalidArgument", std::move(text));
}

// https://docs.aws.amazon.com/AmazonS3/latest/API/API_QueueConfiguration.html
bool known_event(std::string_view event) {
  static const std::set<std::string_view> k_events{
      "s3:TestEvent",
      "s3:ReducedRedundancyLostObject",
      "s3:ObjectCreated:*",
      "s3:ObjectCreated:Put",
      "s3:ObjectCreated:Post",
      "s3:ObjectCreated:Copy",
      "s3:ObjectCreated:CompleteMultipartUpload",
      "s3:ObjectRemoved:*",
      "s3:ObjectRemoved:Delete",
      "s3:ObjectRemoved:DeleteMarkerCreated",
      "s3:ObjectRestore:*",
      "s3:ObjectRestore:Post",
      "s3:ObjectRestore:Completed",
      "s3:ObjectRestore:Delete",
      "s3:Replication:*",
      "s3:Replication:OperationFailedReplication",
      "s3:Replication:OperationNotTracked",
      "s3:Replication:OperationMissedThreshold",
      "s3:Replication:OperationReplicatedAfterThreshold",
      "s3:LifecycleTransition",
      "s3:IntelligentTiering",
      "s3:ObjectAcl:Put",
      "s3:LifecycleExpiration:*",
      "s3:LifecycleExpiration:Delete",
      "s3:LifecycleExpiration:DeleteMarkerCreated",
      "s3:ObjectTagging:*",
      "s3:ObjectTagging:Put",
      "s3:ObjectTagging:Delete"};
  return k_events.contains(event);
}

// What one entry takes.
struct Takes {
  std::vector<std::string> events;
  std::string prefix, suffix;
};

Takes checked_entry(const List& list, const Json& entry) {
  const auto arn = aws::Arn::parse(string_or(entry, list.arn_member));
  if (!arn || arn->service != list.service) throw invalid("The ARN is not well formed");
  Takes takes;
  if (const auto* events = list_of(entry, "Events")) {
    for (const Json& event : *events) takes.events.emplace_back(json_text(event.get_string()));
  }
  for (const auto& event : takes.events) {
    if (known_event(event)) continue;
    throw invalid(fmt::format("The event '{}' is not supported for notifications", event));
  }
  const Json* filter = find_member(entry, "Filter");
  const Json* key = filter ? find_member(*filter, "Key") : nullptr;
  const auto* rules = key ? list_of(*key, "FilterRules") : nullptr;
  std::set<std::string> names;
  for (const Json& rule : rules ? *rules : JsonArray()) {
    const std::string name = to_lower(string_or(rule, "Name"));
    if (name != "prefix" && name != "suffix") {
      throw invalid("filter rule name must be either prefix or suffix");
    }
    if (!names.insert(name).second) {
      throw invalid(fmt::format("Cannot specify more than one {} rule in a filter.", name));
    }
    (name == "prefix" ? takes.prefix : takes.suffix) = string_or(rule, "Value");
  }
  return takes;
}

bool overlap(const Takes& a, const Takes& b) {
  const bool prefixes = a.prefix.starts_with(b.prefix) || b.prefix.starts_with(a.prefix);
  const bool suffixes = a.suffix.ends_with(b.suffix) || b.suffix.ends_with(a.suffix);
  if (!prefixes || !suffixes) return false;
  return std::ranges::any_of(a.events, [&](const auto& one) {
    return std::ranges::any_of(b.events, [&](const auto& other) {
      return glob_match(one, other) || glob_match(other, one);
    });
  });
}

}  // namespace

void check_notifications(const Json& configuration) {
  std::vector<Takes> all;
  each_entry(configuration, [&](const List& list, const Json& entry) {
    const Takes takes = checked_entry(list, entry);
    if (std::ranges::any_of(all, [&](const auto& other) { return overlap(takes, other); })) {
      throw invalid(
          "Configurations overlap. Configurations on the same bucket cannot share a common event "
          "type.");
    }
    all.push_back(takes);
  });
}

bool filter_takes(const Json* filter, const std::string& key) {
  const Json* key_filter = filter ? find_member(*filter, "Key") : nullptr;
  const auto* rules = key_filter ? list_of(*key_filter, "FilterRules") : nullptr;
  if (!rules) return true;
  for (const Json& rule : *rules) {
    const std::string name = to_lower(string_or(rule, "Name"));
    const std::string value = string_or(rule, "Value");
    if (name == "prefix" && !key.starts_with(value)) return false;
    if (name == "suffix" && !key.ends_with(value)) return false;
  }
  return true;
}

bool event_takes(const Json& configuration, const std::string& event) {
  const auto* events = list_of(configuration, "Events");
  if (!events) return false;
  for (const Json& pattern : *events) {
    if (!pattern.is_string()) continue;
    std::string_view text = json_text(pattern.get_string());
    if (text.starts_with("s3:")) text.remove_prefix(3);
    if (glob_match(text, event)) return true;
  }
  return false;
}

Json notification_message(const ObjectChange& change, const std::string& configuration_id) {
  // As a form encodes it: "red flower.jpg" is red+flower.jpg.
  const std::string key = replace_all(uri_encode(change.key, true), "%20", "+");
  JsonObject object{{"key", key}, {"sequencer", change.sequencer}};
  if (change.event.starts_with("ObjectCreated")) {
    object["size"] = static_cast<std::int64_t>(change.size);
  }
  if (!change.etag.empty()) object["eTag"] = change.etag;
  JsonObject s3{
      {"s3SchemaVersion", "1.0"},
      {"configurationId", configuration_id},
      {"bucket", JsonObject{{"name", change.bucket},
                            {"ownerIdentity", JsonObject{{"principalId", change.account}}},
                            {"arn", "arn:aws:s3:::" + change.bucket}}},
      {"object", std::move(object)}};
  JsonObject record{{"eventVersion", "2.1"},
                    {"eventSource", "aws:s3"},
                    {"awsRegion", change.region},
                    {"eventTime", iso8601(change.time)},
                    {"eventName", change.event},
                    {"userIdentity", JsonObject{{"principalId", "AWS:" + change.requester}}},
                    {"requestParameters", JsonObject{{"sourceIPAddress", change.source_ip}}},
                    {"responseElements", JsonObject{{"x-amz-request-id", change.request_id},
                                                    {"x-amz-id-2", change.request_id}}},
                    {"s3", std::move(s3)}};
  return JsonObject{{"Records", JsonArray{Json(std::move(record))}}};
}

void Notifications::emit(kernel::Txn& txn, const BucketRecord& bucket, ObjectChange change) {
  if (bucket.notifications.is_null()) return;
  change.bucket = bucket.name;
  change.account = bucket.account;
  change.region = bucket.region;
  // Events of one key stay in order; different keys need not wait for each other.
  std::string ordering = bucket.name + "/" + change.key;
  txn.emit({k_topic, std::move(ordering), encode(std::move(change))});
}

void Notifications::subscribe() {
  kernel::Subscription changes;
  changes.topic = k_topic;
  changes.subscriber = "s3.notifications";
  changes.deliver = [this](kernel::Delivery delivery) { return deliver(std::move(delivery)); };
  environment_.bus.subscribe(std::move(changes));
  kernel::Subscription calls;
  calls.topic = k_call_topic;
  calls.subscriber = "s3.notification-calls";
  calls.deliver = [this](kernel::Delivery delivery) {
    return call(decode<NotificationCall>(delivery.payload));
  };
  environment_.bus.subscribe(std::move(calls));
}

Task<void> Notifications::deliver(kernel::Delivery delivery) {
  const auto change = decode<ObjectChange>(delivery.payload);
  Json configuration;
  {
    auto txn = environment_.store.begin(k_all_buckets);
    const auto bucket = txn.peek<BucketRecord>(change.bucket);
    if (!bucket) co_return;  // deleted since: nobody is asked to hear of it
    configuration = bucket->notifications;
  }
  std::vector<NotificationCall> calls;
  for (auto& target : targets_of(configuration, change)) {
    calls.push_back({change.account, change.region, change.bucket, std::move(target.service),
                     std::move(target.operation), std::move(target.input)});
  }
  if (calls.size() == 1) {
    NotificationCall only = std::move(calls.front());
    co_await call(std::move(only));
  } else if (calls.size() > 1) {
    auto txn = environment_.store.begin(k_all_buckets);
    for (std::size_t i = 0; i < calls.size(); ++i) {
      txn.emit({k_call_topic, fmt::format("{}#{}", delivery.ordering_key, i), encode(calls[i])});
    }
    txn.commit();
  }
}

Task<void> Notifications::call(NotificationCall call) {
  const auto identity =
      platform::service_identity("s3.amazonaws.com", call.account, "arn:aws:s3:::" + call.bucket);
  const auto caller = environment_.call_as(identity, call.region);
  co_await caller->invoke_json(call.service, call.operation, std::move(call.input));
}

Task<void> Notifications::try_destinations(BucketRecord bucket, Json configuration,
                                           std::string request_id) {
  const Json test = JsonObject{{"Service", "Amazon S3"},
                               {"Event", "s3:TestEvent"},
                               {"Time", iso8601(environment_.clock.now())},
                               {"Bucket", bucket.name},
                               {"RequestId", request_id},
                               {"HostId", request_id}};
  std::vector<std::pair<std::string, Target>> targets;
  each_entry(configuration, [&](const List& list, const Json& entry) {
    const std::string arn = string_or(entry, list.arn_member);
    Target target = list.target(arn, dump_json(test));
    if (target.service == "lambda") target.input.as_object()["InvocationType"] = "DryRun";
    targets.emplace_back(arn, std::move(target));
  });
  aws::ApiError failure = invalid("Unable to validate the following destination configurations");
  int failures = 0;
  for (auto& [arn, target] : targets) {
    NotificationCall attempt{bucket.account, bucket.region,    bucket.name,
                             target.service, target.operation, std::move(target.input)};
    std::string reason;
    try {
      if (arn.ends_with(".fifo")) throw invalid("FIFO destinations are not supported");
      co_await call(std::move(attempt));
      continue;
    } catch (const aws::ApiError& error) {
      reason = error.message;
    }
    ++failures;
    failure.extra[fmt::format("ArgumentName{}", failures)] = arn;
    failure.extra[fmt::format("ArgumentValue{}", failures)] = reason;
  }
  if (failures > 0) throw failure;
}

}  // namespace tarn::s3
