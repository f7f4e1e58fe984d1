// SPDX-License-Identifier: Apache-2.0
// Access control lists: there is one, which gives the owner everything. Putting it again is a
// success; others are refused by name.
#include <fmt/format.h>

#include "aws/s3/errors.hpp"
#include "services/s3/service.hpp"

namespace tarn::s3 {
namespace {

std::vector<Grant> owners_grants(const std::string& account) {
  return {Grant{.grantee = Grantee{.id = account, .type = "CanonicalUser"},
                .permission = "FULL_CONTROL"}};
}

template <class In>
bool has_grants(const In& in) {
  if constexpr (requires { in.grant_write; }) {
    if (in.grant_write) return true;
  }
  return in.grant_full_control || in.grant_read || in.grant_read_acp || in.grant_write_acp;
}

template <class In>
void require_owners_acl(const In& in, const std::string& account, const char* operation) {
  const auto refuse = [&](const std::string& what) {
    throw aws::not_implemented("s3", fmt::format("{} with {}", operation, what));
  };
  if (in.acl && *in.acl != "private" && *in.acl != "bucket-owner-full-control") {
    refuse("ACL " + *in.acl);
  }
  if (has_grants(in)) refuse("grants");
  if (!in.access_control_policy || !in.access_control_policy->grants) return;
  for (const auto& grant : *in.access_control_policy->grants) {
    const bool owners = grant.grantee && grant.grantee->id == account;
    if (!owners || grant.permission != "FULL_CONTROL") refuse("grants to others");
  }
}

}  // namespace

void check_new_bucket_acl(const CreateBucketInput& in) {
  const bool plain = in.acl.value_or("private") == "private" && !has_grants(in);
  if (plain) return;
  if (in.object_ownership.value_or("BucketOwnerEnforced") == "BucketOwnerEnforced") {
    throw aws::ApiError(
        "InvalidBucketAclWithObjectOwnership",
        "Bucket cannot have ACLs set with ObjectOwnership's BucketOwnerEnforced setting");
  }
  throw aws::not_implemented("s3", "CreateBucket with ACLs");
}

void S3::acl_operations(platform::OpTable& t) {
  const auto bucket = [](Call&, const auto& in) { return bucket_arn(in.bucket); };
  const auto object = [](Call&, const auto& in) { return object_arn(in.bucket, in.key); };
  const auto policy = [this](Call&, const auto& in) { return policy_of(in.bucket); };
  const char* note = "the owner's full control only";
  t.op<GetBucketAcl>(&S3::get_bucket_acl).on(bucket).resource_policy(policy);
  t.op<PutBucketAcl>(&S3::put_bucket_acl).on(bucket).resource_policy(policy).partial(note);
  t.op<GetObjectAcl>(&S3::get_object_acl).on(object).resource_policy(policy);
  t.op<PutObjectAcl>(&S3::put_object_acl).on(object).resource_policy(policy).partial(note);
}

GetBucketAclOutput S3::get_bucket_acl(Call&, const GetBucketAclInput& in) {
  auto txn = begin();
  const auto bucket = require_bucket(txn, in.bucket);
  return {.owner = Owner{.id = bucket.account}, .grants = owners_grants(bucket.account)};
}

PutBucketAclOutput S3::put_bucket_acl(Call&, const PutBucketAclInput& in) {
  auto txn = begin();
  require_owners_acl(in, require_bucket(txn, in.bucket).account, "PutBucketAcl");
  return {};
}

GetObjectAclOutput S3::get_object_acl(Call&, const GetObjectAclInput& in) {
  refuse_versions(in.version_id);
  auto txn = begin();
  const auto bucket = require_bucket(txn, in.bucket);
  if (!txn.peek<ObjectRecord>(in.bucket, in.key)) throw_no_such_key(in.key);
  return {.owner = Owner{.id = bucket.account}, .grants = owners_grants(bucket.account)};
}

PutObjectAclOutput S3::put_object_acl(Call&, const PutObjectAclInput& in) {
  refuse_versions(in.version_id);
  auto txn = begin();
  const auto bucket = require_bucket(txn, in.bucket);
  if (!txn.peek<ObjectRecord>(in.bucket, in.key)) throw_no_such_key(in.key);
  require_owners_acl(in, bucket.account, "PutObjectAcl");
  return {};
}

}  // namespace tarn::s3
