// SPDX-License-Identifier: Apache-2.0
#include "services/sns/message.hpp"

#include <gtest/gtest.h>

#include "platform/event_pattern.hpp"
#include "services/sns/mail.hpp"

namespace tarn::sns {
namespace {

Published message() {
  Published published;
  published.topic_arn = "arn:aws:sns:us-east-1:000000000000:t";
  published.id = "id-1";
  published.subject = "S";
  published.body = "B";
  published.time = *parse_iso8601("2026-11-21T08:00:00Z");
  published.attributes = {{"kind", {"String", "a"}},
                          {"n", {"Number", "5"}},
                          {"many", {"String.Array", R"(["x","y"])"}},
                          {"raw", {"Binary", "\x01"}}};
  return published;
}

TEST(Message, TheTextToSignHasItsFieldsInOrder) {
  auto published = message();
  EXPECT_EQ(text_to_sign(published, "B"),
            "Message\nB\nMessageId\nid-1\nSubject\nS\nTimestamp\n2026-11-21T08:00:00.000Z\n"
            "TopicArn\narn:aws:sns:us-east-1:000000000000:t\nType\nNotification\n");
  published.subject.clear();
  EXPECT_EQ(text_to_sign(published, "B").find("Subject"), std::string::npos);
}

TEST(Message, EachProtocolGetsItsText) {
  auto published = message();
  EXPECT_EQ(body_for(published, "sqs"), "B");
  published.structure = "json";
  published.body = R"({"default":"d","sqs":"q"})";
  EXPECT_EQ(body_for(published, "sqs"), "q");
  EXPECT_EQ(body_for(published, "email"), "d");
}

struct Case {
  const char* policy;
  bool expected;
};

TEST(Message, FilterPoliciesLookAtAttributesByTheirType) {
  const Case cases[] = {{"", true},
                        {"{}", true},
                        {R"({"kind":["a"]})", true},
                        {R"({"kind":["b"]})", false},
                        {R"({"kind":[{"anything-but":"b"}]})", true},
                        {R"({"n":[{"numeric":["=",5]}]})", true},
                        {R"({"n":["5"]})", false},
                        {R"({"many":["y"]})", true},
                        {R"({"none":[{"exists":false}]})", true},
                        {R"({"kind":["a"],"none":["x"]})", false}};
  for (const auto& test : cases) {
    SubscriptionRecord subscription;
    subscription.attributes["FilterPolicy"] = test.policy;
    EXPECT_EQ(wanted(subscription, message()), test.expected) << test.policy;
  }
  EXPECT_THROW(check_filter_policy(R"({"a":"no list"})"), platform::BadPattern);
}

TEST(Message, FilterPoliciesMayLookAtTheBody) {
  SubscriptionRecord subscription;
  subscription.attributes = {{"FilterPolicyScope", "MessageBody"},
                             {"FilterPolicy", R"({"order":{"id":[7]}})"}};
  auto published = message();
  EXPECT_FALSE(wanted(subscription, published));  // no JSON
  published.body = R"({"order":{"id":7}})";
  EXPECT_TRUE(wanted(subscription, published));
}

TEST(Mail, HeadersCannotBeInjectedAndTextIsEncoded) {
  Mail mail{"a@b", "c@d", "Grüße", "line\nnext", "id", *parse_iso8601("2026-11-21T08:00:00Z")};
  const std::string text = mail_text(mail);
  EXPECT_NE(text.find("Subject: =?UTF-8?B?R3LDvMOfZQ==?=\r\n"), std::string::npos);
  EXPECT_NE(text.find("Date: Sat, 21 Nov 2026 08:00:00 +0000\r\n"), std::string::npos);
  EXPECT_NE(text.find("\r\n\r\nline\r\nnext\r\n"), std::string::npos);
  mail.to = "c@d\r\nBcc: x@y";
  EXPECT_THROW(mail_text(mail), std::runtime_error);
}

}  // namespace
}  // namespace tarn::sns
