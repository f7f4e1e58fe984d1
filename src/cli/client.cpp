// SPDX-License-Identifier: Apache-2.0
#include "cli/client.hpp"

#include <memory>

#include <curl/curl.h>
#include <fmt/format.h>
#include <pugixml.hpp>

#include "aws/sigv4.hpp"
#include "base/strings.hpp"

namespace tarn::cli {
namespace {

std::size_t append(char* bytes, std::size_t size, std::size_t count, void* to) {
  static_cast<std::string*>(to)->append(bytes, size * count);
  return size * count;
}

std::string host_of(const std::string& endpoint) {
  const auto start = endpoint.find("://");
  const std::string rest = start == std::string::npos ? endpoint : endpoint.substr(start + 3);
  return rest.substr(0, rest.find('/'));
}

// "com.amazonaws.x#ValidationException" → "ValidationException"
std::string short_code(const std::string& code) { return code.substr(code.rfind('#') + 1); }

}  // namespace

Client::Answer Client::send(const std::string& method, const std::string& path,
                            const std::string& signing_name,
                            std::vector<std::pair<std::string, std::string>> headers,
                            const std::string& body) {
  aws::HttpRequest request;
  request.method = method;
  request.target = request.path = path;
  request.headers = std::move(headers);
  request.headers.emplace_back("host", host_of(connection_.endpoint));
  aws::SignOptions options;
  options.region = connection_.region;
  options.service = signing_name;
  options.now = std::chrono::time_point_cast<Microseconds>(std::chrono::system_clock::now());
  aws::sign(request, body,
            {connection_.access_key, connection_.secret_key, connection_.session_token}, options);

  const std::unique_ptr<CURL, decltype(&curl_easy_cleanup)> curl(curl_easy_init(),
                                                                 &curl_easy_cleanup);
  curl_slist* list = nullptr;
  for (const auto& [name, value] : request.headers) {
    list = curl_slist_append(list, fmt::format("{}: {}", name, value).c_str());
  }
  list = curl_slist_append(list, "Expect:");
  const std::unique_ptr<curl_slist, decltype(&curl_slist_free_all)> sent(list,
                                                                         &curl_slist_free_all);
  Answer answer;
  char reason[CURL_ERROR_SIZE] = "";
  const std::string url = connection_.endpoint + path;
  curl_easy_setopt(curl.get(), CURLOPT_URL, url.c_str());
  curl_easy_setopt(curl.get(), CURLOPT_CUSTOMREQUEST, method.c_str());
  curl_easy_setopt(curl.get(), CURLOPT_HTTPHEADER, sent.get());
  curl_easy_setopt(curl.get(), CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body.size()));
  curl_easy_setopt(curl.get(), CURLOPT_POSTFIELDS, body.c_str());
  curl_easy_setopt(curl.get(), CURLOPT_NOPROXY, "127.0.0.1,localhost,::1");
  curl_easy_setopt(curl.get(), CURLOPT_ERRORBUFFER, reason);
  curl_easy_setopt(curl.get(), CURLOPT_WRITEFUNCTION, append);
  curl_easy_setopt(curl.get(), CURLOPT_WRITEDATA, &answer.body);
  const CURLcode code = curl_easy_perform(curl.get());
  if (code != CURLE_OK) {
    throw CallFailed("NoAnswer", fmt::format("{} does not answer: {}", connection_.endpoint,
                                             *reason ? reason : curl_easy_strerror(code)));
  }
  long status = 0;
  curl_easy_getinfo(curl.get(), CURLINFO_RESPONSE_CODE, &status);
  answer.status = static_cast<int>(status);
  return answer;
}

Json Client::json(const std::string& signing_name, const std::string& target, const Json& input) {
  const Answer answer = send(
      "POST", "/", signing_name,
      {{"content-type", "application/x-amz-json-1.1"}, {"x-amz-target", target}}, dump_json(input));
  Json body = answer.body.empty() ? Json(JsonObject{}) : parse_json(answer.body);
  if (answer.status / 100 == 2) return body;
  const std::string code = short_code(string_or(body, "__type", "Unknown"));
  throw CallFailed(
      code, fmt::format("{}: {}", code, string_or(body, "message", string_or(body, "Message"))));
}

std::string Client::query(const std::string& signing_name, const std::string& version,
                          const std::string& action,
                          const std::map<std::string, std::string>& input) {
  std::string body = "Action=" + action + "&Version=" + version;
  for (const auto& [name, value] : input) {
    body += "&" + uri_encode(name) + "=" + uri_encode(value);
  }
  Answer answer =
      send("POST", "/", signing_name,
           {{"content-type", "application/x-www-form-urlencoded; charset=utf-8"}}, body);
  if (answer.status / 100 == 2) return std::move(answer.body);
  pugi::xml_document document;
  document.load_string(answer.body.c_str());
  const std::string code = document.select_node("//Code").node().child_value();
  throw CallFailed(
      code, fmt::format("{}: {}", code, document.select_node("//Message").node().child_value()));
}

}  // namespace tarn::cli
