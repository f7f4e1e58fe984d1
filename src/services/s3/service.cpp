// SPDX-License-Identifier: Apache-2.0
#include "services/s3/service.hpp"

#include "base/log.hpp"

namespace tarn::s3 {

S3::S3(platform::Environment& environment)
    : environment_(environment),
      store_(environment.store),
      notifications_(environment) {}

void S3::operations(platform::OpTable& t) {
  bucket_operations(t);
  configuration_operations(t);
  object_operations(t);
  multipart_operations(t);
  listing_operations(t);
  unset_operations(t);
  acl_operations(t);
}

void S3::start() {
  const auto swept = environment_.blobs.sweep([this](const kernel::BlobId& blob) {
    auto txn = begin();
    return txn.peek<BlobUse>(blob).has_value();
  });
  if (swept > 0) log::info("s3", "removed {} files that no object names", swept);
  notifications_.subscribe();
}

}  // namespace tarn::s3
