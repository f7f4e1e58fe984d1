// SPDX-License-Identifier: Apache-2.0
// The body as its sender meant it: aws-chunked framing taken off, chunk signatures, the signed
// digest and trailers checked while it is read. One reader.
#pragma once
#include <memory>

#include "aws/sigv4.hpp"
#include "platform/request_body.hpp"

namespace tarn::gateway {

// For bodies that are streamed to the handler. `verified` is what the signature said (unsigned
// requests: default constructed).
std::shared_ptr<platform::RequestBody> open_payload(const aws::HttpRequest& request,
                                                    const aws::Verified& verified,
                                                    const aws::ErrorPlace& place);

// All of a stream, at most `max` bytes, else RequestEntityTooLarge.
Task<std::string> read_whole(ByteSourcePtr source, std::size_t max);

}  // namespace tarn::gateway
