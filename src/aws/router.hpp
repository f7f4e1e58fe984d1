// SPDX-License-Identifier: Apache-2.0
// Which operation of which service does a request mean? Over all of AWS, implemented or not, so
// that a client always learns what it asked for.
//
// As AWS does it: X-Amz-Target, Smithy's RPC path, Action and Version of a form, and for the REST
// services the signing scope with method, path and literal query. Thread-safe; what is read from
// the catalogue is kept for good.
#pragma once
#include <optional>
#include <string>
#include <string_view>

#include "aws/codec.hpp"
#include "aws/http.hpp"

namespace tarn::aws {

struct Route {
  std::string_view service;     // the folder: "redshift_data"
  std::string_view service_id;  // botocore's: "redshift-data"
  std::string_view operation;   // "ExecuteStatement"
  Protocol protocol = Protocol::json;
  std::string_view method, uri;  // of REST operations
  // S3: the method or sub-resource is known but does not go with the resource; `operation` is
  // empty.
  bool method_not_allowed = false;

  // For errors, also of operations that have no code.
  ErrorPlace place() const { return place_; }
  ErrorPlace place_;
};

// The service of the signature's scope ("sqs"), from the Authorization header or the query; empty
// if the request is not signed with SigV4.
std::string signing_scope_service(const HttpRequest& request);

// Is the body (a form) needed to route the request?
bool needs_body_to_route(const HttpRequest& request);

// `signing_name`: see signing_scope_service; may be empty. `form`: the body where it is needed.
// Null if no operation of AWS fits.
std::optional<Route> route(const HttpRequest& request, std::string_view signing_name,
                           std::string_view form = {});

// 501, naming service and operation; of S3 405 where the method does not go with the resource.
ApiError not_implemented(const Route& route);
HttpResponse not_implemented_response(const Route& route, std::string_view request_id);
// What a client gets whose request fits no operation, in the protocol that it seems to speak.
HttpResponse unknown_operation_response(const HttpRequest& request, std::string_view signing_name,
                                        std::string_view request_id);

// Virtual-host style to path style: Host bucket.s3.amazonaws.com, bucket.s3.REGION.amazonaws.com,
// bucket.localhost, bucket.127.0.0.1.nip.io and any of `endpoints` ("127.0.0.1", "tarn.test") with
// a bucket in front. Changes `request.path` only; to be called after the signature was verified.
// Returns the bucket it moved.
std::string normalise_s3_host(HttpRequest& request, const std::vector<std::string>& endpoints = {});

}  // namespace tarn::aws
