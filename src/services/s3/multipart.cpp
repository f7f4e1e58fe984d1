// SPDX-License-Identifier: Apache-2.0
// Multipart uploads: parts are blobs, and completing only makes them the object's extents: nothing
// is copied.
#include <algorithm>

#include "aws/s3/errors.hpp"
#include "base/strings.hpp"
#include "services/s3/object_values.hpp"
#include "services/s3/service.hpp"

namespace tarn::s3 {
namespace {

constexpr std::uint64_t k_part_min = 5ULL << 20;

UploadRecord require_upload_for_update(kernel::Txn& txn, const std::string& bucket,
                                       const std::string& key, const std::string& upload) {
  require_bucket(txn, bucket);
  auto record = txn.find_for_update<UploadRecord>(bucket, key, upload);
  if (!record) {
    throw NoSuchUpload(
        "The specified upload does not exist. The upload ID may be invalid, or the upload may "
        "have been aborted or completed.")
        .with("UploadId", upload);
  }
  return *std::move(record);
}

CompleteMultipartUploadOutput describe_completed(const platform::Call& call,
                                                 const ObjectRecord& object) {
  CompleteMultipartUploadOutput out;
  out.location =
      fmt::format("{}/{}/{}", call.endpoint(), object.bucket, uri_encode(object.name, true));
  out.bucket = object.bucket;
  out.key = object.name;
  out.e_tag = quoted_etag(object.etag);
  out.server_side_encryption = object.meta.encryption;
  give_checksums(object.checksums, out);
  if (!object.checksum_type.empty()) out.checksum_type = object.checksum_type;
  return out;
}

Body body_of(const PartRecord& part) {
  Body body;
  body.size = part.size;
  body.extents.push_back({part.blob, part.size});
  return body;
}

std::string unquoted(const std::string& etag) {
  return etag.size() >= 2 && etag.front() == '"' ? etag.substr(1, etag.size() - 2) : etag;
}

// "MD5 of the parts' MD5s"-"number of parts".
std::string etag_of_parts(const std::vector<std::string>& etags) {
  std::string digests;
  for (const auto& etag : etags) digests += from_hex(etag).value_or("");
  return fmt::format("{}-{}", to_hex(md5(digests)), etags.size());
}

// What this upload became of the same parts, while it is the current object. A client that lost
// the answer asks again and gets it, as in AWS.
std::optional<ObjectRecord> completed_before(kernel::Txn& txn,
                                             const CompleteMultipartUploadInput& in) {
  if (txn.find_for_update<UploadRecord>(in.bucket, in.key, in.upload_id)) return std::nullopt;
  auto object = txn.peek<ObjectRecord>(in.bucket, in.key);
  if (!object || object->upload_id != in.upload_id) return std::nullopt;
  std::vector<std::string> etags;
  if (in.multipart_upload && in.multipart_upload->parts) {
    for (const auto& part : *in.multipart_upload->parts) {
      etags.push_back(unquoted(part.e_tag.value_or("")));
    }
  }
  if (etag_of_parts(etags) != object->etag) return std::nullopt;
  return object;
}

bool is_crc(const std::string& algorithm) { return algorithm.starts_with("CRC"); }

// The parts that the client lists, checked against what was uploaded.
std::vector<PartRecord> chosen_parts(kernel::Txn& txn, const UploadRecord& upload,
                                     const CompleteMultipartUploadInput& in) {
  if (!in.multipart_upload || !in.multipart_upload->parts || in.multipart_upload->parts->empty()) {
    throw aws::ApiError("MalformedXML",
                        "The XML you provided was not well-formed or did not validate against "
                        "our published schema");
  }
  std::map<std::int32_t, PartRecord> uploaded;
  for (auto& part : txn.list<PartRecord>(kernel::Key(upload.id))) {
    uploaded.emplace(part.number, std::move(part));
  }
  std::vector<PartRecord> parts;
  for (const auto& listed : *in.multipart_upload->parts) {
    const auto number = listed.part_number.value_or(0);
    if (!parts.empty() && number <= parts.back().number) {
      throw aws::ApiError("InvalidPartOrder",
                          "The list of parts was not in ascending order. Parts must be ordered by "
                          "part number.");
    }
    const auto found = uploaded.find(number);
    bool fits =
        found != uploaded.end() && unquoted(listed.e_tag.value_or("")) == found->second.etag;
    if (fits) {
      each_checksum(listed, [&](const char* algorithm, const auto& member) {
        const auto known = found->second.checksums.find(algorithm);
        if (member && known != found->second.checksums.end() && known->second != *member) {
          fits = false;
        }
      });
    }
    if (!fits) {
      aws::ApiError error("InvalidPart",
                          "One or more of the specified parts could not be found.  The part may "
                          "not have been uploaded, or the specified entity tag may not match the "
                          "part's entity tag.");
      error.extra["UploadId"] = upload.id;
      error.extra["PartNumber"] = number;
      error.extra["ETag"] = listed.e_tag.value_or("");
      throw error;
    }
    parts.push_back(found->second);
  }
  for (const auto& part : parts) {
    if (part.size < k_part_min && part.number != parts.back().number) {
      aws::ApiError error("EntityTooSmall",
                          "Your proposed upload is smaller than the minimum allowed size");
      error.extra["ProposedSize"] = static_cast<std::int64_t>(part.size);
      error.extra["MinSizeAllowed"] = static_cast<std::int64_t>(k_part_min);
      error.extra["PartNumber"] = part.number;
      error.extra["ETag"] = part.etag;
      throw error;
    }
  }
  return parts;
}

// The checksum of the whole from those of the parts.
void combine_checksums(const UploadRecord& upload, const std::vector<PartRecord>& parts,
                       ObjectRecord& object) {
  const std::string& algorithm = upload.checksum_algorithm;
  if (algorithm.empty()) return;
  object.checksum_type = upload.checksum_type;
  if (upload.checksum_type == "COMPOSITE") {
    const auto hasher = make_hasher(algorithm);
    for (const auto& part : parts) hasher->update(*from_base64(part.checksums.at(algorithm)));
    object.checksums[algorithm] = fmt::format("{}-{}", to_base64(hasher->digest()), parts.size());
    return;
  }
  std::string whole = *from_base64(parts.front().checksums.at(algorithm));
  for (std::size_t i = 1; i < parts.size(); ++i) {
    whole = *combine_crc(algorithm, whole, *from_base64(parts[i].checksums.at(algorithm)),
                         parts[i].size);
  }
  object.checksums[algorithm] = to_base64(whole);
}

}  // namespace

void S3::multipart_operations(platform::OpTable& t) {
  const auto arn = [](Call&, const auto& in) { return object_arn(in.bucket, in.key); };
  const auto policy = [this](Call&, const auto& in) { return policy_of(in.bucket); };
  const auto row = [&](auto builder, const char* action) {
    builder.action(action).on(arn).resource_policy(policy);
  };
  row(t.op<CreateMultipartUpload>(&S3::create_multipart), "s3:PutObject");
  row(t.op<UploadPart>(&S3::upload_part), "s3:PutObject");
  row(t.op<UploadPartCopy>(&S3::upload_part_copy), "s3:PutObject");
  row(t.op<CompleteMultipartUpload>(&S3::complete_multipart), "s3:PutObject");
  row(t.op<AbortMultipartUpload>(&S3::abort_multipart), "s3:AbortMultipartUpload");
  row(t.op<ListParts>(&S3::list_parts), "s3:ListMultipartUploadParts");
  t.op<ListMultipartUploads>(&S3::list_multipart_uploads)
      .action("s3:ListBucketMultipartUploads")
      .on([](Call&, const auto& in) { return bucket_arn(in.bucket); })
      .resource_policy(policy);
}

CreateMultipartUploadOutput S3::create_multipart(Call& call, const CreateMultipartUploadInput& in) {
  check_key(in.key);
  refuse_unsupported(in, "CreateMultipartUpload");
  check_choices(in);
  UploadRecord upload;
  upload.bucket = in.bucket;
  upload.name = in.key;
  upload.id = environment_.random.ulid(call.now()) + environment_.random.hex(32);
  upload.account = call.account();
  upload.initiator = call.identity().arn;
  upload.initiated = call.now();
  upload.meta = take_meta(in);
  upload.checksum_algorithm = in.checksum_algorithm.value_or("");
  if (!upload.checksum_algorithm.empty()) {
    const bool full_only = upload.checksum_algorithm == "CRC64NVME";
    upload.checksum_type = in.checksum_type.value_or(full_only ? "FULL_OBJECT" : "COMPOSITE");
    if ((upload.checksum_type == "FULL_OBJECT") != is_crc(upload.checksum_algorithm) &&
        (upload.checksum_type == "FULL_OBJECT" || full_only)) {
      throw aws::ApiError(
          "InvalidRequest",
          fmt::format("The {} checksum type cannot be used with the {} checksum algorithm.",
                      upload.checksum_type, to_lower(upload.checksum_algorithm)));
    }
  }
  auto txn = begin();
  require_bucket(txn, in.bucket);
  txn.put(upload);
  txn.commit();
  CreateMultipartUploadOutput out;
  out.bucket = in.bucket;
  out.key = in.key;
  out.upload_id = upload.id;
  out.server_side_encryption = upload.meta.encryption;
  if (!upload.checksum_algorithm.empty()) {
    out.checksum_algorithm = upload.checksum_algorithm;
    out.checksum_type = upload.checksum_type;
  }
  return out;
}

void S3::store_part(const UploadRecord& upload, std::int32_t number, Intake& intake) {
  PartRecord part;
  part.upload = upload.id;
  part.number = number;
  part.blob = intake.body.extents.front().blob;
  part.size = intake.body.size;
  part.etag = to_hex(intake.md5);
  part.modified = environment_.clock.now();
  part.checksums = intake.checksums;
  Body old;
  store_.transact(k_all_buckets, [&](kernel::Txn& txn) {
    // Shared: parts do not exclude each other, completing excludes them all.
    require_bucket(txn, upload.bucket);
    if (!txn.find<UploadRecord>(upload.bucket, upload.name, upload.id)) {
      require_upload_for_update(txn, upload.bucket, upload.name, upload.id);
    }
    old = {};
    if (const auto existing = txn.find_for_update<PartRecord>(upload.id, number)) {
      old = body_of(*existing);
      erase_body(txn, old);
    }
    intake.put(txn);
    txn.put(part);
  });
  intake.keep();
  remove_blobs(environment_.blobs, old);
}

Task<UploadPartOutput> S3::upload_part(CallPtr call, UploadPartInput in) {
  check_part_number(in.part_number);
  const UploadRecord upload = require_upload(store_, in.bucket, in.key, in.upload_id);
  WantedChecksums wanted = wanted_checksums(in);
  add_trailers(wanted, call->http());
  IntakeOptions options{.algorithms = wanted.algorithms, .always_blob = true};
  const auto& own = upload.checksum_algorithm;
  if (!own.empty() && std::ranges::find(options.algorithms, own) == options.algorithms.end()) {
    options.algorithms.push_back(own);
  }
  ByteSourcePtr body = in.body;
  Intake intake = co_await take_body(environment_.blobs, environment_.random, body, options);
  verify_content_md5(in.content_md5, intake.md5);
  verify_checksums(wanted, body.get(), intake.checksums);
  store_part(upload, in.part_number, intake);
  UploadPartOutput out;
  out.e_tag = quoted_etag(to_hex(intake.md5));
  out.server_side_encryption = upload.meta.encryption;
  give_checksums(intake.checksums, out);
  co_return out;
}

CompleteMultipartUploadOutput S3::complete_multipart(Call& call,
                                                     const CompleteMultipartUploadInput& in) {
  check_if_none_match(in.if_none_match);
  auto txn = begin();
  const auto bucket = require_bucket(txn, in.bucket);
  if (const auto before = completed_before(txn, in)) return describe_completed(call, *before);
  const auto upload = require_upload_for_update(txn, in.bucket, in.key, in.upload_id);
  const auto parts = chosen_parts(txn, upload, in);
  ObjectRecord object;
  object.upload_id = upload.id;
  object.bucket = in.bucket;
  object.name = in.key;
  object.meta = upload.meta;
  object.modified = call.now();
  std::vector<std::string> etags;
  for (const auto& part : parts) {
    object.body.extents.push_back({part.blob, part.size});
    object.body.size += part.size;
    object.parts.push_back({part.number, part.size, part.checksums});
    etags.push_back(part.etag);
  }
  object.etag = etag_of_parts(etags);
  combine_checksums(upload, parts, object);
  if (in.mpu_object_size && static_cast<std::uint64_t>(*in.mpu_object_size) != object.body.size) {
    throw aws::ApiError("InvalidRequest",
                        "The provided 'x-amz-mp-object-size' header does not match the object.");
  }
  each_checksum(in, [&](const char* algorithm, const auto& member) {
    const auto computed = object.checksums.find(algorithm);
    if (!member || computed == object.checksums.end()) return;
    if (split(*member, '-').front() != split(computed->second, '-').front()) {
      throw aws::ApiError(
          "BadDigest",
          fmt::format("The {} you specified did not match the calculated checksum.", algorithm));
    }
  });
  // Parts that were uploaded but not listed go.
  std::vector<Body> gone;
  for (const auto& part : txn.list<PartRecord>(kernel::Key(upload.id))) {
    txn.erase<PartRecord>(upload.id, part.number);
    const bool used = std::ranges::any_of(parts, [&](auto& p) { return p.number == part.number; });
    if (used) continue;
    gone.push_back(body_of(part));
    erase_body(txn, gone.back());
  }
  txn.erase<UploadRecord>(in.bucket, in.key, in.upload_id);
  const WriteConditions conditions{in.if_match, in.if_none_match};
  gone.push_back(write_object(txn, call, bucket, object, conditions,
                              "ObjectCreated:CompleteMultipartUpload", "CompleteMultipartUpload"));
  txn.commit();
  for (const auto& body : gone) remove_blobs(environment_.blobs, body);
  return describe_completed(call, object);
}

AbortMultipartUploadOutput S3::abort_multipart(Call&, const AbortMultipartUploadInput& in) {
  std::vector<Body> gone;
  auto txn = begin();
  require_upload_for_update(txn, in.bucket, in.key, in.upload_id);
  for (const auto& part : txn.list<PartRecord>(kernel::Key(in.upload_id))) {
    txn.erase<PartRecord>(in.upload_id, part.number);
    gone.push_back(body_of(part));
    erase_body(txn, gone.back());
  }
  txn.erase<UploadRecord>(in.bucket, in.key, in.upload_id);
  txn.commit();
  for (const auto& body : gone) remove_blobs(environment_.blobs, body);
  return {};
}

ListPartsOutput S3::list_parts(Call&, const ListPartsInput& in) {
  const UploadRecord upload = require_upload(store_, in.bucket, in.key, in.upload_id);
  auto txn = begin();
  ListPartsOutput out;
  out.bucket = in.bucket;
  out.key = in.key;
  out.upload_id = in.upload_id;
  out.part_number_marker = in.part_number_marker.value_or(0);
  out.max_parts = std::min(in.max_parts.value_or(1000), 1000);
  out.is_truncated = false;
  out.storage_class = upload.meta.storage_class;
  out.initiator = Initiator{.id = upload.initiator};
  out.owner = Owner{.id = upload.account};
  if (!upload.checksum_algorithm.empty()) {
    out.checksum_algorithm = upload.checksum_algorithm;
    out.checksum_type = upload.checksum_type;
  }
  out.parts.emplace();
  for (const auto& part : txn.list<PartRecord>(kernel::Key(in.upload_id))) {
    if (part.number <= *out.part_number_marker) continue;
    if (static_cast<std::int32_t>(out.parts->size()) == *out.max_parts) {
      out.is_truncated = true;
      break;
    }
    Part& shown = out.parts->emplace_back();
    shown.part_number = part.number;
    shown.last_modified = part.modified;
    shown.e_tag = quoted_etag(part.etag);
    shown.size = static_cast<std::int64_t>(part.size);
    give_checksums(part.checksums, shown);
    out.next_part_number_marker = part.number;
  }
  return out;
}

// By key and, of one key, by age. With a delimiter, uploads behind it are folded into prefixes.
ListMultipartUploadsOutput S3::list_multipart_uploads(Call&, const ListMultipartUploadsInput& in) {
  auto txn = begin();
  require_bucket(txn, in.bucket);
  ListMultipartUploadsOutput out;
  out.bucket = in.bucket;
  out.prefix = in.prefix;
  out.delimiter = in.delimiter;
  out.max_uploads = std::min(in.max_uploads.value_or(1000), 1000);
  out.is_truncated = false;
  out.key_marker = in.key_marker.value_or("");
  out.upload_id_marker = in.upload_id_marker.value_or("");
  const std::string folded_by = in.delimiter.value_or("");
  const std::string asked_prefix = in.prefix.value_or("");
  kernel::Key prefix(in.bucket);
  if (in.prefix) prefix.add_open_prefix(*in.prefix);
  std::vector<MultipartUpload> uploads;
  std::vector<CommonPrefix> prefixes;
  txn.scan<UploadRecord>(prefix, {}, [&](UploadRecord& upload, const std::string&) {
    const auto end =
        folded_by.empty() ? std::string::npos : upload.name.find(folded_by, asked_prefix.size());
    const bool folds = end != std::string::npos;
    const std::string shown = folds ? upload.name.substr(0, end + folded_by.size()) : upload.name;
    const bool before = shown < *out.key_marker ||
                        (shown == *out.key_marker && (folds || out.upload_id_marker->empty() ||
                                                      upload.id <= *out.upload_id_marker));
    if (!out.key_marker->empty() && before) return true;
    if (folds && !prefixes.empty() && prefixes.back().prefix == shown) return true;
    if (static_cast<std::int32_t>(uploads.size() + prefixes.size()) == *out.max_uploads) {
      out.is_truncated = true;
      return false;
    }
    out.next_key_marker = shown;
    out.next_upload_id_marker = folds ? "" : upload.id;
    if (folds) {
      prefixes.push_back({.prefix = shown});
      return true;
    }
    uploads.push_back({.upload_id = upload.id,
                       .key = upload.name,
                       .initiated = upload.initiated,
                       .storage_class = upload.meta.storage_class,
                       .owner = Owner{.id = upload.account},
                       .initiator = Initiator{.id = upload.initiator}});
    return true;
  });
  if (!*out.is_truncated) out.next_key_marker = out.next_upload_id_marker = std::nullopt;
  if (!uploads.empty()) out.uploads = std::move(uploads);
  if (!prefixes.empty()) out.common_prefixes = std::move(prefixes);
  return out;
}

}  // namespace tarn::s3
