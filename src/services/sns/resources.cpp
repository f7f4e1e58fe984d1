// SPDX-License-Identifier: Apache-2.0
// AWS::SNS::Topic, AWS::SNS::Subscription, AWS::SNS::TopicPolicy and AWS::SNS::TopicInlinePolicy.
#include <algorithm>

#include <fmt/format.h>

#include "aws/sns/errors.hpp"
#include "platform/operation_resource.hpp"
#include "services/sns/service.hpp"

namespace tarn::sns {
namespace {

using platform::ResourceProgress;
using platform::ResourceRequest;

// Templates write flags and objects as such or as text; SNS takes text.
std::string text_of(const Json& value) {
  if (value.is_string()) return std::string(json_text(value.get_string()));
  return dump_json(value);
}

std::map<std::string, std::string> texts(const Json& properties,
                                         std::initializer_list<const char*> names) {
  std::map<std::string, std::string> out;
  for (const char* name : names) {
    if (const Json* value = find_member(properties, name)) out[name] = text_of(*value);
  }
  return out;
}

std::string name_of(const std::string& arn_or_name) {
  return arn_or_name.substr(arn_or_name.rfind(':') + 1);
}

// Its physical id is the topic's ARN; beforehand, until it is made, the topic's name.
class TopicType : public platform::OperationResource {
 public:
  TopicType()
      : OperationResource(
            {.name = "AWS::SNS::Topic",
             .properties = {"TopicName", "DisplayName", "KmsMasterKeyId", "Subscription",
                            "FifoTopic", "ContentBasedDeduplication", "SignatureVersion",
                            "TracingConfig", "FifoThroughputScope", "Tags"},
             .replacing = {"TopicName", "FifoTopic"},
             .name_property = "TopicName",
             .name_length_max = 250,
             .gone = {"NotFound"}}) {}
  std::string choose_physical_id(const ResourceRequest& request, Random& random) const override {
    const auto id = OperationResource::choose_physical_id(request, random);
    const bool fifo = wanted_texts(request.properties).contains("FifoTopic");
    return fifo && !id.ends_with(".fifo") ? id + ".fifo" : id;
  }

 protected:
  static std::map<std::string, std::string> wanted_texts(const Json& properties) {
    auto out = texts(properties,
                     {"DisplayName", "KmsMasterKeyId", "FifoTopic", "ContentBasedDeduplication",
                      "SignatureVersion", "TracingConfig", "FifoThroughputScope"});
    if (out.contains("FifoTopic") && out["FifoTopic"] != "true") out.erase("FifoTopic");
    return out;
  }

  Task<void> make(ResourceRequest& request) const override {
    CreateTopicInput in;
    in.name = name_of(request.physical_id);
    in.attributes = wanted_texts(request.properties);
    in.tags = platform::tag_shapes<Tag>(platform::wanted_tags(request));
    const auto out = co_await request.call->invoke<CreateTopic>(std::move(in));
    request.physical_id = *out.topic_arn;
  }

  Task<JsonObject> settle(ResourceRequest& request) const override {
    const auto before = wanted_texts(request.previous_properties);
    auto now = wanted_texts(request.properties);
    for (const auto& [name, value] : before) now.try_emplace(name, "");
    for (const auto& [name, value] : now) {
      const auto old = before.find(name);
      const bool same = old == before.end() ? before.empty() : old->second == value;
      if (same || name == "FifoTopic") continue;
      SetTopicAttributesInput in;
      in.topic_arn = request.physical_id;
      in.attribute_name = name;
      in.attribute_value = value;
      co_await request.call->invoke<SetTopicAttributes>(std::move(in));
    }
    co_await settle_tags(request);
    co_await settle_subscriptions(request);
    JsonObject attributes;
    attributes["TopicArn"] = request.physical_id;
    attributes["TopicName"] = name_of(request.physical_id);
    co_return attributes;
  }

  Task<void> erase(ResourceRequest& request) const override {
    DeleteTopicInput in;
    in.topic_arn = request.physical_id.starts_with("arn:")
                       ? request.physical_id
                       : topic_arn(request.call->scope(), request.physical_id);
    co_await request.call->invoke<DeleteTopic>(std::move(in));
  }

 private:
  static Task<void> settle_tags(ResourceRequest& request) {
    UntagResourceInput untag;
    untag.resource_arn = request.physical_id;
    untag.tag_keys = platform::dropped_tags(request);
    if (!untag.tag_keys.empty()) co_await request.call->invoke<UntagResource>(std::move(untag));
    TagResourceInput tag;
    tag.resource_arn = request.physical_id;
    tag.tags = platform::tag_shapes<Tag>(platform::wanted_tags(request));
    if (!tag.tags.empty()) co_await request.call->invoke<TagResource>(std::move(tag));
  }

  // Protocol and endpoint of each entry of `Subscription`.
  static std::vector<std::pair<std::string, std::string>> subscriptions(const Json& properties) {
    std::vector<std::pair<std::string, std::string>> out;
    const Json* list = find_member(properties, "Subscription");
    if (!list || !list->is_array()) return out;
    for (const Json& item : list->get_array()) {
      out.emplace_back(string_or(item, "Protocol"), string_or(item, "Endpoint"));
    }
    return out;
  }

  static Task<void> settle_subscriptions(ResourceRequest& request) {
    const auto now = subscriptions(request.properties);
    for (const auto& [protocol, endpoint] : now) {
      SubscribeInput in;
      in.topic_arn = request.physical_id;
      in.protocol = protocol;
      in.endpoint = endpoint;
      co_await request.call->invoke<Subscribe>(std::move(in));
    }
    ListSubscriptionsByTopicInput list;
    list.topic_arn = request.physical_id;
    const auto existing = co_await request.call->invoke<ListSubscriptionsByTopic>(std::move(list));
    for (const auto& old : subscriptions(request.previous_properties)) {
      if (std::find(now.begin(), now.end(), old) != now.end()) continue;
      for (const auto& subscription : *existing.subscriptions) {
        if (*subscription.protocol != old.first || *subscription.endpoint != old.second) continue;
        if (*subscription.subscription_arn == "PendingConfirmation") continue;
        UnsubscribeInput in;
        in.subscription_arn = *subscription.subscription_arn;
        co_await request.call->invoke<Unsubscribe>(std::move(in));
      }
    }
  }
};

// Its physical id is the subscription's ARN, which SNS chooses.
class SubscriptionType : public platform::OperationResource {
 public:
  SubscriptionType()
      : OperationResource(
            {.name = "AWS::SNS::Subscription",
             .properties = {"TopicArn", "Protocol", "Endpoint", "FilterPolicy", "FilterPolicyScope",
                            "RawMessageDelivery", "RedrivePolicy", "DeliveryPolicy", "Region"},
             .replacing = {"TopicArn", "Protocol", "Endpoint", "Region"},
             .required = {"TopicArn", "Protocol"},
             .gone = {"NotFound"}}) {}

 protected:
  static std::map<std::string, std::string> wanted_texts(const Json& properties) {
    return texts(properties, {"FilterPolicy", "FilterPolicyScope", "RawMessageDelivery",
                              "RedrivePolicy", "DeliveryPolicy"});
  }

  // Subscribing an endpoint again gives the same subscription, so this may be repeated.
  Task<void> make(ResourceRequest& request) const override {
    SubscribeInput in;
    in.topic_arn = string_or(request.properties, "TopicArn");
    in.protocol = string_or(request.properties, "Protocol");
    in.endpoint = find_string(request.properties, "Endpoint");
    in.return_subscription_arn = true;
    const auto out = co_await request.call->invoke<Subscribe>(std::move(in));
    request.physical_id = *out.subscription_arn;
  }

  Task<JsonObject> settle(ResourceRequest& request) const override {
    auto now = wanted_texts(request.properties);
    for (const auto& [name, value] : wanted_texts(request.previous_properties)) {
      now.try_emplace(name, name == "RawMessageDelivery"  ? "false"
                            : name == "FilterPolicyScope" ? "MessageAttributes"
                                                          : "");
    }
    // The scope first: a policy is checked against it.
    std::vector<std::pair<std::string, std::string>> order(now.begin(), now.end());
    std::stable_partition(order.begin(), order.end(),
                          [](const auto& entry) { return entry.first == "FilterPolicyScope"; });
    for (const auto& [name, value] : order) {
      SetSubscriptionAttributesInput in;
      in.subscription_arn = request.physical_id;
      in.attribute_name = name;
      in.attribute_value = value;
      co_await request.call->invoke<SetSubscriptionAttributes>(std::move(in));
    }
    JsonObject attributes;
    attributes["Arn"] = request.physical_id;
    co_return attributes;
  }

  Task<void> erase(ResourceRequest& request) const override {
    if (request.physical_id.empty()) co_return;
    UnsubscribeInput in;
    in.subscription_arn = request.physical_id;
    co_await request.call->invoke<Unsubscribe>(std::move(in));
  }
};

// One policy document for a list of topics.
class TopicPolicyType : public platform::ResourceType {
 public:
  std::string_view name() const override { return "AWS::SNS::TopicPolicy"; }
  std::set<std::string> properties() const override { return {"PolicyDocument", "Topics"}; }
  std::set<std::string> required_properties() const override {
    return {"PolicyDocument", "Topics"};
  }
  std::string choose_physical_id(const ResourceRequest& request, Random& random) const override {
    return platform::generated_name(request, random, 80);
  }
  Task<ResourceProgress> create(ResourceRequest request) const override {
    std::vector<std::string> topics = platform::text_list(request.properties, "Topics");
    std::string policy = platform::document_text(request.properties, "PolicyDocument");
    co_await set(request.call, std::move(topics), std::move(policy));
    co_return ResourceProgress{.physical_id = request.physical_id};
  }
  Task<ResourceProgress> update(ResourceRequest request) const override {
    const auto now = platform::text_list(request.properties, "Topics");
    const auto before = platform::text_list(request.previous_properties, "Topics");
    std::vector<std::string> dropped = platform::missing_from(now, before);
    std::string none;
    co_await set(request.call, std::move(dropped), std::move(none));
    std::string policy = platform::document_text(request.properties, "PolicyDocument");
    co_await set(request.call, now, std::move(policy));
    co_return ResourceProgress{.physical_id = request.physical_id};
  }
  Task<ResourceProgress> remove(ResourceRequest request) const override {
    std::vector<std::string> topics = platform::text_list(request.properties, "Topics");
    std::string none;
    try {
      co_await set(request.call, std::move(topics), std::move(none));
    } catch (const NotFoundException&) {}
    co_return ResourceProgress{.physical_id = request.physical_id};
  }

 private:
  static Task<void> set(platform::CallPtr call, std::vector<std::string> arns, std::string policy) {
    for (const auto& arn : arns) {
      SetTopicAttributesInput in;
      in.topic_arn = arn;
      in.attribute_name = "Policy";
      in.attribute_value = policy;
      co_await call->invoke<SetTopicAttributes>(std::move(in));
    }
  }
};

// The policy of one topic. A topic has one at most and it has no owner: so a step before the making
// finds that there is none but the default, and commits that by the physical id.
class TopicInlinePolicyType : public platform::OperationResource {
 public:
  TopicInlinePolicyType()
      : OperationResource({.name = "AWS::SNS::TopicInlinePolicy",
                           .properties = {"PolicyDocument", "TopicArn"},
                           .replacing = {"TopicArn"},
                           .required = {"PolicyDocument", "TopicArn"},
                           .gone = {"NotFound"}}) {}

  Task<ResourceProgress> create(ResourceRequest request) const override {
    if (!request.physical_id.empty()) co_return co_await OperationResource::create(request);
    const std::string topic = string_or(request.properties, "TopicArn");
    const bool taken = co_await has_policy(request.call, topic);
    if (taken) {
      throw aws::ApiError(
          "AlreadyExists",
          fmt::format("Resource of type '{}' with identifier '{}' already exists.", name(), topic));
    }
    co_return ResourceProgress{.status = ResourceProgress::Status::pending,
                               .physical_id = topic,
                               .retry_after = std::chrono::milliseconds(0)};
  }

 protected:
  static Task<bool> has_policy(platform::CallPtr call, std::string topic) {
    GetTopicAttributesInput in;
    in.topic_arn = std::move(topic);
    const auto out = co_await call->invoke<GetTopicAttributes>(std::move(in));
    const auto found = out.attributes->find("Policy");
    if (found == out.attributes->end()) co_return false;
    const Json policy = parse_json(found->second);
    const Json* statements = find_member(policy, "Statement");
    // AddPermission keeps the default's id, but makes it the topic's own.
    const bool one = statements && statements->is_array() && statements->get_array().size() == 1;
    co_return !one || string_or(policy, "Id") != "__default_policy_ID";
  }

  static Task<void> set(ResourceRequest& request, std::string policy) {
    SetTopicAttributesInput in;
    in.topic_arn = request.physical_id;
    in.attribute_name = "Policy";
    in.attribute_value = std::move(policy);
    co_await request.call->invoke<SetTopicAttributes>(std::move(in));
  }

  Task<void> make(ResourceRequest&) const override { co_return; }  // setting it is making it
  Task<JsonObject> settle(ResourceRequest& request) const override {
    std::string policy = platform::document_text(request.properties, "PolicyDocument");
    co_await set(request, std::move(policy));
    co_return JsonObject();
  }
  Task<void> erase(ResourceRequest& request) const override {
    std::string none;
    co_await set(request, std::move(none));
  }
};

}  // namespace

void Sns::resources(platform::ResourceTypes& types) {
  types.add(std::make_unique<TopicType>());
  types.add(std::make_unique<SubscriptionType>());
  types.add(std::make_unique<TopicPolicyType>());
  types.add(std::make_unique<TopicInlinePolicyType>());
}

}  // namespace tarn::sns
