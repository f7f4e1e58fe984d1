// SPDX-License-Identifier: Apache-2.0
// What subscribers get, and whether they want it. Pure functions.
#pragma once
#include <string>

#include "base/json.hpp"
#include "services/sns/records.hpp"

namespace tarn::sns {

struct Links {
  std::string certificate_url;  // SigningCertURL
  std::string unsubscribe_url;
};

// The body for a protocol: with structure "json" its own text, or the default one.
std::string body_for(const Published& message, const std::string& protocol);

// The text that AWS signs: names and values of the fields, sorted by name.
// https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html
std::string text_to_sign(const Published& message, const std::string& body);
std::string confirmation_text_to_sign(const Published& message, const std::string& token,
                                      const std::string& subscribe_url);

// The JSON of a notification.
JsonObject envelope(const Published& message, const std::string& body, const Links& links);

// The event that a Lambda function gets.
Json lambda_event(const Published& message, const std::string& body,
                  const std::string& subscription_arn, const Links& links);

// Does the subscription's filter policy want the message?
bool wanted(const SubscriptionRecord& subscription, const Published& message);
// Throws platform::BadPattern.
void check_filter_policy(const std::string& text);

}  // namespace tarn::sns
