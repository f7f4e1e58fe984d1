// SPDX-License-Identifier: Apache-2.0
// AWS's own published examples. What botocore signs is verified in codegen/tests.
#include "aws/sigv4.hpp"

#include <gtest/gtest.h>

#include "aws/aws_chunked.hpp"
#include "base/strings.hpp"

namespace tarn::aws {
namespace {

// https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
const SigningCredentials k_keys{"AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
                                ""};
const Timestamp k_then = parse_iso8601("2013-05-24T00:00:00Z").value();

SignatureVerifier verifier() {
  return SignatureVerifier([](const std::string& id) -> std::optional<SecretKey> {
    if (id != k_keys.access_key) return std::nullopt;
    return SecretKey{k_keys.secret_key, "", {}};
  });
}

TEST(SigV4, aws_example_of_a_ranged_get) {
  HttpRequest request{.method = "GET", .path = "/test.txt"};
  request.headers = {
      {"Host", "examplebucket.s3.amazonaws.com"},
      {"Range", "bytes=0-9"},
      {"x-amz-content-sha256", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
      {"x-amz-date", "20130524T000000Z"},
      {"Authorization",
       "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,"
       "SignedHeaders=host;range;x-amz-content-sha256;x-amz-date,"
       "Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"}};
  auto check = verifier();
  const auto verified = check.verify({request, "", k_then, guess_place(request, "s3")});
  ASSERT_TRUE(verified);
  EXPECT_EQ(verified->region, "us-east-1");
  EXPECT_EQ(verified->payload, PayloadKind::hashed);
  request.headers[1].second = "bytes=0-99";
  EXPECT_THROW(check.verify({request, "", k_then, guess_place(request, "s3")}), ApiError);
}

TEST(SigV4, aws_example_of_a_presigned_get) {
  HttpRequest request{.method = "GET", .path = "/test.txt"};
  request.headers = {{"Host", "examplebucket.s3.amazonaws.com"}};
  presign(request, k_keys, {.region = "us-east-1", .service = "s3", .now = k_then}, Seconds(86400));
  EXPECT_TRUE(request.query.ends_with(
      "X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"))
      << request.query;
  auto check = verifier();
  EXPECT_TRUE(check.verify({request, {}, k_then + Seconds(86000), guess_place(request, "s3")}));
  EXPECT_THROW(check.verify({request, {}, k_then + Seconds(86500), guess_place(request, "s3")}),
               ApiError);
}

// https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html
struct ChunkedExample {
  HttpRequest request{.method = "PUT", .path = "/examplebucket/chunkObject.txt"};
  std::string body;
  ChunkedExample() {
    request.headers = {
        {"Host", "s3.amazonaws.com"},
        {"x-amz-date", "20130524T000000Z"},
        {"x-amz-storage-class", "REDUCED_REDUNDANCY"},
        {"Authorization",
         "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,"
         "SignedHeaders=content-encoding;content-length;host;x-amz-content-sha256;x-amz-date;"
         "x-amz-decoded-content-length;x-amz-storage-class,"
         "Signature=4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9"},
        {"x-amz-content-sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"},
        {"Content-Encoding", "aws-chunked"},
        {"x-amz-decoded-content-length", "66560"},
        {"Content-Length", "66824"}};
    body =
        "10000;chunk-signature="
        "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648\r\n" +
        std::string(65536, 'a') +
        "\r\n400;chunk-signature="
        "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497\r\n" +
        std::string(1024, 'a') +
        "\r\n0;chunk-signature="
        "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9\r\n\r\n";
  }
  std::string decode(std::size_t piece) {
    auto check = verifier();
    const auto verified = check.verify({request, {}, k_then, guess_place(request, "s3")});
    AwsChunkedDecoder decoder(verified.value(), 66560);
    std::string out;
    for (std::size_t at = 0; at < body.size(); at += piece) {
      decoder.push(std::string_view(body).substr(at, piece), out);
    }
    decoder.finish();
    return out;
  }
};

TEST(AwsChunked, aws_example_of_signed_chunks) {
  ChunkedExample example;
  EXPECT_EQ(example.body.size(), 66824u);
  for (const std::size_t piece : {1u, 7u, 4096u, 100000u}) {
    EXPECT_EQ(example.decode(piece), std::string(66560, 'a'));
  }
}

TEST(AwsChunked, a_changed_byte_is_refused) {
  ChunkedExample example;
  example.body[70000 - 4000] = 'b';
  try {
    example.decode(4096);
    FAIL();
  } catch (const ApiError& error) {
    EXPECT_EQ(error.code, "SignatureDoesNotMatch");
  }
}

TEST(AwsChunked, a_body_that_ends_early_is_refused) {
  ChunkedExample example;
  for (const std::size_t size : {0u, 100u, 66000u, 66700u}) {
    ChunkedExample cut;
    cut.body.resize(size);
    try {
      cut.decode(4096);
      ADD_FAILURE() << size;
    } catch (const ApiError& error) {
      EXPECT_EQ(error.code, "IncompleteBody");
    }
  }
}

TEST(AwsChunked, unsigned_chunks_bring_trailers) {
  Verified verified;
  verified.payload = PayloadKind::unsigned_chunks_trailer;
  AwsChunkedDecoder decoder(verified, 11);
  std::string out;
  decoder.push("5\r\nhello\r\n6\r\n world\r\n0\r\nX-Amz-Checksum-Crc32:DUoRhQ==\r\n\r\n", out);
  decoder.finish();
  EXPECT_EQ(out, "hello world");
  EXPECT_EQ(decoder.trailers(), (Headers{{"x-amz-checksum-crc32", "DUoRhQ=="}}));
}

TEST(AwsChunked, signed_trailers_are_verified) {
  // https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming-trailers.html
  Verified verified;
  verified.payload = PayloadKind::signed_chunks_trailer;
  verified.time = "20130524T000000Z";
  verified.scope = "20130524/us-east-1/s3/aws4_request";
  verified.signature = "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e";
  verified.signing_key = SigningKeys().get(k_keys.secret_key, "20130524", "us-east-1", "s3");
  const auto decode = [&](const std::string& checksum) {
    AwsChunkedDecoder decoder(verified, 66560);
    std::string out;
    decoder.push(
        "10000;chunk-signature="
        "b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2\r\n" +
            std::string(65536, 'a') +
            "\r\n400;chunk-signature="
            "1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7\r\n" +
            std::string(1024, 'a') +
            "\r\n0;chunk-signature="
            "2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992\r\n"
            "x-amz-checksum-crc32c:" +
            checksum +
            "\n\r\n"
            "x-amz-trailer-signature:"
            "d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435\r\n\r\n",
        out);
    decoder.finish();
    return decoder.trailers();
  };
  EXPECT_EQ(decode("sOO8/Q=="), (Headers{{"x-amz-checksum-crc32c", "sOO8/Q=="}}));
  EXPECT_THROW(decode("AAAAAA=="), ApiError);
}

TEST(AwsChunked, broken_frames_are_refused) {
  for (const char* body :
       {"zz\r\n", "5\r\nhelloX\r\n", "-5\r\n", "\r\n", "5\r\nhello\r\n0\r\nbad\r\n",
        "ffffffffffffffff\r\n", "3\r\nabc\r\n0\r\n\r\nmore"}) {
    Verified verified;
    verified.payload = PayloadKind::unsigned_chunks_trailer;
    AwsChunkedDecoder decoder(verified, 5);
    std::string out;
    EXPECT_THROW(
        {
          decoder.push(body, out);
          decoder.finish();
        },
        ApiError)
        << body;
  }
}

TEST(SigV4, what_is_signed_here_is_verified_here) {
  HttpRequest request{.method = "POST", .path = "/", .query = "b=2&a=%20x"};
  request.headers = {{"Host", "127.0.0.1:4566"}, {"X-Amz-Target", "AmazonSQS.ListQueues"}};
  sign(request, "{}", k_keys, {.region = "eu-west-1", .service = "sqs", .now = k_then});
  auto check = verifier();
  const auto verified = check.verify({request, "{}", k_then, guess_place(request, "sqs")});
  ASSERT_TRUE(verified);
  EXPECT_EQ(verified->service, "sqs");
  EXPECT_THROW(check.verify({request, "{x}", k_then, guess_place(request, "sqs")}), ApiError);
}

}  // namespace
}  // namespace tarn::aws
