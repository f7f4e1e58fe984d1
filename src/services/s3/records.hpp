// SPDX-License-Identifier: Apache-2.0
// S3's durable records. Bucket names belong to all accounts, so buckets and all that is in them
// stand in the scope of none; the record says whose a bucket is.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "kernel/record.hpp"

namespace tarn::s3 {

inline const kernel::Scope k_all_buckets{"", ""};
using TextMap = std::map<std::string, std::string>;

struct BucketRecord {
  static constexpr kernel::RecordKind k_kind{"s3", "bucket", 1};
  std::string name, account, region;
  Timestamp created{};
  TextMap tags;
  std::string policy;  // JSON text or empty
  Json notifications;  // SDK-shaped NotificationConfiguration, null when none
  // Other sub-resources that are kept and returned, by name ("encryption"), SDK-shaped.
  std::map<std::string, Json> configurations;
  auto key() const { return kernel::Key(name); }
  void fields(auto& f) {
    f(name, account, region, created, tags, policy, notifications, configurations);
  }
};

// A piece of an object's bytes: a whole blob.
struct Extent {
  std::string blob;
  std::uint64_t size = 0;
  void fields(auto& f) { f(blob, size); }
};

// Where an object's bytes are: in a row of their own (small), or in blobs, one after the other.
struct Body {
  std::uint64_t size = 0;
  std::string inline_id;
  std::vector<Extent> extents;
  void fields(auto& f) { f(size, inline_id, extents); }
};

struct BodyRecord {
  static constexpr kernel::RecordKind k_kind{"s3", "body", 1, kernel::Family::bodies};
  std::string id, bytes;
  auto key() const { return kernel::Key(id); }
  void fields(auto& f) { f(id, bytes); }
};

// Says that a blob is wanted; what has none is swept at start.
struct BlobUse {
  static constexpr kernel::RecordKind k_kind{"s3", "blob-use", 1};
  std::string blob;
  auto key() const { return kernel::Key(blob); }
  void fields(auto& f) { f(blob); }
};

// What an upload says of an object beside its bytes.
struct ObjectMeta {
  TextMap headers;   // content-type, cache-control, … as given
  TextMap metadata;  // x-amz-meta-…, without the prefix
  TextMap tags;
  std::string storage_class = "STANDARD";
  std::string encryption = "AES256", kms_key;
  void fields(auto& f) { f(headers, metadata, tags, storage_class, encryption, kms_key); }
};

struct PartInfo {
  std::int32_t number = 0;
  std::uint64_t size = 0;
  TextMap checksums;
  void fields(auto& f) { f(number, size, checksums); }
};

struct ObjectRecord {
  static constexpr kernel::RecordKind k_kind{"s3", "object", 2};
  std::string bucket, name;
  Body body;
  std::string etag;  // without quotes
  Timestamp modified{};
  ObjectMeta meta;
  TextMap checksums;            // "CRC32" → base64 (with -N when composite)
  std::string checksum_type;    // FULL_OBJECT | COMPOSITE
  std::vector<PartInfo> parts;  // of a multipart upload
  std::string upload_id;        // that upload's
  auto key() const { return kernel::Key(bucket, name); }
  void fields(auto& f) {
    f(bucket, name, body, etag, modified, meta, checksums, checksum_type, parts);
    if (f.since(2)) f(upload_id);
  }
};

struct UploadRecord {
  static constexpr kernel::RecordKind k_kind{"s3", "upload", 1};
  std::string bucket, name, id, account, initiator;
  Timestamp initiated{};
  ObjectMeta meta;
  std::string checksum_algorithm, checksum_type;
  auto key() const { return kernel::Key(bucket, name, id); }
  void fields(auto& f) {
    f(bucket, name, id, account, initiator, initiated, meta, checksum_algorithm, checksum_type);
  }
};

struct PartRecord {
  static constexpr kernel::RecordKind k_kind{"s3", "part", 1};
  std::string upload;
  std::int32_t number = 0;
  std::string blob;
  std::uint64_t size = 0;
  std::string etag;
  Timestamp modified{};
  TextMap checksums;
  auto key() const { return kernel::Key(upload, number); }
  void fields(auto& f) { f(upload, number, blob, size, etag, modified, checksums); }
};

}  // namespace tarn::s3
