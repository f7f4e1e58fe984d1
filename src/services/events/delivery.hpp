// SPDX-License-Identifier: Apache-2.0
// One event to one target: calls the target's service as events.amazonaws.com or as the target's
// role, repeats what may succeed later as the target's retry policy says, and gives what cannot be
// delivered to its dead-letter queue. What is started with a name or a token gets one made from the
// delivery's id, so that a repeated delivery starts nothing twice.
//
// Threading: deliveries run as tasks on the background pool.
#pragma once
#include <string>

#include "aws/arn.hpp"
#include "kernel/bus.hpp"
#include "platform/service.hpp"
#include "services/events/records.hpp"

namespace tarn::events {

class Deliveries {
 public:
  static constexpr const char* k_topic = "events.delivery";
  explicit Deliveries(platform::Environment& environment) : environment_(environment) {}
  void subscribe();
  // May a rule have this target? Throws ValidationException naming what is not supported.
  static void check_target(const Json& target);

 private:
  Task<void> deliver(kernel::Delivery delivery);
  Task<void> send(PendingDelivery pending, Json target, std::string input, std::string token);
  // Why a delivery is given up.
  struct DeadLetter {
    std::string code, message;
    std::string exhausted;  // the limit of the retry policy; empty: there was nothing to repeat
    int attempt = 1;
  };
  Task<void> dead_letter(PendingDelivery pending, Json target, DeadLetter dead);
  void store_event_on_bus(const aws::Arn& arn, const Json& event, int hops);
  Task<void> write_log(PendingDelivery pending, aws::Arn arn, std::string input, std::string token);
  // As the service itself, on behalf of the rule; or as the target's role.
  platform::CallPtr call_for(const PendingDelivery& pending, const Json& target,
                             const std::string& region) const;
  platform::Environment& environment_;
};

}  // namespace tarn::events
