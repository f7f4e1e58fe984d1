// SPDX-License-Identifier: Apache-2.0
#include "services/s3/object_values.hpp"

#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "aws/s3/errors.hpp"
#include "kernel/store.hpp"

namespace tarn::s3 {

void check_key(const std::string& key) {
  if (key.size() > 1024) {
    aws::ApiError error("KeyTooLongError", "Your key is too long");
    error.extra["Size"] = static_cast<std::int64_t>(key.size());
    error.extra["MaxSizeAllowed"] = 1024;
    throw error;
  }
  if (!is_valid_utf8(key)) throw aws::ApiError("InvalidURI", "Couldn't parse the specified URI.");
}

namespace {

// Tags are counted in characters, not in bytes.
std::size_t characters(std::string_view utf8) {
  return static_cast<std::size_t>(
      std::ranges::count_if(utf8, [](char c) { return (c & 0xC0) != 0x80; }));
}

}  // namespace

void check_tag_texts(const TextMap& tags) {
  for (const auto& [key, value] : tags) {
    if (key.empty() || characters(key) > 128) {
      throw aws::ApiError("InvalidTag", "The TagKey you have provided is invalid");
    }
    if (characters(value) > 256) {
      throw aws::ApiError("InvalidTag", "The TagValue you have provided is invalid");
    }
  }
}

void check_tags(const TextMap& tags) {
  if (tags.size() > 10) {
    throw aws::ApiError("BadRequest", "Object tags cannot be greater than 10");
  }
  check_tag_texts(tags);
  for (const auto& [key, value] : tags) {
    if (!to_lower(key).starts_with("aws:")) continue;
    throw aws::ApiError("InvalidTag", "System tags cannot be added/updated by requester");
  }
}

void check_part_number(std::int32_t number) {
  if (number >= 1 && number <= 10'000) return;
  throw aws::ApiError("InvalidArgument",
                      "Part number must be an integer between 1 and 10000, inclusive");
}

void check_storage_class(const std::string& name) {
  static const std::set<std::string, std::less<>> k_names{
      "STANDARD",       "REDUCED_REDUNDANCY", "STANDARD_IA", "ONEZONE_IA", "INTELLIGENT_TIERING",
      "GLACIER",        "DEEP_ARCHIVE",       "GLACIER_IR",  "OUTPOSTS",   "SNOW",
      "EXPRESS_ONEZONE"};
  if (k_names.contains(name)) return;
  throw aws::ApiError("InvalidStorageClass", "The storage class you specified is not valid");
}

void check_encryption(const std::string& algorithm) {
  static const std::set<std::string, std::less<>> k_names{"AES256", "aws:kms", "aws:kms:dsse"};
  if (k_names.contains(algorithm)) return;
  aws::ApiError error("InvalidArgument", "The encryption method specified is not supported");
  error.extra["ArgumentName"] = "x-amz-server-side-encryption";
  error.extra["ArgumentValue"] = algorithm;
  throw error;
}

void check_if_none_match(const std::optional<std::string>& value) {
  if (!value || *value == "*") return;
  aws::ApiError error("NotImplemented",
                      "A header you provided implies functionality that is not implemented", 501);
  error.extra["Header"] = "If-None-Match";
  throw error;
}

void check_given_checksums(const TextMap& given) {
  if (given.size() > 1) {
    throw aws::ApiError("InvalidRequest",
                        "Expecting a single x-amz-checksum- header. Multiple checksum Types are "
                        "not allowed.");
  }
  for (const auto& [algorithm, value] : given) {
    const auto bytes = from_base64(value);
    if (bytes && bytes->size() == make_hasher(algorithm)->digest().size()) continue;
    throw aws::ApiError(
        "InvalidRequest",
        fmt::format("Value for x-amz-checksum-{} header is invalid.", to_lower(algorithm)));
  }
}

TextMap parse_tagging(const std::optional<std::string>& tagging) {
  TextMap tags;
  if (!tagging || tagging->empty()) return tags;
  for (const auto& part : split(*tagging, '&')) {
    const auto equals = part.find('=');
    const std::string key = uri_decode(part.substr(0, equals), true);
    const std::string value =
        equals == std::string::npos ? "" : uri_decode(part.substr(equals + 1), true);
    if (!tags.emplace(key, value).second) {
      throw aws::ApiError("InvalidArgument",
                          "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded "
                          "URL query parameters without tag name duplicates.");
    }
  }
  check_tags(tags);
  return tags;
}

void verify_content_md5(const std::optional<std::string>& given, const std::string& md5) {
  if (!given) return;
  const auto wanted = from_base64(*given);
  if (!wanted || wanted->size() != 16) {
    throw aws::ApiError("InvalidDigest", "The Content-MD5 you specified was invalid.");
  }
  if (*wanted != md5) {
    throw aws::ApiError("BadDigest",
                        "The Content-MD5 you specified did not match what we received.");
  }
}

void add_trailers(WantedChecksums& wanted, const aws::HttpRequest* request) {
  const auto announced = request ? request->header("x-amz-trailer") : std::nullopt;
  if (!announced || !wanted.given.empty()) return;
  std::vector<std::string> algorithms;
  for (const auto& part : split(*announced, ',')) {
    for (const auto& name : checksum_algorithms()) {
      if (to_lower(trim(part)) == "x-amz-checksum-" + to_lower(name)) algorithms.push_back(name);
    }
  }
  if (!algorithms.empty()) wanted.algorithms = std::move(algorithms);
}

void verify_checksums(const WantedChecksums& wanted, const ByteSource* body,
                      const TextMap& computed) {
  TextMap given = wanted.given;
  if (const auto* request = dynamic_cast<const platform::RequestBody*>(body)) {
    for (const auto& name : checksum_algorithms()) {
      const auto trailer =
          aws::find_header(request->trailers(), "x-amz-checksum-" + to_lower(name));
      if (trailer) given[name] = std::string(trim(*trailer));
    }
  }
  for (const auto& [name, value] : given) {
    const auto found = computed.find(name);
    if (found == computed.end()) {
      throw aws::ApiError("InvalidRequest",
                          fmt::format("The {} checksum in the trailer was not announced by "
                                      "x-amz-sdk-checksum-algorithm or x-amz-trailer.",
                                      name));
    }
    if (found->second != value) {
      throw aws::ApiError(
          "BadDigest",
          fmt::format("The {} you specified did not match the calculated checksum.", name));
    }
  }
}

UploadRecord require_upload(kernel::Store& store, const std::string& bucket, const std::string& key,
                            const std::string& upload) {
  auto txn = store.begin(k_all_buckets);
  if (!txn.peek<BucketRecord>(bucket)) {
    throw NoSuchBucket("The specified bucket does not exist").with("BucketName", bucket);
  }
  auto record = txn.peek<UploadRecord>(bucket, key, upload);
  if (!record) {
    throw NoSuchUpload(
        "The specified upload does not exist. The upload ID may be invalid, or the upload may "
        "have been aborted or completed.")
        .with("UploadId", upload);
  }
  return *std::move(record);
}

}  // namespace tarn::s3
