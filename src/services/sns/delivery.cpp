// SPDX-License-Identifier: Apache-2.0
#include "services/sns/delivery.hpp"

#include <cstdlib>

#include <fmt/format.h>

#include "aws/arn.hpp"
#include "aws/error.hpp"
#include "base/log.hpp"
#include "base/strings.hpp"
#include "services/sns/mail.hpp"
#include "services/sns/service.hpp"

namespace tarn::sns {
namespace {

constexpr std::size_t k_queue_attributes_max = 10;
constexpr int k_attempts_max = 20;  // over about a quarter of an hour

bool is_passing(const aws::ApiError& error) {
  return error.http_status >= 500 || error.http_status == 429 ||
         error.code.find("Throttl") != std::string::npos;
}

std::string queue_url(const aws::Arn& arn) {
  return fmt::format("http://127.0.0.1/{}/{}", arn.account, arn.resource);
}

std::string attribute_or(const SubscriptionRecord& subscription, const char* name,
                         const char* fallback) {
  const auto found = subscription.attributes.find(name);
  return found == subscription.attributes.end() ? fallback : found->second;
}

// As SQS's SendMessage takes them.
JsonObject queue_attributes(const Published& message) {
  JsonObject attributes;
  for (const auto& [name, attribute] : message.attributes) {
    const bool binary = attribute.type.starts_with("Binary");
    attributes[name] = JsonObject{{"DataType", attribute.type},
                                  {binary ? "BinaryValue" : "StringValue",
                                   binary ? to_base64(attribute.value) : attribute.value}};
  }
  return attributes;
}

// FIFO queues need it; standard ones use the group to be fair.
void add_group(const Published& message, const aws::Arn& queue, JsonObject& input) {
  if (message.group.empty()) return;
  input["MessageGroupId"] = message.group;
  if (queue.resource.ends_with(".fifo")) input["MessageDeduplicationId"] = message.dedup_id;
}

aws::Arn endpoint_arn(const SubscriptionRecord& subscription) {
  const auto arn = aws::Arn::parse(subscription.endpoint);
  if (!arn) throw aws::ApiError("InvalidParameter", "Invalid endpoint " + subscription.endpoint);
  return *arn;
}

}  // namespace

void Deliveries::subscribe() {
  kernel::Subscription subscription;
  subscription.topic = k_topic;
  subscription.subscriber = "sns.subscriptions";
  subscription.attempts_max = k_attempts_max + 2;  // `deliver` ends it before
  subscription.deliver = [this](kernel::Delivery d) { return deliver(std::move(d)); };
  environment_.bus.subscribe(std::move(subscription));
}

Task<void> Deliveries::deliver(kernel::Delivery delivery) {
  const auto pending = kernel::decode_record<PendingDelivery>(delivery.payload);
  std::optional<SubscriptionRecord> subscription;
  {
    kernel::Txn txn = environment_.store.begin({pending.account, pending.region});
    subscription = txn.peek<SubscriptionRecord>(pending.topic, pending.subscription_id);
  }
  if (!subscription) co_return;  // unsubscribed meanwhile
  std::string reason;
  try {
    co_await send(pending, *subscription);
    co_return;
  } catch (const aws::ApiError& error) {
    reason = fmt::format("{}: {}", error.code, error.message);
    if (is_passing(error) && delivery.attempt < k_attempts_max) throw;
  } catch (const platform::OutboundFailure& failure) {
    reason = failure.what();
    if (delivery.attempt < k_attempts_max) throw;
  } catch (const std::runtime_error& error) {
    reason = error.what();
    if (delivery.attempt < k_attempts_max) throw;
  }
  log::warning("sns", "{} to {}: {}", pending.message.topic_arn, subscription->endpoint, reason);
  if (!pending.confirmation) co_await dead_letter(pending, *subscription, reason);
}

platform::CallPtr Deliveries::call(const PendingDelivery& pending,
                                   const std::string& region) const {
  return environment_.call_as(
      platform::service_identity("sns.amazonaws.com", pending.account, pending.message.topic_arn),
      region.empty() ? pending.region : region);
}

Links Deliveries::links(const PendingDelivery& pending,
                        const SubscriptionRecord& subscription) const {
  const kernel::Scope scope{pending.account, pending.region};
  return {environment_.endpoint + "/_tarn/sns/certificate.pem",
          environment_.endpoint + "/?Action=Unsubscribe&SubscriptionArn=" +
              uri_encode(subscription_arn(scope, subscription))};
}

Task<void> Deliveries::send(PendingDelivery pending, SubscriptionRecord subscription) {
  const bool raw = attribute_or(subscription, "RawMessageDelivery", "false") == "true";
  if (pending.confirmation) {
    co_await ask_to_confirm(pending, subscription);
  } else if (subscription.protocol == "sqs") {
    co_await to_queue(pending, subscription, raw);
  } else if (subscription.protocol == "lambda") {
    co_await to_function(pending, subscription);
  } else if (subscription.protocol == "http" || subscription.protocol == "https") {
    co_await to_http(pending, subscription, raw);
  } else {
    to_mail(pending, subscription);
  }
}

Task<void> Deliveries::to_queue(PendingDelivery pending, SubscriptionRecord subscription,
                                bool raw) {
  const auto arn = endpoint_arn(subscription);
  const std::string body = body_for(pending.message, "sqs");
  JsonObject message{{"QueueUrl", queue_url(arn)}};
  if (raw) {
    message["MessageBody"] = body;
    JsonObject attributes = queue_attributes(pending.message);
    if (!attributes.empty()) message["MessageAttributes"] = std::move(attributes);
  } else {
    message["MessageBody"] =
        dump_json(envelope(pending.message, body, links(pending, subscription)));
  }
  add_group(pending.message, arn, message);
  Json input = std::move(message);
  co_await call(pending, arn.region)->invoke_json("sqs", "SendMessage", std::move(input));
}

Task<void> Deliveries::to_function(PendingDelivery pending, SubscriptionRecord subscription) {
  const auto arn = endpoint_arn(subscription);
  const kernel::Scope scope{pending.account, pending.region};
  const Json event =
      lambda_event(pending.message, body_for(pending.message, "lambda"),
                   subscription_arn(scope, subscription), links(pending, subscription));
  Json input = JsonObject{{"FunctionName", subscription.endpoint},
                          {"InvocationType", "Event"},
                          {"Payload", to_base64(dump_json(event))}};
  co_await call(pending, arn.region)->invoke_json("lambda", "Invoke", std::move(input));
}

Task<void> Deliveries::post(std::string url, std::string type, PendingDelivery pending,
                            std::string subscription_arn, std::string body, bool raw) {
  platform::OutboundRequest request;
  request.method = "POST";
  request.url = std::move(url);
  request.headers = {{"x-amz-sns-message-type", type},
                     {"x-amz-sns-message-id", pending.message.id},
                     {"x-amz-sns-topic-arn", pending.message.topic_arn},
                     {"Content-Type", "text/plain; charset=UTF-8"},
                     {"User-Agent", "Amazon Simple Notification Service Agent"}};
  if (!subscription_arn.empty()) {
    request.headers.emplace_back("x-amz-sns-subscription-arn", subscription_arn);
  }
  if (raw) request.headers.emplace_back("x-amz-sns-rawdelivery", "true");
  request.body = std::move(body);
  auto& client = platform::Ports::require(environment_.ports.http_client, "outbound HTTP");
  const auto response = co_await client.send(std::move(request));
  if (response.status < 200 || response.status > 299) {
    // Refusals are repeated too, as AWS does, except where they are for good.
    const bool final = response.status >= 400 && response.status < 500 && response.status != 429;
    throw aws::ApiError("EndpointError", fmt::format("the endpoint answered {}", response.status),
                        final ? 400 : 503);
  }
}

Task<void> Deliveries::to_http(PendingDelivery pending, SubscriptionRecord subscription, bool raw) {
  const kernel::Scope scope{pending.account, pending.region};
  std::string body = body_for(pending.message, subscription.protocol);
  if (!raw) body = dump_json(envelope(pending.message, body, links(pending, subscription)));
  co_await post(subscription.endpoint, "Notification", pending,
                subscription_arn(scope, subscription), std::move(body), raw);
}

Task<void> Deliveries::ask_to_confirm(PendingDelivery pending, SubscriptionRecord subscription) {
  if (subscription.confirmed) co_return;
  const std::string subscribe_url =
      fmt::format("{}/_tarn/sns/?Action=ConfirmSubscription&TopicArn={}&Token={}",
                  environment_.endpoint, uri_encode(pending.message.topic_arn), subscription.token);
  const std::string signature =
      signer_.sign(confirmation_text_to_sign(pending.message, subscription.token, subscribe_url),
                   pending.message.signature_version);
  const JsonObject body{{"Type", "SubscriptionConfirmation"},
                        {"MessageId", pending.message.id},
                        {"Token", subscription.token},
                        {"TopicArn", pending.message.topic_arn},
                        {"Message", pending.message.body},
                        {"SubscribeURL", subscribe_url},
                        {"Timestamp", iso8601(pending.message.time)},
                        {"SignatureVersion", pending.message.signature_version},
                        {"Signature", signature},
                        {"SigningCertURL", links(pending, subscription).certificate_url}};
  co_await post(subscription.endpoint, "SubscriptionConfirmation", pending, {}, dump_json(body),
                false);
}

void Deliveries::to_mail(const PendingDelivery& pending, const SubscriptionRecord& subscription) {
  const auto& message = pending.message;
  const kernel::Scope scope{pending.account, pending.region};
  Mail mail;
  mail.json = subscription.protocol == "email-json";
  mail.from = "no-reply@sns.amazonaws.com";
  mail.to = subscription.endpoint;
  mail.subject = message.subject.empty() ? "AWS Notification Message" : message.subject;
  mail.id = message.id + "-" + subscription.id;
  mail.date = message.time;
  const std::string body = body_for(message, subscription.protocol);
  mail.body = mail.json
                  ? dump_json(envelope(message, body, links(pending, subscription)))
                  : body + "\n\n--\nSubscription: " + subscription_arn(scope, subscription) + "\n";
  const char* server = std::getenv("TARN_SMTP");
  if (server && *server) {
    send_by_smtp(server, mail);
  } else {
    write_to_outbox(environment_.data_directory / "outbox", mail);
  }
}

Task<void> Deliveries::dead_letter(PendingDelivery pending, SubscriptionRecord subscription,
                                   std::string reason) {
  const std::string policy = attribute_or(subscription, "RedrivePolicy", "");
  if (policy.empty()) co_return;
  const auto arn = aws::Arn::parse(string_or(parse_json(policy), "deadLetterTargetArn"));
  if (!arn) co_return;
  const bool raw = attribute_or(subscription, "RawMessageDelivery", "false") == "true";
  std::string body = body_for(pending.message, subscription.protocol);
  JsonObject attributes;
  if (raw) {
    attributes = queue_attributes(pending.message);
  } else {
    body = dump_json(envelope(pending.message, body, links(pending, subscription)));
  }
  // The message matters more than why it failed: SQS takes ten attributes.
  if (attributes.size() < k_queue_attributes_max) {
    attributes["ErrorMessage"] = JsonObject{{"DataType", "String"}, {"StringValue", reason}};
  } else if (attributes.size() > k_queue_attributes_max) {
    body = dump_json(envelope(pending.message, body, links(pending, subscription)));
    attributes.clear();
  }
  JsonObject message{{"QueueUrl", queue_url(*arn)},
                     {"MessageBody", body},
                     {"MessageAttributes", std::move(attributes)}};
  add_group(pending.message, *arn, message);
  Json input = std::move(message);
  try {
    co_await call(pending, arn->region)->invoke_json("sqs", "SendMessage", std::move(input));
  } catch (const aws::ApiError& error) {
    if (is_passing(error)) throw;
    log::error("sns", "dead-letter queue {} refused: {}", arn->text(), error.message);
  }
}

}  // namespace tarn::sns
