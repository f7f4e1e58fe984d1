// SPDX-License-Identifier: Apache-2.0
// Topics, their attributes and policies.
#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "aws/sns/errors.hpp"
#include "base/strings.hpp"
#include "services/sns/service.hpp"

namespace tarn::sns {
namespace {

constexpr std::size_t k_page = 100;

const std::set<std::string, std::less<>>& settable() {
  static const std::set<std::string, std::less<>> k_names = {
      "DisplayName",         "Policy",
      "DeliveryPolicy",      "KmsMasterKeyId",
      "SignatureVersion",    "TracingConfig",
      "FifoTopic",           "ContentBasedDeduplication",
      "FifoThroughputScope", "MaximumMessageSize"};
  return k_names;
}

// "SQSSuccessFeedbackSampleRate" and its like: what AWS would log of deliveries. Kept and shown.
bool is_feedback(std::string_view name) {
  for (const std::string_view protocol : {"HTTP", "Firehose", "Lambda", "Application", "SQS"}) {
    if (!name.starts_with(protocol)) continue;
    name.remove_prefix(protocol.size());
    return name == "SuccessFeedbackRoleArn" || name == "SuccessFeedbackSampleRate" ||
           name == "FailureFeedbackRoleArn";
  }
  return false;
}

bool in_range(const std::string& text, std::int64_t low, std::int64_t high) {
  const auto number = parse_int(text);
  return number && *number >= low && *number <= high;
}

void check_name(const std::string& name, bool fifo) {
  const std::string_view stem =
      fifo && name.ends_with(".fifo") ? std::string_view(name).substr(0, name.size() - 5) : name;
  const bool plain = std::all_of(stem.begin(), stem.end(), [](unsigned char c) {
    return std::isalnum(c) || c == '-' || c == '_';
  });
  if (fifo && !name.ends_with(".fifo")) {
    throw InvalidParameterException(
        "Invalid parameter: Fifo Topic names must end with .fifo and must be made up of only "
        "uppercase and lowercase ASCII letters, numbers, underscores, and hyphens, and must be "
        "between 1 and 256 characters long.");
  }
  if (stem.empty() || name.size() > 256 || !plain) {
    throw InvalidParameterException("Invalid parameter: Topic Name");
  }
}

void check_attribute(const std::string& name, const std::string& value, bool fifo) {
  if (!settable().contains(name) && !is_feedback(name)) {
    throw InvalidParameterException("Invalid parameter: AttributeName");
  }
  const auto invalid = [&](std::string_view reason) {
    return InvalidParameterException(
        fmt::format("Invalid parameter: Attributes Reason: {}: {}", name, reason));
  };
  if (name == "Policy" || name == "DeliveryPolicy") {
    try {
      if (!value.empty() && !parse_json(value).is_object()) throw invalid("not a JSON object");
    } catch (const JsonError&) {
      throw invalid("not valid JSON");
    }
  }
  if (name == "SignatureVersion" && value != "1" && value != "2") throw invalid("must be 1 or 2");
  if ((name == "ContentBasedDeduplication" || name == "FifoThroughputScope") && !fifo) {
    throw invalid("only FIFO topics have it");
  }
  if (name == "FifoThroughputScope" && value != "Topic" && value != "MessageGroup") {
    throw invalid("must be Topic or MessageGroup");
  }
  if (value.empty()) return;
  if (name == "MaximumMessageSize" && !in_range(value, 1024, 1'048'576)) {
    throw invalid("must be from 1024 to 1048576");
  }
  if (name.ends_with("SampleRate") && !in_range(value, 0, 100)) {
    throw invalid("must be from 0 to 100");
  }
}

// What a topic's policy can give to others.
const std::set<std::string, std::less<>>& grantable() {
  static const std::set<std::string, std::less<>> k_actions = {"GetTopicAttributes",
                                                               "SetTopicAttributes",
                                                               "AddPermission",
                                                               "RemovePermission",
                                                               "DeleteTopic",
                                                               "Subscribe",
                                                               "ListSubscriptionsByTopic",
                                                               "Publish"};
  return k_actions;
}

std::string default_policy(const kernel::Scope& scope, const std::string& topic) {
  JsonArray actions;
  for (const auto& action : grantable()) actions.emplace_back("SNS:" + action);
  return dump_json(JsonObject{
      {"Version", "2008-10-17"},
      {"Id", "__default_policy_ID"},
      {"Statement",
       JsonArray{JsonObject{
           {"Sid", "__default_statement_ID"},
           {"Effect", "Allow"},
           {"Principal", JsonObject{{"AWS", "*"}}},
           {"Action", std::move(actions)},
           {"Resource", topic_arn(scope, topic)},
           {"Condition",
            JsonObject{{"StringEquals", JsonObject{{"AWS:SourceOwner", scope.account}}}}}}}}});
}

std::string after_token(const std::optional<std::string>& token) {
  if (!token || token->empty()) return {};
  const auto key = from_base64(*token);
  if (!key) throw InvalidParameterException("Invalid parameter: NextToken");
  return *key;
}

}  // namespace

// A topic that exists is a success, unless it has other attributes.
CreateTopicOutput Sns::create_topic(Call& call, const CreateTopicInput& in) {
  auto attributes = in.attributes.value_or(std::map<std::string, std::string>{});
  const auto asked = attributes.find("FifoTopic");
  const bool fifo = asked != attributes.end() && asked->second == "true";
  if (!fifo) attributes.erase("FifoTopic");
  check_name(in.name, fifo);
  for (const auto& [name, value] : attributes) check_attribute(name, value, fifo);
  if (in.data_protection_policy && !in.data_protection_policy->empty()) {
    throw aws::ApiError("NotImplemented",
                        "sns CreateTopic: DataProtectionPolicy is not implemented by Tarn", 501);
  }
  const std::string arn = topic_arn(call.scope(), in.name);
  Txn txn = store_.begin(call.scope());
  if (const auto existing = txn.find_for_update<TopicRecord>(in.name)) {
    for (const auto& [name, value] : attributes) {
      if (topic_attribute(*existing, name) == value) continue;
      throw InvalidParameterException(
          "Invalid parameter: Attributes Reason: Topic already exists with different attributes");
    }
    for (const auto& tag : in.tags.value_or(std::vector<Tag>{})) {
      const auto same = existing->tags.find(tag.key);
      if (same != existing->tags.end() && same->second == tag.value) continue;
      throw InvalidParameterException(
          "Invalid parameter: Tags Reason: Topic already exists with different tags");
    }
    return {.topic_arn = arn};
  }
  TopicRecord topic;
  topic.name = in.name;
  topic.attributes = std::move(attributes);
  for (const auto& tag : in.tags.value_or(std::vector<Tag>{})) topic.tags[tag.key] = tag.value;
  topic.created = call.now();
  txn.put(topic);
  txn.commit();
  return {.topic_arn = arn};
}

// A topic that does not exist is a success, as in AWS.
DeleteTopicOutput Sns::delete_topic(Call&, const DeleteTopicInput& in) {
  const auto at = TopicAddress::parse(in.topic_arn, "TopicArn");
  Txn txn = store_.begin(at.scope);
  if (!txn.find_for_update<TopicRecord>(at.topic)) return {};
  for (const auto& subscription : txn.list<SubscriptionRecord>(kernel::Key(at.topic))) {
    txn.erase<SubscriptionRecord>(at.topic, subscription.id);
  }
  for (const auto& row : txn.list<DedupRecord>(kernel::Key(at.topic))) {
    txn.erase<DedupRecord>(at.topic, row.id);
  }
  for (const auto& row : txn.list<DedupTime>(kernel::Key(at.topic))) {
    txn.erase<DedupTime>(at.topic, row.sent, row.id);
  }
  txn.erase<SequenceRecord>(at.topic);
  txn.erase<TopicRecord>(at.topic);
  txn.commit();
  return {};
}

ListTopicsOutput Sns::list_topics(Call& call, const ListTopicsInput& in) {
  ListTopicsOutput out;
  auto& topics = out.topics.emplace();
  kernel::ScanOptions options;
  options.after = after_token(in.next_token);
  std::string last;
  Txn txn = store_.begin(call.scope());
  txn.scan<TopicRecord>({}, options, [&](TopicRecord& topic, const std::string& key) {
    if (topics.size() == k_page) {
      out.next_token = to_base64(last);
      return false;
    }
    last = key;
    topics.push_back({.topic_arn = topic_arn(call.scope(), topic.name)});
    return true;
  });
  return out;
}

GetTopicAttributesOutput Sns::get_topic_attributes(Call&, const GetTopicAttributesInput& in) {
  const auto at = TopicAddress::parse(in.topic_arn, "TopicArn");
  Txn txn = store_.begin(at.scope);
  const auto topic = require_topic(txn, at.topic, false);
  std::size_t confirmed = 0, waiting = 0;
  txn.scan<SubscriptionRecord>(kernel::Key(at.topic), {},
                               [&](SubscriptionRecord& subscription, const std::string&) {
                                 ++(subscription.confirmed ? confirmed : waiting);
                                 return true;
                               });
  auto all = topic.attributes;
  all["TopicArn"] = topic_arn(at.scope, at.topic);
  all["Owner"] = at.scope.account;
  all.emplace("DisplayName", "");
  all.emplace("Policy", default_policy(at.scope, at.topic));
  all["SubscriptionsConfirmed"] = std::to_string(confirmed);
  all["SubscriptionsPending"] = std::to_string(waiting);
  all["SubscriptionsDeleted"] = std::to_string(topic.deleted_subscriptions);
  all["EffectiveDeliveryPolicy"] = topic_attribute(
      topic, "DeliveryPolicy",
      R"({"http":{"defaultHealthyRetryPolicy":{"minDelayTarget":20,"maxDelayTarget":20,)"
      R"("numRetries":3,"numMaxDelayRetries":0,"numNoDelayRetries":0,"numMinDelayRetries":0,)"
      R"("backoffFunction":"linear"},"disableSubscriptionOverrides":false,)"
      R"("defaultRequestPolicy":{"headerContentType":"text/plain; charset=UTF-8"}}})");
  if (topic.fifo()) {
    all.emplace("FifoTopic", "true");
    all.emplace("ContentBasedDeduplication", "false");
  }
  return {.attributes = std::move(all)};
}

SetTopicAttributesOutput Sns::set_topic_attributes(Call&, const SetTopicAttributesInput& in) {
  const auto at = TopicAddress::parse(in.topic_arn, "TopicArn");
  const std::string value = in.attribute_value.value_or("");
  Txn txn = store_.begin(at.scope);
  auto topic = require_topic(txn, at.topic, true);
  check_attribute(in.attribute_name, value, topic.fifo());
  if (in.attribute_name == "FifoTopic") {
    throw InvalidParameterException("Invalid parameter: AttributeName");
  }
  if (value.empty()) {
    topic.attributes.erase(in.attribute_name);
  } else {
    topic.attributes[in.attribute_name] = value;
  }
  txn.put(topic);
  txn.commit();
  return {};
}

AddPermissionOutput Sns::add_permission(Call&, const AddPermissionInput& in) {
  const auto at = TopicAddress::parse(in.topic_arn, "TopicArn");
  Txn txn = store_.begin(at.scope);
  auto topic = require_topic(txn, at.topic, true);
  Json policy = parse_json(topic_attribute(topic, "Policy", default_policy(at.scope, at.topic)));
  Json& statements = policy.get_object()["Statement"];
  if (!statements.is_array()) statements = JsonArray{statements};
  for (const Json& statement : statements.get_array()) {
    if (string_or(statement, "Sid") == in.label) {
      throw InvalidParameterException("Invalid parameter: Statement already exists");
    }
  }
  for (const auto& action : in.action_name) {
    if (grantable().contains(action)) continue;
    throw InvalidParameterException(
        "Invalid parameter: Policy statement action out of service scope!");
  }
  JsonArray principals, actions;
  for (const auto& account : in.aws_account_id) {
    principals.emplace_back("arn:aws:iam::" + account + ":root");
  }
  for (const auto& action : in.action_name) actions.emplace_back("SNS:" + action);
  statements.get_array().emplace_back(JsonObject{{"Sid", in.label},
                                                 {"Effect", "Allow"},
                                                 {"Principal", JsonObject{{"AWS", principals}}},
                                                 {"Action", actions},
                                                 {"Resource", in.topic_arn}});
  topic.attributes["Policy"] = dump_json(policy);
  txn.put(topic);
  txn.commit();
  return {};
}

RemovePermissionOutput Sns::remove_permission(Call&, const RemovePermissionInput& in) {
  const auto at = TopicAddress::parse(in.topic_arn, "TopicArn");
  Txn txn = store_.begin(at.scope);
  auto topic = require_topic(txn, at.topic, true);
  Json policy = parse_json(topic_attribute(topic, "Policy", default_policy(at.scope, at.topic)));
  JsonArray kept;
  const Json* statements = find_member(policy, "Statement");
  if (statements && statements->is_array()) {
    for (const Json& statement : statements->get_array()) {
      if (string_or(statement, "Sid") != in.label) kept.push_back(statement);
    }
    policy.get_object()["Statement"] = std::move(kept);
  }
  topic.attributes["Policy"] = dump_json(policy);
  txn.put(topic);
  txn.commit();
  return {};
}

}  // namespace tarn::sns
