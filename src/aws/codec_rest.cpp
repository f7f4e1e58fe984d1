// SPDX-License-Identifier: Apache-2.0
// What restJson and restXml share: labels, query, headers, status and payloads.
#include <fmt/format.h>

#include "aws/codec_internal.hpp"
#include "aws/uri_template.hpp"
#include "base/strings.hpp"

namespace tarn::aws {

namespace {

// A header's list: values may be quoted. HTTP dates have a comma of their own.
std::vector<std::string> split_header_list(std::string_view text, bool dates) {
  std::vector<std::string> items;
  std::string item;
  bool quoted = false, comma_in_date = false, any = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    any = true;
    if (quoted) {
      if (c == '\\' && i + 1 < text.size()) {
        item += text[++i];
      } else if (c == '"') {
        quoted = false;
      } else {
        item += c;
      }
    } else if (c == '"') {
      quoted = true;
    } else if (c == ',' && dates && !comma_in_date && !item.empty() && !std::isdigit(item[0])) {
      comma_in_date = true;
      item += c;
    } else if (c == ',') {
      items.emplace_back(trim(item));
      item.clear();
      comma_in_date = false;
    } else if (!(item.empty() && c == ' ')) {
      item += c;
    }
  }
  if (any) items.emplace_back(trim(item));
  return items;
}

class RequestReader {
 public:
  RequestReader(DecodeContext& context, Protocol protocol, const Operation& operation,
                const HttpRequest& request, std::string_view body, void* input)
      : context_(context),
        protocol_(protocol),
        operation_(operation),
        shape_(*operation.input),
        request_(request),
        body_(body),
        input_(input),
        present_(shape_) {}

  void run() {
    const auto [path, literals] = split_uri_template(operation_.uri);
    const auto labels = match_uri(path, request_.path);
    query_ = parse_query(request_.query);
    literals_ = literals;
    bool body_wanted = false;
    for (std::size_t i = 0; i < shape_.members.size(); ++i) {
      const Member& member = shape_.members[i];
      switch (member.location) {
        case Location::uri:
          if (labels) mark(i, label(member, *labels));
          break;
        case Location::query: mark(i, query(member)); break;
        case Location::header: mark(i, header(member)); break;
        case Location::headers: mark(i, prefixed_headers(member)); break;
        case Location::payload: mark(i, payload(member)); break;
        case Location::body: body_wanted = true; break;
        case Location::status: break;
      }
    }
    if (body_wanted && !operation_.input_payload) members_of_body();
    finish_structure(context_, shape_, input_, present_, Path{});
  }

 private:
  void mark(std::size_t index, bool found) {
    if (found) present_.mark(index);
  }

  void scalar(const Member& member, std::string_view text, TimeFormat time, void* target) {
    decode_scalar_text(context_, member, text, time, target);
  }

  bool label(const Member& member, const std::vector<UriLabel>& labels) {
    for (const UriLabel& label : labels) {
      if (label.name != member.wire) continue;
      scalar(member, uri_decode(label.value), TimeFormat::iso8601, member.create(input_));
      return true;
    }
    return false;
  }

  bool query(const Member& member) {
    const Shape& shape = *member.shape;
    if (shape.kind == Kind::map) return query_map(member);
    bool found = false;
    for (const QueryPair& pair : query_) {
      if (pair.key != member.wire) continue;
      if (shape.kind == Kind::list) {
        scalar(shape.members[0], pair.value, TimeFormat::iso8601,
               shape.list->append(member.create(input_)));
        found = true;
        continue;
      }
      // `?max-keys=` means that there is none; of text it is the empty one.
      if (pair.value.empty() && shape.kind != Kind::string) return false;
      scalar(member, pair.value, TimeFormat::iso8601, member.create(input_));
      return true;
    }
    return found;
  }

  // A map takes every pair that no other member names.
  bool query_map(const Member& map) {
    const Shape& shape = *map.shape;
    bool found = false;
    for (const QueryPair& pair : query_) {
      bool taken = false;
      for (const Member& other : shape_.members) {
        taken |= other.location == Location::query && &other != &map && other.wire == pair.key;
      }
      for (const QueryPair& literal : parse_query(literals_)) taken |= literal.key == pair.key;
      if (taken) continue;
      void* slot = shape.map->insert(map.create(input_), pair.key);
      const Member& value = shape.members[1];
      if (value.shape->kind == Kind::list) slot = value.shape->list->append(slot);
      const Member& leaf = value.shape->kind == Kind::list ? value.shape->members[0] : value;
      scalar(leaf, pair.value, TimeFormat::iso8601, slot);
      found = true;
    }
    return found;
  }

  bool header(const Member& member) {
    const auto text = request_.header(member.wire);
    if (!text) return false;
    const Shape& shape = *member.shape;
    if (shape.kind == Kind::list) {
      const bool dates = shape.members[0].shape->kind == Kind::timestamp &&
                         shape.members[0].time_format != TimeFormat::iso8601;
      void* list = member.create(input_);
      for (const std::string& item : split_header_list(*text, dates)) {
        scalar(shape.members[0], item, TimeFormat::rfc822, shape.list->append(list));
      }
      return true;
    }
    if (text->empty() && shape.kind != Kind::string) return false;
    if (member.json_value) {
      const auto decoded = from_base64(*text);
      if (!decoded) context_.unreadable(fmt::format("Invalid Base64 in header {}", member.wire));
      as<std::string>(member.create(input_)) = *decoded;
      return true;
    }
    scalar(member, *text, TimeFormat::rfc822, member.create(input_));
    return true;
  }

  bool prefixed_headers(const Member& member) {
    const Shape& shape = *member.shape;
    bool found = false;
    for (const auto& [name, value] : request_.headers) {
      if (name.size() <= member.wire.size() ||
          !iequals(std::string_view(name).substr(0, member.wire.size()), member.wire)) {
        continue;
      }
      std::string key = to_lower(std::string_view(name).substr(member.wire.size()));
      scalar(shape.members[1], value, TimeFormat::rfc822,
             shape.map->insert(member.create(input_), std::move(key)));
      found = true;
    }
    return found;
  }

  bool payload(const Member& member) {
    switch (member.shape->kind) {
      case Kind::stream:
        as<ByteSourcePtr>(member.create(input_)) = request_.body;
        return request_.body != nullptr;
      case Kind::blob:
      case Kind::string:
        if (body_.empty() && !member.required) return false;
        as<std::string>(member.create(input_)) = body_;
        return true;
      default:
        if (trim(body_).empty()) return false;
        if (protocol_ == Protocol::rest_xml) {
          read_xml(context_, member, body_, member.create(input_), Path{nullptr, member.name});
        } else {
          read_json(context_, *member.shape, parsed_body(), member.create(input_),
                    Path{nullptr, member.name});
        }
        return true;
    }
  }

  Json parsed_body() {
    try {
      return parse_json(body_);
    } catch (const JsonError&) {
      context_.unreadable("Could not parse request body into json");
    }
  }

  void members_of_body() {
    if (trim(body_).empty()) return;
    if (protocol_ == Protocol::rest_xml) {
      read_xml_body(context_, shape_, body_, input_, present_);
    } else {
      read_json_body(context_, shape_, parsed_body(), input_, present_);
    }
  }

  DecodeContext& context_;
  Protocol protocol_;
  const Operation& operation_;
  const Shape& shape_;
  const HttpRequest& request_;
  std::string_view body_;
  void* input_;
  Presence present_;
  std::vector<QueryPair> query_;
  std::string_view literals_;
};

std::string header_list(const Member& member, const void* value) {
  const Shape& shape = *member.shape;
  std::string text;
  for (std::size_t i = 0; i < shape.list->size(value); ++i) {
    if (i) text += ", ";
    const void* item = shape.list->at(value, i);
    if (!item) continue;
    std::string one = encode_scalar_text(shape.members[0], item, TimeFormat::rfc822);
    if (shape.members[0].shape->kind == Kind::string &&
        one.find_first_of(",\"") != std::string::npos) {
      one = '"' + replace_all(one, "\"", "\\\"") + '"';
    }
    text += one;
  }
  return text;
}

// A value must not end a header early.
std::string one_line(std::string text) {
  for (char& c : text) {
    if (c == '\r' || c == '\n' || c == '\0') c = ' ';
  }
  return text;
}

void write_head(const Operation& operation, const void* output, HttpResponse& response) {
  for (const Member& member : operation.output->members) {
    if (member.location == Location::body || member.location == Location::payload) continue;
    const void* value = member.find(output);
    if (!value) continue;
    if (member.location == Location::status) {
      response.status = as<std::int32_t>(value);
    } else if (member.location == Location::headers) {
      for_each_entry(*member.shape->map, value, [&](const std::string& key, const void* entry) {
        if (!entry) return;
        response.headers.emplace_back(
            std::string(member.wire) + key,
            one_line(encode_scalar_text(member.shape->members[1], entry, TimeFormat::rfc822)));
      });
    } else if (member.shape->kind == Kind::list) {
      if (member.shape->list->size(value)) {
        response.set(member.wire, one_line(header_list(member, value)));
      }
    } else if (member.json_value) {
      response.set(member.wire, to_base64(as<std::string>(value)));
    } else {
      response.set(member.wire, one_line(encode_scalar_text(member, value, TimeFormat::rfc822)));
    }
  }
}

void default_content_type(HttpResponse& response, std::string_view type) {
  if (!response.header("content-type")) response.set("Content-Type", std::string(type));
}

void write_xml_document(const Operation& operation, const Shape& structure, const void* value,
                        HttpResponse& response) {
  const std::string_view root = operation.output_root;
  std::string& out = response.body;
  out = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<";
  out += root;
  if (!operation.output_xmlns.empty()) ((out += " xmlns=\"") += operation.output_xmlns) += '"';
  write_xml_attributes(structure, value, out);
  out += '>';
  if (operation.output_unwrapped) {
    for (const Member& member : structure.members) {
      if (const void* field = member.find(value)) {
        append_xml_text(encode_scalar_text(member, field, TimeFormat::iso8601), out);
      }
    }
  } else {
    write_xml_members(Protocol::rest_xml, structure, value, out);
  }
  ((out += "</") += root) += '>';
  default_content_type(response, "application/xml");
}

void write_payload(Protocol protocol, const Operation& operation, const Member& member,
                   const void* output, HttpResponse& response) {
  const void* value = member.find(output);
  if (!value) return;
  switch (member.shape->kind) {
    case Kind::stream:
      response.stream = as<ByteSourcePtr>(value);
      default_content_type(response, member.event_stream ? "application/vnd.amazon.eventstream"
                                                         : "application/octet-stream");
      break;
    case Kind::blob:
      response.body = as<std::string>(value);
      default_content_type(response, "application/octet-stream");
      break;
    case Kind::string:
      response.body = as<std::string>(value);
      default_content_type(response, "text/plain");
      break;
    default:
      if (protocol == Protocol::rest_xml) {
        write_xml_document(operation, *member.shape, value, response);
      } else {
        write_json(*member.shape, value, response.body);
        default_content_type(response, "application/json");
      }
  }
}

}  // namespace

void decode_rest(DecodeContext& context, Protocol protocol, const Operation& operation,
                 const HttpRequest& request, std::string_view body, void* input) {
  RequestReader(context, protocol, operation, request, body, input).run();
}

HttpResponse encode_rest(Protocol protocol, const Operation& operation, const void* output) {
  HttpResponse response;
  response.status = operation.status;
  write_head(operation, output, response);
  if (operation.output_payload) {
    write_payload(protocol, operation, *operation.output_payload, output, response);
    return response;
  }
  bool has_body = false;
  for (const Member& member : operation.output->members) {
    has_body |= member.location == Location::body;
  }
  if (response.status == 204 || response.status == 304 || operation.method == "HEAD") {
    return response;
  }
  if (protocol == Protocol::rest_xml) {
    if (has_body) write_xml_document(operation, *operation.output, output, response);
  } else if (operation.has_output) {
    write_json_body(*operation.output, output, response.body);
    default_content_type(response, "application/json");
  }
  return response;
}

}  // namespace tarn::aws
