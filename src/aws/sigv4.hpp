// SPDX-License-Identifier: Apache-2.0
// Signature Version 4 (and, for S3, Version 2): verifying requests, signing them.
//
// A request is verified as it was received: before its path is changed. Keys come from a callback;
// derived signing keys are cached, because deriving one costs four MACs. Failures are thrown with
// the codes and texts that the protocol's services use. Thread-safe.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html
#pragma once
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "aws/codec.hpp"
#include "aws/http.hpp"
#include "base/time.hpp"

namespace tarn::aws {

// What a key's owner knows.
struct SecretKey {
  std::string secret;
  std::string session_token;         // must come with the request when not empty
  std::optional<Timestamp> expires;  // of a session
};
using FindSecretKey = std::function<std::optional<SecretKey>(const std::string& access_key)>;

// The MACs of "AWS4"+secret over date, region and service, for keys in use.
class SigningKeys {
 public:
  std::string get(const std::string& secret, std::string_view date, std::string_view region,
                  std::string_view service);

 private:
  static constexpr std::size_t k_max = 4096;
  std::mutex mutex_;
  std::unordered_map<std::string, std::string> keys_;
};

// How the body is signed.
enum class PayloadKind {
  hashed,  // payload_hash is its SHA-256
  unsigned_payload,
  signed_chunks,  // aws-chunked, each chunk signed
  signed_chunks_trailer,
  unsigned_chunks_trailer,
};

struct Verified {
  std::string access_key;
  std::string date;  // 20261121
  std::string time;  // 20261121T080000Z
  std::string region;
  std::string service;
  std::string session_token;
  bool presigned = false;
  bool version_2 = false;
  PayloadKind payload = PayloadKind::unsigned_payload;
  std::string payload_hash;  // hex, when hashed
  // For chunks: the request's own signature and the key.
  std::string signature;
  std::string signing_key;
  std::string scope;  // date/region/service/aws4_request
};

struct VerifyRequest {
  const HttpRequest& request;
  // The whole body, where it was read; services but S3 sign its digest without sending it.
  std::optional<std::string_view> body;
  Timestamp now;
  ErrorPlace place;  // decides the wording of failures
};

class SignatureVerifier {
 public:
  explicit SignatureVerifier(FindSecretKey find_key) : find_key_(std::move(find_key)) {}
  // Null for requests without any signature.
  std::optional<Verified> verify(const VerifyRequest& what);

 private:
  FindSecretKey find_key_;
  SigningKeys keys_;
};

// The failure of an unsigned request where a signature is needed. (S3 takes it as anonymous.)
ApiError missing_authentication(const ErrorPlace& place);
// The body's digest is not what was signed.
ApiError payload_mismatch(const ErrorPlace& place);
// The wording of a refused signature: `details` (S3) adds what was compared.
ApiError signature_mismatch(const ErrorPlace& place);

// The protocol that an unrouted request seems to speak: enough to word a failure.
ErrorPlace guess_place(const HttpRequest& request, std::string_view signing_name);

// -- signing: the command's client, tests

struct SigningCredentials {
  std::string access_key, secret_key, session_token;
};
struct SignOptions {
  std::string region = "us-east-1";
  std::string service;
  Timestamp now;
  // S3 sends the digest as a header; "UNSIGNED-PAYLOAD" and the STREAMING- values go here too.
  std::optional<std::string> payload_hash;
};
// Adds x-amz-date, x-amz-content-sha256 (S3), x-amz-security-token and authorization; `request`
// needs its host header. Returns the signature.
std::string sign(HttpRequest& request, std::string_view body, const SigningCredentials& keys,
                 const SignOptions& options);
// Adds the signature to the query (`request.query`, `request.target`).
void presign(HttpRequest& request, const SigningCredentials& keys, const SignOptions& options,
             Seconds lifetime);

}  // namespace tarn::aws
