// SPDX-License-Identifier: Apache-2.0
// The warehouse's view of S3: objects by role, as engines/sql's `ObjectStore` asks for them. Every
// access is authorised as a request under that role would be; failures carry S3's own codes.
//
// Threading: thread-safe; calls block on our own disk and come from the engine's threads.
#pragma once
#include "engines/sql/object_store.hpp"
#include "platform/service.hpp"

namespace tarn::s3 {

class ObjectAccess : public sql::ObjectStore {
 public:
  explicit ObjectAccess(platform::Environment& environment) : environment_(environment) {}
  std::unique_ptr<sql::ObjectReader> open(const sql::ObjectIdentity& identity,
                                          const std::string& bucket,
                                          const std::string& key) override;
  std::vector<sql::ObjectInfo> list(const sql::ObjectIdentity& identity, const std::string& bucket,
                                    const std::string& prefix) override;
  std::unique_ptr<sql::ObjectWriter> create(const sql::ObjectIdentity& identity,
                                            const std::string& bucket,
                                            const std::string& key) override;
  void remove(const sql::ObjectIdentity& identity, const std::string& bucket,
              const std::string& key) override;

 private:
  // The call that acts as `identity`, authorised for one action on one ARN of the bucket.
  platform::CallPtr authorized(const sql::ObjectIdentity& identity, const std::string& bucket,
                               const std::string& action, const std::string& arn);
  platform::Identity resolve(const sql::ObjectIdentity& identity);

  platform::Environment& environment_;
};

}  // namespace tarn::s3
