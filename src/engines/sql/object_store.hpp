// SPDX-License-Identifier: Apache-2.0
// What the warehouse needs of S3: list a prefix, read ranges, write an object. The engine owns this
// interface, S3 implements it, the server wires them (DESIGN §2).
//
// Every call carries the identity under which COPY or UNLOAD was asked to run, so that permissions
// hold as in AWS. Calls block (on our own disk) and come from the engine's threads, several at
// once. Failures are `ObjectError` with S3's own code, which becomes Redshift's message.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "base/time.hpp"

namespace tarn::sql {

// Exactly one form is given: a role, or keys. Neither: the session's own principal.
struct ObjectIdentity {
  std::string role_arn;
  std::string access_key_id;
  std::string secret_access_key;
  std::string session_token;
  // The ARN of who is connected; the principal when the above are empty.
  std::string session_principal;
  // The cluster whose IamRoles the role must be attached to (empty: not checked).
  std::string cluster_id;
  bool operator==(const ObjectIdentity&) const = default;
};

class ObjectError : public std::runtime_error {
 public:
  ObjectError(std::string code, const std::string& message, int status = 400)
      : std::runtime_error(message),
        code(std::move(code)),
        status(status) {}
  std::string code;  // NoSuchKey, AccessDenied, …
  int status;
};

struct ObjectInfo {
  std::string key;
  std::uint64_t size = 0;
  std::string etag;  // names the version of the bytes
  Timestamp modified{};
};

// One consistent version of an object's bytes, whatever happens to the key meanwhile.
class ObjectReader {
 public:
  virtual ~ObjectReader() = default;
  virtual const ObjectInfo& info() const = 0;
  // Up to `count` bytes at `offset`; fewer only at the end.
  virtual std::size_t read_at(std::uint64_t offset, char* buffer, std::size_t count) = 0;
};

class ObjectWriter {
 public:
  virtual ~ObjectWriter() = default;  // unfinished: nothing becomes visible
  virtual void write(std::string_view bytes) = 0;
  virtual void finish() = 0;  // durable and visible when it returns
};

class ObjectStore {
 public:
  virtual ~ObjectStore() = default;
  virtual std::unique_ptr<ObjectReader> open(const ObjectIdentity& identity,
                                             const std::string& bucket, const std::string& key) = 0;
  // All objects whose key begins with `prefix`, in key order.
  virtual std::vector<ObjectInfo> list(const ObjectIdentity& identity, const std::string& bucket,
                                       const std::string& prefix) = 0;
  virtual std::unique_ptr<ObjectWriter> create(const ObjectIdentity& identity,
                                               const std::string& bucket,
                                               const std::string& key) = 0;
  virtual void remove(const ObjectIdentity& identity, const std::string& bucket,
                      const std::string& key) = 0;
};

}  // namespace tarn::sql
