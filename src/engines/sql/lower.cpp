// SPDX-License-Identifier: Apache-2.0
// Walks a parsed tree once: refuses every node, function and type that is not listed, and gives
// what DuckDB would run with another meaning Redshift's (division, AVG, regular expressions, order
// of NULLs, names of result columns, catalogs). Nothing that is not understood passes.
#include "duckdb/parser/common_table_expression_info.hpp"
#include "duckdb/parser/constraints/list.hpp"
#include "duckdb/parser/expression/list.hpp"
#include "duckdb/parser/parsed_data/create_view_info.hpp"
#include "duckdb/parser/parser.hpp"
#include "duckdb/parser/query_node/list.hpp"
#include "duckdb/parser/statement/list.hpp"
#include "duckdb/parser/tableref/list.hpp"

#include "base/strings.hpp"
#include "engines/sql/date_parts.hpp"
#include "engines/sql/engine.hpp"
#include "engines/sql/lower_names.hpp"

namespace tarn::sql {

namespace {

using duckdb::ExpressionClass;
using duckdb::ExpressionType;
using duckdb::make_uniq;
using duckdb::ParsedExpression;
using duckdb::Value;
template <class T>
using Ptr = duckdb::unique_ptr<T>;
using Expression = Ptr<ParsedExpression>;
using Children = duckdb::vector<Expression>;

Expression constant(Value value) { return make_uniq<duckdb::ConstantExpression>(std::move(value)); }
Expression cast(Expression child, const duckdb::LogicalType& type) {
  return make_uniq<duckdb::CastExpression>(type, std::move(child));
}
template <class... A>
Expression call(const char* name, A... arguments) {
  Children children;
  (children.push_back(std::move(arguments)), ...);
  return make_uniq<duckdb::FunctionExpression>(name, std::move(children));
}
bool is_text_constant(const ParsedExpression& expression) {
  return expression.GetExpressionClass() == ExpressionClass::CONSTANT &&
         expression.Cast<duckdb::ConstantExpression>().value.type().id() ==
             duckdb::LogicalTypeId::VARCHAR &&
         !expression.Cast<duckdb::ConstantExpression>().value.IsNull();
}
std::string text_of(const ParsedExpression& expression) {
  return expression.Cast<duckdb::ConstantExpression>().value.ToString();
}

class Lowerer {
 public:
  Lowerer(const QueryText& text, const LowerOptions& options, Lowered& out)
      : text_(text),
        options_(options),
        out_(out) {}

  void statement(duckdb::SQLStatement& statement) {
    switch (statement.type) {
      case duckdb::StatementType::SELECT_STATEMENT:
        return node(*statement.Cast<duckdb::SelectStatement>().node);
      case duckdb::StatementType::INSERT_STATEMENT:
        return insert(statement.Cast<duckdb::InsertStatement>());
      case duckdb::StatementType::UPDATE_STATEMENT:
        return update(statement.Cast<duckdb::UpdateStatement>());
      case duckdb::StatementType::DELETE_STATEMENT:
        return remove(statement.Cast<duckdb::DeleteStatement>());
      case duckdb::StatementType::MERGE_INTO_STATEMENT:
        return merge(statement.Cast<duckdb::MergeIntoStatement>());
      default: not_supported("this statement");
    }
  }

  void expression(Expression& e) {
    if (!e) return;
    if (++depth_ > 500) not_supported("an expression this deep");
    const std::string alias = e->GetAlias();
    const auto location = e->GetQueryLocation();
    dispatch(e);
    if (!alias.empty() && e->GetAlias() != alias) e->SetAlias(alias);
    if (!e->GetQueryLocation().IsValid()) e->SetQueryLocation(location);
    --depth_;
  }

 private:
  std::size_t position(const ParsedExpression& e) const {
    const auto location = e.GetQueryLocation();
    return location.IsValid() ? text_.original_position(location.GetIndex()) : 0;
  }
  [[noreturn]] void refuse(const std::string& what, const ParsedExpression& e) const {
    not_supported(what, position(e));
  }

  // ---- statements

  void target(const duckdb::TableRef& ref) {
    if (ref.type != duckdb::TableReferenceType::BASE_TABLE) not_supported("this target");
    const auto& table = ref.Cast<duckdb::BaseTableRef>();
    target(table.catalog_name, table.schema_name, table.table_name);
  }
  void target(const std::string& catalog, const std::string& schema, const std::string& name) {
    check_names(catalog, schema, name);
    if (schema == "pg_catalog" || schema == "information_schema" ||
        (schema.empty() && catalog_views("pg_catalog").contains(name))) {
      throw SqlError(sqlstate::k_insufficient_privilege, "permission denied for relation " + name);
    }
    out_.writes.insert({catalog, schema, name});
  }

  void insert(duckdb::InsertStatement& s) {
    if (s.on_conflict_info) not_supported("INSERT … ON CONFLICT");
    if (!s.returning_list.empty()) not_supported("RETURNING");
    if (s.column_order != duckdb::InsertColumnOrder::INSERT_BY_POSITION) {
      not_supported("INSERT … BY NAME");
    }
    common_tables(s.cte_map);
    target(s.catalog, s.schema, s.table);
    if (s.select_statement) node(*s.select_statement->node);
  }

  void set_list(duckdb::UpdateSetInfo& set) {
    for (auto& value : set.expressions) expression(value);
    expression(set.condition);
  }

  void update(duckdb::UpdateStatement& s) {
    if (!s.returning_list.empty()) not_supported("RETURNING");
    common_tables(s.cte_map);
    target(*s.table);
    if (s.from_table) table(s.from_table);
    set_list(*s.set_info);
  }

  void remove(duckdb::DeleteStatement& s) {
    if (!s.returning_list.empty()) not_supported("RETURNING");
    common_tables(s.cte_map);
    target(*s.table);
    for (auto& ref : s.using_clauses) table(ref);
    expression(s.condition);
  }

  void merge(duckdb::MergeIntoStatement& s) {
    if (!s.returning_list.empty()) not_supported("RETURNING");
    if (!s.using_columns.empty()) not_supported("MERGE … USING (columns)");
    common_tables(s.cte_map);
    target(*s.target);
    table(s.source);
    expression(s.join_condition);
    for (auto& [condition, actions] : s.actions) {
      if (condition == duckdb::MergeActionCondition::WHEN_NOT_MATCHED_BY_SOURCE) {
        not_supported("MERGE … WHEN NOT MATCHED BY SOURCE");
      }
      for (auto& action : actions) {
        expression(action->condition);
        if (action->update_info) set_list(*action->update_info);
        for (auto& value : action->expressions) expression(value);
      }
    }
    if (s.actions.contains(duckdb::MergeActionCondition::WHEN_MATCHED)) several_matches(s);
  }

  // SELECT 1 FROM target JOIN source ON … GROUP BY target.rowid HAVING count(*) > 1 LIMIT 1
  void several_matches(const duckdb::MergeIntoStatement& s) {
    const auto& target = s.target->Cast<duckdb::BaseTableRef>();
    const std::string name = target.alias.empty() ? target.table_name : target.alias;
    auto both = make_uniq<duckdb::JoinRef>(duckdb::JoinRefType::REGULAR);
    both->left = s.target->Copy();
    both->right = s.source->Copy();
    both->condition = s.join_condition->Copy();
    auto query = make_uniq<duckdb::SelectNode>();
    query->cte_map = s.cte_map.Copy();
    query->select_list.push_back(constant(Value::INTEGER(1)));
    query->from_table = std::move(both);
    query->groups.group_expressions.push_back(
        make_uniq<duckdb::ColumnRefExpression>("rowid", name));
    query->groups.grouping_sets.push_back({0});
    query->having = make_uniq<duckdb::ComparisonExpression>(
        ExpressionType::COMPARE_GREATERTHAN, call("count_star"), constant(Value::BIGINT(1)));
    auto limit = make_uniq<duckdb::LimitModifier>();
    limit->limit = constant(Value::BIGINT(1));
    query->modifiers.push_back(std::move(limit));
    out_.several_matches = make_uniq<duckdb::SelectStatement>();
    out_.several_matches->node = std::move(query);
  }

  // ---- queries

  void common_tables(duckdb::CommonTableExpressionMap& map) {
    for (auto& [name, info] : map.map) ctes_.insert(name);
    for (auto& [name, info] : map.map) node(*info->query->node);
  }

  void node(duckdb::QueryNode& n) {
    if (++depth_ > 500) not_supported("a query this deep");
    common_tables(n.cte_map);
    switch (n.type) {
      case duckdb::QueryNodeType::SELECT_NODE: select(n.Cast<duckdb::SelectNode>()); break;
      case duckdb::QueryNodeType::SET_OPERATION_NODE: {
        auto& set = n.Cast<duckdb::SetOperationNode>();
        if (set.setop_type == duckdb::SetOperationType::UNION_BY_NAME) {
          not_supported("UNION BY NAME");
        }
        if (set.setop_all && set.setop_type != duckdb::SetOperationType::UNION) {
          not_supported("INTERSECT ALL and EXCEPT ALL");
        }
        for (auto& child : set.children) node(*child);
        break;
      }
      case duckdb::QueryNodeType::RECURSIVE_CTE_NODE: {
        auto& recursive = n.Cast<duckdb::RecursiveCTENode>();
        if (!recursive.key_targets.empty()) not_supported("USING KEY");
        ctes_.insert(recursive.ctename);
        node(*recursive.left);
        node(*recursive.right);
        break;
      }
      default: not_supported("this form of query");
    }
    modifiers(n);
    --depth_;
  }

  void modifiers(duckdb::QueryNode& n) {
    for (auto& modifier : n.modifiers) {
      switch (modifier->type) {
        case duckdb::ResultModifierType::LIMIT_MODIFIER: {
          auto& limit = modifier->Cast<duckdb::LimitModifier>();
          expression(limit.limit);
          expression(limit.offset);
          break;
        }
        case duckdb::ResultModifierType::ORDER_MODIFIER:
          orders(modifier->Cast<duckdb::OrderModifier>().orders);
          break;
        case duckdb::ResultModifierType::DISTINCT_MODIFIER:
          if (!modifier->Cast<duckdb::DistinctModifier>().distinct_on_targets.empty()) {
            not_supported("DISTINCT ON");
          }
          break;
        default: not_supported("LIMIT in percent");
      }
    }
  }

  // Redshift puts NULLs last ascending and first descending.
  void orders(duckdb::vector<duckdb::OrderByNode>& list) {
    for (auto& order : list) {
      expression(order.expression);
      if (order.null_order == duckdb::OrderByNullType::ORDER_DEFAULT) {
        order.null_order = order.type == duckdb::OrderType::DESCENDING
                               ? duckdb::OrderByNullType::NULLS_FIRST
                               : duckdb::OrderByNullType::NULLS_LAST;
      }
    }
  }

  void select(duckdb::SelectNode& s) {
    if (s.sample) not_supported("USING SAMPLE");
    if (s.aggregate_handling == duckdb::AggregateHandling::FORCE_AGGREGATES) {
      not_supported("GROUP BY ALL");
    }
    if (s.from_table) table(s.from_table);
    for (auto& item : s.select_list) {
      const std::string name = item->HasAlias() ? item->GetAlias() : column_name(*item);
      expression(item);
      if (!item->HasAlias() && !name.empty() &&
          item->GetExpressionClass() != ExpressionClass::COLUMN_REF) {
        item->SetAlias(name);
      }
    }
    expression(s.where_clause);
    for (auto& group : s.groups.group_expressions) expression(group);
    expression(s.having);
    expression(s.qualify);
  }

  // PostgreSQL's name for an unnamed column (FigureColname); empty: DuckDB's is the same.
  static std::string column_name(const ParsedExpression& e) {
    switch (e.GetExpressionClass()) {
      case ExpressionClass::COLUMN_REF: {
        const auto& names = e.Cast<duckdb::ColumnRefExpression>().column_names;
        static const std::set<std::string> k_values = {"current_user", "session_user", "user"};
        return k_values.contains(names.back()) ? "current_user" : names.back();
      }
      case ExpressionClass::STAR: return {};
      case ExpressionClass::FUNCTION: {
        const auto& function = e.Cast<duckdb::FunctionExpression>();
        if (function.is_operator) return "?column?";
        if (function.function_name == "count_star") return "count";
        if (function.function_name == "quantile_cont") return "percentile_cont";
        if (function.function_name == "quantile_disc") return "percentile_disc";
        if (function.function_name.starts_with("regexp_full_match") ||
            function.function_name.ends_with("like_escape")) {
          return "?column?";
        }
        if (function.function_name.starts_with("to_") &&
            find_function(function.function_name) == nullptr) {
          return "interval";
        }
        return function.function_name;
      }
      case ExpressionClass::WINDOW: {
        const auto& window = e.Cast<duckdb::WindowExpression>();
        return window.function_name == "count_star" ? "count" : window.function_name;
      }
      case ExpressionClass::CAST: {
        const auto& child = *e.Cast<duckdb::CastExpression>().child;
        const std::string name = column_name(child);
        if (name.empty() || name == "?column?") return cast_name(e);
        return name;
      }
      case ExpressionClass::CASE: {
        const auto& check = e.Cast<duckdb::CaseExpression>();
        if (check.else_expr &&
            check.else_expr->GetExpressionClass() == ExpressionClass::COLUMN_REF) {
          return column_name(*check.else_expr);
        }
        return "case";
      }
      case ExpressionClass::OPERATOR:
        return e.GetExpressionType() == ExpressionType::OPERATOR_COALESCE ? "coalesce" : "?column?";
      case ExpressionClass::SUBQUERY: {
        const auto& sub = e.Cast<duckdb::SubqueryExpression>();
        if (sub.subquery_type == duckdb::SubqueryType::EXISTS) return "?column?";
        const auto& query = *sub.subquery->node;
        if (query.type != duckdb::QueryNodeType::SELECT_NODE) return "?column?";
        const auto& first = *query.Cast<duckdb::SelectNode>().select_list[0];
        return first.HasAlias() ? first.GetAlias() : column_name(first);
      }
      default: return "?column?";
    }
  }

  static std::string cast_name(const ParsedExpression& e) {
    const auto& type = e.Cast<duckdb::CastExpression>().cast_type;
    if (!type.IsUnbound())
      return type.id() == duckdb::LogicalTypeId::INTERVAL ? "interval" : "?column?";
    const std::string name = to_lower(
        duckdb::UnboundType::GetTypeExpression(type)->Cast<duckdb::TypeExpression>().GetTypeName());
    try {
      return std::string(resolve_type(name, {}, false, 0).type.name());
    } catch (const SqlError&) {
      return name;
    }
  }

  // ---- tables

  void check_names(const std::string& catalog, const std::string& schema,
                   const std::string& name) const {
    if (!catalog.empty() && catalog != options_.database) {
      if (schema.empty()) {
        throw SqlError(sqlstate::k_undefined_schema, "schema \"" + catalog + "\" does not exist");
      }
      throw SqlError(sqlstate::k_feature_not_supported,
                     "cross-database references are not implemented: \"" + catalog + "." + schema +
                         "." + name + "\"");
    }
    if (schema == "main" || schema == k_internal_schema || schema == k_system_database) {
      throw SqlError(sqlstate::k_undefined_schema, "schema \"" + schema + "\" does not exist");
    }
  }

  void table(Ptr<duckdb::TableRef>& ref) {
    if (ref->sample) not_supported("TABLESAMPLE");
    switch (ref->type) {
      case duckdb::TableReferenceType::BASE_TABLE: return base(ref->Cast<duckdb::BaseTableRef>());
      case duckdb::TableReferenceType::SUBQUERY:
        return node(*ref->Cast<duckdb::SubqueryRef>().subquery->node);
      case duckdb::TableReferenceType::JOIN: return join(ref->Cast<duckdb::JoinRef>());
      case duckdb::TableReferenceType::EXPRESSION_LIST:
        for (auto& row : ref->Cast<duckdb::ExpressionListRef>().values) {
          for (auto& value : row) expression(value);
        }
        return;
      case duckdb::TableReferenceType::EMPTY_FROM: return;
      case duckdb::TableReferenceType::TABLE_FUNCTION:
        return table_function(ref->Cast<duckdb::TableFunctionRef>());
      case duckdb::TableReferenceType::PIVOT: not_supported("PIVOT and UNPIVOT");
      default: not_supported("this kind of table reference");
    }
  }

  void base(duckdb::BaseTableRef& t) {
    if (t.at_clause) not_supported("AT");
    check_names(t.catalog_name, t.schema_name, t.table_name);
    const bool plain = t.catalog_name.empty() && t.schema_name.empty();
    if (plain && ctes_.contains(t.table_name)) return;
    for (const char* schema : {"pg_catalog", "information_schema"}) {
      if (t.schema_name != schema && !(plain && std::string_view(schema) == "pg_catalog")) continue;
      if (catalog_views(schema).contains(t.table_name)) {
        if (t.alias.empty()) t.alias = t.table_name;
        t.catalog_name = k_system_database;
        t.schema_name = std::string_view(schema) == "pg_catalog" ? "pg" : "info";
        return;
      }
      if (!plain) {
        throw SqlError(
            sqlstate::k_undefined_table,
            "relation \"" + t.schema_name + "." + t.table_name + "\" does not exist",
            t.query_location.IsValid() ? text_.original_position(t.query_location.GetIndex()) : 0);
      }
    }
    const auto location = t.query_location;
    out_.reads.insert({t.catalog_name, t.schema_name, t.table_name,
                       location.IsValid() ? text_.original_position(location.GetIndex()) : 0});
  }

  void join(duckdb::JoinRef& j) {
    if (j.ref_type == duckdb::JoinRefType::POSITIONAL || j.ref_type == duckdb::JoinRefType::ASOF) {
      not_supported("POSITIONAL and ASOF joins");
    }
    if (j.type == duckdb::JoinType::SEMI || j.type == duckdb::JoinType::ANTI) {
      not_supported("SEMI and ANTI joins");
    }
    table(j.left);
    table(j.right);
    expression(j.condition);
  }

  void table_function(duckdb::TableFunctionRef& t) {
    auto& function = t.function->Cast<duckdb::FunctionExpression>();
    if (function.function_name == "generate_series" && function.children.size() <= 3) {
      if (t.with_ordinality != duckdb::OrdinalityType::WITHOUT_ORDINALITY) {
        refuse("WITH ORDINALITY", *t.function);
      }
      for (auto& child : function.children) expression(child);
      return;
    }
    refuse("table function \"" + function.function_name + "\"", *t.function);
  }

  // ---- expressions

  void dispatch(Expression& e) {
    switch (e->GetExpressionClass()) {
      case ExpressionClass::CONSTANT: return;
      case ExpressionClass::COLUMN_REF: return column(e);
      case ExpressionClass::PARAMETER: return parameter(e);
      case ExpressionClass::STAR: return star(e->Cast<duckdb::StarExpression>());
      case ExpressionClass::DEFAULT: return;
      case ExpressionClass::CAST: return lower_cast(e);
      case ExpressionClass::CASE: {
        auto& check = e->Cast<duckdb::CaseExpression>();
        for (auto& branch : check.case_checks) {
          expression(branch.when_expr);
          expression(branch.then_expr);
        }
        return expression(check.else_expr);
      }
      case ExpressionClass::COMPARISON: {
        auto& comparison = e->Cast<duckdb::ComparisonExpression>();
        expression(comparison.left);
        expression(comparison.right);
        return compared({&comparison.left, &comparison.right});
      }
      case ExpressionClass::CONJUNCTION:
        for (auto& child : e->Cast<duckdb::ConjunctionExpression>().children) expression(child);
        return;
      case ExpressionClass::BETWEEN: {
        auto& between = e->Cast<duckdb::BetweenExpression>();
        expression(between.input);
        expression(between.lower);
        expression(between.upper);
        return compared({&between.input, &between.lower, &between.upper});
      }
      case ExpressionClass::OPERATOR: return operation(e);
      case ExpressionClass::SUBQUERY: {
        auto& sub = e->Cast<duckdb::SubqueryExpression>();
        expression(sub.child);
        node(*sub.subquery->node);
        return compared_with_query(sub);
      }
      case ExpressionClass::FUNCTION: return function(e);
      case ExpressionClass::WINDOW: return window(e);
      default: refuse("this kind of expression (" + e->ToString() + ")", *e);
    }
  }

  // Trailing blanks do not count where strings are compared. Types are not known yet: tarn_compared
  // leaves what is no string as it is.
  static void compared(std::vector<Expression*> operands) {
    const auto is_other_constant = [](const Expression* e) {
      return (*e)->GetExpressionClass() == ExpressionClass::CONSTANT && !is_text_constant(**e) &&
             !(*e)->Cast<duckdb::ConstantExpression>().value.IsNull();
    };
    if (std::any_of(operands.begin(), operands.end(), is_other_constant)) return;
    for (Expression* operand : operands) trim_compared(*operand);
  }

  static void trim_compared(Expression& e) {
    switch (e->GetExpressionClass()) {
      case ExpressionClass::CONSTANT:
        if (is_text_constant(*e)) {
          std::string text = text_of(*e);
          text.erase(text.find_last_not_of(' ') + 1);
          e->Cast<duckdb::ConstantExpression>().value = Value(text);
        }
        return;
      case ExpressionClass::FUNCTION: {
        auto& f = e->Cast<duckdb::FunctionExpression>();
        if (f.function_name == "row") {
          for (auto& child : f.children) trim_compared(child);
          return;
        }
        break;
      }
      case ExpressionClass::PARAMETER: return;  // takes the type of what it is compared with
      default: break;
    }
    const auto location = e->GetQueryLocation();
    e = call("tarn_compared", std::move(e));
    e->SetQueryLocation(location);
  }

  // x IN (SELECT …): the query's column is compared too.
  static void compared_with_query(duckdb::SubqueryExpression& sub) {
    if (!sub.child || (sub.child->GetExpressionClass() == ExpressionClass::FUNCTION &&
                       sub.child->Cast<duckdb::FunctionExpression>().function_name == "row")) {
      return;
    }
    trim_compared(sub.child);
    auto from = make_uniq<duckdb::SubqueryRef>(std::move(sub.subquery), "tarn_compared");
    from->column_name_alias.push_back("value");
    auto outer = make_uniq<duckdb::SelectNode>();
    outer->select_list.push_back(
        call("tarn_compared", make_uniq<duckdb::ColumnRefExpression>("value", "tarn_compared")));
    outer->from_table = std::move(from);
    sub.subquery = make_uniq<duckdb::SelectStatement>();
    sub.subquery->node = std::move(outer);
  }

  void column(Expression& e) {
    auto& names = e->Cast<duckdb::ColumnRefExpression>().column_names;
    if (names.size() == 3 && (names[0] == "pg_catalog" || names[0] == "information_schema")) {
      names.erase(names.begin());  // the views stand elsewhere, under aliases of their names
    }
    if (names.size() != 1) return;
    const std::string& name = names[0];
    if (name == "current_date")
      e = cast(call("tarn_getdate"), duckdb::LogicalType::DATE);
    else if (name == "sysdate" || name == "localtimestamp")
      e = call("tarn_sysdate");
    else if (name == "current_timestamp")
      e = call("tarn_now");
    else if (name == "current_user" || name == "session_user" || name == "user") {
      e = call("tarn_user");
    } else if (name == "current_user_id")
      e = catalog_call("current_user_id", {});
    else if (name == "current_catalog")
      e = catalog_call("current_database", {});
    else if (name == "current_schema")
      e = catalog_call("current_schema", {});
  }

  static Expression catalog_call(const std::string& name, Children children) {
    return make_uniq<duckdb::FunctionExpression>(k_system_database, "main", name,
                                                 std::move(children));
  }

  void parameter(Expression& e) {
    if (options_.in_view) refuse("a parameter in a view", *e);
    const auto number = parse_uint(e->Cast<duckdb::ParameterExpression>().identifier);
    if (!number || *number == 0 || *number > 65535) refuse("this parameter", *e);
    out_.parameters = std::max<std::size_t>(out_.parameters, *number);
    const std::uint32_t declared =
        *number > options_.parameter_oids.size() ? 0 : options_.parameter_oids[*number - 1];
    const auto type = storage_type(declared);
    if (type.id() != duckdb::LogicalTypeId::INVALID) {
      e = cast(std::move(e), type);
    } else if (options_.untyped_are_text && declared != oid::k_numeric) {
      e = cast(std::move(e), duckdb::LogicalType::VARCHAR);
    }
  }

  void star(duckdb::StarExpression& s) {
    if (s.columns || s.expr || !s.replace_list.empty() || !s.rename_list.empty()) {
      refuse("this form of *", s);
    }
  }

  void operation(Expression& e) {
    auto& op = e->Cast<duckdb::OperatorExpression>();
    switch (e->GetExpressionType()) {
      case ExpressionType::OPERATOR_NOT:
      case ExpressionType::OPERATOR_IS_NULL:
      case ExpressionType::OPERATOR_IS_NOT_NULL:
      case ExpressionType::COMPARE_IN:
      case ExpressionType::COMPARE_NOT_IN:
      case ExpressionType::OPERATOR_COALESCE:
      case ExpressionType::GROUPING_FUNCTION: break;
      case ExpressionType::ARRAY_EXTRACT:
        if (op.children[0]->GetExpressionClass() == ExpressionClass::FUNCTION &&
            op.children[0]->Cast<duckdb::FunctionExpression>().function_name == "current_schemas") {
          break;
        }
        refuse("an array subscript", *e);
      default: refuse("this operator (" + e->ToString() + ")", *e);
    }
    for (auto& child : op.children) expression(child);
    if (e->GetExpressionType() == ExpressionType::COMPARE_IN ||
        e->GetExpressionType() == ExpressionType::COMPARE_NOT_IN) {
      std::vector<Expression*> operands;
      for (auto& child : op.children) operands.push_back(&child);
      compared(std::move(operands));
    }
  }

  void lower_cast(Expression& e) {
    auto& c = e->Cast<duckdb::CastExpression>();
    const auto type = c.cast_type;
    if (!type.IsUnbound()) {
      expression(c.child);
      return;  // INTERVAL '…' and other literals of the grammar
    }
    const auto& spec = duckdb::UnboundType::GetTypeExpression(type)->Cast<duckdb::TypeExpression>();
    const std::string name = to_lower(spec.GetTypeName());
    std::vector<std::int64_t> modifiers;
    for (const auto& child : spec.GetChildren()) {
      if (child->GetExpressionClass() != ExpressionClass::CONSTANT) refuse("this type", *e);
      modifiers.push_back(child->Cast<duckdb::ConstantExpression>().value.GetValue<std::int64_t>());
    }
    expression(c.child);
    if (catalog_cast(e, name)) return;
    const TypeSpec target = resolve_type(name, modifiers, false, position(*e));
    if (target.storage == "VARCHAR") {
      Expression text = call("tarn_text", std::move(c.child));
      if (target.length == 0) {
        e = std::move(text);
        return;
      }
      const bool fixed = target.type.oid == oid::k_bpchar;
      e = call(fixed ? "tarn_cast_char" : "tarn_cast_varchar", std::move(text),
               constant(Value::INTEGER(target.length)));
      return;
    }
    if (target.type.oid == oid::k_timestamptz &&
        c.child->GetExpressionClass() != ExpressionClass::PARAMETER) {
      c.child = call("tarn_zoned", std::move(c.child));
    }
    e = make_uniq<duckdb::CastExpression>(storage_type(target), std::move(c.child), c.try_cast);
  }

  static duckdb::LogicalType storage_type(const TypeSpec& spec) {
    if (spec.type.oid == oid::k_numeric) {
      return duckdb::LogicalType::DECIMAL(static_cast<std::uint8_t>(spec.type.precision()),
                                          static_cast<std::uint8_t>(spec.type.scale()));
    }
    return sql::storage_type(spec.type.oid);
  }
  static duckdb::LogicalType storage_type(std::uint32_t oid) { return sql::storage_type(oid); }

  // The catalog's own types: 't'::regclass and such.
  bool catalog_cast(Expression& e, const std::string& name) {
    auto& c = e->Cast<duckdb::CastExpression>();
    Children children;
    if (name == "regclass") {
      children.push_back(cast(std::move(c.child), duckdb::LogicalType::VARCHAR));
      e = catalog_call("to_regclass", std::move(children));
    } else if (name == "regtype") {
      children.push_back(std::move(c.child));
      children.push_back(constant(Value(duckdb::LogicalType::INTEGER)));
      e = catalog_call("format_type", std::move(children));
    } else if (name == "regproc" || name == "char\"" || name == "regnamespace") {
      e = cast(std::move(c.child), duckdb::LogicalType::VARCHAR);
    } else {
      return false;
    }
    return true;
  }

  // Dates as strings become timestamps: Redshift's functions take them so.
  static Expression as_time(Expression e) {
    return is_text_constant(*e) ? cast(std::move(e), duckdb::LogicalType::TIMESTAMP) : std::move(e);
  }

  Expression part_name(const Expression& e) const {
    std::string name;
    if (e->GetExpressionClass() == ExpressionClass::COLUMN_REF) {
      name = e->Cast<duckdb::ColumnRefExpression>().column_names.back();
    } else if (is_text_constant(*e)) {
      name = to_lower(text_of(*e));
    }
    if (!parse_date_part(name)) {
      throw SqlError(sqlstate::k_invalid_parameter_value,
                     "timestamp units \"" + name + "\" not recognized", position(*e));
    }
    return constant(Value(name));
  }

  // Functions whose arguments need more than a rule. False: not one of them.
  bool special(Expression& e) {
    auto& f = e->Cast<duckdb::FunctionExpression>();
    const std::string name = f.function_name;
    auto& a = f.children;
    const auto lower_from = [&](std::size_t first) {
      for (std::size_t i = first; i < a.size(); ++i) expression(a[i]);
    };
    if ((name == "dateadd" || name == "date_add") && a.size() == 3) {
      Expression part = part_name(a[0]);
      lower_from(1);
      e = call("tarn_date_add", std::move(part), cast(std::move(a[1]), duckdb::LogicalType::BIGINT),
               as_time(std::move(a[2])));
    } else if ((name == "datediff" || name == "date_diff") && a.size() == 3) {
      Expression part = part_name(a[0]);
      lower_from(1);
      e = call("tarn_date_diff", std::move(part), as_time(std::move(a[1])),
               as_time(std::move(a[2])));
    } else if (name == "date_trunc" && a.size() == 2) {
      Expression part = part_name(a[0]);
      lower_from(1);
      e = call("tarn_date_trunc", std::move(part), as_time(std::move(a[1])));
    } else if ((name == "date_part" || name == "datepart") && a.size() == 2) {
      const bool extract = f.schema == "main";
      Expression part = part_name(a[0]);
      lower_from(1);
      const bool epoch = text_of(*part) == "epoch";
      Expression value = call("tarn_date_part", std::move(part), as_time(std::move(a[1])));
      e = extract ? cast(std::move(value),
                         epoch ? duckdb::LogicalType::BIGINT : duckdb::LogicalType::INTEGER)
                  : std::move(value);
    } else if (name == "convert_timezone" && (a.size() == 2 || a.size() == 3)) {
      lower_from(0);
      Expression from = a.size() == 3 ? std::move(a[0]) : constant(Value("UTC"));
      Expression to = std::move(a[a.size() - 2]);
      Expression time = cast(std::move(a.back()), duckdb::LogicalType::TIMESTAMP);
      e = call("timezone", call("tarn_zone", std::move(to)),
               call("timezone", call("tarn_zone", std::move(from)), std::move(time)));
    } else if (name == "timezone" && a.size() == 2) {  // AT TIME ZONE too
      lower_from(0);
      e = call("timezone", call("tarn_zone", std::move(a[0])), std::move(a[1]));
    } else if (name == "last_day" && a.size() == 1) {
      lower_from(0);
      e = call("last_day", as_time(std::move(a[0])));
    } else if ((name == "median" || name == "quantile_cont") && !a.empty()) {
      lower_from(0);
      if (f.filter) refuse("FILTER", *e);
      const bool grouped = f.order_bys && !f.order_bys->orders.empty();  // WITHIN GROUP
      if (grouped) orders(f.order_bys->orders);
      Expression& value = grouped ? f.order_bys->orders[0].expression : a[0];
      value = call("tarn_widened", std::move(value));
    } else if (is_interval_unit(f)) {
      lower_from(0);
    } else {
      return special_text(e) || special_condition(e);
    }
    return true;
  }

  // What DuckDB's parser makes of INTERVAL '1' MONTH. The number is cast there, too.
  static bool is_interval_unit(const duckdb::FunctionExpression& f) {
    static const std::set<std::string> k_units = {"to_years", "to_months",  "to_weeks",  "to_days",
                                                  "to_hours", "to_minutes", "to_seconds"};
    return f.children.size() == 1 && k_units.contains(f.function_name) &&
           f.children[0]->GetExpressionClass() == ExpressionClass::CAST &&
           !f.children[0]->Cast<duckdb::CastExpression>().cast_type.IsUnbound();
  }

  // Of ARRAY[…]; null: it is something else.
  static Children* array_items(ParsedExpression& e) {
    if (e.GetExpressionType() == ExpressionType::ARRAY_CONSTRUCTOR) {
      return &e.Cast<duckdb::OperatorExpression>().children;
    }
    if (e.GetExpressionClass() == ExpressionClass::FUNCTION &&
        e.Cast<duckdb::FunctionExpression>().function_name == "list_value") {
      return &e.Cast<duckdb::FunctionExpression>().children;
    }
    return nullptr;
  }

  bool special_text(Expression& e) {
    auto& f = e->Cast<duckdb::FunctionExpression>();
    const std::string name = f.function_name;
    auto& a = f.children;
    const auto lower_all = [&] {
      for (auto& child : a) expression(child);
    };
    if (name == "concat" && a.size() == 2) {  // NULL where either is
      lower_all();
      for (auto& child : a) child = call("tarn_text", std::move(child));
      e = make_uniq<duckdb::FunctionExpression>("||", std::move(a), nullptr, nullptr, false, true);
    } else if (name == "charindex" && a.size() == 2) {
      lower_all();
      e = cast(call("strpos", std::move(a[1]), std::move(a[0])), duckdb::LogicalType::INTEGER);
    } else if ((name == "lpad" || name == "rpad") && (a.size() == 2 || a.size() == 3)) {
      lower_all();
      if (a.size() == 2) a.push_back(constant(Value(" ")));
    } else if (name == "sha2" && a.size() == 2) {
      if (a[1]->ToString() != "256" && a[1]->ToString() != "0")
        refuse("SHA2 of other than 256 bits", *e);
      lower_all();
      e = call("sha256", std::move(a[0]));
    } else if (name == "regexp_replace" && (a.size() == 2 || a.size() == 3)) {
      if (a.size() == 3 &&
          (!is_text_constant(*a[2]) || text_of(*a[2]).find_first_of("$\\") != std::string::npos)) {
        refuse("REGEXP_REPLACE with a computed replacement or back references", *e);
      }
      lower_all();
      if (a.size() == 2) a.push_back(constant(Value("")));
      a.push_back(constant(Value("g")));
    } else if (name == "regexp_substr" && a.size() == 2) {
      lower_all();
      e = call("regexp_extract", std::move(a[0]), std::move(a[1]));
    } else if (name == "regexp_count" && a.size() == 2) {
      lower_all();
      e = cast(call("len", call("regexp_extract_all", std::move(a[0]), std::move(a[1]))),
               duckdb::LogicalType::INTEGER);
    } else if (name == "json_extract_path_text" && a.size() >= 2) {
      std::string path = "$";
      for (std::size_t i = 1; i < a.size(); ++i) {
        if (!is_text_constant(*a[i])) refuse("JSON_EXTRACT_PATH_TEXT with a computed path", *e);
        path += ".\"" + replace_all(text_of(*a[i]), "\"", "\\\"") + "\"";
      }
      expression(a[0]);
      e = call("json_extract_string", std::move(a[0]), constant(Value(path)));
    } else if (name == "listagg" && (a.size() == 1 || a.size() == 2)) {
      listagg(f);
    } else if (name == "unnest" && a.size() == 1 && array_items(*a[0])) {
      for (auto& item : *array_items(*a[0])) expression(item);  // x = ANY (ARRAY[…])
    } else if (name == "generate_series" && (a.size() == 2 || a.size() == 3)) {
      lower_all();
      Expression series = std::move(e);
      e = call("unnest", std::move(series));
    } else {
      return false;
    }
    return true;
  }

  void listagg(duckdb::FunctionExpression& f) {
    for (auto& child : f.children) expression(child);
    f.children[0] = call("tarn_text", std::move(f.children[0]));
    if (f.children.size() == 1) f.children.push_back(constant(Value("")));
    f.function_name = "string_agg";
    if (f.order_bys) orders(f.order_bys->orders);
    if (f.filter) refuse("FILTER", f);
  }

  static Expression coalesce(Children children) {
    auto op = make_uniq<duckdb::OperatorExpression>(ExpressionType::OPERATOR_COALESCE);
    op->children = std::move(children);
    return op;
  }

  bool special_condition(Expression& e) {
    auto& f = e->Cast<duckdb::FunctionExpression>();
    const std::string name = f.function_name;
    auto& a = f.children;
    const auto lower_all = [&] {
      for (auto& child : a) expression(child);
    };
    if ((name == "nvl" && !a.empty()) || (name == "isnull" && a.size() == 2) ||
        (name == "ifnull" && a.size() == 2)) {
      lower_all();
      e = coalesce(std::move(a));
    } else if (name == "nullif" && a.size() == 2) {
      lower_all();
      Expression value = a[0]->Copy();
      compared({&a[0], &a[1]});
      auto check = make_uniq<duckdb::CaseExpression>();
      auto same = make_uniq<duckdb::ComparisonExpression>(ExpressionType::COMPARE_EQUAL,
                                                          std::move(a[0]), std::move(a[1]));
      check->case_checks.push_back({std::move(same), constant(Value())});
      check->else_expr = std::move(value);
      e = std::move(check);
    } else if (name == "nvl2" && a.size() == 3) {
      lower_all();
      auto check = make_uniq<duckdb::CaseExpression>();
      auto present = make_uniq<duckdb::OperatorExpression>(ExpressionType::OPERATOR_IS_NOT_NULL,
                                                           std::move(a[0]));
      check->case_checks.push_back({std::move(present), std::move(a[1])});
      check->else_expr = std::move(a[2]);
      e = std::move(check);
    } else if (name == "decode" && a.size() >= 3) {
      lower_all();
      auto check = make_uniq<duckdb::CaseExpression>();
      std::size_t i = 1;
      for (; i + 1 < a.size(); i += 2) {
        Expression value = a[0]->Copy();
        compared({&value, &a[i]});
        auto same = make_uniq<duckdb::ComparisonExpression>(
            ExpressionType::COMPARE_NOT_DISTINCT_FROM, std::move(value), std::move(a[i]));
        check->case_checks.push_back({std::move(same), std::move(a[i + 1])});
      }
      check->else_expr = i < a.size() ? std::move(a[i]) : constant(Value());
      e = std::move(check);
    } else {
      return false;
    }
    return true;
  }

  void operator_function(Expression& e) {
    auto& f = e->Cast<duckdb::FunctionExpression>();
    for (auto& child : f.children) expression(child);
    const std::string& name = f.function_name;
    if (name == "/" && f.children.size() == 2) {
      e = call("tarn_div", std::move(f.children[0]), std::move(f.children[1]));
    } else if (name == "%" && f.children.size() == 2) {
      e = call("tarn_mod", std::move(f.children[0]), std::move(f.children[1]));
    } else if ((name == "+" || name == "-" || name == "*") && f.children.size() == 2) {
      const char* target = name == "+"   ? "tarn_add"
                           : name == "-" ? "tarn_subtract"
                                         : "tarn_multiply";
      e = call(target, std::move(f.children[0]), std::move(f.children[1]));
    } else if (name == "||" && f.children.size() == 2) {
      for (auto& child : f.children) child = call("tarn_text", std::move(child));
    } else if (name == "~~" || name == "!~~" || name == "~~*" || name == "!~~*") {
      like(e);
    } else if (name != "+" && name != "-" && name != "||" && name != "^" && name != "&" &&
               name != "|" && name != "<<" && name != ">>" && name != "~") {
      refuse("operator " + name, *e);
    }
  }

  // A backslash escapes in LIKE.
  void like(Expression& e) {
    auto& f = e->Cast<duckdb::FunctionExpression>();
    const auto& pattern = *f.children[1];
    if (is_text_constant(pattern) && text_of(pattern).find('\\') == std::string::npos) return;
    const char* target = f.function_name == "~~"    ? "like_escape"
                         : f.function_name == "!~~" ? "not_like_escape"
                         : f.function_name == "~~*" ? "ilike_escape"
                                                    : "not_ilike_escape";
    e = call(target, std::move(f.children[0]), std::move(f.children[1]), constant(Value("\\")));
  }

  void function(Expression& e) {
    auto& f = e->Cast<duckdb::FunctionExpression>();
    if (f.schema == "pg_catalog") f.schema = "";
    if (!f.schema.empty() && f.schema != "main") {
      throw SqlError(sqlstate::k_undefined_function,
                     "function " + f.schema + "." + f.function_name + "() does not exist",
                     position(*e));
    }
    if (f.export_state) refuse("EXPORT_STATE", *e);
    if (f.is_operator) return operator_function(e);
    if (f.function_name == "regexp_full_match") {  // ~ finds a match anywhere
      for (auto& child : f.children) expression(child);
      f.function_name = "regexp_matches";
      return;
    }
    if (f.function_name.ends_with("like_escape")) {
      for (auto& child : f.children) expression(child);
      return;
    }
    if (special(e)) return;
    listed(e);
  }

  void listed(Expression& e) {
    auto& f = e->Cast<duckdb::FunctionExpression>();
    const FunctionRule* rule = find_function(f.function_name);
    const auto count = static_cast<int>(f.children.size());
    if (!rule || f.function_name.starts_with("tarn_") || rule->kind == FunctionRule::Kind::window) {
      refuse("function \"" + f.function_name + "\"", *e);
    }
    if (count < rule->arguments_min || count > rule->arguments_max) {
      throw SqlError(
          sqlstate::k_undefined_function,
          "function " + f.function_name + " does not take " + std::to_string(count) + " arguments",
          position(*e));
    }
    if (f.filter) refuse("FILTER", *e);
    if (rule->kind != FunctionRule::Kind::aggregate &&
        (f.distinct || (f.order_bys && !f.order_bys->orders.empty()))) {
      refuse("DISTINCT or ORDER BY in a function that is not an aggregate", *e);
    }
    for (auto& child : f.children) expression(child);
    if (f.order_bys) orders(f.order_bys->orders);
    if (rule->kind == FunctionRule::Kind::catalog) {
      e = catalog_call(rule->target ? rule->target : rule->name, std::move(f.children));
      return;
    }
    if (rule->name == std::string_view("trunc") && count == 2) {
      f.function_name = "trunc";
    } else if (rule->target) {
      f.function_name = rule->target;
      f.schema = "";
    }
    static const std::set<std::string> k_integers = {"length", "strlen", "strpos",
                                                     "json_array_length"};
    if (k_integers.contains(f.function_name)) {  // DuckDB's are BIGINT
      e = cast(std::move(e), duckdb::LogicalType::INTEGER);
      return;
    }
    if (f.function_name == "tarn_to_char" || f.function_name == "tarn_trunc") {
      f.children[0] = as_time(std::move(f.children[0]));
    }
  }

  void window(Expression& e) {
    auto& w = e->Cast<duckdb::WindowExpression>();
    const FunctionRule* rule = find_function(w.function_name);
    const bool lists = w.function_name == "listagg";
    if (!lists && (!rule || (rule->kind != FunctionRule::Kind::aggregate &&
                             rule->kind != FunctionRule::Kind::window))) {
      refuse("window function \"" + w.function_name + "\"", *e);
    }
    if (w.filter_expr) refuse("FILTER", *e);
    if (w.exclude_clause != duckdb::WindowExcludeMode::NO_OTHER) refuse("EXCLUDE in a window", *e);
    for (auto& child : w.children) expression(child);
    if (w.function_name == "median" || w.function_name == "quantile_cont") {
      w.children[0] = call("tarn_widened", std::move(w.children[0]));
    }
    for (auto& child : w.partitions) expression(child);
    orders(w.orders);
    orders(w.arg_orders);
    for (auto* child : {&w.start_expr, &w.end_expr, &w.offset_expr, &w.default_expr}) {
      expression(*child);
    }
    if (lists) {
      w.children[0] = call("tarn_text", std::move(w.children[0]));
      if (w.children.size() == 1) w.children.push_back(constant(Value("")));
      w.function_name = "string_agg";
    } else if (w.function_name == "ratio_to_report") {
      w.children[0] = cast(std::move(w.children[0]), duckdb::LogicalType::DOUBLE);
      w.function_name = "sum";
      Expression value = w.children[0]->Copy();
      Expression total = std::move(e);
      e = call("tarn_div", std::move(value), std::move(total));
    } else if (rule->target) {
      w.function_name = rule->target;
    }
  }

  const QueryText& text_;
  const LowerOptions& options_;
  Lowered& out_;
  std::set<std::string> ctes_;
  int depth_ = 0;
};

}  // namespace

Lowered lower_query(const QueryText& text, const LowerOptions& options) {
  Lowered lowered;
  try {
    duckdb::Parser parser;
    parser.ParseQuery(text.text);
    if (parser.statements.size() != 1) {
      throw SqlError(sqlstate::k_syntax_error,
                     "cannot insert multiple commands into a prepared statement");
    }
    Lowerer(text, options, lowered).statement(*parser.statements[0]);
    lowered.statement = std::move(parser.statements[0]);
  } catch (const duckdb::Exception&) {
    rethrow_translated(&text);
  }
  return lowered;
}

duckdb::unique_ptr<ParsedExpression> lower_expression(const QueryText& text,
                                                      const LowerOptions& options) {
  Lowered unused;
  try {
    auto list = duckdb::Parser::ParseExpressionList(text.text);
    if (list.size() != 1) throw SqlError(sqlstate::k_syntax_error, "syntax error in default");
    Lowerer(text, options, unused).expression(list[0]);
    return std::move(list[0]);
  } catch (const duckdb::Exception&) {
    rethrow_translated(&text);
  }
}

}  // namespace tarn::sql
