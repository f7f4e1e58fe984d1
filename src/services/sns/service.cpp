// SPDX-License-Identifier: Apache-2.0
#include "services/sns/service.hpp"

#include <fmt/format.h>

#include "aws/arn.hpp"
#include "aws/sns/errors.hpp"
#include "base/strings.hpp"

namespace tarn::sns {

TopicAddress TopicAddress::parse(const std::string& text, const std::string& parameter) {
  const auto arn = aws::Arn::parse(text);
  if (!arn || arn->service != "sns" || arn->resource.empty()) {
    throw InvalidParameterException(
        fmt::format("Invalid parameter: {} Reason: An ARN must have at least 6 elements, not {}",
                    parameter, split(text, ':').size()));
  }
  const auto colon = arn->resource.find(':');
  return {{arn->account, arn->region},
          arn->resource.substr(0, colon),
          colon == std::string::npos ? std::string() : arn->resource.substr(colon + 1)};
}

std::string topic_arn(const kernel::Scope& scope, const std::string& topic) {
  return aws::make_arn("sns", scope.region, scope.account, topic);
}

std::string subscription_arn(const kernel::Scope& scope, const SubscriptionRecord& subscription) {
  return topic_arn(scope, subscription.topic) + ":" + subscription.id;
}

std::string topic_attribute(const TopicRecord& topic, const std::string& name,
                            const std::string& fallback) {
  const auto found = topic.attributes.find(name);
  return found == topic.attributes.end() ? fallback : found->second;
}

Sns::Sns(platform::Environment& environment)
    : environment_(environment),
      store_(environment.store),
      signer_(environment),
      deliveries_(environment, signer_) {
  deliveries_.subscribe();
}

void Sns::start() {
  if (!environment_.ports.http_server) return;
  environment_.ports.http_server->mount(
      "/_tarn/sns/",
      [this](std::shared_ptr<aws::HttpRequest> request) { return serve_link(std::move(request)); });
}

// The links in messages, which are followed without credentials: the certificate, and the
// confirmation of a subscription, whose token only its endpoint was told.
Task<aws::HttpResponse> Sns::serve_link(std::shared_ptr<aws::HttpRequest> request) {
  aws::HttpResponse response;
  if (request->path == "/_tarn/sns/certificate.pem") {
    response.set("Content-Type", "application/x-pem-file");
    response.body = signer_.certificate();
    co_return response;
  }
  std::map<std::string, std::string> query;
  for (auto& pair : aws::parse_query(request->query)) query[pair.key] = std::move(pair.value);
  response.set("Content-Type", "text/xml");
  const std::string id = environment_.random.uuid();
  try {
    if (query["Action"] != "ConfirmSubscription") {
      throw aws::ApiError("InvalidAction", "this link confirms subscriptions only");
    }
    const std::string arn = confirm(query["TopicArn"], query["Token"]);
    response.body = fmt::format(
        "<ConfirmSubscriptionResponse xmlns=\"http://sns.amazonaws.com/doc/2010-03-31/\">"
        "<ConfirmSubscriptionResult><SubscriptionArn>{}</SubscriptionArn>"
        "</ConfirmSubscriptionResult><ResponseMetadata><RequestId>{}</RequestId>"
        "</ResponseMetadata></ConfirmSubscriptionResponse>",
        arn, id);
  } catch (const aws::ApiError& error) {
    // Fixed words only: what came in the link is not sent back as markup.
    response.status = error.http_status;
    response.body = fmt::format(
        "<ErrorResponse><Error><Type>Sender</Type><Code>{}</Code></Error><RequestId>{}</RequestId>"
        "</ErrorResponse>",
        error.code, id);
  }
  co_return response;
}

void Sns::operations(platform::OpTable& t) {
  const auto topic = [](Call&, const auto& in) { return in.topic_arn; };
  const auto named = [](Call& call, const auto& in) { return topic_arn(call.scope(), in.name); };
  const auto target = [](Call&, const PublishInput& in) {
    return in.topic_arn.value_or(in.target_arn.value_or("*"));
  };
  // IAM sees a subscription's operations on its topic.
  const auto topic_of = [](Call&, const auto& in) {
    return in.subscription_arn.substr(0, in.subscription_arn.rfind(':'));
  };
  const auto tagged = [](Call&, const auto& in) { return in.resource_arn; };
  const auto policy = [this](Call&, const auto& in) { return policy_of(in.topic_arn); };
  const auto target_policy = [this](Call&, const PublishInput& in) {
    return policy_of(in.topic_arn.value_or(in.target_arn.value_or("")));
  };
  t.op<CreateTopic>(&Sns::create_topic).on(named);
  t.op<ListTopics>(&Sns::list_topics);
  t.op<ListSubscriptions>(&Sns::list_subscriptions);
  t.op<DeleteTopic>(&Sns::delete_topic).on(topic).resource_policy(policy);
  t.op<GetTopicAttributes>(&Sns::get_topic_attributes).on(topic).resource_policy(policy);
  t.op<SetTopicAttributes>(&Sns::set_topic_attributes).on(topic).resource_policy(policy);
  t.op<AddPermission>(&Sns::add_permission).on(topic).resource_policy(policy);
  t.op<RemovePermission>(&Sns::remove_permission).on(topic).resource_policy(policy);
  t.op<Subscribe>(&Sns::subscribe).on(topic).resource_policy(policy);
  // Whoever has the token may: it went to the endpoint alone.
  t.op<ConfirmSubscription>(&Sns::confirm_subscription).no_authorization();
  t.op<ListSubscriptionsByTopic>(&Sns::list_by_topic).on(topic).resource_policy(policy);
  t.op<Unsubscribe>(&Sns::unsubscribe).on(topic_of);
  t.op<GetSubscriptionAttributes>(&Sns::get_subscription_attributes).on(topic_of);
  t.op<SetSubscriptionAttributes>(&Sns::set_subscription_attributes).on(topic_of);
  t.op<Publish>(&Sns::publish).on(target).resource_policy(target_policy);
  t.op<PublishBatch>(&Sns::publish_batch).action("sns:Publish").on(topic).resource_policy(policy);
  t.op<TagResource>(&Sns::tag_resource).on(tagged);
  t.op<UntagResource>(&Sns::untag_resource).on(tagged);
  t.op<ListTagsForResource>(&Sns::list_tags).on(tagged);
}

TopicRecord Sns::require_topic(Txn& txn, const std::string& name, bool for_update) {
  auto topic = for_update ? txn.find_for_update<TopicRecord>(name) : txn.find<TopicRecord>(name);
  if (!topic) throw NotFoundException("Topic does not exist");
  return *std::move(topic);
}

std::optional<std::string> Sns::policy_of(const std::string& arn_text) {
  const auto arn = aws::Arn::parse(arn_text);
  if (!arn) return std::nullopt;
  Txn txn = store_.begin({arn->account, arn->region});
  const auto topic = txn.peek<TopicRecord>(arn->resource);
  if (!topic) return std::nullopt;
  const std::string text = topic_attribute(*topic, "Policy");
  return text.empty() ? std::nullopt : std::optional(text);
}

TagResourceOutput Sns::tag_resource(Call&, const TagResourceInput& in) {
  const auto at = TopicAddress::parse(in.resource_arn, "ResourceArn");
  Txn txn = store_.begin(at.scope);
  auto topic = txn.find_for_update<TopicRecord>(at.topic);
  if (!topic) throw ResourceNotFoundException("Resource does not exist");
  for (const auto& tag : in.tags) topic->tags[tag.key] = tag.value;
  if (topic->tags.size() > 50) {
    throw TagLimitExceededException(
        "Could not complete request: tag quota of per resource "
        "exceeded");
  }
  txn.put(*topic);
  txn.commit();
  return {};
}

UntagResourceOutput Sns::untag_resource(Call&, const UntagResourceInput& in) {
  const auto at = TopicAddress::parse(in.resource_arn, "ResourceArn");
  Txn txn = store_.begin(at.scope);
  auto topic = txn.find_for_update<TopicRecord>(at.topic);
  if (!topic) throw ResourceNotFoundException("Resource does not exist");
  for (const auto& key : in.tag_keys) topic->tags.erase(key);
  txn.put(*topic);
  txn.commit();
  return {};
}

ListTagsForResourceOutput Sns::list_tags(Call&, const ListTagsForResourceInput& in) {
  const auto at = TopicAddress::parse(in.resource_arn, "ResourceArn");
  Txn txn = store_.begin(at.scope);
  const auto topic = txn.peek<TopicRecord>(at.topic);
  if (!topic) throw ResourceNotFoundException("Resource does not exist");
  ListTagsForResourceOutput out;
  auto& tags = out.tags.emplace();
  for (const auto& [key, value] : topic->tags) tags.push_back({.key = key, .value = value});
  return out;
}

}  // namespace tarn::sns
