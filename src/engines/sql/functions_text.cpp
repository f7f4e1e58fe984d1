// SPDX-License-Identifier: Apache-2.0
// Strings: lengths in bytes, PostgreSQL's substring, Redshift's spellings of the rest.
#include <fmt/format.h>

#include <cmath>

#include "base/strings.hpp"
#include "duckdb/common/vector_operations/generic_executor.hpp"
#include "duckdb/main/extension/extension_loader.hpp"
#include "duckdb/planner/expression/bound_cast_expression.hpp"
#include "engines/sql/bound_call.hpp"
#include "engines/sql/engine.hpp"

namespace tarn::sql {

namespace {

using duckdb::DataChunk;
using duckdb::ExpressionState;
using duckdb::LogicalType;
using duckdb::string_t;
using duckdb::StringVector;
using duckdb::Vector;

std::string_view view(const string_t& text) { return {text.GetData(), text.GetSize()}; }

std::size_t character_bytes(char lead) {
  const auto c = static_cast<unsigned char>(lead);
  return c < 0x80 ? 1 : c < 0xE0 ? 2 : c < 0xF0 ? 3 : 4;
}

// The longest prefix of whole characters within `bytes`.
std::string_view cut(std::string_view text, std::size_t bytes) {
  if (text.size() <= bytes) return text;
  while (bytes > 0 && (static_cast<unsigned char>(text[bytes]) & 0xC0) == 0x80) --bytes;
  return text.substr(0, bytes);
}

std::string_view trim_right(std::string_view text) {
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

// The CHECK of a VARCHAR(n) column: see DESIGN "limits in bytes".
bool varchar_fits(string_t value, std::int32_t length) {
  if (value.GetSize() > static_cast<std::size_t>(length)) {
    raise(sqlstate::k_string_too_long,
          "value too long for type character varying(" + std::to_string(length) + ")");
  }
  return true;
}

bool char_fits(string_t value, std::int32_t length) {
  if (value.GetSize() > static_cast<std::size_t>(length)) {
    raise(sqlstate::k_string_too_long,
          "value too long for type character(" + std::to_string(length) + ")");
  }
  if (value.GetSize() > 0 && view(value).back() == ' ') {
    raise(sqlstate::k_feature_not_supported, "a CHAR value with trailing blanks is not supported");
  }
  return true;
}

template <bool (*F)(string_t, std::int32_t)>
void run_fits(DataChunk& in, ExpressionState&, Vector& out) {
  duckdb::BinaryExecutor::Execute<string_t, std::int32_t, bool>(in.data[0], in.data[1], out,
                                                                in.size(), F);
}

void run_cast_varchar(DataChunk& in, ExpressionState&, Vector& out) {
  duckdb::BinaryExecutor::Execute<string_t, std::int32_t, string_t>(
      in.data[0], in.data[1], out, in.size(), [&](string_t text, std::int32_t length) {
        const auto kept = cut(view(text), static_cast<std::size_t>(length));
        return StringVector::AddString(out, kept.data(), kept.size());
      });
}

void run_cast_char(DataChunk& in, ExpressionState&, Vector& out) {
  duckdb::BinaryExecutor::Execute<string_t, std::int32_t, string_t>(
      in.data[0], in.data[1], out, in.size(), [&](string_t text, std::int32_t length) {
        const auto kept = trim_right(cut(view(text), static_cast<std::size_t>(length)));
        return StringVector::AddString(out, kept.data(), kept.size());
      });
}

// Characters [start, start + length), counted from 1; positions before the first are skipped but
// count, as in PostgreSQL.
std::string_view substring(std::string_view text, std::int64_t start, std::int64_t length) {
  if (length < 0) {
    raise("22011", "negative substring length not allowed");
  }
  const std::int64_t end = length > (1ll << 40) ? (1ll << 60) : start + length;
  std::int64_t at = 1;
  std::size_t from = 0;
  while (from < text.size() && at < start) {
    from += character_bytes(text[from]);
    ++at;
  }
  std::size_t to = from;
  while (to < text.size() && at < end) {
    to += character_bytes(text[to]);
    ++at;
  }
  from = std::min(from, text.size());
  return text.substr(from, std::min(to, text.size()) - from);
}

void run_substring(DataChunk& in, ExpressionState&, Vector& out) {
  duckdb::TernaryExecutor::Execute<string_t, std::int64_t, std::int64_t, string_t>(
      in.data[0], in.data[1], in.data[2], out, in.size(),
      [&](string_t text, std::int64_t start, std::int64_t length) {
        const auto part = substring(view(text), start, length);
        return StringVector::AddString(out, part.data(), part.size());
      });
}

void run_substring_rest(DataChunk& in, ExpressionState&, Vector& out) {
  duckdb::BinaryExecutor::Execute<string_t, std::int64_t, string_t>(
      in.data[0], in.data[1], out, in.size(), [&](string_t text, std::int64_t start) {
        const auto part = substring(view(text), start, 1ll << 50);
        return StringVector::AddString(out, part.data(), part.size());
      });
}

void run_split_part(DataChunk& in, ExpressionState&, Vector& out) {
  duckdb::TernaryExecutor::Execute<string_t, string_t, std::int64_t, string_t>(
      in.data[0], in.data[1], in.data[2], out, in.size(),
      [&](string_t text, string_t delimiter, std::int64_t part) {
        if (part <= 0) {
          raise(sqlstate::k_invalid_parameter_value, "field position must be greater than zero");
        }
        std::string_view rest = view(text);
        const std::string_view between = view(delimiter);
        while (true) {
          const std::size_t at = between.empty() ? std::string_view::npos : rest.find(between);
          if (part == 1) {
            rest = rest.substr(0, at);
            return StringVector::AddString(out, rest.data(), rest.size());
          }
          if (at == std::string_view::npos) return StringVector::AddString(out, "", 0);
          rest.remove_prefix(at + between.size());
          --part;
        }
      });
}

void run_initcap(DataChunk& in, ExpressionState&, Vector& out) {
  duckdb::UnaryExecutor::Execute<string_t, string_t>(in.data[0], out, in.size(), [&](string_t t) {
    std::string text = t.GetString();
    bool inside = false;
    for (char& c : text) {
      const bool letter = std::isalnum(static_cast<unsigned char>(c)) || (c & 0x80);
      c = static_cast<char>(inside ? std::tolower(static_cast<unsigned char>(c))
                                   : std::toupper(static_cast<unsigned char>(c)));
      inside = letter;
    }
    return StringVector::AddString(out, text);
  });
}

void run_quote_ident(DataChunk& in, ExpressionState&, Vector& out) {
  duckdb::UnaryExecutor::Execute<string_t, string_t>(in.data[0], out, in.size(), [&](string_t t) {
    const std::string text = t.GetString();
    bool plain = !text.empty() && !(text[0] >= '0' && text[0] <= '9');
    for (const char c : text) {
      plain = plain && ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_');
    }
    return StringVector::AddString(out, plain ? text : quote_identifier(text));
  });
}

void run_quote_literal(DataChunk& in, ExpressionState&, Vector& out) {
  duckdb::UnaryExecutor::Execute<string_t, string_t>(in.data[0], out, in.size(), [&](string_t t) {
    return StringVector::AddString(out, quote_literal(t.GetString()));
  });
}

// CAST(… AS VARCHAR): floating point as PostgreSQL prints it (1, not 1.0), the rest as DuckDB's.
template <class T>
void run_real_text(DataChunk& in, ExpressionState&, Vector& out) {
  duckdb::UnaryExecutor::Execute<T, string_t>(in.data[0], out, in.size(), [&](T value) {
    const std::string text = std::isnan(value)   ? "NaN"
                             : std::isinf(value) ? (value > 0 ? "Infinity" : "-Infinity")
                                                 : fmt::format("{}", value);
    return StringVector::AddString(out, text);
  });
}

duckdb::unique_ptr<duckdb::Expression> bind_text(duckdb::FunctionBindExpressionInput& input) {
  auto& child = input.children[0];
  const auto type = child->return_type.id();
  if (type == duckdb::LogicalTypeId::FLOAT || type == duckdb::LogicalTypeId::DOUBLE) {
    return bound_call(input.context, "tarn_real_text", std::move(child));
  }
  if (type == duckdb::LogicalTypeId::BLOB || type == duckdb::LogicalTypeId::LIST) {
    return std::move(child);  // || joins those too
  }
  return duckdb::BoundCastExpression::AddCastToType(input.context, std::move(child),
                                                    LogicalType::VARCHAR);
}

// The string without its trailing blanks, where it is.
void run_trimmed(DataChunk& in, ExpressionState&, Vector& out) {
  duckdb::UnaryExecutor::Execute<string_t, string_t>(in.data[0], out, in.size(), [](string_t t) {
    const auto kept = trim_right(view(t));
    return kept.size() == t.GetSize()
               ? t
               : string_t(kept.data(), static_cast<std::uint32_t>(kept.size()));
  });
  StringVector::AddHeapReference(out, in.data[0]);
}

// Only strings are touched: all else stays itself, for statistics and indexes.
duckdb::unique_ptr<duckdb::Expression> bind_compared(duckdb::FunctionBindExpressionInput& input) {
  auto& child = input.children[0];
  if (child->return_type.id() != duckdb::LogicalTypeId::VARCHAR) return std::move(child);
  return bound_call(input.context, "tarn_trimmed", std::move(child));
}

void run_bool_text(DataChunk& in, ExpressionState&, Vector& out) {
  duckdb::UnaryExecutor::Execute<bool, string_t>(
      in.data[0], out, in.size(), [](bool value) { return string_t(value ? "t" : "f", 1); });
}

// A value as UNLOAD writes it.
duckdb::unique_ptr<duckdb::Expression> bind_unloaded(duckdb::FunctionBindExpressionInput& input) {
  auto& child = input.children[0];
  const auto type = child->return_type.id();
  const bool real = type == duckdb::LogicalTypeId::FLOAT || type == duckdb::LogicalTypeId::DOUBLE;
  if (!real && type != duckdb::LogicalTypeId::BOOLEAN) return std::move(child);
  return bound_call(input.context, real ? "tarn_real_text" : "tarn_bool_text", std::move(child));
}

}  // namespace

void raise(const char* state, const std::string& message) {
  throw duckdb::InvalidInputException("TARN" + std::string(state) + " " + message);
}

void register_text_functions(duckdb::DatabaseInstance& database) {
  using duckdb::ScalarFunction;
  duckdb::ExtensionLoader loader(database, "tarn");
  const auto text = LogicalType::VARCHAR;
  const auto number = LogicalType::BIGINT;
  const auto add = [&](const char* name, duckdb::vector<LogicalType> arguments,
                       const LogicalType& result, duckdb::scalar_function_t run) {
    ScalarFunction function(name, std::move(arguments), result, std::move(run));
    function.SetFallible();
    loader.RegisterFunction(std::move(function));
  };
  add("tarn_varchar_fits", {text, LogicalType::INTEGER}, LogicalType::BOOLEAN,
      run_fits<varchar_fits>);
  add("tarn_char_fits", {text, LogicalType::INTEGER}, LogicalType::BOOLEAN, run_fits<char_fits>);
  add("tarn_cast_varchar", {text, LogicalType::INTEGER}, text, run_cast_varchar);
  add("tarn_cast_char", {text, LogicalType::INTEGER}, text, run_cast_char);
  duckdb::ScalarFunctionSet part("tarn_substring");
  part.AddFunction(ScalarFunction({text, number, number}, text, run_substring));
  part.AddFunction(ScalarFunction({text, number}, text, run_substring_rest));
  for (auto& function : part.functions) function.SetFallible();
  loader.RegisterFunction(part);
  add("tarn_split_part", {text, text, number}, text, run_split_part);
  add("tarn_initcap", {text}, text, run_initcap);
  add("tarn_quote_ident", {text}, text, run_quote_ident);
  duckdb::ScalarFunctionSet real("tarn_real_text");
  real.AddFunction(ScalarFunction({LogicalType::FLOAT}, text, run_real_text<float>));
  real.AddFunction(ScalarFunction({LogicalType::DOUBLE}, text, run_real_text<double>));
  loader.RegisterFunction(real);
  ScalarFunction any_text("tarn_text", {LogicalType::ANY}, text, nullptr);
  any_text.SetBindExpressionCallback(bind_text);
  loader.RegisterFunction(std::move(any_text));
  add("tarn_bool_text", {LogicalType::BOOLEAN}, text, run_bool_text);
  ScalarFunction unloaded("tarn_unloaded", {LogicalType::ANY}, text, nullptr);
  unloaded.SetBindExpressionCallback(bind_unloaded);
  loader.RegisterFunction(std::move(unloaded));
  add("tarn_trimmed", {text}, text, run_trimmed);
  ScalarFunction compared("tarn_compared", {LogicalType::ANY}, text, nullptr);
  compared.SetBindExpressionCallback(bind_compared);
  loader.RegisterFunction(std::move(compared));
  add("tarn_quote_literal", {text}, text, run_quote_literal);
}

}  // namespace tarn::sql
