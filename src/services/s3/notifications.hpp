// SPDX-License-Identifier: Apache-2.0
// Who hears of a change to a bucket: SQS, SNS, Lambda and EventBridge, as the bucket's notification
// configuration says. A change emits one event with the object's own commit; delivery happens from
// the bus, as the service principal s3.amazonaws.com, so that the targets' own policies decide.
// Several targets of one change get an event each, so that none waits for, or repeats with,
// another.
#pragma once
#include <string>

#include "kernel/bus.hpp"
#include "platform/service.hpp"
#include "services/s3/records.hpp"

namespace tarn::s3 {

struct ObjectChange {
  static constexpr kernel::RecordKind k_kind{"s3", "object-change", 1};
  std::string event;   // "ObjectCreated:Put"
  std::string reason;  // "PutObject"
  std::string bucket, account, region, key, etag, requester, source_ip, request_id, sequencer;
  std::uint64_t size = 0;
  Timestamp time{};
  void fields(auto& f) {
    f(event, reason, bucket, account, region, key, etag, requester, source_ip, request_id,
      sequencer, size, time);
  }
};

// One call that a configuration asks for, on the bus by itself.
struct NotificationCall {
  static constexpr kernel::RecordKind k_kind{"s3", "notification-call", 1};
  std::string account, region, bucket, service, operation;
  Json input;
  void fields(auto& f) { f(account, region, bucket, service, operation, input); }
};

class Notifications {
 public:
  static constexpr const char* k_topic = "s3.object-change";
  static constexpr const char* k_call_topic = "s3.notification-call";
  explicit Notifications(platform::Environment& environment) : environment_(environment) {}
  void subscribe();
  // In the change's transaction; nothing where the bucket notifies nobody.
  static void emit(kernel::Txn& txn, const BucketRecord& bucket, ObjectChange change);
  // Sends s3:TestEvent to queues and topics and asks functions whether they may be invoked; throws
  // InvalidArgument for destinations that refuse.
  Task<void> try_destinations(BucketRecord bucket, Json configuration, std::string request_id);

 private:
  Task<void> deliver(kernel::Delivery delivery);
  Task<void> call(NotificationCall call);
  platform::Environment& environment_;
};

// InvalidArgument for unknown events, filter rules and ARNs, and for configurations that overlap.
void check_notifications(const Json& configuration);
// Does a filter rule set (SDK-shaped Filter.Key.FilterRules) take the key?
bool filter_takes(const Json* filter, const std::string& key);
// "s3:ObjectCreated:*" takes "ObjectCreated:Put".
bool event_takes(const Json& configuration, const std::string& event);
// The message that SQS, SNS and Lambda get: {"Records":[…]}, structure version 2.1.
Json notification_message(const ObjectChange& change, const std::string& configuration_id);

}  // namespace tarn::s3
