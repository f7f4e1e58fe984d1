// SPDX-License-Identifier: Apache-2.0
// Bytes from outside into every decoder: must end in a value or an ApiError, never otherwise. What
// is decoded is encoded and decoded again, and must stay the same.
#include <cstdlib>

#include "aws/aws_chunked.hpp"
#include "aws/codec.hpp"
#include "aws/policy.hpp"
#include "aws/router.hpp"
#include "aws/sigv4.hpp"
#include "aws/testing/erased.hpp"
#include "base/check.hpp"
#include "base/strings.hpp"

namespace tarn::aws {
namespace {

// Takes what it needs off the front of the input.
class Input {
 public:
  explicit Input(std::string_view bytes) : rest_(bytes) {}
  std::uint8_t byte() {
    if (rest_.empty()) return 0;
    const auto value = static_cast<std::uint8_t>(rest_[0]);
    rest_.remove_prefix(1);
    return value;
  }
  std::string line() {
    const auto end = rest_.find('\n');
    std::string text(rest_.substr(0, end));
    rest_ = end == std::string_view::npos ? std::string_view{} : rest_.substr(end + 1);
    return text;
  }
  std::string_view rest() const { return rest_; }

 private:
  std::string_view rest_;
};

void decode_operation(Input& in, HttpRequest& request) {
  const auto& all = testing::erased_operations();
  if (all.empty()) return;
  const auto& erased = all[in.byte() % all.size()];
  const auto protocols = erased.operation->service->protocols;
  const Protocol protocol = protocols[in.byte() % protocols.size()];
  const auto input = erased.make_input();
  decode_request(protocol, *erased.operation, request, in.rest(), input.get());
  const Json once = encode_json(*erased.operation->input, input.get());
  const auto again = erased.make_input();
  ServiceModel relaxed = *erased.operation->service;
  relaxed.checks = CheckStyle::none;
  decode_json(*erased.operation->input, once, again.get(), {}, &relaxed);
  TARN_CHECK(encode_json(*erased.operation->input, again.get()) == once);
}

void verify_request(Input& in, HttpRequest& request) {
  SignatureVerifier verifier([](const std::string&) { return SecretKey{"secret", "", {}}; });
  const auto scope = signing_scope_service(request);
  verifier.verify(
      {request, in.rest(), from_millis(1'700'000'000'000), guess_place(request, scope)});
}

void decode_chunks(Input& in) {
  Verified verified;
  verified.payload = static_cast<PayloadKind>(2 + in.byte() % 3);
  AwsChunkedDecoder decoder(verified, std::nullopt);
  std::string whole;
  decoder.push(in.rest(), whole);
  decoder.finish();
  TARN_CHECK(whole.size() <= in.rest().size());
}

void run(std::string_view bytes) {
  Input in(bytes);
  const int what = in.byte() % 5;
  HttpRequest request;
  if (what < 3) {
    static constexpr const char* k_methods[] = {"GET", "PUT", "POST", "DELETE", "HEAD"};
    request.method = k_methods[in.byte() % 5];
    request.path = "/" + in.line();
    request.query = in.line();
    request.headers.emplace_back(in.line(), in.line());
    request.headers.emplace_back("authorization", in.line());
  }
  try {
    switch (what) {
      case 0: decode_operation(in, request); break;
      case 1: verify_request(in, request); break;
      case 2:
        normalise_s3_host(request);
        route(request, in.line(), in.rest());
        break;
      case 3: decode_chunks(in); break;
      default: {
        const Policy policy = Policy::parse(in.rest());
        policy.evaluate({"s3:GetObject", "arn:aws:s3:::b/k", {}, {{"aws:username", {"*"}}}});
        policy.evaluate_resource({"s3:GetObject", "*", {.anonymous = true}, {}});
      }
    }
  } catch (const ApiError&) {
  } catch (const PolicyError&) {}
}

}  // namespace
}  // namespace tarn::aws

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  tarn::aws::run({reinterpret_cast<const char*>(data), size});
  return 0;
}
