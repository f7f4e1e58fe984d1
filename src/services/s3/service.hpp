// SPDX-License-Identifier: Apache-2.0
// S3: buckets, objects, multipart uploads, listings, notifications. Thin handlers by noun:
// buckets.cpp, objects.cpp, multipart.cpp, listing.cpp; what lies below them: body.hpp (bytes),
// notifications.hpp (who hears of a change), object_access.hpp (the warehouse's view).
#pragma once
#include <memory>

#include "aws/s3/operations.hpp"
#include "platform/service.hpp"
#include "services/s3/body.hpp"
#include "services/s3/notifications.hpp"
#include "services/s3/records.hpp"

namespace tarn::s3 {

class S3 : public platform::ServiceOf<S3> {
 public:
  explicit S3(platform::Environment& environment);
  std::string_view name() const override { return "s3"; }
  void operations(platform::OpTable& t);
  void resources(platform::ResourceTypes& types) override;
  void start() override;
  // Whoever names the owner that a bucket must have is refused when it has another.
  template <class Input>
  void admit(platform::Call&, const Input& in) {
    if constexpr (requires { in.expected_bucket_owner; }) {
      if (in.expected_bucket_owner) require_owner(in.bucket, *in.expected_bucket_owner);
    }
  }

 private:
  using Call = platform::Call;
  using CallPtr = platform::CallPtr;
  void bucket_operations(platform::OpTable& t);
  void configuration_operations(platform::OpTable& t);
  void object_operations(platform::OpTable& t);
  void multipart_operations(platform::OpTable& t);
  void listing_operations(platform::OpTable& t);
  void unset_operations(platform::OpTable& t);
  void acl_operations(platform::OpTable& t);

  CreateBucketOutput create_bucket(Call&, const CreateBucketInput&);
  DeleteBucketOutput delete_bucket(Call&, const DeleteBucketInput&);
  HeadBucketOutput head_bucket(Call&, const HeadBucketInput&);
  ListBucketsOutput list_buckets(Call&, const ListBucketsInput&);
  GetBucketLocationOutput get_bucket_location(Call&, const GetBucketLocationInput&);
  GetBucketVersioningOutput get_bucket_versioning(Call&, const GetBucketVersioningInput&);

  Task<PutBucketNotificationConfigurationOutput> put_notifications(
      CallPtr, PutBucketNotificationConfigurationInput);
  GetBucketNotificationConfigurationOutput get_notifications(
      Call&, const GetBucketNotificationConfigurationInput&);
  PutBucketTaggingOutput put_bucket_tagging(Call&, const PutBucketTaggingInput&);
  GetBucketTaggingOutput get_bucket_tagging(Call&, const GetBucketTaggingInput&);
  DeleteBucketTaggingOutput delete_bucket_tagging(Call&, const DeleteBucketTaggingInput&);
  PutBucketPolicyOutput put_bucket_policy(Call&, const PutBucketPolicyInput&);
  GetBucketPolicyOutput get_bucket_policy(Call&, const GetBucketPolicyInput&);
  DeleteBucketPolicyOutput delete_bucket_policy(Call&, const DeleteBucketPolicyInput&);
  PutPublicAccessBlockOutput put_public_access_block(Call&, const PutPublicAccessBlockInput&);
  GetPublicAccessBlockOutput get_public_access_block(Call&, const GetPublicAccessBlockInput&);
  DeletePublicAccessBlockOutput delete_public_access_block(Call&,
                                                           const DeletePublicAccessBlockInput&);
  PutBucketEncryptionOutput put_encryption(Call&, const PutBucketEncryptionInput&);
  GetBucketEncryptionOutput get_encryption(Call&, const GetBucketEncryptionInput&);
  DeleteBucketEncryptionOutput delete_encryption(Call&, const DeleteBucketEncryptionInput&);
  PutBucketOwnershipControlsOutput put_ownership(Call&, const PutBucketOwnershipControlsInput&);
  GetBucketOwnershipControlsOutput get_ownership(Call&, const GetBucketOwnershipControlsInput&);
  DeleteBucketOwnershipControlsOutput delete_ownership(Call&,
                                                       const DeleteBucketOwnershipControlsInput&);

  // unset_configurations.cpp: what no bucket can have reads as not set.
  template <class Op>
  typename Op::Output unset(Call&, const typename Op::Input&);

  Task<PutObjectOutput> put_object(CallPtr, PutObjectInput);
  GetObjectOutput get_object(Call&, const GetObjectInput&);
  HeadObjectOutput head_object(Call&, const HeadObjectInput&);
  DeleteObjectOutput delete_object(Call&, const DeleteObjectInput&);
  DeleteObjectsOutput delete_objects(Call&, const DeleteObjectsInput&);
  Task<CopyObjectOutput> copy_object(CallPtr, CopyObjectInput);
  GetObjectTaggingOutput get_object_tagging(Call&, const GetObjectTaggingInput&);
  PutObjectTaggingOutput put_object_tagging(Call&, const PutObjectTaggingInput&);
  DeleteObjectTaggingOutput delete_object_tagging(Call&, const DeleteObjectTaggingInput&);
  GetObjectAttributesOutput get_object_attributes(Call&, const GetObjectAttributesInput&);

  GetBucketAclOutput get_bucket_acl(Call&, const GetBucketAclInput&);
  PutBucketAclOutput put_bucket_acl(Call&, const PutBucketAclInput&);
  GetObjectAclOutput get_object_acl(Call&, const GetObjectAclInput&);
  PutObjectAclOutput put_object_acl(Call&, const PutObjectAclInput&);

  CreateMultipartUploadOutput create_multipart(Call&, const CreateMultipartUploadInput&);
  Task<UploadPartOutput> upload_part(CallPtr, UploadPartInput);
  Task<UploadPartCopyOutput> upload_part_copy(CallPtr, UploadPartCopyInput);
  CompleteMultipartUploadOutput complete_multipart(Call&, const CompleteMultipartUploadInput&);
  AbortMultipartUploadOutput abort_multipart(Call&, const AbortMultipartUploadInput&);
  ListPartsOutput list_parts(Call&, const ListPartsInput&);
  ListMultipartUploadsOutput list_multipart_uploads(Call&, const ListMultipartUploadsInput&);

  ListObjectsOutput list_objects(Call&, const ListObjectsInput&);
  ListObjectsV2Output list_objects_v2(Call&, const ListObjectsV2Input&);
  ListObjectVersionsOutput list_object_versions(Call&, const ListObjectVersionsInput&);

  // Throws AccessDenied for a bucket of another account; one that is missing is not its matter.
  void require_owner(const std::string& bucket, const std::string& account);
  kernel::Txn begin() { return environment_.store.begin(k_all_buckets); }
  // The bucket's policy, for rows of buckets and objects.
  std::optional<std::string> policy_of(const std::string& bucket);
  void store_part(const UploadRecord& upload, std::int32_t number, Intake& intake);

  platform::Environment& environment_;
  kernel::Store& store_;
  Notifications notifications_;
};

// Shared by the files above.
BucketRecord require_bucket(kernel::Txn& txn, const std::string& bucket);
BucketRecord require_bucket_for_update(kernel::Txn& txn, const std::string& bucket);
std::string bucket_arn(const std::string& bucket);
std::string object_arn(const std::string& bucket, const std::string& key);
std::string quoted_etag(const std::string& etag);
[[noreturn]] void throw_no_such_key(const std::string& key);
void refuse_versions(const std::optional<std::string>& version);  // there is only "null"
void check_new_bucket_acl(const CreateBucketInput& in);
Json configuration_json(const OwnershipControls& controls);  // as bucket records keep it

// Replaces or makes the object: conditions, old body, rows, event. The caller commits, and after
// that calls `remove_blobs` on the body that is returned.
struct WriteConditions {
  std::optional<std::string> if_match, if_none_match;
};
Body write_object(kernel::Txn& txn, platform::Call& call, const BucketRecord& bucket,
                  const ObjectRecord& object, const WriteConditions& conditions,
                  std::string_view event, std::string_view reason);

}  // namespace tarn::s3
