// SPDX-License-Identifier: Apache-2.0
// Tables, views and schemas. Redshift's attributes become tags of the DuckDB table; VARCHAR(n) and
// CHAR(n) become checks; IDENTITY a sequence; a view's tags keep its text and what it reads.
#include "base/strings.hpp"
#include "duckdb/catalog/catalog_entry/table_catalog_entry.hpp"
#include "duckdb/catalog/catalog_entry/view_catalog_entry.hpp"
#include "duckdb/catalog/entry_lookup_info.hpp"
#include "duckdb/parser/constraints/list.hpp"
#include "duckdb/parser/expression/list.hpp"
#include "duckdb/parser/parsed_data/create_table_info.hpp"
#include "duckdb/parser/parsed_data/create_view_info.hpp"
#include "duckdb/parser/query_node/select_node.hpp"
#include "duckdb/parser/statement/create_statement.hpp"
#include "duckdb/parser/statement/select_statement.hpp"
#include "duckdb/parser/tableref/subqueryref.hpp"
#include "engines/sql/session.hpp"

namespace tarn::sql {

namespace {

using duckdb::make_uniq;

duckdb::LogicalType storage_of(const TypeSpec& type) {
  if (type.type.oid == oid::k_numeric) {
    return duckdb::LogicalType::DECIMAL(static_cast<std::uint8_t>(type.type.precision()),
                                        static_cast<std::uint8_t>(type.type.scale()));
  }
  const auto storage = storage_type(type.type.oid);
  return storage.id() == duckdb::LogicalTypeId::INVALID ? duckdb::LogicalType::VARCHAR : storage;
}

duckdb::unique_ptr<duckdb::Constraint> length_check(const std::string& column,
                                                    const TypeSpec& type) {
  duckdb::vector<duckdb::unique_ptr<duckdb::ParsedExpression>> arguments;
  arguments.push_back(make_uniq<duckdb::ColumnRefExpression>(column));
  arguments.push_back(make_uniq<duckdb::ConstantExpression>(duckdb::Value::INTEGER(type.length)));
  const bool fixed = type.type.oid == oid::k_bpchar;
  return duckdb::unique_ptr<duckdb::Constraint>(
      new duckdb::CheckConstraint(make_uniq<duckdb::FunctionExpression>(
          fixed ? "tarn_char_fits" : "tarn_varchar_fits", std::move(arguments))));
}

std::string sequence_name(const std::string& table, const std::string& column) {
  return "tarn_identity_" + table + "_" + column;
}

std::string relation_message(const ObjectName& name) {
  return "relation \"" + name.text() + "\" does not exist";
}

}  // namespace

void SessionImpl::check_database(const ObjectName& name) const {
  if (!name.database.empty() && name.database != database_->name()) {
    not_supported("a statement on another database (\"" + name.text() + "\")", name.position);
  }
  if (name.schema == "main" || name.schema == k_internal_schema) {
    throw SqlError(sqlstate::k_undefined_schema, "schema \"" + name.schema + "\" does not exist",
                   name.position);
  }
  if (name.schema == "pg_catalog" || name.schema == "information_schema") {
    throw SqlError(sqlstate::k_insufficient_privilege,
                   "permission denied for schema " + name.schema, name.position);
  }
}

std::string SessionImpl::target_schema(const ObjectName& name) const {
  if (!name.schema.empty()) return name.schema;
  if (facts_->schema.empty()) {
    throw SqlError(sqlstate::k_undefined_schema, "no schema has been selected to create in");
  }
  return facts_->schema;
}

std::optional<Relation> SessionImpl::find(const ObjectName& name) {
  auto& duck = connection();
  std::vector<std::pair<std::string, std::string>> places;  // database, schema
  if (name.schema.empty() || name.schema == "pg_temp") places.emplace_back("temp", "main");
  if (name.schema.empty()) {
    for (const auto& schema : search_path_) {
      places.emplace_back(database_->name(), schema == "$user" ? to_lower(options_.user) : schema);
    }
  } else {
    places.emplace_back(database_->name(), name.schema);
  }
  std::optional<Relation> found;
  try {
    duck.context->RunFunctionInTransaction([&] {
      for (const auto& [database, schema] : places) {
        const auto entry = duckdb::Catalog::GetEntry(
            *duck.context, database, schema,
            duckdb::EntryLookupInfo(duckdb::CatalogType::TABLE_ENTRY, name.name),
            duckdb::OnEntryNotFound::RETURN_NULL);
        if (!entry) continue;
        found =
            Relation{database, schema, entry->name, entry->type == duckdb::CatalogType::VIEW_ENTRY};
        return;
      }
    });
  } catch (const duckdb::Exception&) {
    rethrow_translated(nullptr);
  }
  return found;
}

Relation SessionImpl::require(const ObjectName& name) {
  check_database(name);
  auto relation = find(name);
  if (!relation) {
    throw SqlError(sqlstate::k_undefined_table, relation_message(name), name.position);
  }
  return *relation;
}

std::map<std::string, std::string> SessionImpl::tags_of(const Relation& relation) {
  std::map<std::string, std::string> tags;
  auto& duck = connection();
  duck.context->RunFunctionInTransaction([&] {
    const auto entry = duckdb::Catalog::GetEntry(
        *duck.context, relation.database, relation.schema,
        duckdb::EntryLookupInfo(duckdb::CatalogType::TABLE_ENTRY, relation.name),
        duckdb::OnEntryNotFound::RETURN_NULL);
    if (!entry) return;
    for (const auto& [key, value] : entry->tags) tags[key] = value;
  });
  return tags;
}

// The bound views that read it (late-binding ones may dangle).
std::vector<Relation> SessionImpl::dependents(const Relation& relation) {
  std::vector<Relation> found;
  if (relation.temporary()) return found;
  const auto rows = query_internal(
      "SELECT schema_name, view_name FROM duckdb_views() WHERE NOT internal AND database_name = " +
      quote_literal(database_->name()) +
      " AND tags['late'] IS NULL AND list_contains("
      "string_split(tags['depends'], chr(10)), " +
      quote_literal(relation.key()) + ")");
  for (std::size_t i = 0; i < rows->RowCount(); ++i) {
    found.push_back({database_->name(), rows->GetValue(0, i).ToString(),
                     rows->GetValue(1, i).ToString(), true});
  }
  return found;
}

// ---- creating

// False: it exists, and IF NOT EXISTS was said.
bool SessionImpl::may_create(const CreateTable& create, const std::string& schema, bool temporary,
                             std::vector<std::string>& notices) {
  if (!temporary && !schema_exists(schema)) {
    throw SqlError(sqlstate::k_undefined_schema, "schema \"" + schema + "\" does not exist",
                   create.name.position);
  }
  const auto existing =
      find({database_->name(), temporary ? "pg_temp" : schema, create.name.name, 0});
  if (!existing || existing->temporary() != temporary) return true;
  if (!create.if_not_exists) {
    throw SqlError(sqlstate::k_duplicate_table,
                   "Relation \"" + create.name.name + "\" already exists");
  }
  notices.push_back("INFO:Relation \"" + create.name.name +
                    "\" already exists and will be skipped");
  return false;
}

// LIKE: columns, checks and attributes of another table.
void SessionImpl::copy_definition(const CreateTable& create, duckdb::CreateTableInfo& info) {
  const Relation source = require(*create.like);
  auto& duck = connection();
  duck.context->RunFunctionInTransaction([&] {
    auto& table = duckdb::Catalog::GetEntry<duckdb::TableCatalogEntry>(
        *duck.context, source.database, source.schema, source.name);
    const auto original = table.GetInfo();
    auto& from = original->Cast<duckdb::CreateTableInfo>();
    for (auto& column : from.columns.Logical()) {
      auto copy = column.Copy();
      if (!create.like_defaults) copy.SetDefaultValue(nullptr);
      info.columns.AddColumn(std::move(copy));
    }
    for (auto& constraint : from.constraints) info.constraints.push_back(constraint->Copy());
    for (const auto& [key, value] : table.tags) {
      if (!key.starts_with("identity:")) info.tags[key] = value;
    }
  });
}

// Makes the sequence of an identity column and returns the default that draws from it.
duckdb::unique_ptr<duckdb::ParsedExpression> SessionImpl::identity_default(
    const duckdb::CreateTableInfo& info, const ColumnSpec& column) {
  const std::string sequence = quote_identifier(info.catalog) + "." +
                               quote_identifier(info.schema) + "." +
                               quote_identifier(sequence_name(info.table, column.name));
  const auto [seed, step] = *column.identity;
  const std::string bound = step < 0
                                ? " MAXVALUE " + std::to_string(std::max(seed, std::int64_t{1}))
                                : " MINVALUE " + std::to_string(std::min(seed, std::int64_t{1}));
  execute_internal("CREATE SEQUENCE " + sequence + " START " + std::to_string(seed) +
                   " INCREMENT " + std::to_string(step) + bound);
  duckdb::vector<duckdb::unique_ptr<duckdb::ParsedExpression>> arguments;
  arguments.push_back(make_uniq<duckdb::ConstantExpression>(duckdb::Value(sequence)));
  return make_uniq<duckdb::FunctionExpression>("nextval", std::move(arguments));
}

void SessionImpl::define_column(const Compiled& compiled, const ColumnSpec& column,
                                duckdb::CreateTableInfo& info) {
  const auto index = info.columns.LogicalColumnCount();
  duckdb::ColumnDefinition definition(column.name, storage_of(column.type));
  if (column.identity) {
    definition.SetDefaultValue(identity_default(info, column));
    info.tags["identity:" + column.name] = column.identity_by_default ? "default" : "always";
  } else if (!column.default_value.empty()) {
    definition.SetDefaultValue(lower_expression(
        write_query(compiled.source, compiled.tokens, column.default_value), lower_options(true)));
  }
  info.columns.AddColumn(std::move(definition));
  if (column.not_null) {
    info.constraints.push_back(duckdb::unique_ptr<duckdb::Constraint>(
        new duckdb::NotNullConstraint(duckdb::LogicalIndex(index))));
  }
  if (column.type.length > 0) info.constraints.push_back(length_check(column.name, column.type));
}

// CREATE TABLE … [(names)] AS query
duckdb::unique_ptr<duckdb::SelectStatement> SessionImpl::table_query(
    const QueryText& text, const std::vector<std::string>& names) {
  auto lowered = lower_query(text, lower_options(false));
  if (lowered.statement->type != duckdb::StatementType::SELECT_STATEMENT) {
    throw SqlError(sqlstate::k_syntax_error, "CREATE TABLE AS needs a query");
  }
  if (lowered.parameters > 0) not_supported("a parameter in CREATE TABLE AS");
  check_relations(lowered);
  auto query = duckdb::unique_ptr_cast<duckdb::SQLStatement, duckdb::SelectStatement>(
      std::move(lowered.statement));
  if (names.empty()) return query;
  auto inner = make_uniq<duckdb::SubqueryRef>(std::move(query), "named");
  for (const auto& name : names) inner->column_name_alias.push_back(name);
  auto node = make_uniq<duckdb::SelectNode>();
  node->select_list.push_back(make_uniq<duckdb::StarExpression>());
  node->from_table = std::move(inner);
  auto named = make_uniq<duckdb::SelectStatement>();
  named->node = std::move(node);
  return named;
}

Answer SessionImpl::create_table(const Compiled& compiled, const CreateTable& create) {
  check_database(create.name);
  const bool temporary = create.temporary || create.name.schema == "pg_temp";
  if (temporary && !create.name.schema.empty() && create.name.schema != "pg_temp") {
    throw SqlError("42P16", "cannot create temporary relation in non-temporary schema");
  }
  const std::string schema = temporary ? "main" : target_schema(create.name);
  Answer answer{create.query.empty() ? "CREATE TABLE" : "SELECT"};
  if (!may_create(create, schema, temporary, answer.notices)) return answer;
  auto info = make_uniq<duckdb::CreateTableInfo>(temporary ? "temp" : database_->name(), schema,
                                                 create.name.name);
  info->temporary = temporary;
  for (const auto& [key, value] : create.tags) info->tags[key] = value;
  if (create.like) copy_definition(create, *info);
  for (const auto& column : create.columns) define_column(compiled, column, *info);
  QueryText text;
  if (!create.query.empty()) {
    text = write_query(compiled.source, compiled.tokens, create.query);
    info->query = table_query(text, create.column_names);
  }
  auto statement = make_uniq<duckdb::CreateStatement>();
  statement->info = std::move(info);
  const std::int64_t rows = execute_tree(std::move(statement), text.text.empty() ? nullptr : &text);
  if (!create.query.empty()) answer.count = rows;
  return answer;
}

Answer SessionImpl::create_view(const Compiled& compiled, const CreateView& create) {
  check_database(create.name);
  const QueryText text = write_query(compiled.source, compiled.tokens, create.query);
  auto lowered = lower_query(text, lower_options(true));
  if (lowered.statement->type != duckdb::StatementType::SELECT_STATEMENT) {
    throw SqlError(sqlstate::k_syntax_error, "CREATE VIEW needs a query");
  }
  const std::string schema = target_schema(create.name);
  std::string depends;
  for (const auto& use : lowered.reads) {
    const auto read = find({use.database, use.schema, use.name, 0});
    if (!read && create.late_binding) {
      not_supported("a late-binding view of a relation that does not exist (\"" + use.name + "\")");
    }
    if (!read) check_relations(lowered);
    if (read && read->temporary()) not_supported("a view of a temporary table");
    if (read) depends += (depends.empty() ? "" : "\n") + read->key();
  }
  if (const auto existing = find({database_->name(), schema, create.name.name, 0})) {
    if (!create.replace) {
      throw SqlError(sqlstate::k_duplicate_table,
                     "Relation \"" + create.name.name + "\" already exists");
    }
    if (!existing->view) {
      throw SqlError(sqlstate::k_wrong_object_type, "\"" + create.name.name + "\" is not a view");
    }
  }
  auto info = make_uniq<duckdb::CreateViewInfo>(database_->name(), schema, create.name.name);
  for (const auto& name : create.columns) info->aliases.push_back(name);
  info->on_conflict = create.replace ? duckdb::OnCreateConflict::REPLACE_ON_CONFLICT
                                     : duckdb::OnCreateConflict::ERROR_ON_CONFLICT;
  info->tags["depends"] = depends;
  std::string definition(compiled.source.substr(
      compiled.tokens[create.query.from].begin,
      compiled.tokens[create.query.to - 1].end - compiled.tokens[create.query.from].begin));
  info->tags["definition"] = definition;
  if (create.late_binding) info->tags["late"] = "yes";
  info->query = duckdb::unique_ptr_cast<duckdb::SQLStatement, duckdb::SelectStatement>(
      std::move(lowered.statement));
  auto statement = make_uniq<duckdb::CreateStatement>();
  statement->info = std::move(info);
  execute_tree(std::move(statement), &text);
  return {"CREATE VIEW"};
}

bool SessionImpl::schema_exists(const std::string& name) {
  const auto rows = query_internal("SELECT count(*) FROM duckdb_schemas() WHERE database_name = " +
                                   quote_literal(database_->name()) +
                                   " AND schema_name = " + quote_literal(name));
  return rows->GetValue(0, 0).GetValue<std::int64_t>() > 0;
}

Answer SessionImpl::create_schema(const CreateSchema& create) {
  if (create.name.starts_with("pg_") || create.name == "information_schema" ||
      create.name == "main" || create.name == k_internal_schema) {
    throw SqlError("42939", "unacceptable schema name \"" + create.name + "\"");
  }
  Answer answer{"CREATE SCHEMA"};
  if (schema_exists(create.name)) {
    if (!create.if_not_exists) {
      throw SqlError(sqlstate::k_duplicate_schema, "Schema \"" + create.name + "\" already exists");
    }
    answer.notices.push_back("INFO:Schema \"" + create.name +
                             "\" already exists and will be skipped");
    return answer;
  }
  execute_internal("CREATE SCHEMA " + quote_identifier(database_->name()) + "." +
                   quote_identifier(create.name));
  apply_search_path();
  return answer;
}

// ---- dropping

void SessionImpl::drop_relation(const Relation& relation, bool cascade,
                                std::vector<std::string>& notices) {
  for (const auto& view : dependents(relation)) {
    if (!cascade) {
      throw SqlError(sqlstate::k_dependent_objects,
                     std::string("cannot drop ") + (relation.view ? "view " : "table ") +
                         relation.name + " because other objects depend on it",
                     0, "view " + view.name + " depends on " + relation.name,
                     "Use DROP ... CASCADE to drop the dependent objects too.");
    }
    notices.push_back("NOTICE:drop cascades to view " + view.name);
    drop_relation(view, true, notices);
  }
  const auto tags = tags_of(relation);
  execute_internal(std::string("DROP ") + (relation.view ? "VIEW " : "TABLE ") + relation.sql());
  for (const auto& [key, value] : tags) {
    if (!key.starts_with("identity:")) continue;
    execute_internal("DROP SEQUENCE IF EXISTS " + quote_identifier(relation.database) + "." +
                     quote_identifier(relation.schema) + "." +
                     quote_identifier(sequence_name(relation.name, key.substr(9))));
  }
}

Answer SessionImpl::drop(const Drop& drop) {
  Answer answer{"DROP " + drop.kind};
  if (drop.kind == "DATABASE") {
    if (status_ != TransactionStatus::idle) {
      throw SqlError(sqlstate::k_active_transaction,
                     "DROP DATABASE cannot run inside a transaction block");
    }
    for (const auto& name : drop.names) cluster_.drop_database(name.name);
    return answer;
  }
  if (drop.kind == "SCHEMA") {
    for (const auto& name : drop.names) drop_schema(name.name, drop, answer.notices);
    apply_search_path();
    return answer;
  }
  const bool view = drop.kind == "VIEW";
  for (const auto& name : drop.names) {
    check_database(name);
    const auto relation = find(name);
    if (!relation) {
      const std::string what = (view ? "View \"" : "Table \"") + name.text() + "\" does not exist";
      if (!drop.if_exists) throw SqlError(sqlstate::k_undefined_table, what);
      answer.notices.push_back("INFO:" + what + " and will be skipped");
      continue;
    }
    if (relation->view != view) {
      throw SqlError(sqlstate::k_wrong_object_type,
                     "\"" + name.name + "\" is not a " + (view ? "view" : "table"), 0, "",
                     std::string("Use DROP ") + (view ? "TABLE" : "VIEW") + " to remove a " +
                         (view ? "table." : "view."));
    }
    drop_relation(*relation, drop.cascade, answer.notices);
  }
  return answer;
}

void SessionImpl::drop_schema(const std::string& name, const Drop& drop,
                              std::vector<std::string>& notices) {
  check_database({"", name, "", 0});
  if (!schema_exists(name)) {
    if (!drop.if_exists) {
      throw SqlError(sqlstate::k_undefined_schema, "Schema \"" + name + "\" does not exist");
    }
    notices.push_back("INFO:Schema \"" + name + "\" does not exist and will be skipped");
    return;
  }
  const auto rows = query_internal(
      "SELECT table_name, false FROM duckdb_tables() WHERE database_name = " +
      quote_literal(database_->name()) + " AND schema_name = " + quote_literal(name) +
      " UNION ALL SELECT view_name, true FROM duckdb_views() WHERE database_name = " +
      quote_literal(database_->name()) +
      " AND NOT internal AND schema_name = " + quote_literal(name));
  if (rows->RowCount() > 0 && !drop.cascade) {
    throw SqlError(sqlstate::k_dependent_objects,
                   "cannot drop schema " + name + " because other objects depend on it", 0, "",
                   "Use DROP ... CASCADE to drop the dependent objects too.");
  }
  for (std::size_t i = 0; i < rows->RowCount(); ++i) {
    const auto relation = find({database_->name(), name, rows->GetValue(0, i).ToString(), 0});
    if (relation) drop_relation(*relation, true, notices);  // a cascade may have taken it
  }
  execute_internal("DROP SCHEMA " + quote_identifier(database_->name()) + "." +
                   quote_identifier(name) + " CASCADE");
}

// ---- altering

Answer SessionImpl::alter_table(const Compiled& compiled, const AlterTable& alter) {
  using Action = AlterTable::Action;
  const Relation table = require(alter.name);
  Answer answer{alter.view ? "ALTER VIEW" : "ALTER TABLE"};
  const std::string what = std::string("ALTER ") + (table.view ? "VIEW " : "TABLE ") + table.sql();
  if (table.view && alter.action != Action::rename_table && alter.action != Action::owner) {
    throw SqlError(sqlstate::k_wrong_object_type, "\"" + table.name + "\" is not a table");
  }
  const auto tags = tags_of(table);
  const auto refuse_key = [&](const char* verb) {
    for (const char* key : {"distkey", "sortkey"}) {
      const auto found = tags.find(key);
      if (found == tags.end()) continue;
      const auto names = split(found->second, ',');
      if (std::find(names.begin(), names.end(), alter.column_name) != names.end()) {
        not_supported(std::string(verb) + " a column that is the " + key);
      }
    }
    if (tags.contains("identity:" + alter.column_name)) {
      not_supported(std::string(verb) + " an identity column");
    }
  };
  switch (alter.action) {
    case Action::add_column: add_column(compiled, table, alter.column); break;
    case Action::drop_column: {
      const auto views = dependents(table);
      if (!views.empty() && !alter.cascade) {
        throw SqlError(sqlstate::k_dependent_objects, "cannot drop table " + table.name +
                                                          " column " + alter.column_name +
                                                          " because other objects depend on it");
      }
      refuse_key("dropping");
      for (const auto& view : views) drop_relation(view, true, answer.notices);
      execute_internal(what + " DROP COLUMN " + quote_identifier(alter.column_name));
      break;
    }
    case Action::rename_table: {
      for (const auto& [key, value] : tags) {
        if (key.starts_with("identity:")) not_supported("renaming a table with an identity column");
      }
      execute_internal(what + " RENAME TO " + quote_identifier(alter.new_name));
      break;
    }
    case Action::rename_column:
      refuse_key("renaming");
      if (!dependents(table).empty()) not_supported("renaming a column that views may read");
      execute_internal(what + " RENAME COLUMN " + quote_identifier(alter.column_name) + " TO " +
                       quote_identifier(alter.new_name));
      break;
    case Action::column_type: change_length(table, alter.column_name, alter.type); break;
    case Action::owner:
      if (alter.new_name != to_lower(options_.user)) not_supported("OWNER TO another user");
      break;
  }
  return answer;
}

namespace {

// Replaces a table by one of another definition with the same rows: what DuckDB cannot alter.
struct Rebuild {
  std::string name;
  duckdb::unique_ptr<duckdb::CreateTableInfo> info;
  std::vector<std::string> kept_columns;
};

Rebuild begin_rebuild(duckdb::Connection& duck, const Relation& table) {
  Rebuild rebuild;
  rebuild.name = "tarn_rebuild_" + table.name;
  duck.context->RunFunctionInTransaction([&] {
    auto& entry = duckdb::Catalog::GetEntry<duckdb::TableCatalogEntry>(
        *duck.context, table.database, table.schema, table.name);
    auto info = entry.GetInfo();
    rebuild.info =
        duckdb::unique_ptr_cast<duckdb::CreateInfo, duckdb::CreateTableInfo>(std::move(info));
    rebuild.info->tags = entry.tags;
    rebuild.info->comment = entry.comment;
  });
  rebuild.info->table = rebuild.name;
  rebuild.info->catalog = table.database;
  rebuild.info->schema = table.schema;
  for (auto& column : rebuild.info->columns.Logical()) {
    rebuild.kept_columns.push_back(quote_identifier(column.Name()));
  }
  return rebuild;
}

}  // namespace

void SessionImpl::add_column(const Compiled& compiled, const Relation& table,
                             const ColumnSpec& column) {
  if (column.identity) not_supported("ALTER TABLE ADD COLUMN … IDENTITY");
  auto rebuild = begin_rebuild(connection(), table);
  const std::string exact = quote_identifier(column.name);
  if (std::find(rebuild.kept_columns.begin(), rebuild.kept_columns.end(), exact) !=
      rebuild.kept_columns.end()) {
    throw SqlError(sqlstate::k_duplicate_column, "column \"" + column.name + "\" of relation \"" +
                                                     table.name + "\" already exists");
  }
  if (column.not_null && column.default_value.empty()) {
    throw SqlError(sqlstate::k_not_null,
                   "ALTER TABLE ADD COLUMN defined as NOT NULL must have a "
                   "non-null default expression");
  }
  duckdb::ColumnDefinition definition(column.name, storage_of(column.type));
  if (!column.default_value.empty()) {
    definition.SetDefaultValue(lower_expression(
        write_query(compiled.source, compiled.tokens, column.default_value), lower_options(true)));
  }
  if (column.type.length == 0 && !column.not_null) {  // DuckDB can, without touching a row
    execute_internal(
        "ALTER TABLE " + table.sql() + " ADD COLUMN " + exact + " " + column.type.storage +
        (definition.HasDefaultValue() ? " DEFAULT (" + definition.DefaultValue().ToString() + ")"
                                      : ""));
    return;
  }
  const auto index = rebuild.info->columns.LogicalColumnCount();
  rebuild.info->columns.AddColumn(std::move(definition));
  if (column.not_null) {
    rebuild.info->constraints.push_back(duckdb::unique_ptr<duckdb::Constraint>(
        new duckdb::NotNullConstraint(duckdb::LogicalIndex(index))));
  }
  if (column.type.length > 0) {
    rebuild.info->constraints.push_back(length_check(column.name, column.type));
  }
  auto statement = make_uniq<duckdb::CreateStatement>();
  statement->info = std::move(rebuild.info);
  execute_tree(std::move(statement), nullptr);
  const Relation fresh{table.database, table.schema, rebuild.name, false};
  const std::string names = join(rebuild.kept_columns, ", ");
  execute_internal("INSERT INTO " + fresh.sql() + " (" + names + ") SELECT " + names + " FROM " +
                   table.sql());
  execute_internal("DROP TABLE " + table.sql());
  execute_internal("ALTER TABLE " + fresh.sql() + " RENAME TO " + quote_identifier(table.name));
}

// ALTER COLUMN … TYPE VARCHAR(n): Redshift changes only the length of a VARCHAR.
void SessionImpl::change_length(const Relation& table, const std::string& column,
                                const TypeSpec& type) {
  auto rebuild = begin_rebuild(connection(), table);
  if (!rebuild.info->columns.ColumnExists(column)) {
    throw SqlError(sqlstate::k_undefined_column,
                   "column \"" + column + "\" of relation \"" + table.name + "\" does not exist");
  }
  if (type.type.oid != oid::k_varchar ||
      rebuild.info->columns.GetColumn(column).Type().id() != duckdb::LogicalTypeId::VARCHAR) {
    not_supported("ALTER COLUMN TYPE other than the length of a VARCHAR");
  }
  std::erase_if(rebuild.info->constraints, [&](const auto& constraint) {
    return constraint->type == duckdb::ConstraintType::CHECK &&
           constraint->ToString().find("_fits(" + column + ",") != std::string::npos;
  });
  rebuild.info->constraints.push_back(length_check(column, type));
  auto statement = make_uniq<duckdb::CreateStatement>();
  statement->info = std::move(rebuild.info);
  execute_tree(std::move(statement), nullptr);
  const Relation fresh{table.database, table.schema, rebuild.name, false};
  execute_internal("INSERT INTO " + fresh.sql() + " SELECT * FROM " + table.sql());
  execute_internal("DROP TABLE " + table.sql());
  execute_internal("ALTER TABLE " + fresh.sql() + " RENAME TO " + quote_identifier(table.name));
}

Answer SessionImpl::comment(const Comment& comment) {
  const std::string text = comment.text ? quote_literal(*comment.text) : "NULL";
  if (comment.kind == "DATABASE" || comment.kind == "SCHEMA") {
    not_supported("COMMENT ON " + comment.kind);
  }
  const Relation relation = require(comment.name);
  if (comment.kind == "COLUMN") {
    if (relation.view) return {"COMMENT"};  // DuckDB keeps none for a view's column
    execute_internal("COMMENT ON COLUMN " + relation.sql() + "." +
                     quote_identifier(comment.column) + " IS " + text);
  } else {
    execute_internal(std::string("COMMENT ON ") + (relation.view ? "VIEW " : "TABLE ") +
                     relation.sql() + " IS " + text);
  }
  return {"COMMENT"};
}

// TRUNCATE commits the transaction in which it runs, as in Redshift.
Answer SessionImpl::truncate(const Truncate& truncate) {
  const Relation table = require(truncate.name);
  if (table.view) {
    throw SqlError(sqlstate::k_wrong_object_type, "\"" + table.name + "\" is not a table");
  }
  execute_internal("DELETE FROM " + table.sql());
  if (status_ == TransactionStatus::in_transaction) {
    end_transaction(true);
    status_ = TransactionStatus::idle;
  }
  return {"TRUNCATE TABLE"};
}

}  // namespace tarn::sql
