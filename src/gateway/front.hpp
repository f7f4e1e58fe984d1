// SPDX-License-Identifier: Apache-2.0
// From an HTTP request to an AWS operation and back: who signed it, which operation it means, its
// input, the answer in the protocol that was asked. Every failure ends here, as the service's own
// error form. Knows no sockets.
//
// Threading: thread-safe; each request is one task on the call pool.
#pragma once
#include <atomic>
#include <memory>
#include <string>

#include "aws/http.hpp"
#include "aws/router.hpp"
#include "aws/sigv4.hpp"
#include "base/ids.hpp"
#include "platform/registry.hpp"

namespace tarn::gateway {

class Front {
 public:
  Front(platform::Registry& registry, platform::IdentityStore& identities, Clock& clock,
        Random& random);

  // Until then every request but /_tarn/health answers 503.
  void set_ready(std::string endpoint);
  Task<aws::HttpResponse> handle(std::shared_ptr<aws::HttpRequest> request);

 private:
  struct Caller {
    platform::Identity identity;  // anonymous unless the request was signed
    std::string region;           // of the signature's scope
    aws::Verified verified;
  };
  struct Exchange;  // one request's working state

  Task<aws::HttpResponse> serve(std::shared_ptr<Exchange> exchange);
  Task<aws::HttpResponse> run(std::shared_ptr<Exchange> exchange, platform::CallPtr call);
  Caller authenticate(const Exchange& exchange, bool s3);
  platform::CallPtr make_call(const Exchange& exchange, const Caller& caller);
  aws::HttpResponse health() const;

  platform::Registry& registry_;
  platform::IdentityStore& identities_;
  Clock& clock_;
  Random& random_;
  aws::SignatureVerifier verifier_;
  std::string endpoint_;
  std::atomic<bool> ready_{false};
};

}  // namespace tarn::gateway
