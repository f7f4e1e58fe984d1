// SPDX-License-Identifier: Apache-2.0
#include "aws/sigv4.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <set>

#include <fmt/format.h>

#include "aws/digest.hpp"
#include "aws/router.hpp"
#include "base/strings.hpp"

namespace tarn::aws {

namespace {

constexpr Seconds k_skew_max{15 * 60};
constexpr std::int64_t k_presign_seconds_max = 7 * 24 * 3600;
constexpr std::string_view k_algorithm = "AWS4-HMAC-SHA256";
constexpr std::string_view k_unsigned = "UNSIGNED-PAYLOAD";

// -- the wording of failures

bool is_s3(const ErrorPlace& place) {
  return place.protocol == Protocol::rest_xml && place.service_id == "s3";
}

// The same failure under the names of the protocol families.
ApiError named(const ErrorPlace& place, std::string_view query_code, std::string_view json_code,
               std::string message, int query_status = 403) {
  switch (place.protocol) {
    case Protocol::query:
    case Protocol::ec2:
    case Protocol::rest_xml:
      return ApiError(std::string(query_code), std::move(message), query_status);
    case Protocol::rest_json: return ApiError(std::string(json_code), std::move(message), 403);
    default: return ApiError(std::string(json_code), std::move(message), 400);
  }
}

ApiError unknown_key(const ErrorPlace& place, const std::string& access_key) {
  if (is_s3(place)) {
    ApiError error("InvalidAccessKeyId",
                   "The AWS Access Key Id you provided does not exist in our records.", 403);
    error.extra["AWSAccessKeyId"] = access_key;
    return error;
  }
  if (place.protocol == Protocol::ec2) {
    return ApiError("AuthFailure", "AWS was not able to validate the provided access credentials",
                    401);
  }
  return named(place, "InvalidClientTokenId", "UnrecognizedClientException",
               "The security token included in the request is invalid.");
}

ApiError expired_token(const ErrorPlace& place) {
  if (is_s3(place)) return ApiError("ExpiredToken", "The provided token has expired.", 400);
  return named(place, "ExpiredToken", "ExpiredTokenException",
               "The security token included in the request is expired");
}

ApiError invalid_token(const ErrorPlace& place) {
  if (is_s3(place)) {
    return ApiError("InvalidToken", "The provided token is malformed or otherwise invalid.", 400);
  }
  return named(place, "InvalidClientTokenId", "UnrecognizedClientException",
               "The security token included in the request is invalid.");
}

ApiError malformed(const ErrorPlace& place, std::string message, bool in_query) {
  if (is_s3(place)) {
    return ApiError(in_query ? "AuthorizationQueryParametersError" : "AuthorizationHeaderMalformed",
                    std::move(message), 400);
  }
  return named(place, "IncompleteSignature", "IncompleteSignatureException", std::move(message),
               400);
}

ApiError skewed(const ErrorPlace& place, Timestamp requested, Timestamp now) {
  if (is_s3(place)) {
    ApiError error("RequestTimeTooSkewed",
                   "The difference between the request time and the current time is too large.",
                   403);
    error.extra["RequestTime"] = iso8601_basic(requested);
    error.extra["ServerTime"] = iso8601(now, Precision::seconds);
    error.extra["MaxAllowedSkewMilliseconds"] = "900000";
    return error;
  }
  const std::string at = iso8601_basic(requested), server = iso8601_basic(now);
  const std::string message =
      requested < now
          ? fmt::format("Signature expired: {} is now earlier than {} ({} - 15 min.)", at,
                        iso8601_basic(now - k_skew_max), server)
          : fmt::format("Signature not yet current: {} is still later than {} ({} + 15 min.)", at,
                        iso8601_basic(now + k_skew_max), server);
  return named(place, "SignatureDoesNotMatch", "InvalidSignatureException", message);
}

// -- canonical forms

std::string collapse_spaces(std::string_view text) {
  std::string out;
  for (const char c : trim(text)) {
    if (c == ' ' && out.ends_with(' ')) continue;
    out += c;
  }
  return out;
}

// Services but S3 sign the normalised path, encoded once more than it was sent.
std::string canonical_path(std::string_view path, bool s3) {
  if (path.empty()) return "/";
  if (s3) return uri_encode(uri_decode(path), true);
  std::vector<std::string_view> kept;
  std::string_view rest = path;
  while (!rest.empty()) {
    if (rest.starts_with('/')) rest.remove_prefix(1);
    const auto slash = rest.find('/');
    const std::string_view part = rest.substr(0, slash);
    rest = slash == std::string_view::npos ? std::string_view{} : rest.substr(slash);
    if (part == "..") {
      if (!kept.empty()) kept.pop_back();
    } else if (!part.empty() && part != ".") {
      kept.push_back(part);
    }
  }
  std::string out;
  for (const std::string_view part : kept) (out += '/') += uri_encode(part);
  if (out.empty() || path.ends_with('/')) out += '/';
  return out;
}

using Pairs = std::vector<std::pair<std::string, std::string>>;

// `encode` false takes the text as it was sent: some clients sign that.
std::string canonical_query(std::string_view query, bool reencode) {
  Pairs pairs;
  while (!query.empty()) {
    const auto end = query.find('&');
    const std::string_view part = query.substr(0, end);
    query = end == std::string_view::npos ? std::string_view{} : query.substr(end + 1);
    if (part.empty()) continue;
    const auto equals = part.find('=');
    std::string_view key = part.substr(0, equals);
    std::string_view value = equals == std::string_view::npos ? "" : part.substr(equals + 1);
    if (key == "X-Amz-Signature") continue;
    if (reencode) {
      pairs.emplace_back(uri_encode(uri_decode(key, true)), uri_encode(uri_decode(value, true)));
    } else {
      pairs.emplace_back(key, value);
    }
  }
  std::ranges::sort(pairs);
  std::string out;
  for (const auto& [key, value] : pairs) {
    if (!out.empty()) out += '&';
    ((out += key) += '=') += value;
  }
  return out;
}

std::string canonical_headers(const HttpRequest& request,
                              const std::vector<std::string>& signed_headers) {
  std::string out;
  for (const std::string& name : signed_headers) {
    std::string values;
    bool first = true;
    for (const auto& [key, value] : request.headers) {
      if (!iequals(key, name)) continue;
      if (!first) values += ',';
      first = false;
      values += collapse_spaces(value);
    }
    ((out += name) += ':') += values;
    out += '\n';
  }
  return out;
}

std::string canonical_request(const HttpRequest& request,
                              const std::vector<std::string>& signed_headers,
                              std::string_view payload_hash, bool s3, bool reencode_query) {
  return fmt::format("{}\n{}\n{}\n{}\n{}\n{}", request.method, canonical_path(request.path, s3),
                     canonical_query(request.query, reencode_query),
                     canonical_headers(request, signed_headers), join(signed_headers, ";"),
                     payload_hash);
}

std::string string_to_sign(std::string_view time, std::string_view scope,
                           std::string_view canonical) {
  return fmt::format("{}\n{}\n{}\n{}", k_algorithm, time, scope, sha256_hex(canonical));
}

// -- what a request says of its signature

struct Parameters {
  std::string access_key, date, region, service, time, signature, session_token;
  std::vector<std::string> signed_headers;
  std::optional<std::int64_t> expires_seconds;
  bool presigned = false;
  std::string scope() const { return fmt::format("{}/{}/{}/aws4_request", date, region, service); }
};

bool set_credential(Parameters& out, std::string_view credential) {
  auto parts = split(credential, '/');
  if (parts.size() < 5 || parts.back() != "aws4_request") return false;
  const std::size_t count = parts.size();
  out.service = parts[count - 2];
  out.region = parts[count - 3];
  out.date = parts[count - 4];
  parts.resize(count - 4);  // a key may contain slashes
  out.access_key = join(parts, "/");
  return !out.access_key.empty();
}

std::vector<std::string> header_names(std::string_view list) {
  auto names = split(to_lower(list), ';');
  std::erase(names, "");
  return names;
}

Parameters parse_header(const ErrorPlace& place, const HttpRequest& request,
                        std::string_view header) {
  Parameters out;
  std::map<std::string, std::string, std::less<>> fields;
  for (const std::string& part : split(header.substr(k_algorithm.size()), ',')) {
    const std::string_view text = trim(part);
    const auto equals = text.find('=');
    if (equals == std::string_view::npos) continue;
    fields.emplace(text.substr(0, equals), trim(text.substr(equals + 1)));
  }
  for (const char* name : {"Credential", "Signature", "SignedHeaders"}) {
    if (fields[name].empty()) {
      throw malformed(place,
                      fmt::format("Authorization header requires '{}' parameter. Authorization={}",
                                  name, k_algorithm),
                      false);
    }
  }
  if (!set_credential(out, fields["Credential"])) {
    throw malformed(place,
                    fmt::format("Credential must have exactly 5 slash-delimited elements, e.g. "
                                "keyid/date/region/service/term, got '{}'",
                                fields["Credential"]),
                    false);
  }
  out.signature = fields["Signature"];
  out.signed_headers = header_names(fields["SignedHeaders"]);
  if (const auto time = request.header("x-amz-date")) {
    out.time = *time;
  } else if (const auto date = request.header("date")) {
    if (const auto parsed = parse_http_date(*date))
      out.time = iso8601_basic(*parsed);
    else
      out.time = *date;
  } else {
    throw malformed(place,
                    "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' "
                    "header.",
                    false);
  }
  if (const auto token = request.header("x-amz-security-token")) out.session_token = *token;
  return out;
}

Parameters parse_query_signature(const ErrorPlace& place, const std::vector<QueryPair>& query) {
  Parameters out;
  out.presigned = true;
  std::map<std::string_view, std::string_view> fields;
  for (const QueryPair& pair : query) fields.emplace(pair.key, pair.value);
  for (const std::string_view name :
       {"X-Amz-Credential", "X-Amz-Signature", "X-Amz-Date", "X-Amz-SignedHeaders"}) {
    if (fields[name].empty()) {
      throw malformed(place,
                      "Query-string authentication version 4 requires the X-Amz-Algorithm, "
                      "X-Amz-Credential, X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and "
                      "X-Amz-Expires parameters.",
                      true);
    }
  }
  if (!set_credential(out, fields["X-Amz-Credential"])) {
    throw malformed(place,
                    "Error parsing the X-Amz-Credential parameter; the Credential is mal-formed; "
                    "expecting \"<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request\".",
                    true);
  }
  out.signature = fields["X-Amz-Signature"];
  out.time = fields["X-Amz-Date"];
  out.session_token = fields["X-Amz-Security-Token"];
  out.signed_headers = header_names(fields["X-Amz-SignedHeaders"]);
  if (!fields["X-Amz-Expires"].empty()) {
    out.expires_seconds = parse_int(fields["X-Amz-Expires"]);
    if (!out.expires_seconds) {
      throw malformed(place, "X-Amz-Expires should be a number", true);
    }
    if (*out.expires_seconds < 0) {
      throw malformed(place, "X-Amz-Expires must be non-negative", true);
    }
    if (*out.expires_seconds > k_presign_seconds_max) {
      throw malformed(place,
                      "X-Amz-Expires must be less than a week (in seconds); that is, the "
                      "given X-Amz-Expires must be less than 604800 seconds",
                      true);
    }
  }
  return out;
}

void check_time(const VerifyRequest& what, const Parameters& parameters) {
  const auto time = parse_iso8601_basic(parameters.time);
  if (!time) {
    throw malformed(what.place,
                    "Date must be in ISO-8601 'basic format'. Got '" + parameters.time +
                        "'. See http://en.wikipedia.org/wiki/ISO_8601",
                    parameters.presigned);
  }
  if (!parameters.time.starts_with(parameters.date)) {
    throw malformed(what.place,
                    fmt::format("Date in Credential scope does not match YYYYMMDD from ISO-8601 "
                                "version of date from HTTP: '{}' != '{}', from '{}'.",
                                parameters.date, parameters.time.substr(0, 8), parameters.time),
                    parameters.presigned);
  }
  if (parameters.presigned && parameters.expires_seconds) {
    if (*time > what.now + k_skew_max) {
      if (!is_s3(what.place)) throw skewed(what.place, *time, what.now);
      throw ApiError("AccessDenied", "Request is not valid yet", 403);
    }
    const Timestamp end = *time + Seconds(*parameters.expires_seconds);
    if (what.now <= end) return;
    if (!is_s3(what.place)) throw skewed(what.place, *time, what.now);
    ApiError error("AccessDenied", "Request has expired", 403);
    error.extra["X-Amz-Expires"] = fmt::format("{}", *parameters.expires_seconds);
    error.extra["Expires"] = iso8601(end, Precision::seconds);
    error.extra["ServerTime"] = iso8601(what.now, Precision::seconds);
    throw error;
  }
  if (*time + k_skew_max < what.now || what.now + k_skew_max < *time) {
    throw skewed(what.place, *time, what.now);
  }
}

// What of a request must not be changed on its way has to be signed.
void check_signed_headers(const VerifyRequest& what, const Parameters& parameters) {
  const auto is_signed = [&](const std::string& name) {
    return std::ranges::find(parameters.signed_headers, name) != parameters.signed_headers.end();
  };
  std::vector<std::string> missing;
  if (!is_signed("host") && !is_signed(":authority")) missing.push_back("host");
  for (const auto& [key, value] : what.request.headers) {
    const std::string name = to_lower(key);
    if (!name.starts_with("x-amz-") || is_signed(name)) continue;
    if (parameters.presigned && name == "x-amz-content-sha256") continue;
    if (is_s3(what.place)) missing.push_back(name);
  }
  if (missing.empty()) return;
  if (is_s3(what.place)) {
    ApiError error("AccessDenied",
                   "There were headers present in the request which were not signed", 403);
    error.extra["HeadersNotSigned"] = join(missing, ", ");
    throw error;
  }
  throw malformed(what.place,
                  "'Host' or ':authority' must be a 'SignedHeader' in the AWS "
                  "Authorization.",
                  false);
}

PayloadKind payload_kind(const VerifyRequest& what, std::string_view declared) {
  if (declared == k_unsigned) return PayloadKind::unsigned_payload;
  if (declared == "STREAMING-AWS4-HMAC-SHA256-PAYLOAD") return PayloadKind::signed_chunks;
  if (declared == "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER") {
    return PayloadKind::signed_chunks_trailer;
  }
  if (declared == "STREAMING-UNSIGNED-PAYLOAD-TRAILER") {
    return PayloadKind::unsigned_chunks_trailer;
  }
  if (declared.size() == 64 && from_hex(declared)) return PayloadKind::hashed;
  throw ApiError("InvalidArgument",
                 "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, "
                 "STREAMING-UNSIGNED-PAYLOAD-TRAILER, STREAMING-AWS4-HMAC-SHA256-PAYLOAD, "
                 "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER or a valid sha256 value.",
                 is_s3(what.place) ? 400 : 403);
}

void check_key(const ErrorPlace& place, const SecretKey& key, const std::string& token,
               Timestamp now) {
  if (key.expires && *key.expires <= now) throw expired_token(place);
  if (!constant_time_equal(key.session_token, token)) throw invalid_token(place);
}

// The declared digest of the body, as it stands in the canonical request.
std::string declared_hash(const VerifyRequest& what, const Parameters& parameters,
                          const std::vector<QueryPair>& query) {
  if (const auto header = what.request.header("x-amz-content-sha256")) return std::string(*header);
  if (parameters.presigned) {
    for (const QueryPair& pair : query) {
      if (pair.key == "X-Amz-Content-Sha256") return pair.value;
    }
    if (parameters.service == "s3") return std::string(k_unsigned);
  }
  if (parameters.service == "s3") {
    throw ApiError("InvalidRequest",
                   "Missing required header for this request: "
                   "x-amz-content-sha256",
                   400);
  }
  return sha256_hex(what.body.value_or(""));
}

ApiError mismatch_details(const ErrorPlace& place, const Parameters& parameters,
                          const std::string& canonical, const std::string& to_sign) {
  ApiError error = signature_mismatch(place);
  if (!is_s3(place)) return error;
  error.extra["AWSAccessKeyId"] = parameters.access_key;
  error.extra["StringToSign"] = to_sign;
  error.extra["SignatureProvided"] = parameters.signature;
  error.extra["CanonicalRequest"] = canonical;
  return error;
}

// -- Signature Version 2, S3 only

// The query keys that are part of the resource.
constexpr std::string_view k_v2_resources[] = {"accelerate",
                                               "acl",
                                               "analytics",
                                               "cors",
                                               "delete",
                                               "encryption",
                                               "inventory",
                                               "lifecycle",
                                               "location",
                                               "logging",
                                               "metrics",
                                               "notification",
                                               "object-lock",
                                               "partNumber",
                                               "policy",
                                               "policyStatus",
                                               "publicAccessBlock",
                                               "replication",
                                               "requestPayment",
                                               "response-cache-control",
                                               "response-content-disposition",
                                               "response-content-encoding",
                                               "response-content-language",
                                               "response-content-type",
                                               "response-expires",
                                               "restore",
                                               "retention",
                                               "select",
                                               "select-type",
                                               "tagging",
                                               "torrent",
                                               "uploadId",
                                               "uploads",
                                               "versionId",
                                               "versioning",
                                               "versions",
                                               "website",
                                               "legal-hold"};

std::string v2_string_to_sign(const HttpRequest& request, std::string_view date) {
  const auto header = [&](std::string_view name) {
    return std::string(request.header(name).value_or(""));
  };
  std::map<std::string, std::string> amz;
  for (const auto& [key, value] : request.headers) {
    const std::string name = to_lower(key);
    if (!name.starts_with("x-amz-")) continue;
    std::string& all = amz[name];
    if (!all.empty()) all += ',';
    all += collapse_spaces(value);
  }
  std::string text = fmt::format("{}\n{}\n{}\n{}\n", request.method, header("content-md5"),
                                 header("content-type"), date);
  for (const auto& [name, value] : amz) text += fmt::format("{}:{}\n", name, value);
  HttpRequest located = request;
  normalise_s3_host(located);
  text += located.path.empty() ? "/" : located.path;
  std::map<std::string, const QueryPair*> parts;
  const auto query = parse_query(request.query);
  for (const QueryPair& pair : query) {
    if (std::ranges::find(k_v2_resources, pair.key) != std::end(k_v2_resources)) {
      parts[pair.key] = &pair;
    }
  }
  char separator = '?';
  for (const auto& [key, pair] : parts) {
    text += separator;
    separator = '&';
    text += key;
    if (!pair->bare) (text += '=') += pair->value;
  }
  return text;
}

Verified verify_v2(const VerifyRequest& what, const FindSecretKey& find_key,
                   const std::vector<QueryPair>& query) {
  Verified out;
  out.version_2 = true;
  out.service = "s3";
  std::string signature, date;
  const auto authorization = what.request.header("authorization");
  if (authorization && authorization->starts_with("AWS ")) {
    const std::string_view pair = trim(authorization->substr(4));
    const auto colon = pair.rfind(':');
    if (colon == std::string_view::npos) {
      throw ApiError("InvalidArgument",
                     "AWS authorization header is invalid.  Expected "
                     "AwsAccessKeyId:signature",
                     400);
    }
    out.access_key = pair.substr(0, colon);
    signature = pair.substr(colon + 1);
    // With x-amz-date the Date line is empty.
    const auto amz_date = what.request.header("x-amz-date");
    const std::string sent(amz_date ? *amz_date : what.request.header("date").value_or(""));
    auto time = parse_http_date(sent);
    if (!time) time = parse_iso8601_basic(sent);
    if (!time) {
      throw ApiError("AccessDenied",
                     "AWS authentication requires a valid Date or x-amz-date header", 403);
    }
    if (*time + k_skew_max < what.now || what.now + k_skew_max < *time) {
      throw skewed(what.place, *time, what.now);
    }
    if (!amz_date) date = sent;
    if (const auto token = what.request.header("x-amz-security-token")) out.session_token = *token;
  } else {
    out.presigned = true;
    for (const QueryPair& pair : query) {
      if (pair.key == "AWSAccessKeyId") out.access_key = pair.value;
      if (pair.key == "Signature") signature = pair.value;
      if (pair.key == "Expires") date = pair.value;
      if (pair.key == "x-amz-security-token") out.session_token = pair.value;
    }
    const auto expires = parse_int(date);
    if (!expires || signature.empty()) {
      throw ApiError("AccessDenied",
                     "Query-string authentication requires the Signature, Expires "
                     "and AWSAccessKeyId parameters",
                     403);
    }
    const Timestamp end = from_seconds(static_cast<double>(*expires));
    if (end < what.now) {
      ApiError error("AccessDenied", "Request has expired", 403);
      error.extra["Expires"] = iso8601(end, Precision::seconds);
      error.extra["ServerTime"] = iso8601(what.now, Precision::seconds);
      throw error;
    }
  }
  const auto key = find_key(out.access_key);
  if (!key) throw unknown_key(what.place, out.access_key);
  const std::string text = v2_string_to_sign(what.request, date);
  if (!constant_time_equal(to_base64(hmac(Digest::sha1, key->secret, text)), signature)) {
    ApiError error = signature_mismatch(what.place);
    error.extra["AWSAccessKeyId"] = out.access_key;
    error.extra["StringToSign"] = text;
    error.extra["SignatureProvided"] = signature;
    throw error;
  }
  check_key(what.place, *key, out.session_token, what.now);
  return out;
}

bool is_v2(const HttpRequest& request, const std::vector<QueryPair>& query) {
  const auto authorization = request.header("authorization");
  if (authorization) return authorization->starts_with("AWS ");
  return std::ranges::any_of(query, [](const auto& pair) { return pair.key == "AWSAccessKeyId"; });
}

}  // namespace

ApiError signature_mismatch(const ErrorPlace& place) {
  if (is_s3(place)) {
    return ApiError("SignatureDoesNotMatch",
                    "The request signature we calculated does not match the signature you "
                    "provided. Check your key and signing method.",
                    403);
  }
  return named(place, "SignatureDoesNotMatch", "InvalidSignatureException",
               "The request signature we calculated does not match the signature you provided. "
               "Check your AWS Secret Access Key and signing method. Consult the service "
               "documentation for details.");
}

ApiError payload_mismatch(const ErrorPlace& place) {
  if (!is_s3(place)) return signature_mismatch(place);
  return ApiError("XAmzContentSHA256Mismatch",
                  "The provided 'x-amz-content-sha256' header does not match what was computed.",
                  400);
}

ApiError missing_authentication(const ErrorPlace& place) {
  if (is_s3(place)) return ApiError("AccessDenied", "Access Denied", 403);
  return named(place, "MissingAuthenticationToken", "MissingAuthenticationTokenException",
               "Request is missing Authentication Token");
}

ErrorPlace guess_place(const HttpRequest& request, std::string_view signing_name) {
  ErrorPlace place;
  const auto type = request.header("content-type");
  if (request.header("x-amz-target")) {
    place.protocol = Protocol::json;
  } else if (request.header("smithy-protocol")) {
    place.protocol = Protocol::rpc_v2_cbor;
  } else if (signing_name == "s3" || signing_name.empty()) {
    place.protocol = Protocol::rest_xml;
    place.service_id = "s3";
  } else if ((type && type->starts_with("application/x-www-form-urlencoded")) ||
             request.query.find("Action=") != std::string::npos) {
    place.protocol = signing_name == "ec2" ? Protocol::ec2 : Protocol::query;
  } else {
    place.protocol = Protocol::rest_json;
  }
  return place;
}

std::string SigningKeys::get(const std::string& secret, std::string_view date,
                             std::string_view region, std::string_view service) {
  const std::string name = fmt::format("{}/{}/{}/{}", date, region, service, secret);
  {
    std::lock_guard lock(mutex_);
    const auto found = keys_.find(name);
    if (found != keys_.end()) return found->second;
  }
  std::string key = hmac(Digest::sha256, "AWS4" + secret, date);
  key = hmac(Digest::sha256, key, region);
  key = hmac(Digest::sha256, key, service);
  key = hmac(Digest::sha256, key, "aws4_request");
  std::lock_guard lock(mutex_);
  if (keys_.size() >= k_max) keys_.clear();
  keys_[name] = key;
  return key;
}

std::optional<Verified> SignatureVerifier::verify(const VerifyRequest& what) {
  const HttpRequest& request = what.request;
  const auto query = parse_query(request.query);
  if (is_v2(request, query)) {
    if (!is_s3(what.place)) throw missing_authentication(what.place);
    return verify_v2(what, find_key_, query);
  }
  const auto header = request.header("authorization");
  Parameters parameters;
  if (header && header->starts_with(k_algorithm)) {
    parameters = parse_header(what.place, request, *header);
  } else if (std::ranges::any_of(query, [](const auto& p) { return p.key == "X-Amz-Algorithm"; })) {
    parameters = parse_query_signature(what.place, query);
  } else if (header) {
    throw malformed(what.place,
                    "The authorization mechanism you have provided is not supported. "
                    "Please use AWS4-HMAC-SHA256.",
                    false);
  } else {
    return std::nullopt;
  }
  check_signed_headers(what, parameters);
  const auto key = find_key_(parameters.access_key);
  if (!key) throw unknown_key(what.place, parameters.access_key);
  check_time(what, parameters);

  Verified out;
  const std::string declared = declared_hash(what, parameters, query);
  out.payload = payload_kind(what, declared);
  if (out.payload == PayloadKind::hashed) out.payload_hash = to_lower(declared);
  out.scope = parameters.scope();
  out.signing_key = keys_.get(key->secret, parameters.date, parameters.region, parameters.service);
  const bool s3 = parameters.service == "s3" || parameters.service == "s3express";
  std::string canonical, to_sign;
  bool matches = false;
  for (const bool reencode : {true, false}) {
    canonical = canonical_request(request, parameters.signed_headers, declared, s3, reencode);
    to_sign = string_to_sign(parameters.time, out.scope, canonical);
    const std::string computed = to_hex(hmac(Digest::sha256, out.signing_key, to_sign));
    if ((matches = constant_time_equal(computed, parameters.signature))) break;
  }
  if (!matches) throw mismatch_details(what.place, parameters, canonical, to_sign);
  check_key(what.place, *key, parameters.session_token, what.now);
  if (what.body && out.payload == PayloadKind::hashed &&
      sha256_hex(*what.body) != out.payload_hash) {
    throw payload_mismatch(what.place);
  }
  out.access_key = std::move(parameters.access_key);
  out.date = std::move(parameters.date);
  out.time = std::move(parameters.time);
  out.region = std::move(parameters.region);
  out.service = std::move(parameters.service);
  out.session_token = std::move(parameters.session_token);
  out.presigned = parameters.presigned;
  out.signature = std::move(parameters.signature);
  return out;
}

namespace {

std::string compute_signature(const HttpRequest& request, const std::vector<std::string>& headers,
                              const SigningCredentials& keys, const SignOptions& options,
                              const std::string& payload_hash) {
  const std::string time = iso8601_basic(options.now);
  const std::string date = time.substr(0, 8);
  const std::string scope =
      fmt::format("{}/{}/{}/aws4_request", date, options.region, options.service);
  const std::string canonical =
      canonical_request(request, headers, payload_hash, options.service == "s3", true);
  const std::string key = SigningKeys().get(keys.secret_key, date, options.region, options.service);
  return to_hex(hmac(Digest::sha256, key, string_to_sign(time, scope, canonical)));
}

}  // namespace

std::string sign(HttpRequest& request, std::string_view body, const SigningCredentials& keys,
                 const SignOptions& options) {
  const std::string time = iso8601_basic(options.now);
  const std::string payload_hash = options.payload_hash.value_or(sha256_hex(body));
  set_header(request.headers, "x-amz-date", time);
  if (options.service == "s3" || options.payload_hash) {
    set_header(request.headers, "x-amz-content-sha256", payload_hash);
  }
  if (!keys.session_token.empty()) {
    set_header(request.headers, "x-amz-security-token", keys.session_token);
  }
  std::set<std::string> names;
  for (const auto& [key, value] : request.headers) {
    const std::string name = to_lower(key);
    if (name == "host" || name == "content-type" || name.starts_with("x-amz-")) names.insert(name);
  }
  const std::vector<std::string> signed_headers(names.begin(), names.end());
  const std::string signature =
      compute_signature(request, signed_headers, keys, options, payload_hash);
  set_header(request.headers, "authorization",
             fmt::format("{} Credential={}/{}/{}/{}/aws4_request, SignedHeaders={}, Signature={}",
                         k_algorithm, keys.access_key, time.substr(0, 8), options.region,
                         options.service, join(signed_headers, ";"), signature));
  return signature;
}

void presign(HttpRequest& request, const SigningCredentials& keys, const SignOptions& options,
             Seconds lifetime) {
  const std::string time = iso8601_basic(options.now);
  const auto add = [&](std::string_view key, std::string_view value) {
    if (!request.query.empty()) request.query += '&';
    request.query += fmt::format("{}={}", key, uri_encode(value));
  };
  add("X-Amz-Algorithm", k_algorithm);
  add("X-Amz-Credential", fmt::format("{}/{}/{}/{}/aws4_request", keys.access_key,
                                      time.substr(0, 8), options.region, options.service));
  add("X-Amz-Date", time);
  add("X-Amz-Expires", fmt::format("{}", lifetime.count()));
  add("X-Amz-SignedHeaders", "host");
  if (!keys.session_token.empty()) add("X-Amz-Security-Token", keys.session_token);
  const std::string payload_hash = options.payload_hash.value_or(
      options.service == "s3" ? std::string(k_unsigned) : sha256_hex(""));
  const std::string signature = compute_signature(request, {"host"}, keys, options, payload_hash);
  add("X-Amz-Signature", signature);
  request.target = request.path + "?" + request.query;
}

}  // namespace tarn::aws
