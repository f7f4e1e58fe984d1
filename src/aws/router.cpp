// SPDX-License-Identifier: Apache-2.0
#include "aws/router.hpp"

#include <algorithm>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <unordered_map>

#include <fmt/format.h>

#include "aws/catalogue.hpp"
#include "aws/uri_template.hpp"
#include "base/strings.hpp"

namespace tarn::aws {

namespace {

// One operation, as views into the catalogue's text.
struct Entry {
  std::string_view name, method, uri, path;
  std::vector<QueryPair> literals;
  std::vector<std::string_view> required, optional;
};

struct ServiceEntries {
  std::vector<Entry> all;                   // by name
  std::set<std::string_view> literal_keys;  // of any operation: sub-resources
};

std::vector<std::string_view> views(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  if (text == "-") return parts;
  while (!text.empty()) {
    const auto end = text.find(separator);
    parts.push_back(text.substr(0, end));
    text = end == std::string_view::npos ? std::string_view{} : text.substr(end + 1);
  }
  return parts;
}

std::unique_ptr<ServiceEntries> read_entries(std::string_view text) {
  auto entries = std::make_unique<ServiceEntries>();
  for (const std::string_view line : views(text, '\n')) {
    const auto fields = views(line, ' ');
    Entry& entry = entries->all.emplace_back();
    entry.name = fields[0];
    if (fields.size() < 5) continue;
    entry.method = fields[1];
    entry.uri = fields[2];
    const auto [path, literals] = split_uri_template(fields[2]);
    entry.path = path;
    entry.literals = parse_query(literals);
    for (std::string_view key : views(literals, '&')) {
      entries->literal_keys.insert(key.substr(0, key.find('=')));
    }
    entry.required = views(fields[3], ',');
    entry.optional = views(fields[4], ',');
  }
  return entries;
}

// The catalogue's services with their operations, read at first use.
class Index {
 public:
  static Index& instance() {
    static Index index;
    return index;
  }

  const ServiceEntries& entries(const CatalogueService& service) {
    const auto place = static_cast<std::size_t>(&service - catalogue().data());
    std::lock_guard lock(mutex_);
    auto& known = entries_[place];
    if (!known) known = read_entries(service.operations.view());
    return *known;
  }

  std::span<const CatalogueService* const> by_target(std::string_view prefix) const {
    return look_up(by_target_, prefix);
  }
  // Services that share a name are told apart by their host, where the client uses AWS's.
  std::vector<const CatalogueService*> by_signing(std::string_view name,
                                                  std::string_view host) const {
    const auto all = look_up(by_signing_, name);
    std::vector<const CatalogueService*> found(all.begin(), all.end());
    std::ranges::stable_sort(found, {}, [&](const CatalogueService* service) {
      const std::string_view prefix = service->endpoint_prefix.view();
      const bool own_host = host.starts_with(prefix) && host.substr(prefix.size()).starts_with('.');
      const bool primary = service->id.view() == name;
      return std::pair(own_host ? 0 : 1, primary ? 0 : 1);
    });
    return found;
  }
  std::span<const CatalogueService* const> by_version(std::string_view version) const {
    return look_up(by_version_, version);
  }
  const CatalogueService* by_id(std::string_view id) const {
    for (const CatalogueService& service : catalogue()) {
      if (service.id.view() == id) return &service;
    }
    return nullptr;
  }

 private:
  using Lists = std::map<std::string_view, std::vector<const CatalogueService*>>;

  Index() : entries_(catalogue().size()) {
    for (const CatalogueService& service : catalogue()) {
      if (service.target_prefix.length)
        by_target_[service.target_prefix.view()].push_back(&service);
      by_signing_[service.signing_name.view()].push_back(&service);
      by_version_[service.api_version.view()].push_back(&service);
    }
  }
  static std::span<const CatalogueService* const> look_up(const Lists& lists,
                                                          std::string_view key) {
    const auto found = lists.find(key);
    if (found == lists.end()) return {};
    return found->second;
  }

  std::mutex mutex_;
  std::vector<std::unique_ptr<ServiceEntries>> entries_;
  Lists by_target_, by_signing_, by_version_;
};

bool speaks(const CatalogueService& service, Protocol protocol) {
  for (std::uint32_t rest = service.protocols; rest; rest >>= 4) {
    if ((rest & 15) == 1 + static_cast<std::uint32_t>(protocol)) return true;
  }
  return false;
}

Protocol preferred(const CatalogueService& service) {
  return static_cast<Protocol>((service.protocols & 15) - 1);
}

Route make_route(const CatalogueService& service, const Entry& entry, Protocol protocol) {
  Route route;
  route.service = service.folder.view();
  route.service_id = service.id.view();
  route.operation = entry.name;
  route.protocol = protocol;
  route.method = entry.method;
  route.uri = entry.uri;
  route.place_ = {.protocol = protocol,
                  .service_id = service.id.view(),
                  .json_version = service.json_version.view(),
                  .xml_namespace = service.xml_namespace.view()};
  return route;
}

const Entry* find_entry(const ServiceEntries& entries, std::string_view name) {
  const auto found = std::ranges::lower_bound(entries.all, name, {}, &Entry::name);
  return found != entries.all.end() && found->name == name ? &*found : nullptr;
}

std::optional<Route> by_name(std::span<const CatalogueService* const> services,
                             std::string_view operation, Protocol protocol) {
  for (const CatalogueService* service : services) {
    if (!speaks(*service, protocol)) continue;
    if (const Entry* entry = find_entry(Index::instance().entries(*service), operation)) {
      return make_route(*service, *entry, protocol);
    }
  }
  return std::nullopt;
}

std::optional<Route> route_target(std::string_view target) {
  const auto dot = target.rfind('.');
  if (dot == std::string_view::npos) return std::nullopt;
  return by_name(Index::instance().by_target(target.substr(0, dot)), target.substr(dot + 1),
                 Protocol::json);
}

// /service/CodeBuild_20161006/operation/ListBuilds; the path may have a prefix.
std::optional<Route> route_rpc_v2(const HttpRequest& request) {
  const std::string_view path = request.path;
  const auto service_at = path.rfind("/service/");
  const auto operation_at = path.rfind("/operation/");
  if (service_at == std::string_view::npos || operation_at == std::string_view::npos ||
      operation_at < service_at) {
    return std::nullopt;
  }
  const auto start = service_at + 9;
  return by_name(Index::instance().by_target(path.substr(start, operation_at - start)),
                 path.substr(operation_at + 11), Protocol::rpc_v2_cbor);
}

std::optional<Route> route_form(std::string_view action, std::string_view version,
                                std::string_view signing_name, std::string_view host) {
  const auto try_all = [&](std::span<const CatalogueService* const> services,
                           bool any_version) -> std::optional<Route> {
    for (const CatalogueService* service : services) {
      if (!any_version && !version.empty() && service->api_version.view() != version) continue;
      for (const Protocol protocol : {Protocol::query, Protocol::ec2}) {
        if (auto found = by_name({&service, 1}, action, protocol)) return found;
      }
    }
    return std::nullopt;
  };
  auto& index = Index::instance();
  const auto candidates = index.by_signing(signing_name, host);
  if (auto found = try_all(candidates, false)) return found;
  // Old clients send old versions.
  if (auto found = try_all(candidates, true)) return found;
  if (!signing_name.empty()) return std::nullopt;
  return try_all(index.by_version(version), false);
}

// -- REST

struct Match {
  const Entry* entry = nullptr;
  int literals = -1, required = -1, literal_segments = -1;
  bool better_than(const Match& other) const {
    return std::tuple(literals, required, literal_segments) >
           std::tuple(other.literals, other.required, other.literal_segments);
  }
};

const QueryPair* find_pair(const std::vector<QueryPair>& query, std::string_view key) {
  for (const QueryPair& pair : query) {
    if (pair.key == key) return &pair;
  }
  return nullptr;
}

std::optional<Match> match_entry(const Entry& entry, const HttpRequest& request,
                                 const std::vector<QueryPair>& query) {
  if (entry.method != request.method) return std::nullopt;
  for (const QueryPair& literal : entry.literals) {
    const QueryPair* found = find_pair(query, literal.key);
    if (!found || (!literal.bare && found->value != literal.value)) return std::nullopt;
  }
  const auto labels = match_uri(entry.path, request.path);
  if (!labels) return std::nullopt;
  Match match{&entry, static_cast<int>(entry.literals.size()), 0, 0};
  for (const std::string_view key : entry.required) {
    match.required += find_pair(query, key) != nullptr;
  }
  std::string_view path = entry.path;
  while (path.ends_with('/')) path.remove_suffix(1);
  match.literal_segments =
      static_cast<int>(std::ranges::count(path, '/')) - static_cast<int>(labels->size());
  // A greedy label is the last resort.
  if (entry.path.find("+}") != std::string_view::npos) match.literal_segments -= 100;
  return match;
}

std::optional<Route> route_rest(const CatalogueService& service, const HttpRequest& request,
                                const std::vector<QueryPair>& query) {
  Match best;
  for (const Entry& entry : Index::instance().entries(service).all) {
    const auto match = match_entry(entry, request, query);
    if (match && match->better_than(best)) best = *match;
  }
  if (!best.entry) return std::nullopt;
  return make_route(service, *best.entry, preferred(service));
}

// Query keys that go with any S3 request: signatures, overrides, the SDKs' own marks.
bool is_common_s3_key(std::string_view key) {
  const std::string lower = to_lower(key);
  return lower.starts_with("x-amz-") || lower == "x-id" || lower == "awsaccesskeyid" ||
         lower == "signature" || lower == "expires" || lower.starts_with("response-") ||
         lower == "allow-unordered";
}

// Keys that choose another operation than the bare method and path do.
bool is_s3_selector(const ServiceEntries& entries, const QueryPair& pair) {
  static constexpr std::string_view k_more[] = {"uploadId", "partNumber", "versionId", "upload"};
  return entries.literal_keys.contains(pair.key) || pair.bare ||
         std::ranges::find(k_more, pair.key) != std::end(k_more);
}

bool takes(const Entry& entry, std::string_view key) {
  return find_pair(entry.literals, key) ||
         std::ranges::find(entry.required, key) != entry.required.end() ||
         std::ranges::find(entry.optional, key) != entry.optional.end();
}

// S3's operations share paths: what is meant is in the query and in one header. A sub-resource that
// an operation does not know must never reach it: PUT ?renameObject would overwrite the object.
Route route_s3(const CatalogueService& service, const HttpRequest& request,
               const std::vector<QueryPair>& query) {
  const ServiceEntries& entries = Index::instance().entries(service);
  const bool copies = request.header("x-amz-copy-source").has_value();
  Match best;
  for (const Entry& entry : entries.all) {
    if (entry.name == "ListDirectoryBuckets" || entry.name == "WriteGetObjectResponse") continue;
    const bool is_copy = entry.name == "CopyObject" || entry.name == "UploadPartCopy";
    const bool has_copy = is_copy || entry.name == "PutObject" || entry.name == "UploadPart";
    if (has_copy && is_copy != copies) continue;
    const auto match = match_entry(entry, request, query);
    if (!match || match->required != static_cast<int>(entry.required.size())) continue;
    if (match->better_than(best)) best = *match;
  }
  const auto refused = [&](const Entry& entry) {
    Route route = make_route(service, entry, Protocol::rest_xml);
    route.method_not_allowed = true;
    route.operation = {};
    return route;
  };
  static const Entry k_none{};
  if (!best.entry) return refused(k_none);
  for (const QueryPair& pair : query) {
    if (is_common_s3_key(pair.key) || takes(*best.entry, pair.key)) continue;
    if (is_s3_selector(entries, pair)) return refused(k_none);
  }
  return make_route(service, *best.entry, Protocol::rest_xml);
}

bool is_form(const HttpRequest& request) {
  const auto type = request.header("content-type");
  return type &&
         iequals(trim(type->substr(0, type->find(';'))), "application/x-www-form-urlencoded");
}

// Unsigned requests name their service in the host at best; what remains is S3.
bool is_s3_control(const HttpRequest& request, std::string_view host) {
  return request.path.starts_with("/v20180820/") &&
         (request.header("x-amz-account-id") || host.find("s3-control.") != std::string_view::npos);
}

}  // namespace

std::string signing_scope_service(const HttpRequest& request) {
  std::string scope;
  if (const auto header = request.header("authorization")) {
    const auto at = header->find("Credential=");
    if (at != std::string_view::npos) {
      scope = header->substr(at + 11, header->find_first_of(", ", at) - at - 11);
    } else if (header->starts_with("AWS ")) {
      return "s3";  // SigV2 is left to S3 alone
    }
  }
  if (scope.empty()) {
    for (const QueryPair& pair : parse_query(request.query)) {
      if (pair.key == "X-Amz-Credential") scope = pair.value;
      if (pair.key == "AWSAccessKeyId") return "s3";
    }
  }
  // AKID/20260101/us-east-1/sqs/aws4_request
  const auto parts = split(scope, '/');
  return parts.size() >= 5 ? parts[parts.size() - 2] : std::string();
}

bool needs_body_to_route(const HttpRequest& request) {
  return is_form(request) && request.method == "POST" && !request.header("x-amz-target");
}

std::optional<Route> route(const HttpRequest& request, std::string_view signing_name,
                           std::string_view form) {
  if (const auto target = request.header("x-amz-target")) {
    if (auto found = route_target(*target)) return found;
  }
  if (const auto protocol = request.header("smithy-protocol");
      protocol && *protocol == "rpc-v2-cbor") {
    return route_rpc_v2(request);
  }
  auto& index = Index::instance();
  const std::string_view host = request.header("host").value_or("");
  const std::vector<QueryPair> query = parse_query(request.query);
  if (signing_name != "s3") {
    const std::vector<QueryPair> fields = is_form(request) ? parse_query(form) : query;
    const QueryPair* action = find_pair(fields, "Action");
    if (!action) action = find_pair(query, "Action");
    if (action) {
      const QueryPair* version = find_pair(fields, "Version");
      if (!version) version = find_pair(query, "Version");
      const std::string_view known = version ? std::string_view(version->value) : "";
      if (auto found = route_form(action->value, known, signing_name, host)) return found;
      if (!signing_name.empty()) return std::nullopt;
    }
  }
  const std::string_view name = signing_name == "s3express" ? "s3" : signing_name;
  if (!name.empty() && name != "s3") {
    for (const CatalogueService* service : index.by_signing(name, host)) {
      const Protocol protocol = preferred(*service);
      if (protocol != Protocol::rest_json && protocol != Protocol::rest_xml) continue;
      if (auto found = route_rest(*service, request, query)) return found;
    }
    return std::nullopt;
  }
  if (is_s3_control(request, host)) {
    if (auto found = route_rest(*index.by_id("s3control"), request, query)) return found;
  }
  Route route = route_s3(*index.by_id("s3"), request, query);
  return route;
}

ApiError not_implemented(const Route& route) {
  if (route.method_not_allowed) {
    return ApiError("MethodNotAllowed",
                    "The specified method is not allowed against this resource.", 405);
  }
  return not_implemented(route.service_id, route.operation);
}

HttpResponse not_implemented_response(const Route& route, std::string_view request_id) {
  return encode_error(route.place(), not_implemented(route), request_id);
}

HttpResponse unknown_operation_response(const HttpRequest& request, std::string_view signing_name,
                                        std::string_view request_id) {
  ErrorPlace place;
  ApiError error("UnknownOperationException", "The requested operation is not known.", 404);
  if (request.header("x-amz-target")) {
    place.protocol = Protocol::json;
    error.http_status = 400;
  } else if (request.header("smithy-protocol")) {
    place.protocol = Protocol::rpc_v2_cbor;
  } else if (is_form(request) || find_pair(parse_query(request.query), "Action")) {
    place.protocol = signing_name == "ec2" ? Protocol::ec2 : Protocol::query;
    error = ApiError("InvalidAction", "The action or operation requested is invalid.", 400);
  } else {
    place.protocol = Protocol::rest_json;
    for (const CatalogueService* service : Index::instance().by_signing(signing_name, "")) {
      if (preferred(*service) == Protocol::rest_xml) {
        place.protocol = Protocol::rest_xml;
        place.service_id = service->id.view();
      }
    }
  }
  return encode_error(place, error, request_id);
}

namespace {

// The bucket in front of `suffix` (".s3.amazonaws.com"), if any.
std::optional<std::string> bucket_before(std::string_view host, std::string_view suffix) {
  if (host.size() <= suffix.size() || !host.ends_with(suffix)) return std::nullopt;
  return std::string(host.substr(0, host.size() - suffix.size()));
}

std::optional<std::string> bucket_of_host(std::string_view host,
                                          const std::vector<std::string>& endpoints) {
  // bucket.s3.REGION.amazonaws.com, bucket.s3-REGION…, bucket.s3.dualstack.REGION…
  if (host.ends_with(".amazonaws.com") || host.ends_with(".amazonaws.com.cn")) {
    for (const std::string_view mark : {".s3.", ".s3-"}) {
      const auto at = host.rfind(mark);
      if (at != std::string_view::npos && at > 0) return std::string(host.substr(0, at));
    }
    return std::nullopt;
  }
  std::vector<std::string> suffixes{".s3.localhost", ".localhost", ".s3.127.0.0.1.nip.io",
                                    ".127.0.0.1.nip.io", ".127.0.0.1"};
  for (const std::string& endpoint : endpoints) {
    suffixes.insert(suffixes.begin(), {".s3." + endpoint, "." + endpoint});
  }
  for (const std::string& suffix : suffixes) {
    auto bucket = bucket_before(host, suffix);
    if (bucket && *bucket != "s3") return bucket;
  }
  return std::nullopt;
}

}  // namespace

std::string normalise_s3_host(HttpRequest& request, const std::vector<std::string>& endpoints) {
  const auto header = request.header("host");
  if (!header) return {};
  std::string host = to_lower(*header);
  const auto colon = host.rfind(':');
  if (colon != std::string::npos && host.find(']') == std::string::npos) host.resize(colon);
  const auto bucket = bucket_of_host(host, endpoints);
  if (!bucket) return {};
  request.path = "/" + *bucket + (request.path.empty() ? "/" : request.path);
  return *bucket;
}

}  // namespace tarn::aws
