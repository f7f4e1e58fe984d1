// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "aws/s3/errors.hpp"
#include "base/strings.hpp"
#include "platform/registry.hpp"
#include "platform/request_body.hpp"
#include "services/s3/checksum.hpp"
#include "services/s3/object_values.hpp"
#include "services/s3/service.hpp"

namespace tarn::s3 {
namespace {

constexpr std::uint64_t k_single_put_max = 5ULL << 30;
constexpr std::size_t k_delete_max = 1000;

[[noreturn]] void throw_precondition(const char* condition) {
  aws::ApiError error("PreconditionFailed",
                      "At least one of the pre-conditions you specified did not hold", 412);
  error.extra["Condition"] = condition;
  throw error;
}

bool etag_matches(const std::string& list, const std::string& etag) {
  for (const auto& part : split(list, ',')) {
    std::string_view tag = trim(part);
    if (tag == "*") return true;
    if (tag.starts_with("W/")) tag.remove_prefix(2);
    if (tag.size() >= 2 && tag.front() == '"') tag = tag.substr(1, tag.size() - 2);
    if (tag == etag) return true;
  }
  return false;
}

Timestamp whole_seconds(Timestamp time) { return std::chrono::floor<std::chrono::seconds>(time); }

// RFC 7232 in S3's order; throws PreconditionFailed, returns true for "not modified".
template <class In>
bool not_modified(const In& in, const ObjectRecord& object) {
  const Timestamp modified = whole_seconds(object.modified);
  if (in.if_match) {
    if (!etag_matches(*in.if_match, object.etag)) throw_precondition("If-Match");
  } else if (in.if_unmodified_since && modified > *in.if_unmodified_since) {
    throw_precondition("If-Unmodified-Since");
  }
  if (in.if_none_match) return etag_matches(*in.if_none_match, object.etag);
  return in.if_modified_since && modified <= *in.if_modified_since;
}

struct Range {
  std::uint64_t offset = 0, length = 0;
  bool partial = false;
};

// "bytes=0-9", "bytes=5-", "bytes=-5"; several ranges or another unit give the whole, as in S3.
Range parse_range(const std::optional<std::string>& text, std::uint64_t size) {
  const Range whole{0, size, false};
  if (!text || !text->starts_with("bytes=")) return whole;
  const std::string spec = text->substr(6);
  const auto dash = spec.find('-');
  if (dash == std::string::npos || spec.find(',') != std::string::npos) return whole;
  const auto first = parse_uint(spec.substr(0, dash));
  const auto last = parse_uint(spec.substr(dash + 1));
  const auto unsatisfiable = [&] {
    aws::ApiError error("InvalidRange", "The requested range is not satisfiable", 416);
    error.extra["RangeRequested"] = *text;
    error.extra["ActualObjectSize"] = static_cast<std::int64_t>(size);
    error.headers.emplace_back("content-range", fmt::format("bytes */{}", size));
    throw error;
  };
  if (dash == 0) {  // the last n bytes
    if (!last) return whole;
    if (*last == 0 || size == 0) unsatisfiable();
    const auto length = std::min(*last, size);
    return {size - length, length, true};
  }
  if (!first || (dash + 1 < spec.size() && !last) || (last && *last < *first)) return whole;
  if (*first >= size) unsatisfiable();
  const auto end = last ? std::min(*last + 1, size) : size;
  return {*first, end - *first, true};
}

// Of UploadPartCopy, which wants both ends, within the source.
Range parse_copy_range(const std::optional<std::string>& text, std::uint64_t size) {
  if (!text) return {0, size, false};
  const auto dash = text->find('-');
  const bool bytes = text->starts_with("bytes=") && dash != std::string::npos;
  const auto first = bytes ? parse_uint(text->substr(6, dash - 6)) : std::nullopt;
  const auto last = bytes ? parse_uint(text->substr(dash + 1)) : std::nullopt;
  const auto refuse = [&](std::string reason) {
    aws::ApiError error("InvalidArgument", std::move(reason));
    error.extra["ArgumentName"] = "x-amz-copy-source-range";
    error.extra["ArgumentValue"] = *text;
    throw error;
  };
  if (!first || !last || *last < *first) {
    refuse(
        "The x-amz-copy-source-range value must be of the form bytes=first-last where first and "
        "last are the zero-based offsets of the first and last bytes to copy");
  }
  if (*last >= size) {
    refuse(fmt::format("Range specified is not valid for source object of size: {}", size));
  }
  return {*first, *last + 1 - *first, true};
}

Range part_range(const ObjectRecord& object, std::int32_t number) {
  if (object.parts.empty() && number == 1) return {0, object.body.size, true};
  std::uint64_t offset = 0;
  for (const auto& part : object.parts) {
    if (part.number == number) return {offset, part.size, true};
    offset += part.size;
  }
  aws::ApiError error("InvalidPartNumber", "The requested partnumber is not satisfiable", 416);
  error.extra["ActualPartCount"] =
      static_cast<std::int64_t>(std::max<std::size_t>(object.parts.size(), 1));
  throw error;
}

// What GetObject and HeadObject say alike.
template <class Out, class In>
Out describe(platform::Call& call, const ObjectRecord& object, const In& in, Range& range) {
  if (in.part_number && in.range) {
    throw aws::ApiError("InvalidRequest",
                        "Cannot specify both Range header and partNumber query parameter");
  }
  Out out;
  range = in.part_number ? part_range(object, *in.part_number)
                         : parse_range(in.range, object.body.size);
  out.accept_ranges = "bytes";
  out.last_modified = object.modified;
  out.content_length = static_cast<std::int64_t>(range.length);
  out.e_tag = quoted_etag(object.etag);
  out.metadata = object.meta.metadata;
  out.server_side_encryption = object.meta.encryption;
  if (!object.meta.kms_key.empty()) out.ssekms_key_id = object.meta.kms_key;
  if (object.meta.storage_class != "STANDARD") out.storage_class = object.meta.storage_class;
  if (!object.meta.tags.empty()) {
    out.tag_count = static_cast<std::int32_t>(object.meta.tags.size());
  }
  give_headers(object.meta, out);
  if (range.partial && range.length > 0) {
    out.content_range = fmt::format("bytes {}-{}/{}", range.offset, range.offset + range.length - 1,
                                    object.body.size);
  }
  if (range.partial) call.set_response_status(206);
  if (in.part_number && !object.parts.empty()) {
    out.parts_count = static_cast<std::int32_t>(object.parts.size());
  }
  // The checksum is of the whole object: with a range it would mislead the client.
  const bool whole = range.length == object.body.size;
  if (in.checksum_mode == "ENABLED" && whole) {
    give_checksums(object.checksums, out);
    if (!object.checksum_type.empty()) out.checksum_type = object.checksum_type;
  }
  if (in.response_content_type) out.content_type = in.response_content_type;
  if (in.response_cache_control) out.cache_control = in.response_cache_control;
  if (in.response_content_disposition) out.content_disposition = in.response_content_disposition;
  if (in.response_content_encoding) out.content_encoding = in.response_content_encoding;
  if (in.response_content_language) out.content_language = in.response_content_language;
  if (in.response_expires) out.expires = http_date(*in.response_expires);
  return out;
}

ObjectRecord require_object(kernel::Txn& txn, const std::string& bucket, const std::string& key) {
  auto object = txn.peek<ObjectRecord>(bucket, key);
  if (!object) throw_no_such_key(key);
  return *std::move(object);
}

struct CopySource {
  std::string bucket, key;
};

CopySource parse_copy_source(const std::string& text) {
  constexpr std::string_view k_version = "?versionId=";
  const auto version = text.find(k_version);
  if (version != std::string::npos) refuse_versions(text.substr(version + k_version.size()));
  std::string path = uri_decode(text.substr(0, version));
  if (path.starts_with("/")) path = path.substr(1);
  const auto slash = path.find('/');
  if (slash == std::string::npos || slash + 1 == path.size()) {
    throw aws::ApiError("InvalidArgument",
                        "Copy Source must mention the source bucket and key: "
                        "sourcebucket/sourcekey");
  }
  return {path.substr(0, slash), path.substr(slash + 1)};
}

template <class In>
void check_copy_conditions(const In& in, const ObjectRecord& source) {
  const Timestamp modified = whole_seconds(source.modified);
  if (in.copy_source_if_match && !etag_matches(*in.copy_source_if_match, source.etag)) {
    throw_precondition("x-amz-copy-source-If-Match");
  }
  if (in.copy_source_if_none_match && etag_matches(*in.copy_source_if_none_match, source.etag)) {
    throw_precondition("x-amz-copy-source-If-None-Match");
  }
  if (!in.copy_source_if_match && in.copy_source_if_unmodified_since &&
      modified > *in.copy_source_if_unmodified_since) {
    throw_precondition("x-amz-copy-source-If-Unmodified-Since");
  }
  if (!in.copy_source_if_none_match && in.copy_source_if_modified_since &&
      modified <= *in.copy_source_if_modified_since) {
    throw_precondition("x-amz-copy-source-If-Modified-Since");
  }
}

// An object and a stream over its bytes, consistent with each other.
struct Opened {
  ObjectRecord object;
  std::string inline_bytes;
};

std::optional<Opened> try_open(kernel::Txn& txn, const std::string& bucket,
                               const std::string& key) {
  Opened opened{require_object(txn, bucket, key), {}};
  if (!opened.object.body.inline_id.empty()) {
    auto row = txn.peek<BodyRecord>(opened.object.body.inline_id);
    if (!row) return std::nullopt;  // replaced between the two reads
    opened.inline_bytes = std::move(row->bytes);
  }
  return opened;
}

Opened open_object(kernel::Store& store, const std::string& bucket, const std::string& key) {
  for (int attempt = 0; attempt < 8; ++attempt) {
    auto txn = store.begin(k_all_buckets);
    if (!txn.peek<BucketRecord>(bucket)) require_bucket(txn, bucket);
    if (auto opened = try_open(txn, bucket, key)) return *std::move(opened);
  }
  throw kernel::Conflict("the object changes faster than it can be read");
}

// Gives `use` an object whose blobs can be opened: when they cannot, because the object was
// replaced after its record was read, once more with the new one.
template <class Use>
auto read_object(kernel::Store& store, const std::string& bucket, const std::string& key, Use use) {
  for (int attempt = 1;; ++attempt) {
    Opened opened = open_object(store, bucket, key);
    const auto extents = opened.object.body.extents;
    try {
      return use(opened);
    } catch (const kernel::StorageFailure&) {
      const auto now = open_object(store, bucket, key).object.body.extents;
      const bool same = std::ranges::equal(extents, now, {}, &Extent::blob, &Extent::blob);
      if (same || attempt == kernel::Store::k_attempts_max) throw;
    }
  }
}

}  // namespace

void refuse_versions(const std::optional<std::string>& version) {
  if (version && *version != "null") {
    throw aws::ApiError("InvalidArgument", "Invalid version id specified");
  }
}

[[noreturn]] void throw_no_such_key(const std::string& key) {
  throw NoSuchKey("The specified key does not exist.").with("Key", key);
}

void S3::object_operations(platform::OpTable& t) {
  const auto arn = [](Call&, const auto& in) { return object_arn(in.bucket, in.key); };
  const auto policy = [this](Call&, const auto& in) { return policy_of(in.bucket); };
  t.op<PutObject>(&S3::put_object).on(arn).resource_policy(policy);
  t.op<GetObject>(&S3::get_object).on(arn).resource_policy(policy);
  t.op<HeadObject>(&S3::head_object).action("s3:GetObject").on(arn).resource_policy(policy);
  t.op<DeleteObject>(&S3::delete_object).on(arn).resource_policy(policy);
  // Each key is judged by itself, in the handler.
  t.op<DeleteObjects>(&S3::delete_objects).no_authorization();
  t.op<CopyObject>(&S3::copy_object).action("s3:PutObject").on(arn).resource_policy(policy);
  t.op<GetObjectTagging>(&S3::get_object_tagging).on(arn).resource_policy(policy);
  t.op<PutObjectTagging>(&S3::put_object_tagging).on(arn).resource_policy(policy);
  t.op<DeleteObjectTagging>(&S3::delete_object_tagging).on(arn).resource_policy(policy);
  t.op<GetObjectAttributes>(&S3::get_object_attributes).on(arn).resource_policy(policy);
}

static ObjectChange change_by(const platform::Call& call, std::string_view event,
                              std::string_view reason, const std::string& key, Timestamp time) {
  ObjectChange change;
  change.event = event;
  change.reason = reason;
  change.key = key;
  change.time = time;
  change.requester = call.account();
  change.source_ip = call.origin().source_ip;
  change.request_id = call.request_id();
  change.sequencer = fmt::format("{:018X}", to_micros(time));
  return change;
}

Body write_object(kernel::Txn& txn, platform::Call& call, const BucketRecord& bucket,
                  const ObjectRecord& object, const WriteConditions& conditions,
                  std::string_view event, std::string_view reason) {
  const auto existing = txn.find_for_update<ObjectRecord>(object.bucket, object.name);
  if (conditions.if_none_match && existing) throw_precondition("If-None-Match");
  if (conditions.if_match) {
    if (!existing) throw_no_such_key(object.name);
    if (!etag_matches(*conditions.if_match, existing->etag)) throw_precondition("If-Match");
  }
  Body old;
  if (existing) {
    old = existing->body;
    erase_body(txn, old);
  }
  txn.put(object);
  ObjectChange change = change_by(call, event, reason, object.name, object.modified);
  change.etag = object.etag;
  change.size = object.body.size;
  Notifications::emit(txn, bucket, std::move(change));
  return old;
}

Task<PutObjectOutput> S3::put_object(CallPtr call, PutObjectInput in) {
  check_key(in.key);
  refuse_unsupported(in, "PutObject");
  check_choices(in);
  {
    auto txn = begin();
    if (!txn.peek<BucketRecord>(in.bucket)) require_bucket(txn, in.bucket);
  }
  const auto size = in.body ? in.body->size() : std::optional<std::uint64_t>(0);
  if (size && *size > k_single_put_max) {
    throw aws::ApiError("EntityTooLarge",
                        "Your proposed upload exceeds the maximum allowed object size.");
  }
  WantedChecksums wanted = wanted_checksums(in);
  add_trailers(wanted, call->http());
  IntakeOptions options{.algorithms = wanted.algorithms};
  ByteSourcePtr body = in.body;
  Intake intake = co_await take_body(environment_.blobs, environment_.random, body, options);
  verify_content_md5(in.content_md5, intake.md5);
  verify_checksums(wanted, body.get(), intake.checksums);

  ObjectRecord object;
  object.bucket = in.bucket;
  object.name = in.key;
  object.body = intake.body;
  object.etag = to_hex(intake.md5);
  object.modified = call->now();
  object.meta = take_meta(in);
  object.checksums = intake.checksums;
  object.checksum_type = intake.checksums.empty() ? "" : "FULL_OBJECT";
  const WriteConditions conditions{in.if_match, in.if_none_match};
  const Body old = store_.transact(k_all_buckets, [&](kernel::Txn& txn) {
    const auto bucket = require_bucket(txn, in.bucket);
    intake.put(txn);
    return write_object(txn, *call, bucket, object, conditions, "ObjectCreated:Put", "PutObject");
  });
  intake.keep();
  remove_blobs(environment_.blobs, old);

  PutObjectOutput out;
  out.e_tag = quoted_etag(object.etag);
  out.server_side_encryption = object.meta.encryption;
  if (!object.meta.kms_key.empty()) out.ssekms_key_id = object.meta.kms_key;
  give_checksums(object.checksums, out);
  if (!object.checksum_type.empty()) out.checksum_type = object.checksum_type;
  co_return out;
}

GetObjectOutput S3::get_object(Call& call, const GetObjectInput& in) {
  refuse_versions(in.version_id);
  return read_object(store_, in.bucket, in.key, [&](Opened& opened) {
    if (not_modified(in, opened.object)) {
      call.set_response_status(304);
      GetObjectOutput out;
      out.e_tag = quoted_etag(opened.object.etag);
      out.last_modified = opened.object.modified;
      return out;
    }
    Range range;
    auto out = describe<GetObjectOutput>(call, opened.object, in, range);
    out.body = read_body(environment_.blobs, opened.object.body, std::move(opened.inline_bytes),
                         range.offset, range.length);
    return out;
  });
}

HeadObjectOutput S3::head_object(Call& call, const HeadObjectInput& in) {
  refuse_versions(in.version_id);
  auto txn = begin();
  if (!txn.peek<BucketRecord>(in.bucket)) require_bucket(txn, in.bucket);
  const ObjectRecord object = require_object(txn, in.bucket, in.key);
  if (not_modified(in, object)) {
    call.set_response_status(304);
    HeadObjectOutput out;
    out.e_tag = quoted_etag(object.etag);
    out.last_modified = object.modified;
    return out;
  }
  Range range;
  return describe<HeadObjectOutput>(call, object, in, range);
}

namespace {

// True if there was something; its body is added to `gone`.
bool remove_object(kernel::Txn& txn, const platform::Call& call, const BucketRecord& bucket,
                   const std::string& key, std::string_view reason, std::vector<Body>& gone) {
  const auto object = txn.find_for_update<ObjectRecord>(bucket.name, key);
  if (!object) return false;
  erase_body(txn, object->body);
  txn.erase<ObjectRecord>(bucket.name, key);
  Notifications::emit(txn, bucket,
                      change_by(call, "ObjectRemoved:Delete", reason, key, call.now()));
  gone.push_back(object->body);
  return true;
}

}  // namespace

DeleteObjectOutput S3::delete_object(Call& call, const DeleteObjectInput& in) {
  refuse_versions(in.version_id);
  std::vector<Body> gone;
  auto txn = begin();
  const auto bucket = require_bucket(txn, in.bucket);
  if (in.if_match) {
    const auto object = txn.find_for_update<ObjectRecord>(in.bucket, in.key);
    if (!object) throw_no_such_key(in.key);
    if (!etag_matches(*in.if_match, object->etag)) throw_precondition("If-Match");
  }
  if (remove_object(txn, call, bucket, in.key, "DeleteObject", gone)) txn.commit();
  for (const auto& body : gone) remove_blobs(environment_.blobs, body);
  return {};
}

DeleteObjectsOutput S3::delete_objects(Call& call, const DeleteObjectsInput& in) {
  if (in.delete_.objects.empty() || in.delete_.objects.size() > k_delete_max) {
    throw aws::ApiError("MalformedXML",
                        "The XML you provided was not well-formed or did not validate against our "
                        "published schema");
  }
  DeleteObjectsOutput out;
  out.deleted.emplace();
  std::vector<Body> gone;
  auto txn = begin();
  const auto bucket = require_bucket(txn, in.bucket);
  const auto policy = bucket.policy.empty() ? std::nullopt : std::optional(bucket.policy);
  const bool quiet = in.delete_.quiet.value_or(false);
  std::vector<Error> errors;
  for (const auto& object : in.delete_.objects) {
    try {
      refuse_versions(object.version_id);
      call.registry().authorize(call, "s3:DeleteObject", {object_arn(in.bucket, object.key)},
                                policy);
      remove_object(txn, call, bucket, object.key, "DeleteObjects", gone);
      if (!quiet) out.deleted->push_back({.key = object.key});
    } catch (const aws::ApiError& error) {
      errors.push_back({.key = object.key, .code = error.code, .message = error.message});
    }
  }
  txn.commit();
  for (const auto& body : gone) remove_blobs(environment_.blobs, body);
  if (!errors.empty()) out.errors = std::move(errors);
  return out;
}

namespace {

// What a copy reads: the object as it was, and a stream over the wanted part of it.
struct CopyBytes {
  ObjectRecord object;
  ByteSourcePtr bytes;
};

template <class In>
CopyBytes open_copy_source(kernel::Store& store, kernel::Blobs& blobs, const CopySource& from,
                           const In& in, const std::optional<std::string>& range) {
  return read_object(store, from.bucket, from.key, [&](Opened& opened) {
    check_copy_conditions(in, opened.object);
    const Range part = parse_copy_range(range, opened.object.body.size);
    auto bytes = read_body(blobs, opened.object.body, std::move(opened.inline_bytes), part.offset,
                           part.length);
    return CopyBytes{std::move(opened.object), std::move(bytes)};
  });
}

}  // namespace

Task<CopyObjectOutput> S3::copy_object(CallPtr call, CopyObjectInput in) {
  check_key(in.key);
  refuse_unsupported(in, "CopyObject");
  check_choices(in);
  const CopySource from = parse_copy_source(in.copy_source);
  if (in.expected_source_bucket_owner) {
    require_owner(from.bucket, *in.expected_source_bucket_owner);
  }
  call->registry().authorize(*call, "s3:GetObject", {object_arn(from.bucket, from.key)},
                             policy_of(from.bucket));
  CopyBytes source = open_copy_source(store_, environment_.blobs, from, in, std::nullopt);
  const bool replace = in.metadata_directive == "REPLACE";
  if (from.bucket == in.bucket && from.key == in.key && !replace && !in.storage_class &&
      !in.server_side_encryption) {
    throw aws::ApiError(
        "InvalidRequest",
        "This copy request is illegal because it is trying to copy an object to itself without "
        "changing the object's metadata, storage class, website redirect location or encryption "
        "attributes.");
  }
  ObjectRecord object;
  object.bucket = in.bucket;
  object.name = in.key;
  object.meta = replace ? take_meta(in) : source.object.meta;
  if (!replace && in.storage_class) object.meta.storage_class = *in.storage_class;
  object.meta.tags =
      in.tagging_directive == "REPLACE" ? parse_tagging(in.tagging) : source.object.meta.tags;
  // The bytes are copied: a blob belongs to one object, so that deleting needs no counting.
  IntakeOptions options;
  if (in.checksum_algorithm) options.algorithms = {*in.checksum_algorithm};
  for (const auto& [name, value] : source.object.checksums) {
    if (options.algorithms.empty()) options.algorithms.push_back(name);
  }
  ByteSourcePtr bytes = std::move(source.bytes);
  Intake intake = co_await take_body(environment_.blobs, environment_.random, bytes, options);
  object.body = intake.body;
  object.etag = to_hex(intake.md5);
  object.checksums = intake.checksums;
  object.checksum_type = intake.checksums.empty() ? "" : "FULL_OBJECT";
  object.modified = call->now();
  const WriteConditions conditions{in.if_match, in.if_none_match};
  const Body old = store_.transact(k_all_buckets, [&](kernel::Txn& txn) {
    const auto bucket = require_bucket(txn, in.bucket);
    intake.put(txn);
    return write_object(txn, *call, bucket, object, conditions, "ObjectCreated:Copy", "CopyObject");
  });
  intake.keep();
  remove_blobs(environment_.blobs, old);
  CopyObjectOutput out;
  out.copy_object_result = CopyObjectResult{};
  out.copy_object_result->e_tag = quoted_etag(object.etag);
  out.copy_object_result->last_modified = object.modified;
  give_checksums(object.checksums, *out.copy_object_result);
  out.server_side_encryption = object.meta.encryption;
  co_return out;
}

Task<UploadPartCopyOutput> S3::upload_part_copy(CallPtr call, UploadPartCopyInput in) {
  check_part_number(in.part_number);
  const CopySource from = parse_copy_source(in.copy_source);
  if (in.expected_source_bucket_owner) {
    require_owner(from.bucket, *in.expected_source_bucket_owner);
  }
  call->registry().authorize(*call, "s3:GetObject", {object_arn(from.bucket, from.key)},
                             policy_of(from.bucket));
  UploadRecord upload = require_upload(store_, in.bucket, in.key, in.upload_id);
  CopyBytes source = open_copy_source(store_, environment_.blobs, from, in, in.copy_source_range);
  IntakeOptions options{.always_blob = true};
  if (!upload.checksum_algorithm.empty()) options.algorithms = {upload.checksum_algorithm};
  ByteSourcePtr bytes = std::move(source.bytes);
  Intake intake = co_await take_body(environment_.blobs, environment_.random, bytes, options);
  store_part(upload, in.part_number, intake);
  UploadPartCopyOutput out;
  out.copy_part_result = CopyPartResult{};
  out.copy_part_result->e_tag = quoted_etag(to_hex(intake.md5));
  out.copy_part_result->last_modified = call->now();
  give_checksums(intake.checksums, *out.copy_part_result);
  out.server_side_encryption = upload.meta.encryption;
  co_return out;
}

GetObjectTaggingOutput S3::get_object_tagging(Call&, const GetObjectTaggingInput& in) {
  refuse_versions(in.version_id);
  auto txn = begin();
  require_bucket(txn, in.bucket);
  GetObjectTaggingOutput out;
  for (const auto& [key, value] : require_object(txn, in.bucket, in.key).meta.tags) {
    out.tag_set.push_back({key, value});
  }
  return out;
}

// Replaces the tags and tells of it.
static void set_tags(kernel::Txn& txn, const platform::Call& call, const std::string& bucket_name,
                     const std::string& key, TextMap tags, std::string_view event) {
  const auto bucket = require_bucket(txn, bucket_name);
  auto object = txn.find_for_update<ObjectRecord>(bucket_name, key);
  if (!object) throw_no_such_key(key);
  object->meta.tags = std::move(tags);
  txn.put(*object);
  ObjectChange change = change_by(call, event, "", key, call.now());
  change.etag = object->etag;
  change.size = object->body.size;
  Notifications::emit(txn, bucket, std::move(change));
}

PutObjectTaggingOutput S3::put_object_tagging(Call& call, const PutObjectTaggingInput& in) {
  refuse_versions(in.version_id);
  TextMap tags;
  for (const auto& tag : in.tagging.tag_set) {
    if (!tags.emplace(tag.key, tag.value).second) {
      throw aws::ApiError("InvalidTag", "Cannot provide multiple Tags with the same key");
    }
  }
  check_tags(tags);
  auto txn = begin();
  set_tags(txn, call, in.bucket, in.key, std::move(tags), "ObjectTagging:Put");
  txn.commit();
  return {};
}

DeleteObjectTaggingOutput S3::delete_object_tagging(Call& call,
                                                    const DeleteObjectTaggingInput& in) {
  refuse_versions(in.version_id);
  auto txn = begin();
  set_tags(txn, call, in.bucket, in.key, {}, "ObjectTagging:Delete");
  txn.commit();
  return {};
}

GetObjectAttributesOutput S3::get_object_attributes(Call&, const GetObjectAttributesInput& in) {
  refuse_versions(in.version_id);
  auto txn = begin();
  require_bucket(txn, in.bucket);
  const auto object = require_object(txn, in.bucket, in.key);
  const auto wants = [&](const char* name) {
    return std::ranges::find(in.object_attributes, name) != in.object_attributes.end();
  };
  GetObjectAttributesOutput out;
  out.last_modified = object.modified;
  if (wants("ETag")) out.e_tag = object.etag;  // without quotes here, as AWS sends it
  if (wants("ObjectSize")) out.object_size = static_cast<std::int64_t>(object.body.size);
  if (wants("StorageClass")) out.storage_class = object.meta.storage_class;
  if (wants("Checksum") && !object.checksums.empty()) {
    out.checksum.emplace();
    give_checksums(object.checksums, *out.checksum);
    out.checksum->checksum_type = object.checksum_type;
  }
  if (wants("ObjectParts") && !object.parts.empty()) {
    out.object_parts.emplace();
    out.object_parts->total_parts_count = static_cast<std::int32_t>(object.parts.size());
    std::vector<ObjectPart> parts;
    const auto max = static_cast<std::size_t>(in.max_parts.value_or(1000));
    for (const auto& part : object.parts) {
      if (part.number <= in.part_number_marker.value_or(0) || parts.size() == max) continue;
      ObjectPart& shown = parts.emplace_back();
      shown.part_number = part.number;
      shown.size = static_cast<std::int64_t>(part.size);
      give_checksums(part.checksums, shown);
    }
    out.object_parts->max_parts = static_cast<std::int32_t>(max);
    out.object_parts->is_truncated =
        !parts.empty() && *parts.back().part_number < object.parts.back().number;
    if (*out.object_parts->is_truncated) {
      out.object_parts->next_part_number_marker = *parts.back().part_number;
    }
    // Listed for uploads with checksums only, as in AWS.
    if (!object.checksums.empty()) out.object_parts->parts = std::move(parts);
  }
  return out;
}

}  // namespace tarn::s3
