// SPDX-License-Identifier: Apache-2.0
#include "services/s3/object_access.hpp"

#include <algorithm>
#include <cstring>

#include <fmt/format.h>

#include "aws/error.hpp"
#include "base/strings.hpp"
#include "platform/registry.hpp"
#include "services/s3/body.hpp"
#include "services/s3/checksum.hpp"
#include "services/s3/service.hpp"

namespace tarn::s3 {
namespace {

[[noreturn]] void rethrow(const aws::ApiError& error) {
  throw sql::ObjectError(error.code, error.message, error.http_status);
}

// Runs `body`, turning S3's errors into the engine's.
template <class F>
auto as_object_error(F body) {
  try {
    return body();
  } catch (const aws::ApiError& error) {
    rethrow(error);
  } catch (const kernel::StorageFailure& failure) {
    throw sql::ObjectError("ServiceUnavailable", failure.what(), 503);
  }
}

class Reader : public sql::ObjectReader {
 public:
  Reader(kernel::Blobs& blobs, const ObjectRecord& object, std::string inline_bytes)
      : blobs_(blobs),
        body_(object.body),
        inline_bytes_(std::move(inline_bytes)) {
    info_.key = object.name;
    info_.size = object.body.size;
    info_.etag = object.etag;
    info_.modified = object.modified;
  }
  const sql::ObjectInfo& info() const override { return info_; }
  std::size_t read_at(std::uint64_t offset, char* buffer, std::size_t count) override {
    if (offset >= info_.size) return 0;
    count = static_cast<std::size_t>(std::min<std::uint64_t>(count, info_.size - offset));
    if (body_.extents.empty()) {
      std::memcpy(buffer, inline_bytes_.data() + offset, count);
      return count;
    }
    std::size_t done = 0;
    for (const auto& extent : body_.extents) {
      if (done == count) break;
      if (offset >= extent.size) {
        offset -= extent.size;
        continue;
      }
      const auto part =
          static_cast<std::size_t>(std::min<std::uint64_t>(count - done, extent.size - offset));
      const auto got = blobs_.read_at(extent.blob, offset, buffer + done, part);
      if (got != part)
        throw sql::ObjectError("InternalError", "an object's file is cut short", 500);
      done += part;
      offset = 0;
    }
    return done;
  }

 private:
  kernel::Blobs& blobs_;
  sql::ObjectInfo info_;
  Body body_;
  std::string inline_bytes_;
};

// Always a blob: what a warehouse writes is rarely small.
class Writer : public sql::ObjectWriter {
 public:
  Writer(platform::Environment& environment, platform::CallPtr call, std::string bucket,
         std::string key)
      : environment_(environment),
        call_(std::move(call)),
        bucket_(std::move(bucket)),
        key_(std::move(key)),
        blob_(environment.blobs.create()),
        md5_(make_hasher("MD5")) {}

  void write(std::string_view bytes) override {
    as_object_error([&] { blob_->write(bytes); });
    md5_->update(bytes);
  }
  void finish() override {
    as_object_error([&] {
      Intake intake(environment_.blobs);
      intake.body.size = blob_->size();
      intake.body.extents.push_back({blob_->finish(), intake.body.size});
      ObjectRecord object;
      object.bucket = bucket_;
      object.name = key_;
      object.body = intake.body;
      object.etag = to_hex(md5_->digest());
      object.modified = call_->now();
      object.meta.headers["content-type"] = "binary/octet-stream";
      const Body old = environment_.store.transact(k_all_buckets, [&](kernel::Txn& txn) {
        const auto bucket = require_bucket(txn, bucket_);
        intake.put(txn);
        return write_object(txn, *call_, bucket, object, {}, "ObjectCreated:Put", "PutObject");
      });
      intake.keep();
      remove_blobs(environment_.blobs, old);
    });
  }

 private:
  platform::Environment& environment_;
  platform::CallPtr call_;
  const std::string bucket_, key_;
  std::unique_ptr<kernel::BlobWriter> blob_;
  std::unique_ptr<Hasher> md5_;
};

}  // namespace

platform::Identity ObjectAccess::resolve(const sql::ObjectIdentity& identity) {
  auto& identities = platform::Ports::require(environment_.ports.identities, "IAM");
  if (!identity.role_arn.empty()) {
    return identities.assume_for_service(identity.role_arn, "redshift.amazonaws.com",
                                         "RedshiftIamRoleSession");
  }
  if (!identity.access_key_id.empty()) {
    const auto key = identities.find_key(identity.access_key_id);
    if (!key) {
      throw aws::ApiError("InvalidAccessKeyId",
                          "The AWS Access Key Id you provided does not exist in our records.", 403);
    }
    if (!constant_time_equal(key->secret, identity.secret_access_key) ||
        !constant_time_equal(key->session_token, identity.session_token)) {
      throw aws::ApiError("SignatureDoesNotMatch",
                          "The request signature we calculated does not match the signature you "
                          "provided. Check your key and signing method.",
                          403);
    }
    return key->identity;
  }
  if (identity.session_principal.ends_with(":root")) {
    return platform::root_identity(environment_.account);
  }
  throw aws::ApiError("AccessDenied", "Neither a role nor keys were given for S3", 403);
}

platform::CallPtr ObjectAccess::authorized(const sql::ObjectIdentity& identity,
                                           const std::string& bucket, const std::string& action,
                                           const std::string& arn) {
  const auto call = environment_.call_as(resolve(identity), environment_.region);
  std::optional<std::string> policy;
  {
    auto txn = environment_.store.begin(k_all_buckets);
    const auto record = require_bucket(txn, bucket);
    if (!record.policy.empty()) policy = record.policy;
  }
  environment_.registry.authorize(*call, action, {arn}, policy);
  return call;
}

std::unique_ptr<sql::ObjectReader> ObjectAccess::open(const sql::ObjectIdentity& identity,
                                                      const std::string& bucket,
                                                      const std::string& key) {
  return as_object_error([&]() -> std::unique_ptr<sql::ObjectReader> {
    authorized(identity, bucket, "s3:GetObject", object_arn(bucket, key));
    while (true) {
      auto txn = environment_.store.begin(k_all_buckets);
      const auto object = txn.peek<ObjectRecord>(bucket, key);
      if (!object) throw_no_such_key(key);
      std::string bytes;
      if (!object->body.inline_id.empty()) {
        auto row = txn.peek<BodyRecord>(object->body.inline_id);
        if (!row) continue;  // replaced between the two reads
        bytes = std::move(row->bytes);
      }
      return std::make_unique<Reader>(environment_.blobs, *object, std::move(bytes));
    }
  });
}

std::vector<sql::ObjectInfo> ObjectAccess::list(const sql::ObjectIdentity& identity,
                                                const std::string& bucket,
                                                const std::string& prefix) {
  return as_object_error([&] {
    authorized(identity, bucket, "s3:ListBucket", bucket_arn(bucket));
    std::vector<sql::ObjectInfo> found;
    auto txn = environment_.store.begin(k_all_buckets);
    kernel::Key start(bucket);
    start.add_open_prefix(prefix);
    txn.scan<ObjectRecord>(start, {}, [&](ObjectRecord& object, const std::string&) {
      found.push_back({object.name, object.body.size, object.etag, object.modified});
      return true;
    });
    return found;
  });
}

std::unique_ptr<sql::ObjectWriter> ObjectAccess::create(const sql::ObjectIdentity& identity,
                                                        const std::string& bucket,
                                                        const std::string& key) {
  return as_object_error([&]() -> std::unique_ptr<sql::ObjectWriter> {
    auto call = authorized(identity, bucket, "s3:PutObject", object_arn(bucket, key));
    return std::make_unique<Writer>(environment_, std::move(call), bucket, key);
  });
}

void ObjectAccess::remove(const sql::ObjectIdentity& identity, const std::string& bucket,
                          const std::string& key) {
  as_object_error([&] {
    const auto call = authorized(identity, bucket, "s3:DeleteObject", object_arn(bucket, key));
    Body old;
    environment_.store.transact(k_all_buckets, [&](kernel::Txn& txn) {
      old = {};
      const auto record = require_bucket(txn, bucket);
      const auto object = txn.find_for_update<ObjectRecord>(bucket, key);
      if (!object) return;
      old = object->body;
      erase_body(txn, old);
      txn.erase<ObjectRecord>(bucket, key);
      ObjectChange change;
      change.event = "ObjectRemoved:Delete";
      change.reason = "DeleteObject";
      change.key = key;
      change.time = call->now();
      change.requester = call->account();
      change.sequencer = fmt::format("{:018X}", to_micros(call->now()));
      Notifications::emit(txn, record, std::move(change));
    });
    remove_blobs(environment_.blobs, old);
  });
}

}  // namespace tarn::s3
