// SPDX-License-Identifier: Apache-2.0
// Outbound HTTP on libcurl: http and https, no redirects to other schemes, bounded answers. Each
// request blocks one thread of a small pool of its own; callers are suspended meanwhile.
#pragma once
#include "base/pool.hpp"
#include "platform/ports.hpp"

namespace tarn::gateway {

class CurlClient : public platform::HttpClient {
 public:
  CurlClient();
  Task<platform::OutboundResponse> send(platform::OutboundRequest request) override;

 private:
  ThreadPool pool_{"http-client", 4, 1024};
};

}  // namespace tarn::gateway
