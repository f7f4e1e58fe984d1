// SPDX-License-Identifier: Apache-2.0
#include "services/sns/message.hpp"

#include "base/strings.hpp"
#include "platform/event_pattern.hpp"

namespace tarn::sns {
namespace {

std::string attribute_or(const SubscriptionRecord& subscription, const char* name,
                         const char* fallback) {
  const auto found = subscription.attributes.find(name);
  return found == subscription.attributes.end() ? fallback : found->second;
}

JsonObject shown_attributes(const Published& message) {
  JsonObject out;
  for (const auto& [name, attribute] : message.attributes) {
    const bool binary = attribute.type.starts_with("Binary");
    out[name] = JsonObject{{"Type", attribute.type},
                           {"Value", binary ? to_base64(attribute.value) : attribute.value}};
  }
  return out;
}

// What a filter policy on attributes looks at: names with values as JSON.
Json attributes_as_event(const Published& message) {
  JsonObject event;
  for (const auto& [name, attribute] : message.attributes) {
    if (attribute.type == "String.Array" || attribute.type.starts_with("Number")) {
      try {
        event[name] = parse_json(attribute.value);
        continue;
      } catch (const JsonError&) {
        // Not JSON after all: a text like others.
      }
    }
    if (!attribute.type.starts_with("Binary")) event[name] = attribute.value;
  }
  return event;
}

}  // namespace

std::string body_for(const Published& message, const std::string& protocol) {
  if (message.structure != "json") return message.body;
  const Json bodies = parse_json(message.body);
  if (const auto own = find_string(bodies, protocol)) return *own;
  return string_or(bodies, "default");
}

std::string text_to_sign(const Published& message, const std::string& body) {
  std::string text = "Message\n" + body + "\nMessageId\n" + message.id + "\n";
  if (!message.subject.empty()) text += "Subject\n" + message.subject + "\n";
  return text + "Timestamp\n" + iso8601(message.time) + "\nTopicArn\n" + message.topic_arn +
         "\nType\nNotification\n";
}

std::string confirmation_text_to_sign(const Published& message, const std::string& token,
                                      const std::string& subscribe_url) {
  return "Message\n" + message.body + "\nMessageId\n" + message.id + "\nSubscribeURL\n" +
         subscribe_url + "\nTimestamp\n" + iso8601(message.time) + "\nToken\n" + token +
         "\nTopicArn\n" + message.topic_arn + "\nType\nSubscriptionConfirmation\n";
}

JsonObject envelope(const Published& message, const std::string& body, const Links& links) {
  JsonObject out{{"Type", "Notification"}, {"MessageId", message.id}};
  if (!message.sequence.empty()) out["SequenceNumber"] = message.sequence;
  out["TopicArn"] = message.topic_arn;
  if (!message.subject.empty()) out["Subject"] = message.subject;
  out["Message"] = body;
  out["Timestamp"] = iso8601(message.time);
  if (message.sequence.empty()) {  // FIFO topics do not sign
    out["SignatureVersion"] = message.signature_version;
    out["Signature"] = message.signature;
    out["SigningCertURL"] = links.certificate_url;
  }
  out["UnsubscribeURL"] = links.unsubscribe_url;
  if (!message.attributes.empty()) out["MessageAttributes"] = shown_attributes(message);
  return out;
}

Json lambda_event(const Published& message, const std::string& body,
                  const std::string& subscription_arn, const Links& links) {
  JsonObject sns{{"Type", "Notification"},
                 {"MessageId", message.id},
                 {"TopicArn", message.topic_arn},
                 {"Subject", message.subject.empty() ? Json(nullptr) : Json(message.subject)},
                 {"Message", body},
                 {"Timestamp", iso8601(message.time)},
                 {"SignatureVersion", message.signature_version},
                 {"Signature", message.signature},
                 {"SigningCertUrl", links.certificate_url},
                 {"UnsubscribeUrl", links.unsubscribe_url},
                 {"MessageAttributes", shown_attributes(message)}};
  return JsonObject{{"Records", JsonArray{JsonObject{{"EventSource", "aws:sns"},
                                                     {"EventVersion", "1.0"},
                                                     {"EventSubscriptionArn", subscription_arn},
                                                     {"Sns", std::move(sns)}}}}};
}

bool wanted(const SubscriptionRecord& subscription, const Published& message) {
  const std::string policy = attribute_or(subscription, "FilterPolicy", "");
  if (policy.empty() || policy == "{}") return true;
  const auto pattern = platform::EventPattern::parse(policy);
  if (attribute_or(subscription, "FilterPolicyScope", "MessageAttributes") == "MessageBody") {
    try {
      return pattern.matches(parse_json(body_for(message, "default")));
    } catch (const JsonError&) {
      return false;  // a body that is no JSON fits no policy
    }
  }
  return pattern.matches(attributes_as_event(message));
}

void check_filter_policy(const std::string& text) {
  if (!text.empty() && text != "{}") platform::EventPattern::parse(text);
}

}  // namespace tarn::sns
