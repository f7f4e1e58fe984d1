// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include <fmt/format.h>

#include "aws/s3/errors.hpp"
#include "base/strings.hpp"
#include "services/s3/service.hpp"

namespace tarn::s3 {
namespace {

// https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
bool valid_bucket_name(std::string_view name) {
  if (name.size() < 3 || name.size() > 63) return false;
  const auto alphanumeric = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
  if (!alphanumeric(name.front()) || !alphanumeric(name.back())) return false;
  for (const char c : name) {
    if (!alphanumeric(c) && c != '-' && c != '.') return false;
  }
  if (name.find("..") != std::string_view::npos) return false;
  if (name.starts_with("xn--") || name.ends_with("-s3alias")) return false;
  return !(std::ranges::count(name, '.') == 3 &&
           name.find_first_not_of("0123456789.") == std::string_view::npos);
}

}  // namespace

std::string bucket_arn(const std::string& bucket) { return "arn:aws:s3:::" + bucket; }
std::string object_arn(const std::string& bucket, const std::string& key) {
  return "arn:aws:s3:::" + bucket + "/" + key;
}
std::string quoted_etag(const std::string& etag) { return "\"" + etag + "\""; }

[[noreturn]] static void throw_no_such_bucket(const std::string& bucket) {
  throw NoSuchBucket("The specified bucket does not exist").with("BucketName", bucket);
}

BucketRecord require_bucket(kernel::Txn& txn, const std::string& bucket) {
  auto record = txn.find<BucketRecord>(bucket);
  if (!record) throw_no_such_bucket(bucket);
  return *std::move(record);
}

BucketRecord require_bucket_for_update(kernel::Txn& txn, const std::string& bucket) {
  auto record = txn.find_for_update<BucketRecord>(bucket);
  if (!record) throw_no_such_bucket(bucket);
  return *std::move(record);
}

void S3::require_owner(const std::string& bucket, const std::string& account) {
  auto txn = begin();
  const auto record = txn.peek<BucketRecord>(bucket);
  if (record && record->account != account) throw aws::access_denied("Access Denied");
}

std::optional<std::string> S3::policy_of(const std::string& bucket) {
  auto txn = begin();
  const auto record = txn.peek<BucketRecord>(bucket);
  if (!record || record->policy.empty()) return std::nullopt;
  return record->policy;
}

void S3::bucket_operations(platform::OpTable& t) {
  const auto arn = [](Call&, const auto& in) { return bucket_arn(in.bucket); };
  const auto policy = [this](Call&, const auto& in) { return policy_of(in.bucket); };
  t.op<CreateBucket>(&S3::create_bucket).on(arn);
  t.op<DeleteBucket>(&S3::delete_bucket).on(arn).resource_policy(policy);
  t.op<HeadBucket>(&S3::head_bucket).action("s3:ListBucket").on(arn).resource_policy(policy);
  t.op<ListBuckets>(&S3::list_buckets).action("s3:ListAllMyBuckets");
  t.op<GetBucketLocation>(&S3::get_bucket_location).on(arn).resource_policy(policy);
  t.op<GetBucketVersioning>(&S3::get_bucket_versioning).on(arn).resource_policy(policy);
}

CreateBucketOutput S3::create_bucket(Call& call, const CreateBucketInput& in) {
  if (!valid_bucket_name(in.bucket)) {
    aws::ApiError error("InvalidBucketName", "The specified bucket is not valid.");
    error.extra["BucketName"] = in.bucket;
    throw error;
  }
  if (in.object_lock_enabled_for_bucket.value_or(false)) {
    throw aws::not_implemented("s3", "CreateBucket with ObjectLockEnabledForBucket");
  }
  check_new_bucket_acl(in);
  std::string region = call.region();
  if (in.create_bucket_configuration && in.create_bucket_configuration->location_constraint) {
    region = *in.create_bucket_configuration->location_constraint;
    if (region == "EU") region = "eu-west-1";
    if (region != call.region()) {
      throw aws::ApiError("IllegalLocationConstraintException",
                          fmt::format("The {} location constraint is incompatible for the region "
                                      "specific endpoint this request was sent to.",
                                      region));
    }
  }
  auto txn = begin();
  if (const auto existing = txn.find_for_update<BucketRecord>(in.bucket)) {
    if (existing->account != call.account()) {
      throw BucketAlreadyExists(
          "The requested bucket name is not available. The bucket namespace is shared by all "
          "users of the system. Please select a different name and try again.")
          .with("BucketName", in.bucket);
    }
    // us-east-1 answers 200 for one's own bucket, the other regions 409.
    if (call.region() != "us-east-1" || existing->region != call.region()) {
      throw BucketAlreadyOwnedByYou(
          "Your previous request to create the named bucket succeeded and you already own it.")
          .with("BucketName", in.bucket);
    }
    return {.location = "/" + in.bucket};
  }
  BucketRecord record;
  record.name = in.bucket;
  record.account = call.account();
  record.region = region;
  record.created = call.now();
  if (in.create_bucket_configuration && in.create_bucket_configuration->tags) {
    for (const auto& tag : *in.create_bucket_configuration->tags) record.tags[tag.key] = tag.value;
  }
  if (in.object_ownership) {
    OwnershipControls controls;
    controls.rules.push_back({.object_ownership = *in.object_ownership});
    record.configurations["ownership"] = configuration_json(controls);
  }
  txn.put(record);
  txn.commit();
  return {.location = "/" + in.bucket};
}

DeleteBucketOutput S3::delete_bucket(Call&, const DeleteBucketInput& in) {
  auto txn = begin();
  require_bucket_for_update(txn, in.bucket);
  bool empty = true;
  txn.scan<ObjectRecord>(kernel::Key(in.bucket), {.limit = 1}, [&](auto&, const auto&) {
    empty = false;
    return false;
  });
  if (!empty) {
    throw aws::ApiError("BucketNotEmpty", "The bucket you tried to delete is not empty", 409);
  }
  // Unfinished uploads go with the bucket, as in AWS.
  std::vector<Body> bodies;
  for (const auto& upload : txn.list<UploadRecord>(kernel::Key(in.bucket))) {
    for (const auto& part : txn.list<PartRecord>(kernel::Key(upload.id))) {
      Body body;
      body.extents.push_back({part.blob, part.size});
      erase_body(txn, body);
      bodies.push_back(std::move(body));
      txn.erase<PartRecord>(upload.id, part.number);
    }
    txn.erase<UploadRecord>(in.bucket, upload.name, upload.id);
  }
  txn.erase<BucketRecord>(in.bucket);
  txn.commit();
  for (const auto& body : bodies) remove_blobs(environment_.blobs, body);
  return {};
}

HeadBucketOutput S3::head_bucket(Call& call, const HeadBucketInput& in) {
  auto txn = begin();
  const auto bucket = require_bucket(txn, in.bucket);
  // Also sent with errors by AWS: SDKs use it to find the right region.
  call.add_response_header("x-amz-bucket-region", bucket.region);
  return {.bucket_arn = bucket_arn(bucket.name), .access_point_alias = false};
}

ListBucketsOutput S3::list_buckets(Call& call, const ListBucketsInput& in) {
  auto txn = begin();
  ListBucketsOutput out;
  out.buckets.emplace();
  const auto max = static_cast<std::size_t>(in.max_buckets.value_or(10'000));
  kernel::Key prefix;
  if (in.prefix) prefix.add_open_prefix(*in.prefix);
  kernel::ScanOptions options;
  if (in.continuation_token) {
    const auto after = from_base64(*in.continuation_token);
    if (!after) {
      throw aws::ApiError("InvalidArgument", "The continuation token provided is incorrect");
    }
    options.after = kernel::Key(*after).bytes();
  }
  txn.scan<BucketRecord>(prefix, options, [&](BucketRecord& record, const std::string&) {
    if (record.account != call.account()) return true;
    if (in.bucket_region && record.region != *in.bucket_region) return true;
    if (out.buckets->size() == max) {
      out.continuation_token = to_base64(*out.buckets->back().name);
      return false;
    }
    out.buckets->push_back(
        {.name = record.name, .creation_date = record.created, .bucket_region = record.region});
    return true;
  });
  out.owner = Owner{.id = call.account()};
  out.prefix = in.prefix;
  return out;
}

GetBucketLocationOutput S3::get_bucket_location(Call&, const GetBucketLocationInput& in) {
  auto txn = begin();
  const auto bucket = require_bucket(txn, in.bucket);
  GetBucketLocationOutput out;
  // us-east-1 is the empty constraint.
  out.location_constraint = bucket.region == "us-east-1" ? "" : bucket.region;
  return out;
}

GetBucketVersioningOutput S3::get_bucket_versioning(Call&, const GetBucketVersioningInput& in) {
  auto txn = begin();
  require_bucket(txn, in.bucket);
  return {};  // never enabled
}

}  // namespace tarn::s3
