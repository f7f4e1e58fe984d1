// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "platform/testing/service_house.hpp"
#include "services/s3/service.hpp"

namespace tarn::s3 {
namespace {

class S3Resources : public testing::Test {
 protected:
  S3Resources() {
    house_.add<S3>();
    house_.start();
  }
  static constexpr const char* k_bucket = "AWS::S3::Bucket";
  platform::testing::ServiceHouse house_;
};

TEST_F(S3Resources, a_bucket_gets_a_name_and_its_configurations) {
  auto request = house_.resource(k_bucket, R"({
      "Tags":[{"Key":"team","Value":"data"}],
      "PublicAccessBlockConfiguration":{"BlockPublicAcls":true},
      "BucketEncryption":{"ServerSideEncryptionConfiguration":[
          {"ServerSideEncryptionByDefault":{"SSEAlgorithm":"aws:kms"},"BucketKeyEnabled":true}]},
      "OwnershipControls":{"Rules":[{"ObjectOwnership":"BucketOwnerEnforced"}]},
      "NotificationConfiguration":{"EventBridgeConfiguration":{"EventBridgeEnabled":true}}})",
                                 "Lake");
  const auto made = house_.create(k_bucket, request);
  const std::string bucket = request.physical_id;
  EXPECT_TRUE(bucket.starts_with("stack-lake-"));
  EXPECT_EQ(string_or(made.attributes, "Arn"), "arn:aws:s3:::" + bucket);
  EXPECT_EQ(string_or(made.attributes, "RegionalDomainName"),
            bucket + ".s3.us-east-1.amazonaws.com");
  house_.create(k_bucket, request);  // again, after a crash
  const auto notifications = house_.ask<GetBucketNotificationConfiguration>({.bucket = bucket});
  EXPECT_TRUE(notifications.event_bridge_configuration);
  EXPECT_EQ(house_.ask<GetBucketTagging>({.bucket = bucket}).tag_set.size(), 4U);
  EXPECT_TRUE(*house_.ask<GetPublicAccessBlock>({.bucket = bucket})
                   .public_access_block_configuration->block_public_acls);
  EXPECT_EQ(house_.ask<GetBucketEncryption>({.bucket = bucket})
                .server_side_encryption_configuration->rules.at(0)
                .apply_server_side_encryption_by_default->sse_algorithm,
            "aws:kms");

  house_.update(k_bucket, request, "{}");
  EXPECT_FALSE(house_.ask<GetBucketNotificationConfiguration>({.bucket = bucket})
                   .event_bridge_configuration);
  EXPECT_NE(house_.refusal<GetPublicAccessBlock>({.bucket = bucket}), "");
  house_.remove(k_bucket, request);
  house_.remove(k_bucket, request);
  EXPECT_NE(house_.refusal<HeadBucket>({.bucket = bucket}), "");
}

// There is no SQS in this house. With one: tests/compat/test_s3_notifications.py.
TEST_F(S3Resources, a_bucket_that_cannot_reach_its_queue_is_refused) {
  auto request = house_.resource(k_bucket, R"({
      "NotificationConfiguration":{"QueueConfigurations":[{"Event":"s3:ObjectCreated:*",
          "Queue":"arn:aws:sqs:us-east-1:000000000000:q"}]}})");
  try {
    house_.create(k_bucket, request);
    FAIL() << "a bucket that notifies nobody was made";
  } catch (const aws::ApiError& error) {
    EXPECT_EQ(error.code, "InvalidArgument");
    EXPECT_NE(error.message.find("destination configurations"), std::string::npos);
  }
}

TEST_F(S3Resources, a_bucket_of_others_is_not_taken_over) {
  house_.ask<CreateBucket>({.bucket = "theirs"});
  auto request = house_.resource(k_bucket, R"({"BucketName":"theirs"})");
  EXPECT_THROW(house_.create(k_bucket, request), aws::ApiError);
}

TEST_F(S3Resources, versioning_is_refused_by_name) {
  auto request = house_.resource(k_bucket, R"({"VersioningConfiguration":{"Status":"Enabled"}})");
  try {
    house_.create(k_bucket, request);
    FAIL() << "a versioned bucket was made";
  } catch (const aws::ApiError& error) {
    EXPECT_EQ(error.code, "NotImplemented");
    EXPECT_NE(error.message.find("VersioningConfiguration"), std::string::npos);
  }
  auto suspended =
      house_.resource(k_bucket, R"({"VersioningConfiguration":{"Status":"Suspended"}})");
  EXPECT_NO_THROW(house_.create(k_bucket, suspended));
}

TEST_F(S3Resources, a_policy_belongs_to_one_resource) {
  house_.ask<CreateBucket>({.bucket = "lake"});
  const std::string type = "AWS::S3::BucketPolicy";
  const auto properties = [](const char* action) {
    return std::string(R"({"Bucket":"lake","PolicyDocument":{"Version":"2012-10-17","Statement":[
        {"Effect":"Allow","Principal":"*","Action":")") +
           action + R"(","Resource":"arn:aws:s3:::lake/*"}]}})";
  };
  auto request = house_.resource(type, properties("s3:GetObject"));
  house_.create(type, request);
  house_.create(type, request);
  auto second = house_.resource(type, properties("s3:PutObject"), "Other");
  EXPECT_THROW(house_.create(type, second), aws::ApiError);
  house_.update(type, request, properties("s3:PutObject"));
  EXPECT_NE(house_.ask<GetBucketPolicy>({.bucket = "lake"}).policy->find("PutObject"),
            std::string::npos);
  house_.remove(type, request);
  EXPECT_NE(house_.refusal<GetBucketPolicy>({.bucket = "lake"}), "");
}

}  // namespace
}  // namespace tarn::s3
