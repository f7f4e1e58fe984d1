// SPDX-License-Identifier: Apache-2.0
// One message to one subscription, as sns.amazonaws.com: the endpoint's own policy decides. What
// fails for good, or for too long, goes to the subscription's dead-letter queue.
//
// Threading: deliveries run as tasks on the background pool.
#pragma once
#include <string>

#include "kernel/bus.hpp"
#include "platform/service.hpp"
#include "services/sns/message.hpp"
#include "services/sns/records.hpp"
#include "services/sns/signer.hpp"

namespace tarn::sns {

class Deliveries {
 public:
  static constexpr const char* k_topic = "sns.delivery";
  Deliveries(platform::Environment& environment, Signer& signer)
      : environment_(environment),
        signer_(signer) {}
  void subscribe();

 private:
  Task<void> deliver(kernel::Delivery delivery);
  Task<void> send(PendingDelivery pending, SubscriptionRecord subscription);
  Task<void> to_queue(PendingDelivery pending, SubscriptionRecord subscription, bool raw);
  Task<void> to_function(PendingDelivery pending, SubscriptionRecord subscription);
  Task<void> to_http(PendingDelivery pending, SubscriptionRecord subscription, bool raw);
  Task<void> ask_to_confirm(PendingDelivery pending, SubscriptionRecord subscription);
  void to_mail(const PendingDelivery& pending, const SubscriptionRecord& subscription);
  Task<void> post(std::string url, std::string type, PendingDelivery pending,
                  std::string subscription_arn, std::string body, bool raw);
  Task<void> dead_letter(PendingDelivery pending, SubscriptionRecord subscription,
                         std::string reason);
  Links links(const PendingDelivery& pending, const SubscriptionRecord& subscription) const;
  platform::CallPtr call(const PendingDelivery& pending, const std::string& region) const;

  platform::Environment& environment_;
  Signer& signer_;
};

}  // namespace tarn::sns
