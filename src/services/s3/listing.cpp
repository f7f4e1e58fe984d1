// SPDX-License-Identifier: Apache-2.0
// Listings: one range scan, jumping over each common prefix instead of walking through it.
#include <algorithm>

#include "aws/s3/errors.hpp"
#include "base/strings.hpp"
#include "services/s3/service.hpp"

namespace tarn::s3 {
namespace {

struct Listing {
  std::vector<ObjectRecord> objects;
  std::vector<std::string> prefixes;
  bool truncated = false;
  std::string last;  // the key or prefix after which the next page begins
};

struct ListingRequest {
  std::string bucket, prefix, delimiter, after;
  std::size_t max = 1000;
};

// The scan position behind everything that begins with `prefix`: keys are UTF-8, so no key has FF.
std::string behind_prefix(const std::string& bucket, const std::string& prefix) {
  kernel::Key key(bucket);
  key.add_open_prefix(prefix);
  return key.bytes() + '\xff';
}

std::string start_position(const ListingRequest& request) {
  if (request.after.empty()) return {};
  // A page that ended with a common prefix goes on behind all of it.
  const auto& d = request.delimiter;
  if (!d.empty() && request.after.starts_with(request.prefix)) {
    const auto end = request.after.find(d, request.prefix.size());
    if (end != std::string::npos && end + d.size() == request.after.size()) {
      return behind_prefix(request.bucket, request.after);
    }
  }
  return kernel::Key(request.bucket, request.after).bytes();
}

Listing list(kernel::Txn& txn, const ListingRequest& request) {
  Listing result;
  kernel::Key prefix(request.bucket);
  prefix.add_open_prefix(request.prefix);
  std::string position = start_position(request);
  if (request.max == 0) return result;
  bool more = true;
  while (more && !result.truncated) {
    more = false;
    txn.scan<ObjectRecord>(
        prefix, {.after = position}, [&](ObjectRecord& object, const std::string&) {
          if (result.objects.size() + result.prefixes.size() == request.max) {
            result.truncated = true;
            return false;
          }
          const auto end = request.delimiter.empty()
                               ? std::string::npos
                               : object.name.find(request.delimiter, request.prefix.size());
          if (end == std::string::npos) {
            result.last = object.name;
            result.objects.push_back(std::move(object));
            return true;
          }
          result.prefixes.push_back(object.name.substr(0, end + request.delimiter.size()));
          result.last = result.prefixes.back();
          position = behind_prefix(request.bucket, result.last);
          more = true;
          return false;
        });
  }
  return result;
}

class Encoder {
 public:
  explicit Encoder(const std::optional<std::string>& type) : url_(type == "url") {
    if (type && *type != "url") {
      throw aws::ApiError("InvalidArgument", "Invalid Encoding Method specified in Request");
    }
  }
  std::string operator()(const std::string& text) const {
    return url_ ? uri_encode(text, true) : text;
  }

 private:
  bool url_;
};

std::vector<Object> shown_objects(const Listing& listing, const Encoder& encode,
                                  const std::optional<Owner>& owner) {
  std::vector<Object> objects;
  objects.reserve(listing.objects.size());
  for (const auto& record : listing.objects) {
    Object& object = objects.emplace_back();
    object.key = encode(record.name);
    object.last_modified = record.modified;
    object.e_tag = quoted_etag(record.etag);
    object.size = static_cast<std::int64_t>(record.body.size);
    object.storage_class = record.meta.storage_class;
    object.owner = owner;
    if (!record.checksums.empty()) {
      object.checksum_algorithm = std::vector<std::string>{record.checksums.begin()->first};
      object.checksum_type = record.checksum_type;
    }
  }
  return objects;
}

std::vector<CommonPrefix> shown_prefixes(const Listing& listing, const Encoder& encode) {
  std::vector<CommonPrefix> prefixes;
  for (const auto& prefix : listing.prefixes) prefixes.push_back({.prefix = encode(prefix)});
  return prefixes;
}

std::size_t page_size(std::optional<std::int32_t> max_keys) {
  if (max_keys && *max_keys < 0) {
    throw aws::ApiError("InvalidArgument",
                        "Argument maxKeys must be an integer between 0 and "
                        "2147483647");
  }
  return static_cast<std::size_t>(std::min(max_keys.value_or(1000), 1000));
}

// As answered: at most a thousand, whatever was asked.
std::int32_t shown_page_size(std::optional<std::int32_t> max_keys) {
  return static_cast<std::int32_t>(page_size(max_keys));
}

}  // namespace

void S3::listing_operations(platform::OpTable& t) {
  const auto arn = [](Call&, const auto& in) { return bucket_arn(in.bucket); };
  const auto policy = [this](Call&, const auto& in) { return policy_of(in.bucket); };
  const auto keys = [](Call&, const auto& in) {
    platform::ConditionKeys keys{{"s3:prefix", in.prefix.value_or("")}};
    if (in.delimiter) keys.emplace_back("s3:delimiter", *in.delimiter);
    if (in.max_keys) keys.emplace_back("s3:max-keys", std::to_string(*in.max_keys));
    return keys;
  };
  t.op<ListObjects>(&S3::list_objects)
      .action("s3:ListBucket")
      .on(arn)
      .condition_keys(keys)
      .resource_policy(policy);
  t.op<ListObjectsV2>(&S3::list_objects_v2)
      .action("s3:ListBucket")
      .on(arn)
      .condition_keys(keys)
      .resource_policy(policy);
  t.op<ListObjectVersions>(&S3::list_object_versions)
      .action("s3:ListBucketVersions")
      .on(arn)
      .condition_keys(keys)
      .resource_policy(policy);
}

ListObjectsOutput S3::list_objects(Call&, const ListObjectsInput& in) {
  const Encoder encode(in.encoding_type);
  auto txn = begin();
  const auto bucket = require_bucket(txn, in.bucket);
  const Listing listing = list(txn, {.bucket = in.bucket,
                                     .prefix = in.prefix.value_or(""),
                                     .delimiter = in.delimiter.value_or(""),
                                     .after = in.marker.value_or(""),
                                     .max = page_size(in.max_keys)});
  ListObjectsOutput out;
  out.name = in.bucket;
  out.prefix = encode(in.prefix.value_or(""));
  out.marker = encode(in.marker.value_or(""));
  if (in.delimiter) out.delimiter = encode(*in.delimiter);
  out.max_keys = shown_page_size(in.max_keys);
  out.encoding_type = in.encoding_type;
  out.is_truncated = listing.truncated;
  if (listing.truncated && in.delimiter) out.next_marker = encode(listing.last);
  auto objects = shown_objects(listing, encode, Owner{.id = bucket.account});
  if (!objects.empty()) out.contents = std::move(objects);
  auto prefixes = shown_prefixes(listing, encode);
  if (!prefixes.empty()) out.common_prefixes = std::move(prefixes);
  return out;
}

ListObjectsV2Output S3::list_objects_v2(Call&, const ListObjectsV2Input& in) {
  const Encoder encode(in.encoding_type);
  std::string after = in.start_after.value_or("");
  if (in.continuation_token) {
    const auto token = from_base64(*in.continuation_token);
    if (!token || token->empty()) {
      throw aws::ApiError("InvalidArgument", "The continuation token provided is incorrect");
    }
    after = *token;
  }
  auto txn = begin();
  const auto bucket = require_bucket(txn, in.bucket);
  const Listing listing = list(txn, {.bucket = in.bucket,
                                     .prefix = in.prefix.value_or(""),
                                     .delimiter = in.delimiter.value_or(""),
                                     .after = after,
                                     .max = page_size(in.max_keys)});
  ListObjectsV2Output out;
  out.name = in.bucket;
  out.prefix = encode(in.prefix.value_or(""));
  if (in.delimiter) out.delimiter = encode(*in.delimiter);
  out.max_keys = shown_page_size(in.max_keys);
  out.encoding_type = in.encoding_type;
  out.continuation_token = in.continuation_token;
  if (in.start_after) out.start_after = encode(*in.start_after);
  out.is_truncated = listing.truncated;
  out.key_count = static_cast<std::int32_t>(listing.objects.size() + listing.prefixes.size());
  if (listing.truncated) out.next_continuation_token = to_base64(listing.last);
  std::optional<Owner> owner;
  if (in.fetch_owner.value_or(false)) owner = Owner{.id = bucket.account};
  auto objects = shown_objects(listing, encode, owner);
  if (!objects.empty()) out.contents = std::move(objects);
  auto prefixes = shown_prefixes(listing, encode);
  if (!prefixes.empty()) out.common_prefixes = std::move(prefixes);
  return out;
}

// Nothing is versioned: every object is its only version, "null".
ListObjectVersionsOutput S3::list_object_versions(Call&, const ListObjectVersionsInput& in) {
  const Encoder encode(in.encoding_type);
  if (in.version_id_marker.value_or("") != "" && in.key_marker.value_or("").empty()) {
    throw aws::ApiError("InvalidArgument",
                        "A version-id marker cannot be specified without a key marker.");
  }
  auto txn = begin();
  const auto bucket = require_bucket(txn, in.bucket);
  const Listing listing = list(txn, {.bucket = in.bucket,
                                     .prefix = in.prefix.value_or(""),
                                     .delimiter = in.delimiter.value_or(""),
                                     .after = in.key_marker.value_or(""),
                                     .max = page_size(in.max_keys)});
  ListObjectVersionsOutput out;
  out.name = in.bucket;
  out.prefix = encode(in.prefix.value_or(""));
  out.key_marker = encode(in.key_marker.value_or(""));
  out.version_id_marker = in.version_id_marker.value_or("");
  if (in.delimiter) out.delimiter = encode(*in.delimiter);
  out.max_keys = shown_page_size(in.max_keys);
  out.encoding_type = in.encoding_type;
  out.is_truncated = listing.truncated;
  if (listing.truncated) {
    out.next_key_marker = encode(listing.last);
    const bool at_object = !listing.objects.empty() && listing.objects.back().name == listing.last;
    if (at_object) out.next_version_id_marker = "null";
  }
  std::vector<ObjectVersion> versions;
  for (auto& object : shown_objects(listing, encode, Owner{.id = bucket.account})) {
    versions.push_back({.e_tag = std::move(object.e_tag),
                        .checksum_algorithm = std::move(object.checksum_algorithm),
                        .checksum_type = std::move(object.checksum_type),
                        .size = object.size,
                        .storage_class = std::move(object.storage_class),
                        .key = std::move(object.key),
                        .version_id = "null",
                        .is_latest = true,
                        .last_modified = object.last_modified,
                        .owner = std::move(object.owner)});
  }
  if (!versions.empty()) out.versions = std::move(versions);
  auto prefixes = shown_prefixes(listing, encode);
  if (!prefixes.empty()) out.common_prefixes = std::move(prefixes);
  return out;
}

}  // namespace tarn::s3
