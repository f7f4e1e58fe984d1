// SPDX-License-Identifier: Apache-2.0
// The body of a streaming operation as the gateway hands it over: framing taken off, signatures and
// digests checked on the way (a mismatch throws from `read`, at the latest at the end).
#pragma once
#include "aws/http.hpp"
#include "base/stream.hpp"

namespace tarn::platform {

class RequestBody : public ByteSource {
 public:
  // Trailing header fields (x-amz-checksum-…); complete once `read` gave the end.
  virtual const aws::Headers& trailers() const = 0;
};

}  // namespace tarn::platform
