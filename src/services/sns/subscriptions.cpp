// SPDX-License-Identifier: Apache-2.0
// Subscriptions: who hears of a topic, and their confirmation.
#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "aws/arn.hpp"
#include "aws/sns/errors.hpp"
#include "base/strings.hpp"
#include "platform/event_pattern.hpp"
#include "services/sns/service.hpp"

namespace tarn::sns {
namespace {

constexpr std::size_t k_page = 100;
constexpr std::size_t k_token_digits = 128;
constexpr std::size_t k_filter_keys_max = 5;

InvalidParameterException invalid(std::string text) {
  return InvalidParameterException("Invalid parameter: " + std::move(text));
}

bool needs_confirmation(const std::string& protocol) {
  return protocol == "http" || protocol == "https";
}

void check_endpoint(const std::string& protocol, const std::string& endpoint, bool fifo) {
  static const std::set<std::string> k_known = {"sqs",   "lambda", "http",
                                                "https", "email",  "email-json"};
  if (protocol == "sms" || protocol == "application" || protocol == "firehose") {
    throw invalid(fmt::format("Protocol Reason: {} is not implemented by Tarn", protocol));
  }
  if (!k_known.contains(protocol)) {
    throw invalid(fmt::format("Amazon SNS does not support this protocol string: {}", protocol));
  }
  if (fifo && protocol != "sqs") {
    throw invalid("Invalid protocol type: " + protocol +
                  ". FIFO topics deliver to SQS queues only");
  }
  if (protocol == "sqs" || protocol == "lambda") {
    const auto arn = aws::Arn::parse(endpoint);
    if (!arn || arn->service != protocol) {
      throw invalid(protocol == "sqs" ? "SQS endpoint ARN" : "Lambda endpoint ARN");
    }
    if (!fifo && arn->resource.ends_with(".fifo")) {
      throw invalid(
          "Endpoint Reason: FIFO SQS Queues can not be subscribed to "
          "standard SNS topics");
    }
  } else if (protocol.starts_with("http")) {
    if (!endpoint.starts_with(protocol + "://")) {
      throw invalid("Endpoint must match the specified protocol");
    }
  } else if (endpoint.find('@') == std::string::npos ||
             endpoint.find_first_of(" \r\n<>") != std::string::npos) {
    throw invalid("Email address");
  }
}

Subscription shown(const kernel::Scope& scope, const SubscriptionRecord& subscription) {
  return {.subscription_arn = subscription.confirmed ? subscription_arn(scope, subscription)
                                                     : "PendingConfirmation",
          .owner = subscription.owner,
          .protocol = subscription.protocol,
          .endpoint = subscription.endpoint,
          .topic_arn = topic_arn(scope, subscription.topic)};
}

std::string after_token(const std::optional<std::string>& token) {
  if (!token || token->empty()) return {};
  const auto key = from_base64(*token);
  if (!key) throw invalid("NextToken");
  return *key;
}

}  // namespace

void check_subscription_attribute(const std::string& name, const std::string& value) {
  const auto check_json = [&] {
    try {
      if (value.empty() || parse_json(value).is_object()) return;
    } catch (const JsonError&) {}
    throw invalid(name + ": failed to parse JSON.");
  };
  if (name == "FilterPolicy") {
    try {
      check_filter_policy(value);
    } catch (const platform::BadPattern& error) {
      throw invalid(fmt::format("FilterPolicy: {}", error.what()));
    }
  } else if (name == "FilterPolicyScope") {
    if (value != "MessageAttributes" && value != "MessageBody") {
      throw invalid("FilterPolicyScope: Invalid value [" + value +
                    "]. Please use either MessageBody or MessageAttributes");
    }
  } else if (name == "RawMessageDelivery") {
    if (value != "true" && value != "false") {
      throw invalid("RawMessageDelivery: Invalid value [" + value + "]. Must be true or false.");
    }
  } else if (name == "RedrivePolicy") {
    check_json();
    if (value.empty()) return;
    const auto arn = aws::Arn::parse(string_or(parse_json(value), "deadLetterTargetArn"));
    if (!arn || arn->service != "sqs") {
      throw invalid("RedrivePolicy: deadLetterTargetArn is an invalid arn");
    }
  } else if (name == "DeliveryPolicy") {
    check_json();
  } else {
    throw invalid("AttributeName");
  }
}

void check_filter_scope(const std::map<std::string, std::string>& attributes) {
  const auto policy = attributes.find("FilterPolicy");
  const auto scope = attributes.find("FilterPolicyScope");
  if (policy == attributes.end() || policy->second.empty()) return;
  const Json parsed = parse_json(policy->second);
  if (parsed.as_object().size() > k_filter_keys_max) {
    throw invalid("FilterPolicy: Filter policy can not have more than 5 keys");
  }
  if (scope != attributes.end() && scope->second == "MessageBody") return;
  for (const auto& [name, value] : parsed.as_object()) {
    if (!value.is_object()) continue;
    throw invalid("Filter policy scope MessageAttributes does not support nested filter policy");
  }
}

// The same endpoint again is the same subscription.
SubscribeOutput Sns::subscribe(Call& call, const SubscribeInput& in) {
  const auto at = TopicAddress::parse(in.topic_arn, "TopicArn");
  const std::string endpoint = in.endpoint.value_or("");
  Txn txn = store_.begin(at.scope);
  // Exclusive: two at once must not subscribe one endpoint twice.
  const auto topic = require_topic(txn, at.topic, true);
  check_endpoint(in.protocol, endpoint, topic.fifo());
  const auto attributes = in.attributes.value_or(std::map<std::string, std::string>{});
  for (const auto& [name, value] : attributes) check_subscription_attribute(name, value);
  check_filter_scope(attributes);
  const bool show_arn = in.return_subscription_arn.value_or(false);
  const auto answer = [&](const SubscriptionRecord& subscription) {
    const bool ready = subscription.confirmed || show_arn;
    return SubscribeOutput{.subscription_arn = ready ? subscription_arn(at.scope, subscription)
                                                     : "pending confirmation"};
  };
  for (const auto& existing : txn.list<SubscriptionRecord>(kernel::Key(at.topic))) {
    if (existing.protocol != in.protocol || existing.endpoint != endpoint) continue;
    for (const auto& [name, value] : attributes) {
      const auto same = existing.attributes.find(name);
      if (same != existing.attributes.end() && same->second == value) continue;
      throw invalid("Attributes Reason: Subscription already exists with different attributes");
    }
    return answer(existing);
  }
  SubscriptionRecord subscription;
  subscription.topic = at.topic;
  subscription.id = environment_.random.uuid();
  subscription.protocol = in.protocol;
  subscription.endpoint = endpoint;
  subscription.owner = call.account();
  subscription.attributes = attributes;
  subscription.created = call.now();
  subscription.confirmed = !needs_confirmation(in.protocol);
  if (!subscription.confirmed) {
    subscription.token = environment_.random.hex(k_token_digits);
    PendingDelivery ask;
    ask.account = at.scope.account;
    ask.region = at.scope.region;
    ask.topic = at.topic;
    ask.subscription_id = subscription.id;
    ask.confirmation = true;
    ask.message.topic_arn = in.topic_arn;
    ask.message.id = environment_.random.uuid();
    ask.message.body = fmt::format(
        "You have chosen to subscribe to the topic {}.\nTo confirm the subscription, "
        "visit the SubscribeURL included in this message.",
        in.topic_arn);
    ask.message.time = call.now();
    ask.message.signature_version = topic_attribute(topic, "SignatureVersion", "1");
    txn.emit({Deliveries::k_topic, {}, kernel::encode_record(ask)});
  }
  txn.put(subscription);
  txn.commit();
  return answer(subscription);
}

std::string Sns::confirm(const std::string& arn, const std::string& token) {
  const auto at = TopicAddress::parse(arn, "TopicArn");
  return store_.transact(at.scope, [&](Txn& txn) {
    require_topic(txn, at.topic, false);
    for (const auto& row : txn.list<SubscriptionRecord>(kernel::Key(at.topic))) {
      if (row.token.empty() || !constant_time_equal(row.token, token)) continue;
      auto subscription = txn.find_for_update<SubscriptionRecord>(at.topic, row.id);
      if (!subscription) break;
      // The token stays, so that confirming twice is a success, as in AWS.
      subscription->confirmed = true;
      txn.put(*subscription);
      return subscription_arn(at.scope, *subscription);
    }
    throw invalid("Token");
  });
}

ConfirmSubscriptionOutput Sns::confirm_subscription(Call&, const ConfirmSubscriptionInput& in) {
  return {.subscription_arn = confirm(in.topic_arn, in.token)};
}

UnsubscribeOutput Sns::unsubscribe(Call&, const UnsubscribeInput& in) {
  const auto at = TopicAddress::parse(in.subscription_arn, "SubscriptionArn");
  if (at.subscription.empty()) {
    throw invalid("SubscriptionArn Reason: An ARN must have at least 6 elements, not 5");
  }
  Txn txn = store_.begin(at.scope);
  auto topic = txn.find_for_update<TopicRecord>(at.topic);
  if (!topic || !txn.find_for_update<SubscriptionRecord>(at.topic, at.subscription)) return {};
  txn.erase<SubscriptionRecord>(at.topic, at.subscription);
  ++topic->deleted_subscriptions;
  txn.put(*topic);
  txn.commit();
  return {};
}

ListSubscriptionsOutput Sns::list_subscriptions(Call& call, const ListSubscriptionsInput& in) {
  ListSubscriptionsOutput out;
  auto& all = out.subscriptions.emplace();
  kernel::ScanOptions options;
  options.after = after_token(in.next_token);
  std::string last;
  Txn txn = store_.begin(call.scope());
  txn.scan<SubscriptionRecord>({}, options, [&](SubscriptionRecord& row, const std::string& key) {
    if (all.size() == k_page) {
      out.next_token = to_base64(last);
      return false;
    }
    last = key;
    all.push_back(shown(call.scope(), row));
    return true;
  });
  return out;
}

ListSubscriptionsByTopicOutput Sns::list_by_topic(Call&, const ListSubscriptionsByTopicInput& in) {
  const auto at = TopicAddress::parse(in.topic_arn, "TopicArn");
  ListSubscriptionsByTopicOutput out;
  auto& all = out.subscriptions.emplace();
  kernel::ScanOptions options;
  options.after = after_token(in.next_token);
  std::string last;
  Txn txn = store_.begin(at.scope);
  require_topic(txn, at.topic, false);
  txn.scan<SubscriptionRecord>(kernel::Key(at.topic), options,
                               [&](SubscriptionRecord& row, const std::string& key) {
                                 if (all.size() == k_page) {
                                   out.next_token = to_base64(last);
                                   return false;
                                 }
                                 last = key;
                                 all.push_back(shown(at.scope, row));
                                 return true;
                               });
  return out;
}

GetSubscriptionAttributesOutput Sns::get_subscription_attributes(
    Call& call, const GetSubscriptionAttributesInput& in) {
  const auto at = TopicAddress::parse(in.subscription_arn, "SubscriptionArn");
  Txn txn = store_.begin(at.scope);
  const auto row = txn.peek<SubscriptionRecord>(at.topic, at.subscription);
  if (!row) throw NotFoundException("Subscription does not exist");
  auto all = row->attributes;
  all["SubscriptionArn"] = in.subscription_arn;
  all["TopicArn"] = topic_arn(at.scope, at.topic);
  all["Owner"] = row->owner;
  all["Protocol"] = row->protocol;
  all["Endpoint"] = row->endpoint;
  all["PendingConfirmation"] = row->confirmed ? "false" : "true";
  all["ConfirmationWasAuthenticated"] = row->token.empty() ? "true" : "false";
  all["SubscriptionPrincipal"] = call.identity().arn;
  all.emplace("RawMessageDelivery", "false");
  if (all.contains("FilterPolicy")) all.emplace("FilterPolicyScope", "MessageAttributes");
  return {.attributes = std::move(all)};
}

SetSubscriptionAttributesOutput Sns::set_subscription_attributes(
    Call&, const SetSubscriptionAttributesInput& in) {
  const auto at = TopicAddress::parse(in.subscription_arn, "SubscriptionArn");
  const std::string value = in.attribute_value.value_or("");
  Txn txn = store_.begin(at.scope);
  auto row = txn.find_for_update<SubscriptionRecord>(at.topic, at.subscription);
  if (!row) throw NotFoundException("Subscription does not exist");
  check_subscription_attribute(in.attribute_name, value);
  if (value.empty() || (in.attribute_name == "FilterPolicy" && value == "{}")) {
    row->attributes.erase(in.attribute_name);
  } else {
    row->attributes[in.attribute_name] = value;
  }
  check_filter_scope(row->attributes);
  txn.put(*row);
  txn.commit();
  return {};
}

}  // namespace tarn::sns
