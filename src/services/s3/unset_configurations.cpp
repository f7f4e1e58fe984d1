// SPDX-License-Identifier: Apache-2.0
// Sub-resources that no bucket of Tarn can have, because putting them is refused by name: reading
// one answers what AWS answers where none was set, and removing one removes nothing. Terraform,
// CDK's custom resources and the SDKs' tools ask for all of them.
#include "aws/s3/errors.hpp"
#include "services/s3/service.hpp"

namespace tarn::s3 {
namespace {

struct Unset {
  const char *code = nullptr, *text = nullptr;
  int status = 404;
};

template <class Op>
constexpr Unset k_unset{};  // without a code the answer is an empty success
template <>
constexpr Unset k_unset<GetBucketCors>{"NoSuchCORSConfiguration",
                                       "The CORS configuration does not exist"};
template <>
constexpr Unset k_unset<GetBucketWebsite>{
    "NoSuchWebsiteConfiguration", "The specified bucket does not have a website configuration"};
template <>
constexpr Unset k_unset<GetBucketLifecycleConfiguration>{
    "NoSuchLifecycleConfiguration", "The lifecycle configuration does not exist"};
template <>
constexpr Unset k_unset<GetBucketReplication>{"ReplicationConfigurationNotFoundError",
                                              "The replication configuration was not found"};
template <>
constexpr Unset k_unset<GetObjectLockConfiguration>{
    "ObjectLockConfigurationNotFoundError",
    "Object Lock configuration does not exist for this bucket"};
template <>
constexpr Unset k_unset<GetObjectLegalHold>{"InvalidRequest",
                                            "Bucket is missing Object Lock Configuration", 400};
template <>
constexpr Unset k_unset<GetObjectRetention>{"InvalidRequest",
                                            "Bucket is missing Object Lock Configuration", 400};

}  // namespace

template <class Op>
typename Op::Output S3::unset(Call&, const typename Op::Input& in) {
  auto txn = begin();
  const auto bucket = require_bucket(txn, in.bucket);
  constexpr Unset answer = k_unset<Op>;
  if (answer.code) {
    aws::ApiError error(answer.code, answer.text, answer.status);
    error.extra["BucketName"] = bucket.name;
    throw error;
  }
  typename Op::Output out;
  if constexpr (requires { out.payer; }) out.payer = "BucketOwner";
  if constexpr (requires { out.is_truncated; }) out.is_truncated = false;
  return out;
}

void S3::unset_operations(platform::OpTable& t) {
  const auto policy = [this](Call&, const auto& in) { return policy_of(in.bucket); };
  const auto row = [&](auto builder, const char* action) {
    builder.action(action).resource_policy(policy).on([](Call&, const auto& in) {
      if constexpr (requires { in.key; }) return object_arn(in.bucket, in.key);
      return bucket_arn(in.bucket);
    });
  };
  row(t.op<GetBucketCors>(&S3::unset<GetBucketCors>), "s3:GetBucketCORS");
  row(t.op<DeleteBucketCors>(&S3::unset<DeleteBucketCors>), "s3:PutBucketCORS");
  row(t.op<GetBucketWebsite>(&S3::unset<GetBucketWebsite>), "s3:GetBucketWebsite");
  row(t.op<DeleteBucketWebsite>(&S3::unset<DeleteBucketWebsite>), "s3:DeleteBucketWebsite");
  row(t.op<GetBucketLifecycleConfiguration>(&S3::unset<GetBucketLifecycleConfiguration>),
      "s3:GetLifecycleConfiguration");
  row(t.op<DeleteBucketLifecycle>(&S3::unset<DeleteBucketLifecycle>),
      "s3:PutLifecycleConfiguration");
  row(t.op<GetBucketReplication>(&S3::unset<GetBucketReplication>),
      "s3:GetReplicationConfiguration");
  row(t.op<DeleteBucketReplication>(&S3::unset<DeleteBucketReplication>),
      "s3:PutReplicationConfiguration");
  row(t.op<GetBucketAccelerateConfiguration>(&S3::unset<GetBucketAccelerateConfiguration>),
      "s3:GetAccelerateConfiguration");
  row(t.op<GetBucketRequestPayment>(&S3::unset<GetBucketRequestPayment>),
      "s3:GetBucketRequestPayment");
  row(t.op<GetBucketLogging>(&S3::unset<GetBucketLogging>), "s3:GetBucketLogging");
  row(t.op<GetObjectLockConfiguration>(&S3::unset<GetObjectLockConfiguration>),
      "s3:GetBucketObjectLockConfiguration");
  row(t.op<GetObjectLegalHold>(&S3::unset<GetObjectLegalHold>), "s3:GetObjectLegalHold");
  row(t.op<GetObjectRetention>(&S3::unset<GetObjectRetention>), "s3:GetObjectRetention");
  row(t.op<ListBucketAnalyticsConfigurations>(&S3::unset<ListBucketAnalyticsConfigurations>),
      "s3:GetAnalyticsConfiguration");
  row(t.op<ListBucketInventoryConfigurations>(&S3::unset<ListBucketInventoryConfigurations>),
      "s3:GetInventoryConfiguration");
  row(t.op<ListBucketMetricsConfigurations>(&S3::unset<ListBucketMetricsConfigurations>),
      "s3:GetMetricsConfiguration");
  row(t.op<ListBucketIntelligentTieringConfigurations>(
          &S3::unset<ListBucketIntelligentTieringConfigurations>),
      "s3:GetIntelligentTieringConfiguration");
}

}  // namespace tarn::s3
