// SPDX-License-Identifier: Apache-2.0
// Texts as numbers and times, as Redshift reads them: '2.5' is no integer, '20240105' and
// '01/05/2024' are dates, a time without a zone is UTC's, an abbreviation of a zone is a fixed
// offset. Each cast brings the text into one form and leaves the rest to DuckDB's own cast.
#include <re2/re2.h>

#include "base/strings.hpp"
#include "duckdb/common/operator/cast_operators.hpp"
#include "duckdb/common/vector_operations/unary_executor.hpp"
#include "duckdb/function/cast/cast_function_set.hpp"
#include "duckdb/main/extension/extension_loader.hpp"
#include "engines/sql/bound_call.hpp"
#include "engines/sql/date_parts.hpp"
#include "engines/sql/engine.hpp"

namespace tarn::sql {

namespace {

using duckdb::LogicalType;
using duckdb::string_t;
using duckdb::Vector;

enum class Reading { as_is, changed, refused };
using Reader = Reading (*)(std::string_view text, std::string& out);

struct TextCast : duckdb::BoundCastData {
  TextCast(duckdb::BoundCastInfo inner, Reader reader, const char* target)
      : inner(std::move(inner)),
        reader(reader),
        target(target) {}
  duckdb::BoundCastInfo inner;
  Reader reader;
  const char* target;
  duckdb::unique_ptr<BoundCastData> Copy() const override {
    return duckdb::make_uniq<TextCast>(inner.Copy(), reader, target);
  }
};

bool run_cast(Vector& source, Vector& result, duckdb::idx_t count,
              duckdb::CastParameters& parameters) {
  auto& data = parameters.cast_data->Cast<TextCast>();
  Vector texts(LogicalType::VARCHAR, count);
  bool all = true;
  const auto read = [&](string_t text, duckdb::ValidityMask& mask, duckdb::idx_t row) {
    std::string changed;
    switch (data.reader({text.GetData(), text.GetSize()}, changed)) {
      case Reading::as_is: return text;
      case Reading::changed: return duckdb::StringVector::AddString(texts, changed);
      case Reading::refused: break;
    }
    duckdb::HandleCastError::AssignError(
        "Could not convert string '" + text.GetString() + "' to " + data.target, parameters);
    all = false;
    mask.SetInvalid(row);
    return string_t();
  };
  duckdb::UnaryExecutor::ExecuteWithNulls<string_t, string_t>(source, texts, count, read);
  duckdb::CastParameters inner(parameters, data.inner.cast_data.get(), parameters.local_state);
  return data.inner.function(texts, result, count, inner) && all;
}

duckdb::unique_ptr<duckdb::FunctionLocalState> begin_cast(
    duckdb::CastLocalStateParameters& parameters) {
  auto& inner = parameters.cast_data->Cast<TextCast>().inner;
  if (!inner.init_local_state) return nullptr;
  duckdb::CastLocalStateParameters own(parameters, inner.cast_data.get());
  return inner.init_local_state(own);
}

Reading read_integer(std::string_view text, std::string&) {
  text = trim(text);
  if (!text.empty() && (text[0] == '-' || text[0] == '+')) text.remove_prefix(1);
  for (const char c : text) {
    if (c < '0' || c > '9') return Reading::refused;
  }
  return Reading::as_is;
}

// 2024-01-05, and where `time`, 2024-01-05 10:11:12[.5]: what nearly all texts look like.
bool is_plain(std::string_view text, bool time) {
  static constexpr std::string_view k_form = "dddd-dd-dd dd:dd:dd";
  if (text.size() != 10 && (!time || text.size() < k_form.size())) return false;
  for (std::size_t i = 0; i < std::min(text.size(), k_form.size()); ++i) {
    const bool digit = text[i] >= '0' && text[i] <= '9';
    if (k_form[i] == 'd' ? !digit : text[i] != k_form[i]) return false;
  }
  if (text.size() <= k_form.size()) return true;
  return text[k_form.size()] == '.' && text.size() > k_form.size() + 1 &&
         text.find_first_not_of("0123456789", k_form.size() + 1) == std::string_view::npos;
}

struct TimeText {
  std::string date, clock, zone;
};

std::string iso_date(std::string_view year, int month, std::string_view day) {
  return fmt::format("{}-{:02}-{:0>2}", year, month, day);
}

// The date at the beginning of `text`, which is cut off. Empty: none that is understood.
std::string take_date(re2::StringPiece& text) {
  static const RE2 k_year_first(R"((\d{4})([-/.])(\d{1,2})([-/.])(\d{1,2}))");
  static const RE2 k_digits(R"((\d{4})(\d\d)(\d\d)\b)");
  static const RE2 k_month_first(R"((\d{1,2})[-/](\d{1,2})[-/](\d{4})\b)");
  static const RE2 k_name_first(R"(([A-Za-z]{3,9})[- .]+(\d{1,2}),?[- ]+(\d{4})\b)");
  static const RE2 k_name_second(R"((\d{1,2})[- ]+([A-Za-z]{3,9})[-, ]+(\d{4})\b)");
  std::string year, month, day, one, two;
  if (RE2::Consume(&text, k_year_first, &year, &one, &month, &two, &day)) {
    return one == two ? iso_date(year, static_cast<int>(*parse_int(month)), day) : "";
  }
  if (RE2::Consume(&text, k_digits, &year, &month, &day) ||
      RE2::Consume(&text, k_month_first, &month, &day, &year)) {
    return iso_date(year, static_cast<int>(*parse_int(month)), day);
  }
  if (!RE2::Consume(&text, k_name_first, &month, &day, &year) &&
      !RE2::Consume(&text, k_name_second, &day, &month, &year)) {
    return {};
  }
  static constexpr std::string_view k_months[] = {"january",   "february", "march",    "april",
                                                  "may",       "june",     "july",     "august",
                                                  "september", "october",  "november", "december"};
  const std::string name = to_lower(month);
  for (int i = 0; i < 12; ++i) {
    if (name == k_months[i] || name == k_months[i].substr(0, 3)) return iso_date(year, i + 1, day);
  }
  return {};
}

std::optional<TimeText> read_parts(std::string_view whole) {
  static const RE2 k_clock(R"((?:[ T]+|$)(?:(\d{1,2})(?::(\d{1,2}))?(?::(\d{1,2})(\.\d*)?)?)?)");
  static const RE2 k_half(R"( *([AaPp])\.?[Mm]\.?\b)");
  const std::string_view trimmed = trim(whole);
  re2::StringPiece text(trimmed.data(), trimmed.size());
  TimeText parts;
  parts.date = take_date(text);
  if (parts.date.empty()) return std::nullopt;
  std::string hour, minute, second, fraction, half;
  if (!RE2::Consume(&text, k_clock, &hour, &minute, &second, &fraction)) return std::nullopt;
  if (RE2::Consume(&text, k_half, &half)) {
    const auto value = parse_int(hour);
    if (!value || *value < 1 || *value > 12) return std::nullopt;
    const bool afternoon = half == "p" || half == "P";
    hour = std::to_string(*value % 12 + (afternoon ? 12 : 0));
  }
  if (!hour.empty() && minute.empty() && half.empty()) return std::nullopt;
  parts.clock = fmt::format("{:0>2}:{:0>2}:{:0>2}{}", hour, minute, second,
                            fraction.size() > 1 ? fraction : "");
  const std::string_view rest(text.data(), text.size());
  parts.zone = trim(rest);
  return parts;
}

// Whether it is the name of a place or an offset that DuckDB knows to read, or becomes one.
bool read_zone(std::string& zone) {
  static const RE2 k_offset(R"(([-+])(\d{1,2})(?::?(\d\d))?)");
  std::string sign, hours, minutes;
  if (zone.empty() || zone == "Z" || zone == "z") {
    zone = "+00";
  } else if (RE2::FullMatch(zone, k_offset, &sign, &hours, &minutes)) {
    zone = fmt::format("{}{:0>2}:{:0>2}", sign, hours, minutes);
  } else if (zone.find('/') != std::string::npos) {
    zone = " " + zone;
  } else {
    const auto minutes_east = zone_abbreviation(zone);
    if (!minutes_east) return false;
    const int distance = std::abs(*minutes_east);
    zone =
        fmt::format("{}{:02}:{:02}", *minutes_east < 0 ? '-' : '+', distance / 60, distance % 60);
  }
  return true;
}

Reading read_date(std::string_view text, std::string& out) {
  if (is_plain(text, false)) return Reading::as_is;
  auto parts = read_parts(text);
  if (!parts || !read_zone(parts->zone)) return Reading::refused;
  out = parts->date;
  return Reading::changed;
}

// A zone is read and then ignored, as in PostgreSQL.
Reading read_timestamp(std::string_view text, std::string& out) {
  if (is_plain(text, true)) return Reading::as_is;
  auto parts = read_parts(text);
  if (!parts || !read_zone(parts->zone)) return Reading::refused;
  out = parts->date + " " + parts->clock;
  return Reading::changed;
}

Reading read_zoned(std::string_view text, std::string& out) {
  if (is_plain(text, true)) {
    out = std::string(text) + (text.size() > 10 ? "+00" : " 00:00:00+00");
    return Reading::changed;
  }
  auto parts = read_parts(text);
  if (!parts || !read_zone(parts->zone)) return Reading::refused;
  out = parts->date + " " + parts->clock + parts->zone;
  return Reading::changed;
}

// ICU's own cast to TIMESTAMPTZ cannot be replaced: explicit casts bring the text into form first.
void run_zoned_text(duckdb::DataChunk& in, duckdb::ExpressionState&, Vector& out) {
  duckdb::UnaryExecutor::Execute<string_t, string_t>(
      in.data[0], out, in.size(), [&](string_t text) {
        std::string changed;
        if (read_zoned({text.GetData(), text.GetSize()}, changed) == Reading::refused) {
          raise(sqlstate::k_invalid_datetime,
                "invalid input syntax for type timestamp: \"" + text.GetString() + "\"");
        }
        return duckdb::StringVector::AddString(out, changed);
      });
}

duckdb::unique_ptr<duckdb::Expression> bind_zoned(duckdb::FunctionBindExpressionInput& input) {
  auto& child = input.children[0];
  if (child->return_type.id() != duckdb::LogicalTypeId::VARCHAR) return std::move(child);
  return bound_call(input.context, "tarn_zoned_text", std::move(child));
}

}  // namespace

void register_casts(duckdb::DatabaseInstance& database) {
  duckdb::ExtensionLoader loader(database, "tarn");
  duckdb::ScalarFunction text("tarn_zoned_text", {LogicalType::VARCHAR}, LogicalType::VARCHAR,
                              run_zoned_text);
  text.SetFallible();
  loader.RegisterFunction(std::move(text));
  duckdb::ScalarFunction zoned("tarn_zoned", {LogicalType::ANY}, LogicalType::VARCHAR, nullptr);
  zoned.SetBindExpressionCallback(bind_zoned);
  loader.RegisterFunction(std::move(zoned));
  struct Entry {
    LogicalType target;
    Reader reader;
    const char* name;
  };
  const Entry entries[] = {{LogicalType::SMALLINT, read_integer, "INT16"},
                           {LogicalType::INTEGER, read_integer, "INT32"},
                           {LogicalType::BIGINT, read_integer, "INT64"},
                           {LogicalType::DATE, read_date, "DATE"},
                           {LogicalType::TIMESTAMP, read_timestamp, "TIMESTAMP"}};
  duckdb::Connection connection(database);
  auto& context = *connection.context;
  const auto add = [&] {
    auto& casts = duckdb::CastFunctionSet::Get(database);
    for (const Entry& entry : entries) {
      duckdb::GetCastFunctionInput input(context);
      auto inner = casts.GetCastFunction(LogicalType::VARCHAR, entry.target, input);
      const auto cost = casts.ImplicitCastCost(context, LogicalType::VARCHAR, entry.target);
      auto data = duckdb::make_uniq<TextCast>(std::move(inner), entry.reader, entry.name);
      casts.RegisterCastFunction(LogicalType::VARCHAR, entry.target,
                                 duckdb::BoundCastInfo(run_cast, std::move(data), begin_cast),
                                 cost);
    }
  };
  context.RunFunctionInTransaction(add);
}

}  // namespace tarn::sql
