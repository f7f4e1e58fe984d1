// SPDX-License-Identifier: Apache-2.0
#include "services/s3/notifications.hpp"

#include "base/strings.hpp"
#include "kernel/record.hpp"

namespace tarn::s3 {
namespace {

std::string encode(ObjectChange change) {
  kernel::RecordWriter writer(ObjectChange::k_kind.version);
  change.fields(writer);
  return writer.take();
}

ObjectChange decode(std::string_view bytes) {
  kernel::RecordReader reader(bytes, ObjectChange::k_kind);
  ObjectChange change;
  change.fields(reader);
  reader.finish();
  return change;
}

// Object Created / Object Deleted, as S3 sends them to the default bus.
Json event_bridge_entry(const ObjectChange& change) {
  const bool created = change.event.starts_with("ObjectCreated");
  JsonObject object{{"key", change.key}, {"sequencer", change.sequencer}};
  if (created) {
    object["size"] = static_cast<std::int64_t>(change.size);
    object["etag"] = change.etag;
  }
  JsonObject detail{{"version", "0"},
                    {"bucket", JsonObject{{"name", change.bucket}}},
                    {"object", std::move(object)},
                    {"request-id", change.request_id},
                    {"requester", change.requester},
                    {"source-ip-address", change.source_ip},
                    {"reason", change.reason}};
  if (!created) detail["deletion-type"] = "Permanently Deleted";
  return JsonObject{{"Source", "aws.s3"},
                    {"DetailType", created ? "Object Created" : "Object Deleted"},
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

std::vector<Target> targets_of(const Json& configuration, const ObjectChange& change) {
  std::vector<Target> targets;
  const auto each = [&](std::string_view list, std::string_view arn_member, auto make) {
    const auto* entries = list_of(configuration, list);
    if (!entries) return;
    for (const Json& entry : *entries) {
      if (!event_takes(entry, change.event)) continue;
      if (!filter_takes(find_member(entry, "Filter"), change.key)) continue;
      const std::string message = dump_json(notification_message(change, string_or(entry, "Id")));
      targets.push_back(make(string_or(entry, arn_member), message));
    }
  };
  each("QueueConfigurations", "QueueArn", [](const std::string& arn, const std::string& message) {
    const auto parts = split(arn, ':');
    const std::string path = parts.size() > 5 ? "/" + parts[4] + "/" + parts[5] : "/";
    return Target{"sqs", "SendMessage",
                  JsonObject{{"QueueUrl", "http://127.0.0.1" + path}, {"MessageBody", message}}};
  });
  each("TopicConfigurations", "TopicArn", [](const std::string& arn, const std::string& message) {
    return Target{
        "sns", "Publish",
        JsonObject{{"TopicArn", arn}, {"Subject", "Amazon S3 Notification"}, {"Message", message}}};
  });
  each("LambdaFunctionConfigurations", "LambdaFunctionArn",
       [](const std::string& arn, const std::string& message) {
         return Target{"lambda", "Invoke",
                       JsonObject{{"FunctionName", arn},
                                  {"InvocationType", "Event"},
                                  {"Payload", to_base64(message)}}};
       });
  if (find_member(configuration, "EventBridgeConfiguration")) {
    targets.push_back(
        {"events", "PutEvents", JsonObject{{"Entries", JsonArray{event_bridge_entry(change)}}}});
  }
  return targets;
}

}  // namespace

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
    object["eTag"] = change.etag;
  }
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
  kernel::Subscription subscription;
  subscription.topic = k_topic;
  subscription.subscriber = "s3.notifications";
  subscription.deliver = [this](kernel::Delivery delivery) { return deliver(std::move(delivery)); };
  environment_.bus.subscribe(std::move(subscription));
}

Task<void> Notifications::deliver(kernel::Delivery delivery) {
  const ObjectChange change = decode(delivery.payload);
  Json configuration;
  {
    auto txn = environment_.store.begin(k_all_buckets);
    const auto bucket = txn.peek<BucketRecord>(change.bucket);
    if (!bucket) co_return;  // deleted since: nobody is asked to hear of it
    configuration = bucket->notifications;
  }
  const auto identity = platform::service_identity("s3.amazonaws.com", change.account,
                                                   "arn:aws:s3:::" + change.bucket);
  const auto call = environment_.call_as(identity, change.region);
  for (auto& target : targets_of(configuration, change)) {
    co_await call->invoke_json(target.service, target.operation, std::move(target.input));
  }
}

}  // namespace tarn::s3
