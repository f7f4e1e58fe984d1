// SPDX-License-Identifier: Apache-2.0
#include "gateway/front.hpp"

#include <fmt/format.h>

#include "aws/codec.hpp"
#include "base/log.hpp"
#include "base/strings.hpp"
#include "gateway/payload.hpp"
#include "platform/limits.hpp"

namespace tarn::gateway {

namespace limits = platform::limits;

struct Front::Exchange {
  std::shared_ptr<aws::HttpRequest> request;
  aws::HttpRequest routed;  // as `request`, but with a virtual host's bucket in the path
  std::string request_id;
  std::string scope;  // the service that the signature names
  std::string body;   // of operations that do not stream
  std::optional<aws::Route> route;
  const platform::OpRow* row = nullptr;

  bool streams() const { return row && aws::has_streaming_input(*row->operation); }
  aws::ErrorPlace place() const {
    aws::ErrorPlace place = route ? route->place() : aws::guess_place(*request, scope);
    if (row) place.service = row->operation->service;
    place.resource = request->path;
    return place;
  }
  aws::HttpResponse error(const aws::ApiError& failure) const {
    auto response = aws::encode_error(place(), failure, request_id);
    if (request->method == "HEAD") response.body.clear();
    return response;
  }
};

namespace {

void add_headers(const platform::Call& call, aws::HttpResponse& response) {
  for (const auto& [name, value] : call.response_headers()) response.set(name, value);
  if (call.response_status() != 0) response.status = call.response_status();
}

bool is_s3(std::string_view scope) { return scope == "s3" || scope == "s3express"; }

}  // namespace

Front::Front(platform::Registry& registry, platform::IdentityStore& identities, Clock& clock,
             Random& random)
    : registry_(registry),
      identities_(identities),
      clock_(clock),
      random_(random),
      verifier_([&identities](const std::string& access_key) -> std::optional<aws::SecretKey> {
        const auto key = identities.find_key(access_key);
        if (!key) return std::nullopt;
        return aws::SecretKey{key->secret, key->session_token, key->expires};
      }) {}

void Front::set_ready(std::string endpoint) {
  endpoint_ = std::move(endpoint);
  ready_.store(true, std::memory_order_release);
}

aws::HttpResponse Front::health() const {
  aws::HttpResponse response;
  const bool ready = ready_.load(std::memory_order_acquire);
  response.status = ready ? 200 : 503;
  response.set("content-type", "application/json");
  response.body = ready ? R"({"status":"ready"})" : R"({"status":"starting"})";
  return response;
}

Task<aws::HttpResponse> Front::handle(std::shared_ptr<aws::HttpRequest> request) {
  if (request->path == "/_tarn/health" || !ready_.load(std::memory_order_acquire)) {
    co_return health();
  }
  auto exchange = std::make_shared<Exchange>();
  exchange->request = std::move(request);
  exchange->request_id = random_.uuid();
  std::optional<aws::ApiError> failure;
  try {
    co_return co_await serve(exchange);
  } catch (const aws::ApiError& error) {
    failure = error;
  } catch (const Cancelled&) {
    throw;
  } catch (const std::exception& error) {
    log::error("gateway", "{} {}: {}", exchange->request->method, exchange->request->path,
               error.what());
    failure = aws::internal_failure();
  }
  co_return exchange->error(*failure);
}

Task<aws::HttpResponse> Front::serve(std::shared_ptr<Exchange> exchange) {
  aws::HttpRequest& request = *exchange->request;
  exchange->scope = aws::signing_scope_service(request);
  // A form says in its body which operation it means.
  const bool form = aws::needs_body_to_route(request);
  ByteSourcePtr source = request.body;
  if (form) exchange->body = co_await read_whole(source, limits::k_api_body_bytes_max);
  // The operation first, so that whatever fails is answered in the protocol that was asked. The
  // path is changed on a copy: the signature covers the original.
  exchange->routed = request;
  if (exchange->scope.empty() || is_s3(exchange->scope)) {
    aws::normalise_s3_host(exchange->routed);
  }
  exchange->route = aws::route(exchange->routed, exchange->scope, exchange->body);
  const auto& route = exchange->route;
  if (route && !route->method_not_allowed) {
    exchange->row = registry_.find(route->service, route->operation);
  }
  const bool s3 = route ? route->service == "s3" : is_s3(exchange->scope);
  if (!form && !s3) exchange->body = co_await read_whole(source, limits::k_api_body_bytes_max);

  const Caller caller = authenticate(*exchange, s3);
  if (!route) {
    co_return aws::unknown_operation_response(request, exchange->scope, exchange->request_id);
  }
  if (!exchange->row) co_return aws::not_implemented_response(*route, exchange->request_id);
  if (s3) {
    auto payload = open_payload(request, caller.verified, exchange->place());
    exchange->routed.body = payload;
    if (!exchange->streams()) {
      exchange->body = co_await read_whole(payload, limits::k_api_body_bytes_max);
    }
  } else {
    exchange->routed.body = source_of(exchange->body);
  }
  co_return co_await run(exchange, make_call(*exchange, caller));
}

Task<aws::HttpResponse> Front::run(std::shared_ptr<Exchange> exchange, platform::CallPtr call) {
  const platform::OpRow& row = *exchange->row;
  const auto protocol = exchange->route->protocol;
  const auto input = row.make_input();
  const auto output = row.make_output();
  aws::decode_request(protocol, *row.operation, exchange->routed, exchange->body, input.get(),
                      &random_);
  std::optional<aws::ApiError> failure;
  try {
    co_await registry_.run(row, call, input.get(), output.get());
  } catch (const aws::ApiError& error) {
    failure = error;
  }
  auto response =
      failure ? exchange->error(*failure)
              : aws::encode_response(protocol, *row.operation, output.get(), exchange->request_id);
  if (failure) {
    for (const auto& [name, value] : call->response_headers()) response.set(name, value);
  } else {
    add_headers(*call, response);
  }
  co_return response;
}

Front::Caller Front::authenticate(const Exchange& exchange, bool s3) {
  aws::VerifyRequest what{*exchange.request, std::nullopt, clock_.now(), exchange.place()};
  // S3 signs the digest that it sends; the others that of the body, which is here.
  if (!s3) what.body = exchange.body;
  Caller caller;
  const auto verified = verifier_.verify(what);
  if (!verified) {
    if (!s3) throw aws::missing_authentication(what.place);
    return caller;  // anonymous: bucket policies decide
  }
  caller.verified = *verified;
  caller.region = verified->region;
  const auto key = identities_.find_key(verified->access_key);
  if (!key) throw aws::missing_authentication(what.place);  // deleted this instant
  caller.identity = key->identity;
  return caller;
}

platform::CallPtr Front::make_call(const Exchange& exchange, const Caller& caller) {
  platform::CallOrigin origin;
  origin.identity = caller.identity;
  if (!caller.region.empty()) origin.region = caller.region;
  origin.request_id = exchange.request_id;
  origin.source_ip = exchange.request->remote.empty() ? "127.0.0.1" : exchange.request->remote;
  const auto host = exchange.request->header("host");
  origin.endpoint = host ? fmt::format("http://{}", *host) : endpoint_;
  origin.tls = exchange.request->tls;
  return std::make_shared<platform::Call>(registry_, clock_, std::move(origin),
                                          exchange.request.get());
}

}  // namespace tarn::gateway
