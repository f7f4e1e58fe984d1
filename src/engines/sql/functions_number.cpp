// SPDX-License-Identifier: Apache-2.0
// Arithmetic whose results differ between DuckDB and Redshift: division (by zero is an error, the
// scale of decimals follows Redshift's rules), remainder, SUM and AVG of integers.
// https://docs.aws.amazon.com/redshift/latest/dg/r_numeric_computations201.html
#include "duckdb/catalog/catalog_entry/aggregate_function_catalog_entry.hpp"
#include "duckdb/common/operator/cast_operators.hpp"
#include "duckdb/common/types/hugeint.hpp"
#include "duckdb/common/vector_operations/generic_executor.hpp"
#include "duckdb/function/aggregate_function.hpp"
#include "duckdb/function/function_binder.hpp"
#include "duckdb/main/extension/extension_loader.hpp"
#include "duckdb/planner/expression/bound_cast_expression.hpp"
#include "duckdb/planner/expression/bound_function_expression.hpp"
#include "engines/sql/engine.hpp"

namespace tarn::sql {

namespace {

using duckdb::hugeint_t;
using duckdb::LogicalType;

struct DecimalShape : duckdb::FunctionData {
  DecimalShape(int shift, hugeint_t limit) : shift(shift), limit(limit) {
    for (int i = 0; i < shift; ++i) factor *= 10;
    dividend_max = shift >= 0 && shift <= 38 ? ~static_cast<unsigned __int128>(0) / factor : 0;
  }
  int shift;                           // digits by which the dividend is scaled up
  hugeint_t limit;                     // results are smaller than this
  unsigned __int128 factor = 1;        // 10^shift
  unsigned __int128 dividend_max = 0;  // times the factor it still fits 128 bits
  duckdb::unique_ptr<FunctionData> Copy() const override {
    return duckdb::make_uniq<DecimalShape>(shift, limit);
  }
  bool Equals(const FunctionData& other) const override {
    return shift == other.Cast<DecimalShape>().shift;
  }
};

template <class T>
T divide(T left, T right) {
  if (right == T(0)) raise(sqlstate::k_division_by_zero, "division by zero");
  if constexpr (std::is_integral_v<T>) {
    if (right == T(-1)) {
      if (left == std::numeric_limits<T>::min()) {
        raise(sqlstate::k_numeric_out_of_range, "integer out of range");
      }
      return static_cast<T>(-left);
    }
  }
  return static_cast<T>(left / right);
}

template <class T>
T modulo(T left, T right) {
  if (right == T(0)) raise(sqlstate::k_division_by_zero, "division by zero");
  if constexpr (std::is_floating_point_v<T>)
    return std::fmod(left, right);
  else
    return right == T(-1) ? T(0) : static_cast<T>(left % right);
}

template <class T, T (*F)(T, T)>
void run_binary(duckdb::DataChunk& in, duckdb::ExpressionState&, duckdb::Vector& out) {
  duckdb::BinaryExecutor::Execute<T, T, T>(in.data[0], in.data[1], out, in.size(), F);
}

std::pair<int, int> decimal_shape(const LogicalType& type) {
  std::uint8_t width = 38, scale = 0;
  if (type.id() == duckdb::LogicalTypeId::DECIMAL || type.IsIntegral()) {
    type.GetDecimalProperties(width, scale);
  }
  return {width, scale};
}

duckdb::unique_ptr<duckdb::FunctionData> bind_divide(
    duckdb::ClientContext&, duckdb::ScalarFunction& function,
    duckdb::vector<duckdb::unique_ptr<duckdb::Expression>>& arguments) {
  const auto [p1, s1] = decimal_shape(arguments[0]->return_type);
  const auto [p2, s2] = decimal_shape(arguments[1]->return_type);
  int scale = std::max(4, s1 + p2 - s2 + 1);
  int precision = p1 - s1 + s2 + scale;
  if (precision > 38) {
    scale = std::max(38 + scale - precision, 4);
    precision = 38;
  }
  scale = std::min(scale, 37);
  function.arguments = {LogicalType::DECIMAL(38, s1), LogicalType::DECIMAL(38, s2)};
  function.SetReturnType(LogicalType::DECIMAL(38, scale));
  return duckdb::make_uniq<DecimalShape>(scale - s1 + s2,
                                         duckdb::Hugeint::POWERS_OF_TEN[precision]);
}

[[noreturn]] void numeric_overflow() {
  raise(sqlstate::k_numeric_out_of_range, "Numeric data overflow (result precision)");
}

using UnsignedWide = unsigned __int128;

UnsignedWide magnitude(hugeint_t value) {
  const auto bits =
      (static_cast<UnsignedWide>(static_cast<std::uint64_t>(value.upper)) << 64) | value.lower;
  return value.upper < 0 ? ~bits + 1 : bits;
}

hugeint_t signed_value(UnsignedWide bits, bool negative) {
  if (negative) bits = ~bits + 1;
  return hugeint_t(static_cast<std::int64_t>(static_cast<std::uint64_t>(bits >> 64)),
                   static_cast<std::uint64_t>(bits));
}

// One more decimal digit of rest / right, where ten times the rest may not fit; rest < right.
unsigned next_digit(UnsignedWide& rest, UnsignedWide right) {
  constexpr UnsignedWide k_tenfold_max = ~UnsignedWide{0} / 10;
  if (rest <= k_tenfold_max) {
    const UnsignedWide tenfold = rest * 10;
    rest = tenfold % right;
    return static_cast<unsigned>(tenfold / right);
  }
  UnsignedWide sum = 0;
  unsigned digit = 0;
  for (int i = 0; i < 10; ++i) {
    if (sum >= right - rest) {
      sum -= right - rest;
      ++digit;
    } else {
      sum += rest;
    }
  }
  rest = sum;
  return digit;
}

// left * 10^shift / right, rounded half away from zero; by long division where 128 bits are few.
hugeint_t divide_decimal(hugeint_t left, hugeint_t right, const DecimalShape& shape) {
  UnsignedWide divisor = magnitude(right);
  if (divisor == 0) raise(sqlstate::k_division_by_zero, "division by zero");
  const bool negative = (left.upper < 0) != (right.upper < 0);
  UnsignedWide dividend = magnitude(left);
  const UnsignedWide limit = magnitude(shape.limit);
  int shift = shape.shift;
  for (; shift < 0; ++shift) {
    if (divisor > (~UnsignedWide{0} >> 5)) return hugeint_t(0);
    divisor *= 10;
  }
  if (dividend <= shape.dividend_max) {  // nearly always
    dividend *= shape.factor;
    shift = 0;
  }
  UnsignedWide quotient = dividend / divisor;
  UnsignedWide rest = dividend % divisor;
  for (; shift > 0; --shift) {
    if (quotient >= limit) numeric_overflow();  // more digits only make it larger
    quotient = quotient * 10 + next_digit(rest, divisor);
  }
  if (rest >= divisor - rest) ++quotient;
  if (quotient >= limit) numeric_overflow();
  return signed_value(quotient, negative);
}

void run_divide_decimal(duckdb::DataChunk& in, duckdb::ExpressionState& state,
                        duckdb::Vector& out) {
  const auto& shape =
      state.expr.Cast<duckdb::BoundFunctionExpression>().bind_info->Cast<DecimalShape>();
  duckdb::BinaryExecutor::Execute<hugeint_t, hugeint_t, hugeint_t>(
      in.data[0], in.data[1], out, in.size(),
      [&](hugeint_t left, hugeint_t right) { return divide_decimal(left, right, shape); });
}

duckdb::unique_ptr<duckdb::FunctionData> bind_modulo(
    duckdb::ClientContext&, duckdb::ScalarFunction& function,
    duckdb::vector<duckdb::unique_ptr<duckdb::Expression>>& arguments) {
  const auto [p1, s1] = decimal_shape(arguments[0]->return_type);
  const auto [p2, s2] = decimal_shape(arguments[1]->return_type);
  const auto type = LogicalType::DECIMAL(38, std::max(s1, s2));
  function.arguments = {type, type};
  function.SetReturnType(type);
  return nullptr;
}

void run_modulo_decimal(duckdb::DataChunk& in, duckdb::ExpressionState&, duckdb::Vector& out) {
  duckdb::BinaryExecutor::Execute<hugeint_t, hugeint_t, hugeint_t>(
      in.data[0], in.data[1], out, in.size(), [](hugeint_t left, hugeint_t right) {
        if (right == hugeint_t(0)) raise(sqlstate::k_division_by_zero, "division by zero");
        return left % right;
      });
}

duckdb::ScalarFunctionSet arithmetic(const char* name, bool division) {
  using duckdb::ScalarFunction;
  duckdb::ScalarFunctionSet set(name);
  const auto add = [&](const LogicalType& type, duckdb::scalar_function_t run) {
    set.AddFunction(ScalarFunction({type, type}, type, std::move(run)));
  };
  add(LogicalType::SMALLINT,
      division ? run_binary<std::int16_t, divide> : run_binary<std::int16_t, modulo>);
  add(LogicalType::INTEGER,
      division ? run_binary<std::int32_t, divide> : run_binary<std::int32_t, modulo>);
  add(LogicalType::BIGINT,
      division ? run_binary<std::int64_t, divide> : run_binary<std::int64_t, modulo>);
  add(LogicalType::FLOAT, division ? run_binary<float, divide> : run_binary<float, modulo>);
  add(LogicalType::DOUBLE, division ? run_binary<double, divide> : run_binary<double, modulo>);
  const LogicalType decimal(duckdb::LogicalTypeId::DECIMAL);
  set.AddFunction(ScalarFunction({decimal, decimal}, decimal,
                                 division ? run_divide_decimal : run_modulo_decimal,
                                 division ? bind_divide : bind_modulo));
  if (division) {
    set.AddFunction(ScalarFunction(
        {LogicalType::INTERVAL, LogicalType::BIGINT}, LogicalType::INTERVAL,
        [](duckdb::DataChunk& in, duckdb::ExpressionState&, duckdb::Vector& out) {
          duckdb::BinaryExecutor::Execute<duckdb::interval_t, std::int64_t, duckdb::interval_t>(
              in.data[0], in.data[1], out, in.size(),
              [](duckdb::interval_t left, std::int64_t right) {
                if (right == 0) raise(sqlstate::k_division_by_zero, "division by zero");
                left.months = static_cast<std::int32_t>(left.months / right);
                left.days = static_cast<std::int32_t>(left.days / right);
                left.micros /= right;
                return left;
              });
        }));
  }
  for (auto& function : set.functions) function.SetFallible();  // so it is not run on other rows
  return set;
}

using Expressions = duckdb::vector<duckdb::unique_ptr<duckdb::Expression>>;

bool is_exact(const duckdb::Expression& e) {
  return e.return_type.id() == duckdb::LogicalTypeId::DECIMAL || e.return_type.IsIntegral();
}

duckdb::unique_ptr<duckdb::Expression> converted(duckdb::ClientContext& context,
                                                 duckdb::unique_ptr<duckdb::Expression> e,
                                                 const LogicalType& type) {
  return duckdb::BoundCastExpression::AddCastToType(context, std::move(e), type);
}

LogicalType decimal(int precision, int scale) {
  return LogicalType::DECIMAL(static_cast<std::uint8_t>(precision),
                              static_cast<std::uint8_t>(scale));
}

duckdb::unique_ptr<duckdb::Expression> built_in(duckdb::ClientContext& context, char op,
                                                Expressions children) {
  duckdb::ErrorData error;
  auto bound = duckdb::FunctionBinder(context).BindScalarFunction(
      DEFAULT_SCHEMA, std::string(1, op), std::move(children), error, true);
  if (!bound) error.Throw();
  return bound;
}

// The documented precision and scale: DuckDB stays within 18 digits where the operands do.
template <char Op>
duckdb::unique_ptr<duckdb::Expression> bind_decimals(duckdb::ClientContext& context,
                                                     Expressions& children) {
  const auto [p1, s1] = decimal_shape(children[0]->return_type);
  const auto [p2, s2] = decimal_shape(children[1]->return_type);
  const int scale = Op == '*' ? s1 + s2 : std::max(s1, s2);
  if (scale > 37) numeric_overflow();
  const int wanted = Op == '*' ? p1 + p2 + 1 : std::max(p1 - s1, p2 - s2) + 1 + scale;
  const int precision = std::min(wanted, 38);
  const int width = precision > 18 ? std::max(p1, 19) : p1;  // so that DuckDB takes 128 bits
  children[0] = converted(context, std::move(children[0]), decimal(width, s1));
  children[1] = converted(context, std::move(children[1]), decimal(p2, s2));
  return converted(context, built_in(context, Op, std::move(children)), decimal(precision, scale));
}

template <char Op>
duckdb::unique_ptr<duckdb::Expression> bind_arithmetic(duckdb::FunctionBindExpressionInput& input) {
  auto& children = input.children;
  const auto small = [](const duckdb::Expression& e) {
    return e.return_type.id() == duckdb::LogicalTypeId::SMALLINT;
  };
  if (is_exact(*children[0]) && is_exact(*children[1])) {
    if (children[0]->return_type.id() == duckdb::LogicalTypeId::DECIMAL ||
        children[1]->return_type.id() == duckdb::LogicalTypeId::DECIMAL) {
      return bind_decimals<Op>(input.context, children);
    }
    // DuckDB lets a literal take the other side's type; Redshift's is an INTEGER.
    for (std::size_t i = 0; i < 2; ++i) {
      if (small(*children[i]) && !small(*children[1 - i])) {
        children[i] = converted(input.context, std::move(children[i]), LogicalType::INTEGER);
      }
    }
  }
  return built_in(input.context, Op, std::move(children));
}

// MEDIAN and PERCENTILE_CONT interpolate within the scale of their argument.
duckdb::unique_ptr<duckdb::Expression> bind_widened(duckdb::FunctionBindExpressionInput& input) {
  auto& child = input.children[0];
  if (child->return_type.id() != duckdb::LogicalTypeId::DECIMAL) return std::move(child);
  const int scale = std::min(37, decimal_shape(child->return_type).second + 4);
  return converted(input.context, std::move(child), decimal(38, scale));
}

// SUM and AVG of integers: Redshift gives BIGINT, AVG cut towards zero.
struct IntegerSum {
  hugeint_t sum;
  std::uint64_t count;
};

struct SumBase {
  template <class STATE>
  static void Initialize(STATE& state) {
    state.sum = hugeint_t(0);
    state.count = 0;
  }
  template <class INPUT, class STATE, class OP>
  static void Operation(STATE& state, const INPUT& input, duckdb::AggregateUnaryInput&) {
    state.sum += hugeint_t(input);
    ++state.count;
  }
  template <class INPUT, class STATE, class OP>
  static void ConstantOperation(STATE& state, const INPUT& input, duckdb::AggregateUnaryInput&,
                                duckdb::idx_t count) {
    state.sum += hugeint_t(input) * hugeint_t(static_cast<std::int64_t>(count));
    state.count += count;
  }
  template <class STATE, class OP>
  static void Combine(const STATE& source, STATE& target, duckdb::AggregateInputData&) {
    target.sum += source.sum;
    target.count += source.count;
  }
  static bool IgnoreNull() { return true; }
};

struct SumInteger : SumBase {
  template <class T, class STATE>
  static void Finalize(STATE& state, T& target, duckdb::AggregateFinalizeData& data) {
    if (state.count == 0) return data.ReturnNull();
    if (!duckdb::Hugeint::TryCast(state.sum, target)) {
      raise(sqlstate::k_numeric_out_of_range, "Overflow (Integer Sum)");
    }
  }
};

struct AverageInteger : SumBase {
  template <class T, class STATE>
  static void Finalize(STATE& state, T& target, duckdb::AggregateFinalizeData& data) {
    if (state.count == 0) return data.ReturnNull();
    const hugeint_t average = state.sum / hugeint_t(static_cast<std::int64_t>(state.count));
    if (!duckdb::Hugeint::TryCast(average, target)) numeric_overflow();
  }
};

// AVG of decimals keeps the argument's scale.
struct AverageDecimal : SumBase {
  template <class T, class STATE>
  static void Finalize(STATE& state, T& target, duckdb::AggregateFinalizeData& data) {
    if (state.count == 0) return data.ReturnNull();
    const hugeint_t count(static_cast<std::int64_t>(state.count));
    target = state.sum / count;
    hugeint_t rest = state.sum % count;
    if (rest < hugeint_t(0)) rest = -rest;
    if (rest * hugeint_t(2) >= count) {
      target += state.sum < hugeint_t(0) ? hugeint_t(-1) : hugeint_t(1);
    }
  }
};

duckdb::unique_ptr<duckdb::FunctionData> bind_average_decimal(
    duckdb::ClientContext&, duckdb::AggregateFunction& function,
    duckdb::vector<duckdb::unique_ptr<duckdb::Expression>>& arguments) {
  const auto [precision, scale] = decimal_shape(arguments[0]->return_type);
  function.arguments = {LogicalType::DECIMAL(38, scale)};
  function.SetReturnType(LogicalType::DECIMAL(38, scale));
  return nullptr;
}

duckdb::AggregateFunctionSet builtin_aggregate(duckdb::DatabaseInstance& database,
                                               const char* name) {
  duckdb::Connection connection(database);
  duckdb::AggregateFunctionSet set(name);
  connection.context->RunFunctionInTransaction([&] {
    auto& catalog = duckdb::Catalog::GetSystemCatalog(database);
    set = catalog
              .GetEntry<duckdb::AggregateFunctionCatalogEntry>(*connection.context, DEFAULT_SCHEMA,
                                                               name)
              .functions;
  });
  return set;
}

}  // namespace

void register_number_functions(duckdb::DatabaseInstance& database) {
  using duckdb::AggregateFunction;
  duckdb::ExtensionLoader loader(database, "tarn");
  loader.RegisterFunction(arithmetic("tarn_div", true));
  loader.RegisterFunction(arithmetic("tarn_mod", false));

  const auto add = [&](const char* name, int arguments, duckdb::function_bind_expression_t bind) {
    duckdb::ScalarFunction function(
        name, duckdb::vector<LogicalType>(static_cast<std::size_t>(arguments), LogicalType::ANY),
        LogicalType::ANY, nullptr);
    function.SetBindExpressionCallback(bind);
    loader.RegisterFunction(std::move(function));
  };
  add("tarn_add", 2, bind_arithmetic<'+'>);
  add("tarn_subtract", 2, bind_arithmetic<'-'>);
  add("tarn_multiply", 2, bind_arithmetic<'*'>);
  add("tarn_widened", 1, bind_widened);

  duckdb::AggregateFunctionSet sum("tarn_sum");
  sum.AddFunction(
      AggregateFunction::UnaryAggregate<IntegerSum, std::int64_t, std::int64_t, SumInteger>(
          LogicalType::BIGINT, LogicalType::BIGINT));
  for (auto& function : builtin_aggregate(database, "sum").functions) {
    if (function.arguments.size() == 1 && !function.arguments[0].IsIntegral() &&
        function.arguments[0].id() != duckdb::LogicalTypeId::BOOLEAN) {
      sum.AddFunction(function);
    }
  }
  loader.RegisterFunction(sum);

  duckdb::AggregateFunctionSet average("tarn_avg");
  average.AddFunction(
      AggregateFunction::UnaryAggregate<IntegerSum, std::int64_t, std::int64_t, AverageInteger>(
          LogicalType::BIGINT, LogicalType::BIGINT));
  auto decimal =
      AggregateFunction::UnaryAggregate<IntegerSum, hugeint_t, hugeint_t, AverageDecimal>(
          LogicalType::DECIMAL(38, 0), LogicalType::DECIMAL(38, 0));
  decimal.arguments = {LogicalType(duckdb::LogicalTypeId::DECIMAL)};
  decimal.SetBindCallback(bind_average_decimal);
  average.AddFunction(decimal);
  for (auto& function : builtin_aggregate(database, "avg").functions) {
    if (function.arguments.size() == 1 &&
        function.arguments[0].id() == duckdb::LogicalTypeId::DOUBLE) {
      average.AddFunction(function);
    }
  }
  loader.RegisterFunction(average);
}

}  // namespace tarn::sql
