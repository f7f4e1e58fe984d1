// SPDX-License-Identifier: Apache-2.0
// SNS: the operation table and its handlers.
//
// Threading: handlers run on the call pool, several at a time; all state is in the store.
#pragma once
#include <string>

#include "aws/sns/operations.hpp"
#include "platform/service.hpp"
#include "services/sns/delivery.hpp"
#include "services/sns/records.hpp"
#include "services/sns/signer.hpp"

namespace tarn::sns {

class Sns : public platform::ServiceOf<Sns> {
 public:
  explicit Sns(platform::Environment& environment);
  std::string_view name() const override { return "sns"; }
  void operations(platform::OpTable& t);
  void resources(platform::ResourceTypes& types) override;
  void start() override;

 private:
  using Call = platform::Call;
  using Txn = kernel::Txn;

  CreateTopicOutput create_topic(Call&, const CreateTopicInput&);
  DeleteTopicOutput delete_topic(Call&, const DeleteTopicInput&);
  ListTopicsOutput list_topics(Call&, const ListTopicsInput&);
  GetTopicAttributesOutput get_topic_attributes(Call&, const GetTopicAttributesInput&);
  SetTopicAttributesOutput set_topic_attributes(Call&, const SetTopicAttributesInput&);
  AddPermissionOutput add_permission(Call&, const AddPermissionInput&);
  RemovePermissionOutput remove_permission(Call&, const RemovePermissionInput&);
  TagResourceOutput tag_resource(Call&, const TagResourceInput&);
  UntagResourceOutput untag_resource(Call&, const UntagResourceInput&);
  ListTagsForResourceOutput list_tags(Call&, const ListTagsForResourceInput&);

  SubscribeOutput subscribe(Call&, const SubscribeInput&);
  ConfirmSubscriptionOutput confirm_subscription(Call&, const ConfirmSubscriptionInput&);
  UnsubscribeOutput unsubscribe(Call&, const UnsubscribeInput&);
  ListSubscriptionsOutput list_subscriptions(Call&, const ListSubscriptionsInput&);
  ListSubscriptionsByTopicOutput list_by_topic(Call&, const ListSubscriptionsByTopicInput&);
  GetSubscriptionAttributesOutput get_subscription_attributes(
      Call&, const GetSubscriptionAttributesInput&);
  SetSubscriptionAttributesOutput set_subscription_attributes(
      Call&, const SetSubscriptionAttributesInput&);

  PublishOutput publish(Call&, const PublishInput&);
  PublishBatchOutput publish_batch(Call&, const PublishBatchInput&);

  Task<aws::HttpResponse> serve_link(std::shared_ptr<aws::HttpRequest> request);
  // The subscription's ARN; throws InvalidParameter for an unknown token.
  std::string confirm(const std::string& topic_arn, const std::string& token);
  TopicRecord require_topic(Txn& txn, const std::string& name, bool for_update);
  std::optional<std::string> policy_of(const std::string& topic_arn);
  // Checks one message and hands it to every subscription that wants it.
  struct Posted {
    std::string message_id;
    std::optional<std::string> sequence;
  };
  template <class Message>
  Posted post(Txn& txn, Call& call, const TopicRecord& topic, const Message& message);
  Posted post_in_order(Txn& txn, const TopicRecord& topic, Published published);
  static void forget_old_dedup(Txn& txn, const std::string& topic, Timestamp now);
  void fan_out(Txn& txn, const TopicRecord& topic, Published published);

  platform::Environment& environment_;
  kernel::Store& store_;
  Signer signer_;
  Deliveries deliveries_;
};

// Where a topic or subscription ARN lies. Throws InvalidParameter naming the parameter.
struct TopicAddress {
  kernel::Scope scope;
  std::string topic;
  std::string subscription;  // empty for a topic's ARN
  static TopicAddress parse(const std::string& arn, const std::string& parameter);
};
std::string topic_arn(const kernel::Scope& scope, const std::string& topic);
std::string subscription_arn(const kernel::Scope& scope, const SubscriptionRecord& subscription);
std::string topic_attribute(const TopicRecord& topic, const std::string& name,
                            const std::string& fallback = {});
// Throws InvalidParameter.
void check_subscription_attribute(const std::string& name, const std::string& value);
// A policy on attributes is flat; one on the body may be nested. Throws InvalidParameter.
void check_filter_scope(const std::map<std::string, std::string>& attributes);

}  // namespace tarn::sns
