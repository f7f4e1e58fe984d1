// SPDX-License-Identifier: Apache-2.0
#include "services/sqs/queue.hpp"

#include <gtest/gtest.h>

#include "aws/error.hpp"

namespace tarn::sqs {
namespace {

std::string code_of(const std::function<void()>& body) {
  try {
    body();
  } catch (const aws::ApiError& error) {
    return error.code;
  }
  return "";
}

TEST(Queue, NamesFollowTheKindOfQueue) {
  EXPECT_NO_THROW(check_name("orders-1_A", false));
  EXPECT_NO_THROW(check_name("orders.fifo", true));
  for (const auto& [name, fifo] :
       std::initializer_list<std::pair<std::string, bool>>{{"", false},
                                                           {"a b", false},
                                                           {"orders.fifo", false},
                                                           {"orders", true},
                                                           {".fifo", true},
                                                           {std::string(81, 'x'), false}}) {
    EXPECT_EQ(code_of([&] { check_name(name, fifo); }), "InvalidParameterValue") << name;
  }
}

TEST(Queue, AUrlIsReadFromItsEnd) {
  for (const char* url : {"http://127.0.0.1:4566/000000000000/q", "/000000000000/q",
                          "https://sqs.us-east-1.amazonaws.com/000000000000/q"}) {
    const auto address = QueueAddress::parse_url(url);
    ASSERT_TRUE(address) << url;
    EXPECT_EQ(address->account, "000000000000");
    EXPECT_EQ(address->name, "q");
  }
  EXPECT_FALSE(QueueAddress::parse_url("q"));
  EXPECT_FALSE(QueueAddress::parse_url("http://host/a/"));
}

TEST(Queue, AttributesHaveDefaultsAndBounds) {
  QueueRecord queue;
  queue.name = "q";
  EXPECT_EQ(attribute(queue, "VisibilityTimeout"), "30");
  EXPECT_EQ(attribute(queue, "FifoQueue"), "");
  EXPECT_FALSE(settings(queue).contains("Policy"));
  queue.attributes["VisibilityTimeout"] = "7";
  EXPECT_EQ(number_attribute(queue, "VisibilityTimeout"), 7);
  EXPECT_EQ(first_difference(queue, {{"VisibilityTimeout", "7"}, {"DelaySeconds", "0"}}),
            std::nullopt);
  EXPECT_EQ(first_difference(queue, {{"DelaySeconds", "1"}}), "DelaySeconds");
  EXPECT_NO_THROW(check_attributes({{"DelaySeconds", "900"}, {"Policy", "{}"}}, false));
  EXPECT_EQ(code_of([] {
              check_attributes({{"DelaySeconds", "901"}}, false);
            }),
            "InvalidAttributeValue");
  EXPECT_EQ(code_of([] {
              check_attributes({{"FifoQueue", "true"}}, false);
            }),
            "InvalidAttributeName");
  EXPECT_EQ(code_of([] { check_attributes({{"Policy", "no"}}, false); }), "InvalidAttributeValue");
}

TEST(Queue, ARedrivePolicyIsCheckedMemberByMember) {
  EXPECT_FALSE(RedrivePolicy::parse(""));
  const auto policy = RedrivePolicy::parse(
      R"({"deadLetterTargetArn":"arn:aws:sqs:us-east-1:000000000000:d","maxReceiveCount":"3"})");
  ASSERT_TRUE(policy);
  EXPECT_EQ(policy->receives_max, 3);
  for (const char* text : {"no", "[]", R"({"maxReceiveCount":3})", R"({"deadLetterTargetArn":"x"})",
                           R"({"deadLetterTargetArn":"arn:aws:sqs:r:a:d","maxReceiveCount":0})",
                           R"({"deadLetterTargetArn":"arn:aws:sns:r:a:d","maxReceiveCount":1})"}) {
    EXPECT_EQ(code_of([&] { RedrivePolicy::parse(text); }), "InvalidParameterValue") << text;
  }
  QueueRecord dead;
  dead.name = "d";
  EXPECT_TRUE(redrive_allowed(dead, "arn:a"));
  dead.attributes["RedriveAllowPolicy"] =
      R"({"redrivePermission":"byQueue","sourceQueueArns":["arn:a"]})";
  EXPECT_TRUE(redrive_allowed(dead, "arn:a"));
  EXPECT_FALSE(redrive_allowed(dead, "arn:b"));
  dead.attributes["RedriveAllowPolicy"] = R"({"redrivePermission":"denyAll"})";
  EXPECT_FALSE(redrive_allowed(dead, "arn:a"));
}

// Values computed with AWS's published algorithm by an independent program.
TEST(Queue, TheDigestOfAttributesIsAwss) {
  EXPECT_EQ(attributes_md5({{"test_attribute_name_1", {"String", "test_attribute_value_1"}},
                            {"test_attribute_name_2", {"String", "test_attribute_value_2"}}}),
            "d53f3b558fe951154770f25cb63dbba9");
}

TEST(Queue, OnlyCharactersOfXmlAreValid) {
  EXPECT_TRUE(valid_characters("a\t\n\r ä€😀"));
  for (const char* text : {"\x01", "\x1f", "\xef\xbf\xbe", "\xef\xbf\xbf", "\xff"}) {
    EXPECT_FALSE(valid_characters(text));
  }
}

TEST(Queue, AReceiptHandleBelongsToItsQueue) {
  const ReceiptHandle handle{"uid", 77, 2};
  const auto read = ReceiptHandle::parse(handle.text(), "uid");
  EXPECT_EQ(read.number, 77U);
  EXPECT_EQ(read.receives, 2U);
  EXPECT_EQ(code_of([&] { ReceiptHandle::parse(handle.text(), "other"); }),
            "ReceiptHandleIsInvalid");
  EXPECT_EQ(code_of([&] { ReceiptHandle::parse("x", "uid"); }), "ReceiptHandleIsInvalid");
}

}  // namespace
}  // namespace tarn::sqs
