// SPDX-License-Identifier: Apache-2.0
// What a request costs before and after its handler, in microseconds: routing, the signature,
// decoding, encoding. `aws_codec_bench [rounds]`
#include <chrono>

#include <fmt/format.h>

#include "aws/router.hpp"
#include "aws/sigv4.hpp"
#include "aws/testing/erased.hpp"
#include "base/strings.hpp"

namespace tarn::aws {
namespace {

struct Case {
  const char* name;
  const char* service;
  const char* operation;
  HttpRequest request;
  std::string body;
  std::string output;
};

std::vector<Case> cases() {
  std::vector<Case> all;
  all.push_back({"s3 PutObject",
                 "s3",
                 "PutObject",
                 {.method = "PUT", .path = "/bucket/folder/key-00001"},
                 std::string(4096, 'x'),
                 R"({"ETag": "\"0123456789abcdef0123456789abcdef\""})"});
  all.push_back({"s3 ListObjectsV2",
                 "s3",
                 "ListObjectsV2",
                 {.method = "GET", .path = "/bucket", .query = "list-type=2&prefix=a%2Fb"},
                 "",
                 R"({"Name": "bucket", "KeyCount": 2, "Contents": [{"Key": "a"}, {"Key": "b"}]})"});
  all.push_back({"sqs SendMessage",
                 "sqs",
                 "SendMessage",
                 {.method = "POST", .path = "/"},
                 R"({"QueueUrl": "http://127.0.0.1:4566/000000000000/q", "MessageBody": "hello"})",
                 R"({"MD5OfMessageBody": "5d41402abc4b2a76b9719d911017c592", "MessageId": "1"})"});
  all.back().request.headers.emplace_back("X-Amz-Target", "AmazonSQS.SendMessage");
  all.push_back({"sns Publish",
                 "sns",
                 "Publish",
                 {.method = "POST", .path = "/"},
                 "Action=Publish&Version=2010-03-31&TopicArn=arn%3Aaws%3Asns%3Ax&Message=hello",
                 R"({"MessageId": "1"})"});
  all.back().request.headers.emplace_back("Content-Type", "application/x-www-form-urlencoded");
  return all;
}

template <class F>
double micros(int rounds, F&& run) {
  const auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < rounds; ++i) run();
  const std::chrono::duration<double, std::micro> spent = std::chrono::steady_clock::now() - start;
  return spent.count() / rounds;
}

void measure(Case& one, int rounds) {
  const Timestamp now = from_millis(1'700'000'000'000);
  one.request.headers.emplace_back("Host", "127.0.0.1:4566");
  one.request.headers.emplace_back("User-Agent", "Boto3/1.44.5 md/Botocore#1.44.5");
  sign(one.request, one.body, {"AKIDEXAMPLE", "secret", ""}, {.service = one.service, .now = now});
  SignatureVerifier verifier([](const std::string&) { return SecretKey{"secret", "", {}}; });
  const auto* erased = testing::find_erased(one.service, one.operation);
  const Protocol protocol = default_protocol(*erased->operation);
  const ErrorPlace place = error_place(protocol, *erased->operation);
  const bool whole = !has_streaming_input(*erased->operation);
  const auto output = erased->make_output();
  decode_json(*erased->operation->output, parse_json(one.output), output.get());

  const double routing = micros(rounds, [&] {
    const auto found = route(one.request, signing_scope_service(one.request), one.body);
    if (!found || found->operation != one.operation) std::abort();
  });
  const double verifying = micros(rounds, [&] {
    const auto body = whole ? std::optional<std::string_view>(one.body) : std::nullopt;
    if (!verifier.verify({one.request, body, now, place})) std::abort();
  });
  const double decoding = micros(rounds, [&] {
    const auto input = erased->make_input();
    decode_request(protocol, *erased->operation, one.request, one.body, input.get());
  });
  const double encoding = micros(
      rounds, [&] { encode_response(protocol, *erased->operation, output.get(), "request-1"); });
  fmt::print("{:18} route {:6.2f}  verify {:6.2f}  decode {:6.2f}  encode {:6.2f}  µs\n", one.name,
             routing, verifying, decoding, encoding);
}

}  // namespace
}  // namespace tarn::aws

int main(int count, char** arguments) {
  const auto rounds = count > 1 ? tarn::parse_int(arguments[1]).value_or(20'000) : 20'000;
  for (auto& one : tarn::aws::cases()) tarn::aws::measure(one, static_cast<int>(rounds));
}
