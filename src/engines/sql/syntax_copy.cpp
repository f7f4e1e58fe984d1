// SPDX-License-Identifier: Apache-2.0
// COPY and UNLOAD: https://docs.aws.amazon.com/redshift/latest/dg/r_COPY.html and r_UNLOAD.html
#include "base/strings.hpp"
#include "engines/sql/syntax_parts.hpp"

namespace tarn::sql {

namespace {

char parse_character(TokenCursor& cursor) {
  const Token token = cursor.peek();
  const std::string text = cursor.string();
  if (text.size() == 1) return text[0];
  if (text == "\\t") return '\t';
  if (text.size() == 4 && text[0] == '\\') {  // '\001'
    return static_cast<char>((text[1] - '0') * 64 + (text[2] - '0') * 8 + (text[3] - '0'));
  }
  throw SqlError(sqlstate::k_invalid_parameter_value, "COPY delimiter must be a single character",
                 token.begin + 1);
}

// 'aws_iam_role=…' or 'aws_access_key_id=…;aws_secret_access_key=…[;token=…]'
template <class T>
void parse_credentials(const std::string& text, T& into, std::size_t position) {
  for (const auto& part : split(text, ';')) {
    const auto equals = part.find('=');
    const std::string key(trim(std::string_view(part).substr(0, equals)));
    const std::string value(
        equals == std::string::npos ? "" : trim(std::string_view(part).substr(equals + 1)));
    if (key == "aws_iam_role")
      into.role_arn = value;
    else if (key == "aws_access_key_id")
      into.access_key_id = value;
    else if (key == "aws_secret_access_key")
      into.secret_access_key = value;
    else if (key == "token")
      into.session_token = value;
    else if (!key.empty()) {
      throw SqlError(sqlstate::k_invalid_parameter_value,
                     "Invalid credentials: unknown key \"" + key + "\"", position);
    }
  }
}

// IAM_ROLE, CREDENTIALS, ACCESS_KEY_ID … as in both statements.
template <class T>
bool parse_authorization(TokenCursor& cursor, T& into) {
  if (cursor.accept("iam_role")) {
    if (cursor.accept("default"))
      into.default_role = true;
    else
      into.role_arn = cursor.string();
    return true;
  }
  if (cursor.accept("credentials") || cursor.accept_all({"with", "credentials"})) {
    cursor.accept("as");
    const std::size_t position = cursor.peek().begin + 1;
    parse_credentials(cursor.string(), into, position);
    return true;
  }
  for (const auto& [word, field] : {std::pair{"access_key_id", &T::access_key_id},
                                    {"secret_access_key", &T::secret_access_key},
                                    {"session_token", &T::session_token}}) {
    if (!cursor.accept(word)) continue;
    cursor.accept("as");
    into.*field = cursor.string();
    return true;
  }
  return false;
}

void skip_on_off(TokenCursor& cursor) {
  if (!cursor.accept("on") && !cursor.accept("off") && !cursor.accept("true")) {
    cursor.accept("false");
  }
}

void parse_copy_format(TokenCursor& cursor, CopyFrom& copy) {
  cursor.accept("as");
  const Token token = cursor.peek();
  const std::string name = cursor.name();
  if (name == "parquet") {
    copy.format = CopyFrom::Format::parquet;
  } else if (name == "csv") {
    copy.format = CopyFrom::Format::csv;
  } else if (name == "json") {
    copy.format = CopyFrom::Format::json;
    cursor.accept("as");
    if (cursor.peek().kind == TokenKind::string) copy.json_option = cursor.string();
    if (copy.json_option != "auto") {
      not_supported("COPY … JSON '" + copy.json_option + "' (only 'auto')", token.begin + 1);
    }
  } else {
    not_supported("COPY format " + to_upper(name), token.begin + 1);
  }
}

// Options that change how text becomes values. False: not one of them.
bool parse_copy_conversion(TokenCursor& cursor, CopyFrom& copy) {
  if (cursor.accept("dateformat")) {
    cursor.accept("as");
    copy.date_format = cursor.string();
  } else if (cursor.accept("timeformat")) {
    cursor.accept("as");
    copy.time_format = cursor.string();
  } else if (cursor.accept("null")) {
    cursor.accept("as");
    copy.null_as = cursor.string();
  } else if (cursor.accept("emptyasnull")) {
    copy.empty_as_null = true;
  } else if (cursor.accept("blanksasnull")) {
    copy.blanks_as_null = true;
  } else if (cursor.accept("trimblanks")) {
    copy.trim_blanks = true;
  } else if (cursor.accept("removequotes")) {
    copy.remove_quotes = true;
  } else if (cursor.accept("truncatecolumns")) {
    copy.truncate_columns = true;
  } else if (cursor.accept("fillrecord")) {
    copy.fill_record = true;
  } else if (cursor.peek().is("escape")) {
    not_supported("COPY option ESCAPE", cursor.peek().begin + 1);
  } else if (cursor.accept("explicit_ids")) {
    copy.explicit_ids = true;
  } else {
    return false;
  }
  return true;
}

// Options without effect on the rows that are loaded. False: not one of them.
bool parse_copy_neutral(TokenCursor& cursor) {
  if (cursor.accept("compupdate") || cursor.accept("statupdate")) {
    if (!cursor.accept("preset")) skip_on_off(cursor);
  } else if (cursor.accept("region")) {
    cursor.accept("as");
    cursor.string();
  } else if (cursor.accept("comprows")) {
    cursor.integer();
  } else if (cursor.accept("encoding")) {
    cursor.accept("as");
    const Token token = cursor.peek();
    if (!token.is("utf8") && to_lower(token.text) != "utf8") {
      not_supported("COPY ENCODING other than UTF8", token.begin + 1);
    }
    cursor.next();
  } else if (cursor.accept("maxerror")) {
    cursor.accept("as");
    const Token token = cursor.peek();
    if (cursor.integer() != 0) not_supported("COPY MAXERROR above 0", token.begin + 1);
  } else {
    return cursor.accept("acceptanydate") ? (not_supported("COPY ACCEPTANYDATE"), true) : false;
  }
  return true;
}

void parse_copy_option(TokenCursor& cursor, CopyFrom& copy) {
  if (parse_authorization(cursor, copy) || parse_copy_conversion(cursor, copy) ||
      parse_copy_neutral(cursor)) {
    return;
  }
  const Token token = cursor.peek();
  if (cursor.accept("format")) {
    parse_copy_format(cursor, copy);
  } else if (token.is("parquet") || token.is("csv") || token.is("json")) {
    parse_copy_format(cursor, copy);
  } else if (cursor.accept("quote")) {
    cursor.accept("as");
    copy.quote = parse_character(cursor);
  } else if (cursor.accept("delimiter")) {
    cursor.accept("as");
    copy.delimiter = parse_character(cursor);
  } else if (cursor.accept("ignoreheader")) {
    cursor.accept("as");
    copy.ignore_header = cursor.integer();
  } else if (token.is("gzip") || token.is("zstd") || token.is("bzip2")) {
    if (token.is("bzip2")) not_supported("COPY BZIP2", token.begin + 1);
    copy.compression = cursor.next().text;
  } else if (cursor.accept("manifest")) {
    copy.manifest = true;
  } else if (token.is_name()) {
    not_supported("COPY option " + to_upper(token.text), token.begin + 1);
  } else {
    cursor.fail();
  }
}

void parse_unload_format(TokenCursor& cursor, Unload& unload) {
  cursor.accept("as");
  const Token token = cursor.peek();
  const std::string name = cursor.name();
  if (name == "parquet")
    unload.format = Unload::Format::parquet;
  else if (name == "csv")
    unload.format = Unload::Format::csv;
  else
    not_supported("UNLOAD format " + to_upper(name), token.begin + 1);
}

void parse_unload_option(TokenCursor& cursor, Unload& unload) {
  if (parse_authorization(cursor, unload)) return;
  const Token token = cursor.peek();
  if (cursor.accept("format")) {
    parse_unload_format(cursor, unload);
  } else if (token.is("parquet") || token.is("csv")) {
    parse_unload_format(cursor, unload);
  } else if (cursor.accept("header")) {
    unload.header = true;
  } else if (cursor.accept("allowoverwrite")) {
    unload.allow_overwrite = true;
  } else if (cursor.accept("cleanpath")) {
    unload.clean_path = true;
  } else if (cursor.accept("manifest")) {
    unload.manifest = true;
    if (cursor.accept("verbose")) not_supported("UNLOAD MANIFEST VERBOSE", token.begin + 1);
  } else if (cursor.accept("parallel")) {
    unload.parallel = !(cursor.peek().is("off") || cursor.peek().is("false"));
    skip_on_off(cursor);
  } else if (cursor.accept("delimiter")) {
    cursor.accept("as");
    unload.delimiter = parse_character(cursor);
  } else if (cursor.accept("addquotes")) {
    unload.add_quotes = true;
  } else if (cursor.accept("null")) {
    cursor.accept("as");
    unload.null_as = cursor.string();
  } else if (token.is("gzip") || token.is("zstd")) {
    unload.compression = cursor.next().text;
  } else if (cursor.accept("extension")) {
    unload.extension = cursor.string();
  } else if (cursor.accept("region")) {
    cursor.accept("as");
    cursor.string();
  } else if (cursor.accept("encrypted")) {
    cursor.accept("auto");  // objects are as the bucket has them
  } else if (cursor.accept("maxfilesize")) {
    cursor.accept("as");
    cursor.next();
    if (!cursor.accept("mb")) cursor.accept("gb");
  } else if (token.is_name()) {
    not_supported("UNLOAD option " + to_upper(token.text), token.begin + 1);
  } else {
    cursor.fail();
  }
}

}  // namespace

CopyFrom parse_copy(TokenCursor& cursor) {
  cursor.expect("copy");
  CopyFrom copy;
  copy.table = parse_object_name(cursor);
  if (cursor.peek().is_op("(")) copy.columns = parse_name_list(cursor);
  cursor.expect("from");
  const std::size_t position = cursor.peek().begin + 1;
  copy.source = cursor.string();
  if (!copy.source.starts_with("s3://")) {
    not_supported("COPY from other than s3://", position);
  }
  while (!cursor.done() && !cursor.peek().is_op(";")) parse_copy_option(cursor, copy);
  return copy;
}

Unload parse_unload(TokenCursor& cursor) {
  cursor.expect("unload");
  Unload unload;
  cursor.expect_op("(");
  unload.query_text = cursor.string();
  cursor.expect_op(")");
  cursor.expect("to");
  const std::size_t position = cursor.peek().begin + 1;
  unload.target = cursor.string();
  if (!unload.target.starts_with("s3://")) not_supported("UNLOAD to other than s3://", position);
  while (!cursor.done() && !cursor.peek().is_op(";")) parse_unload_option(cursor, unload);
  return unload;
}

}  // namespace tarn::sql
