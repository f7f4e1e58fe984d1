// SPDX-License-Identifier: Apache-2.0
// Between S3's wide inputs and outputs and its records: headers, metadata, tags, checksums. Written
// once as templates over the generated structures, which repeat the same members many times.
#pragma once
#include <fmt/format.h>

#include "aws/error.hpp"
#include "base/strings.hpp"
#include "platform/request_body.hpp"
#include "services/s3/checksum.hpp"
#include "services/s3/records.hpp"

namespace tarn::kernel {
class Store;
}

namespace tarn::s3 {

void check_key(const std::string& key);               // KeyTooLongError
void check_tag_texts(const TextMap& tags);            // InvalidTag
void check_tags(const TextMap& tags);                 // and BadRequest: ten at most
void check_part_number(std::int32_t number);          // InvalidArgument
void check_storage_class(const std::string& name);    // InvalidStorageClass
void check_encryption(const std::string& algorithm);  // InvalidArgument
// A write may be conditional on "nothing is there" (*) only; other values AWS refuses too.
void check_if_none_match(const std::optional<std::string>& value);
TextMap parse_tagging(const std::optional<std::string>& tagging);  // "a=1&b=2"
void verify_content_md5(const std::optional<std::string>& given, const std::string& md5);
UploadRecord require_upload(kernel::Store& store, const std::string& bucket, const std::string& key,
                            const std::string& upload);

// Calls `visit(algorithm, member)` for each of the ten checksum members of a structure.
template <class T, class Visit>
void each_checksum(T& value, Visit visit) {
  visit("CRC32", value.checksum_crc32);
  visit("CRC32C", value.checksum_crc32_c);
  visit("CRC64NVME", value.checksum_crc64_nvme);
  visit("SHA1", value.checksum_sha1);
  visit("SHA256", value.checksum_sha256);
  visit("SHA512", value.checksum_sha512);
  visit("MD5", value.checksum_md5);
  visit("XXHASH64", value.checksum_xxhash64);
  visit("XXHASH3", value.checksum_xxhash3);
  visit("XXHASH128", value.checksum_xxhash128);
}

template <class Out>
void give_checksums(const TextMap& checksums, Out& out) {
  each_checksum(out, [&](const char* algorithm, auto& member) {
    const auto found = checksums.find(algorithm);
    if (found != checksums.end()) member = found->second;
  });
}

// What the client announced: by value, or by name with the value in the trailer.
struct WantedChecksums {
  std::vector<std::string> algorithms;
  TextMap given;
};

// One at most, and of its algorithm's length.
void check_given_checksums(const TextMap& given);

template <class In>
WantedChecksums wanted_checksums(const In& in) {
  WantedChecksums wanted;
  each_checksum(in, [&](const char* algorithm, const auto& member) {
    if (!member) return;
    wanted.algorithms.emplace_back(algorithm);
    wanted.given[algorithm] = *member;
  });
  check_given_checksums(wanted.given);
  if (in.checksum_algorithm && wanted.algorithms.empty()) {
    wanted.algorithms.push_back(*in.checksum_algorithm);
  }
  return wanted;
}

// The header x-amz-trailer announces by itself, and decides where x-amz-sdk-checksum-algorithm says
// something too.
void add_trailers(WantedChecksums& wanted, const aws::HttpRequest* request);

// Throws BadDigest when what was given, in a header or the trailer, is not what the bytes give.
void verify_checksums(const WantedChecksums& wanted, const ByteSource* body,
                      const TextMap& computed);

template <class Meta, class Visit>
void each_header(Meta& value, Visit visit) {
  visit("content-type", value.content_type);
  visit("cache-control", value.cache_control);
  visit("content-disposition", value.content_disposition);
  visit("content-encoding", value.content_encoding);
  visit("content-language", value.content_language);
  visit("expires", value.expires);
  visit("website-redirect-location", value.website_redirect_location);
}

template <class Out>
void give_headers(const ObjectMeta& meta, Out& out) {
  each_header(out, [&](const char* name, auto& member) {
    const auto found = meta.headers.find(name);
    if (found != meta.headers.end()) member = found->second;
  });
}

template <class In>
ObjectMeta take_meta(const In& in) {
  ObjectMeta meta;
  each_header(in, [&](const char* name, const auto& member) {
    if (member) meta.headers[name] = *member;
  });
  // aws-chunked is how it travelled, not how it is.
  const auto encoding = meta.headers.find("content-encoding");
  if (encoding != meta.headers.end()) {
    std::vector<std::string> kept;
    for (const auto& part : split(encoding->second, ',')) {
      if (trim(part) != "aws-chunked" && !trim(part).empty()) kept.emplace_back(trim(part));
    }
    if (kept.empty()) {
      meta.headers.erase(encoding);
    } else {
      encoding->second = join(kept, ",");
    }
  }
  if (!meta.headers.contains("content-type")) {
    meta.headers["content-type"] = "binary/octet-stream";
  }
  if (in.metadata) {
    std::size_t size = 0;
    for (const auto& [name, value] : *in.metadata) {
      meta.metadata[to_lower(name)] = value;
      size += name.size() + value.size();
    }
    if (size > 2048) {
      throw aws::ApiError("MetadataTooLarge",
                          "Your metadata headers exceed the maximum allowed metadata size");
    }
  }
  meta.tags = parse_tagging(in.tagging);
  if (in.storage_class) meta.storage_class = *in.storage_class;
  if (in.server_side_encryption) meta.encryption = *in.server_side_encryption;
  if (in.ssekms_key_id) meta.kms_key = *in.ssekms_key_id;
  return meta;
}

// What would be accepted and ignored otherwise is refused by name.
template <class In>
void refuse_unsupported(const In& in, const char* operation) {
  const auto refuse = [&](const char* what) {
    throw aws::not_implemented("s3", fmt::format("{} with {}", operation, what));
  };
  if (in.sse_customer_algorithm || in.sse_customer_key) refuse("SSE-C");
  if (in.object_lock_mode || in.object_lock_legal_hold_status) refuse("object lock");
  if (in.acl && *in.acl != "private" && *in.acl != "bucket-owner-full-control") refuse("ACLs");
  if (in.grant_read || in.grant_full_control || in.grant_read_acp) refuse("grants");
  if constexpr (requires { in.write_offset_bytes; }) {
    if (in.write_offset_bytes) refuse("WriteOffsetBytes");
  }
}

// The values that a new object may choose from.
template <class In>
void check_choices(const In& in) {
  if (in.storage_class) check_storage_class(*in.storage_class);
  if (in.server_side_encryption) check_encryption(*in.server_side_encryption);
  if constexpr (requires { in.if_none_match; }) check_if_none_match(in.if_none_match);
}

}  // namespace tarn::s3
