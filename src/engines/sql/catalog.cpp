// SPDX-License-Identifier: Apache-2.0
// pg_catalog, information_schema and SVV_* as views over DuckDB's own catalog functions, in an
// attached in-memory database: DuckDB's pg_catalog is wrong in places and knows no Redshift. A
// string's length is read from its column's CHECK, a table's keys from its tags.
// {db} is the database's name.
#include "base/strings.hpp"
#include "engines/sql/engine.hpp"

namespace tarn::sql {

namespace {

// What the views stand on, and the functions of the catalog.
constexpr const char* k_base = R"sql(
CREATE SCHEMA tarn_system.pg;
CREATE SCHEMA tarn_system.info;
CREATE MACRO tarn_system.main.version() AS
  'PostgreSQL 8.0.2 on i686-pc-linux-gnu, compiled by GCC gcc (GCC) 3.4.2 20041017 (Red Hat 3.4.2-6.fc3), Redshift 1.0.77467 (Tarn)';
CREATE MACRO tarn_system.main.current_database() AS tarn_database();
CREATE MACRO tarn_system.main.current_schema() AS tarn_schema();
CREATE MACRO tarn_system.main.current_schemas(implicit) AS
  CASE WHEN implicit THEN ['pg_catalog', tarn_schema()] ELSE [tarn_schema()] END;
CREATE MACRO tarn_system.main.current_user_id() AS 100;
CREATE MACRO tarn_system.main.pg_backend_pid() AS tarn_process_id();
CREATE MACRO tarn_system.main.pg_last_copy_count() AS tarn_last_copy_count();
CREATE MACRO tarn_system.main.pg_last_unload_count() AS tarn_last_unload_count();
CREATE MACRO tarn_system.main.pg_get_userbyid(id) AS
  CASE WHEN id = 100 THEN '{user}' ELSE 'unknown (OID=' || id || ')' END;
CREATE MACRO tarn_system.main.has_table_privilege(a, b) AS true,
  (a, b, c) AS true;
CREATE MACRO tarn_system.main.has_schema_privilege(a, b) AS true,
  (a, b, c) AS true;
CREATE MACRO tarn_system.main.has_database_privilege(a, b) AS true,
  (a, b, c) AS true;
CREATE MACRO tarn_system.main.pg_function_is_visible(id) AS true;
CREATE MACRO tarn_system.main.pg_type_is_visible(id) AS true;
CREATE MACRO tarn_system.main.pg_collation_is_visible(id) AS true;
CREATE MACRO tarn_system.main.pg_get_expr(a, b) AS a, (a, b, c) AS a;
CREATE MACRO tarn_system.main.pg_get_indexdef(a) AS NULL::VARCHAR,
  (a, b, c) AS NULL::VARCHAR;
CREATE MACRO tarn_system.main.pg_get_constraintdef(a) AS NULL::VARCHAR,
  (a, b) AS NULL::VARCHAR;
CREATE MACRO tarn_system.main.pg_encoding_to_char(id) AS 'UTF8';
CREATE MACRO tarn_system.main.shobj_description(a, b) AS NULL::VARCHAR;
CREATE MACRO tarn_system.main.type_oid(data_type, kind) AS CASE
  WHEN data_type = 'BOOLEAN' THEN 16 WHEN data_type IN ('SMALLINT', 'TINYINT') THEN 21
  WHEN data_type = 'INTEGER' THEN 23 WHEN data_type = 'BIGINT' THEN 20
  WHEN data_type = 'FLOAT' THEN 700 WHEN data_type = 'DOUBLE' THEN 701
  WHEN data_type = 'DATE' THEN 1082 WHEN data_type = 'TIME' THEN 1083
  WHEN data_type = 'TIMESTAMP' THEN 1114 WHEN data_type = 'TIMESTAMP WITH TIME ZONE' THEN 1184
  WHEN data_type = 'INTERVAL' THEN 1186 WHEN data_type = 'BLOB' THEN 6551
  WHEN data_type LIKE 'DECIMAL%' OR data_type = 'HUGEINT' THEN 1700
  WHEN kind = 'char' THEN 1042 ELSE 1043 END;
CREATE MACRO tarn_system.main.format_type(id, typmod) AS CASE id
  WHEN 16 THEN 'boolean' WHEN 21 THEN 'smallint' WHEN 23 THEN 'integer' WHEN 20 THEN 'bigint'
  WHEN 700 THEN 'real' WHEN 701 THEN 'double precision' WHEN 1082 THEN 'date'
  WHEN 1083 THEN 'time without time zone' WHEN 1114 THEN 'timestamp without time zone'
  WHEN 1184 THEN 'timestamp with time zone' WHEN 1186 THEN 'interval'
  WHEN 6551 THEN 'binary varying' WHEN 19 THEN 'name' WHEN 25 THEN 'text' WHEN 26 THEN 'oid'
  WHEN 1700 THEN CASE WHEN typmod > 4 THEN 'numeric(' || ((typmod - 4) >> 16) || ',' ||
    ((typmod - 4) & 65535) || ')' ELSE 'numeric' END
  WHEN 1042 THEN CASE WHEN typmod > 4 THEN 'character(' || (typmod - 4) || ')'
    ELSE 'character' END
  WHEN 1043 THEN CASE WHEN typmod > 4 THEN 'character varying(' || (typmod - 4) || ')'
    ELSE 'character varying' END
  ELSE '???' END;
CREATE VIEW tarn_system.main.namespaces AS
  SELECT oid, schema_name AS name, database_name, schema_name FROM duckdb_schemas()
  WHERE database_name = '{db}'
    AND schema_name NOT IN ('main', 'tarn', 'pg_catalog', 'information_schema')
  UNION ALL SELECT oid, 'pg_temp_1', database_name, schema_name FROM duckdb_schemas()
  WHERE database_name = 'temp' AND schema_name = 'main';
CREATE VIEW tarn_system.main.relations AS
  SELECT t.table_oid AS oid, t.table_name AS name, n.oid AS namespace_oid, n.name AS namespace,
    'r' AS kind, t.column_count AS columns, t.estimated_size AS rows, t.tags AS tags,
    t.comment AS comment, '' AS definition, n.database_name, n.schema_name
  FROM duckdb_tables() t JOIN tarn_system.main.namespaces n
    ON n.database_name = t.database_name AND n.schema_name = t.schema_name
  WHERE t.table_name NOT LIKE 'tarn\_%' ESCAPE '\'
  UNION ALL
  SELECT v.view_oid, v.view_name, n.oid, n.name, 'v', v.column_count, 0, v.tags, v.comment,
    coalesce(v.tags['definition'], ''), n.database_name, n.schema_name
  FROM duckdb_views() v JOIN tarn_system.main.namespaces n
    ON n.database_name = v.database_name AND n.schema_name = v.schema_name
  WHERE NOT v.internal;
CREATE VIEW tarn_system.main.attributes AS
  SELECT r.oid AS relation_oid, r.name AS relation, r.namespace, r.kind, r.tags,
    c.column_name AS name, c.column_index AS number, c.is_nullable, c.column_default,
    c.comment, tarn_system.main.type_oid(c.data_type, l.kind) AS type_oid,
    CASE WHEN c.data_type LIKE 'DECIMAL%' THEN
        ((c.numeric_precision::INTEGER << 16) | c.numeric_scale::INTEGER) + 4
      WHEN l.length IS NOT NULL THEN l.length + 4 ELSE -1 END AS typmod,
    l.length, c.numeric_precision, c.numeric_scale
  FROM duckdb_columns() c JOIN tarn_system.main.relations r
    ON r.database_name = c.database_name AND r.schema_name = c.schema_name
      AND r.name = c.table_name
  LEFT JOIN (SELECT table_oid, constraint_column_names[1] AS column_name,
      regexp_extract(constraint_text, 'tarn_(varchar|char)_fits', 1) AS kind,
      regexp_extract(constraint_text, ', (\d+)\)', 1)::INTEGER AS length
    FROM duckdb_constraints()
    WHERE constraint_type = 'CHECK' AND constraint_text LIKE '%\_fits(%' ESCAPE '\') l
    ON l.table_oid = r.oid AND l.column_name = c.column_name;
CREATE MACRO tarn_system.main.to_regclass(relation) AS
  (SELECT min(oid) FROM tarn_system.main.relations r
   WHERE r.name = lower(split_part(replace(relation, '"', ''), '.', -1))
     AND r.namespace = CASE WHEN contains(relation, '.')
       THEN lower(split_part(replace(relation, '"', ''), '.', -2)) ELSE r.namespace END);
CREATE MACRO tarn_system.main.pg_table_is_visible(id) AS
  EXISTS (SELECT 1 FROM tarn_system.main.relations r
    WHERE r.oid = id AND r.namespace IN (tarn_schema(), 'public', 'pg_temp_1'));
CREATE MACRO tarn_system.main.pg_get_viewdef(id) AS
    (SELECT min(definition) FROM tarn_system.main.relations r WHERE r.oid = id AND r.kind = 'v'),
  (id, pretty) AS
    (SELECT min(definition) FROM tarn_system.main.relations r WHERE r.oid = id AND r.kind = 'v');
CREATE MACRO tarn_system.main.obj_description(id) AS
    (SELECT min(comment) FROM tarn_system.main.relations r WHERE r.oid = id),
  (id, catalog) AS (SELECT min(comment) FROM tarn_system.main.relations r WHERE r.oid = id);
CREATE MACRO tarn_system.main.col_description(id, col) AS
  (SELECT min(comment) FROM tarn_system.main.attributes a
   WHERE a.relation_oid = id AND a.number = col);
)sql";

constexpr const char* k_pg_catalog = R"sql(
CREATE VIEW tarn_system.pg.pg_namespace AS
  SELECT oid, name AS nspname, 100 AS nspowner, NULL::VARCHAR AS nspacl
  FROM tarn_system.main.namespaces
  UNION ALL VALUES (11, 'pg_catalog', 1, NULL), (12, 'information_schema', 1, NULL);
CREATE VIEW tarn_system.pg.stl_load_errors AS
  SELECT 100 AS userid, 0 AS slice, relation AS tbl, started_at AS starttime, process AS session,
    0 AS query, file AS filename, line AS line_number, ''::VARCHAR AS colname,
    ''::VARCHAR AS type, ''::VARCHAR AS col_length, 0 AS position, raw_line,
    ''::VARCHAR AS raw_field_value, 1200 AS err_code, reason AS err_reason
  FROM "{db}".tarn.load_errors;
CREATE VIEW tarn_system.pg.pg_class AS
  SELECT oid, name AS relname, namespace_oid AS relnamespace, 0 AS reltype, 100 AS relowner,
    0 AS relam, oid AS relfilenode, 0 AS reltablespace, 1 AS relpages,
    rows::FLOAT AS reltuples, 0 AS reltoastrelid, 0 AS reltoastidxid, false AS relhasindex,
    false AS relisshared, kind AS relkind, columns::SMALLINT AS relnatts,
    0::SMALLINT AS relchecks, 0::SMALLINT AS reltriggers, 0::SMALLINT AS relukeys,
    0::SMALLINT AS relfkeys, 0::SMALLINT AS relrefs, false AS relhasoids,
    tags['primary key'] IS NOT NULL AS relhaspkey, kind = 'v' AS relhasrules,
    false AS relhassubclass, false AS relhastriggers, false AS relrowsecurity,
    false AS relforcerowsecurity, false AS relispartition, 'd' AS relreplident,
    'p' AS relpersistence, 0 AS reloftype, NULL::VARCHAR AS reloptions, NULL::VARCHAR AS relacl,
    CASE tags['diststyle'] WHEN 'even' THEN 0 WHEN 'key' THEN 1 WHEN 'all' THEN 8
      ELSE CASE WHEN tags['distkey'] IS NOT NULL THEN 1 ELSE 10 END END::SMALLINT
      AS reldiststyle
  FROM tarn_system.main.relations;
CREATE VIEW tarn_system.pg.pg_attribute AS
  SELECT relation_oid AS attrelid, name AS attname, type_oid AS atttypid, -1 AS attstattarget,
    CASE type_oid WHEN 16 THEN 1 WHEN 21 THEN 2 WHEN 23 THEN 4 WHEN 20 THEN 8 WHEN 700 THEN 4
      WHEN 701 THEN 8 WHEN 1082 THEN 4 WHEN 1114 THEN 8 WHEN 1184 THEN 8
      ELSE -1 END::SMALLINT AS attlen,
    number::SMALLINT AS attnum, 0 AS attndims, -1 AS attcacheoff, typmod AS atttypmod,
    false AS attbyval, 'x' AS attstorage, 'i' AS attalign, NOT is_nullable AS attnotnull,
    column_default IS NOT NULL AS atthasdef, false AS attisdropped, true AS attislocal,
    0 AS attinhcount, 0 AS attcollation, '' AS attidentity, '' AS attgenerated,
    coalesce(tags['distkey'] = name, false) AS attisdistkey,
    coalesce(list_position(string_split(tags['sortkey'], ','), name), 0)::INTEGER
      AS attsortkeyord,
    0::SMALLINT AS attencodingtype, NULL::VARCHAR AS attacl, NULL::VARCHAR AS attoptions
  FROM tarn_system.main.attributes;
CREATE VIEW tarn_system.pg.pg_type AS
  SELECT oid, typname, 11 AS typnamespace, 1 AS typowner, typlen::SMALLINT AS typlen,
    false AS typbyval, 'b' AS typtype, true AS typisdefined, ',' AS typdelim, 0 AS typrelid,
    0 AS typelem, 0 AS typarray, typname || 'in' AS typinput, typname || 'out' AS typoutput,
    'i' AS typalign, 'p' AS typstorage, false AS typnotnull, 0 AS typbasetype,
    -1 AS typtypmod, 0 AS typndims, NULL::VARCHAR AS typdefault, 0 AS typcollation
  FROM (VALUES (16, 'bool', 1), (17, 'bytea', -1), (18, 'char', 1), (19, 'name', 128),
    (20, 'int8', 8), (21, 'int2', 2), (23, 'int4', 4), (25, 'text', -1), (26, 'oid', 4),
    (700, 'float4', 4), (701, 'float8', 8), (705, 'unknown', -2), (1042, 'bpchar', -1),
    (1043, 'varchar', -1), (1082, 'date', 4), (1083, 'time', 8), (1114, 'timestamp', 8),
    (1184, 'timestamptz', 8), (1186, 'interval', 16), (1700, 'numeric', -1),
    (6551, 'varbyte', -1)) AS t(oid, typname, typlen);
CREATE VIEW tarn_system.pg.pg_attrdef AS
  SELECT relation_oid * 2000 + number AS oid, relation_oid AS adrelid,
    number::SMALLINT AS adnum, column_default AS adbin, column_default AS adsrc
  FROM tarn_system.main.attributes WHERE column_default IS NOT NULL;
CREATE VIEW tarn_system.pg.pg_description AS
  SELECT oid AS objoid, 1259 AS classoid, 0 AS objsubid, comment AS description
  FROM tarn_system.main.relations WHERE comment IS NOT NULL
  UNION ALL SELECT relation_oid, 1259, number, comment FROM tarn_system.main.attributes
  WHERE comment IS NOT NULL;
CREATE VIEW tarn_system.pg.pg_database AS
  SELECT 100 AS oid, '{db}' AS datname, 100 AS datdba, 6 AS encoding, false AS datistemplate,
    true AS datallowconn, 0 AS dattablespace, NULL::VARCHAR AS datacl, -1 AS datconnlimit,
    'C' AS datcollate, 'C' AS datctype;
CREATE VIEW tarn_system.pg.pg_user AS
  SELECT '{user}' AS usename, 100 AS usesysid, true AS usecreatedb, true AS usesuper,
    false AS usecatupd, '********' AS passwd, NULL::TIMESTAMP AS valuntil,
    NULL::VARCHAR AS useconfig;
CREATE VIEW tarn_system.pg.pg_roles AS
  SELECT 100 AS oid, '{user}' AS rolname, true AS rolsuper, true AS rolinherit,
    true AS rolcreaterole, true AS rolcreatedb, true AS rolcanlogin, false AS rolreplication,
    -1 AS rolconnlimit, NULL::TIMESTAMP AS rolvaliduntil, false AS rolbypassrls;
CREATE VIEW tarn_system.pg.pg_tables AS
  SELECT namespace AS schemaname, name AS tablename, '{user}' AS tableowner,
    NULL::VARCHAR AS tablespace, false AS hasindexes, false AS hasrules, false AS hastriggers
  FROM tarn_system.main.relations WHERE kind = 'r';
CREATE VIEW tarn_system.pg.pg_views AS
  SELECT namespace AS schemaname, name AS viewname, '{user}' AS viewowner, definition
  FROM tarn_system.main.relations WHERE kind = 'v';
CREATE VIEW tarn_system.pg.pg_table_def AS
  SELECT namespace AS schemaname, relation AS tablename, name AS "column",
    tarn_system.main.format_type(type_oid, typmod) AS "type",
    coalesce(tags['encode:' || name], 'none') AS "encoding",
    coalesce(tags['distkey'] = name, false) AS distkey,
    coalesce(list_position(string_split(tags['sortkey'], ','), name), 0)::INTEGER AS sortkey,
    NOT is_nullable AS "notnull"
  FROM tarn_system.main.attributes
  WHERE kind = 'r' AND namespace IN (tarn_schema(), 'public', 'pg_temp_1');
CREATE VIEW tarn_system.pg.pg_settings AS
  SELECT * FROM (VALUES ('server_version', '8.0.2'), ('search_path', '"$user", public'),
    ('max_index_keys', '32'), ('client_encoding', 'UTF8')) AS t(name, setting);
CREATE VIEW tarn_system.pg.pg_am AS
  SELECT * FROM (VALUES (403, 'btree')) AS t(oid, amname);
CREATE VIEW tarn_system.pg.pg_tablespace AS
  SELECT * FROM (VALUES (1663, 'pg_default', 100)) AS t(oid, spcname, spcowner);
)sql";

// Catalogs of things that do not exist here: empty, with their columns.
constexpr const char* k_empty[] = {
    "pg_index:indexrelid indrelid indnatts indisunique? indisprimary? indisclustered? "
    "indisvalid? indisreplident? indkey$ indclass$ indexprs$ indpred$",
    "pg_constraint:oid conname$ connamespace contype$ condeferrable? condeferred? conrelid "
    "contypid confrelid confupdtype$ confdeltype$ confmatchtype$ conkey$ confkey$ conbin$ "
    "consrc$ conparentid",
    "pg_depend:classid objid objsubid refclassid refobjid refobjsubid deptype$",
    "pg_rewrite:oid rulename$ ev_class ev_attr ev_type$ is_instead? ev_qual$ ev_action$",
    "pg_proc:oid proname$ pronamespace proowner prolang proisagg? proretset? pronargs "
    "prorettype proargtypes$ proargnames$ prosrc$ prokind$",
    "pg_group:groname$ grosysid grolist$",
    "pg_inherits:inhrelid inhparent inhseqno",
    "pg_enum:oid enumtypid enumlabel$",
    "pg_trigger:oid tgrelid tgname$ tgisinternal?",
    "pg_collation:oid collname$ collnamespace",
    "pg_extension:oid extname$ extversion$",
    "pg_range:rngtypid rngsubtype",
    "pg_policy:oid polname$ polrelid",
    "pg_statistic_ext:oid stxrelid stxname$ stxnamespace",
    "pg_language:oid lanname$",
    "pg_operator:oid oprname$",
    "pg_cast:oid castsource casttarget",
    "pg_publication:oid pubname$",
    "pg_foreign_server:oid srvname$",
    "pg_foreign_table:ftrelid ftserver",
    "pg_shdescription:objoid classoid description$",
    "pg_external_schema:esoid eskind esdbname$ esoptions$",
    "svv_external_schemas:esoid eskind schemaname$ esowner databasename$ esoptions$",
    "svv_external_tables:schemaname$ tablename$ location$ input_format$ output_format$ "
    "serialization_lib$ serde_parameters$ compressed parameters$ tabletype$",
    "svv_external_columns:schemaname$ tablename$ columnname$ external_type$ columnnum part_key "
    "is_nullable$",
    "svv_external_databases:eskind databasename$ location$ parameters$",
    "svv_datashares:share_name$ share_id share_owner",
};

constexpr const char* k_information = R"sql(
CREATE VIEW tarn_system.info.schemata AS
  SELECT '{db}' AS catalog_name, nspname AS schema_name, '{user}' AS schema_owner,
    NULL::VARCHAR AS default_character_set_catalog, NULL::VARCHAR AS sql_path
  FROM tarn_system.pg.pg_namespace;
CREATE VIEW tarn_system.info.tables AS
  SELECT '{db}' AS table_catalog, namespace AS table_schema, name AS table_name,
    CASE WHEN kind = 'v' THEN 'VIEW' WHEN namespace = 'pg_temp_1' THEN 'LOCAL TEMPORARY'
      ELSE 'BASE TABLE' END AS table_type,
    NULL::VARCHAR AS self_referencing_column_name, NULL::VARCHAR AS reference_generation
  FROM tarn_system.main.relations;
CREATE VIEW tarn_system.info.views AS
  SELECT '{db}' AS table_catalog, namespace AS table_schema, name AS table_name,
    definition AS view_definition, 'NONE' AS check_option, 'NO' AS is_updatable,
    'NO' AS is_insertable_into
  FROM tarn_system.main.relations WHERE kind = 'v';
CREATE VIEW tarn_system.info.columns AS
  SELECT '{db}' AS table_catalog, namespace AS table_schema, relation AS table_name,
    name AS column_name, number AS ordinal_position, column_default,
    CASE WHEN is_nullable THEN 'YES' ELSE 'NO' END AS is_nullable,
    tarn_system.main.format_type(CASE WHEN type_oid IN (1042, 1043, 1700) THEN type_oid
      ELSE type_oid END, -1) AS data_type,
    CASE WHEN type_oid IN (1042, 1043) THEN coalesce(length, 65535) END
      AS character_maximum_length,
    NULL::INTEGER AS character_octet_length,
    CASE type_oid WHEN 21 THEN 16 WHEN 23 THEN 32 WHEN 20 THEN 64 WHEN 700 THEN 24
      WHEN 701 THEN 53 WHEN 1700 THEN numeric_precision END::INTEGER AS numeric_precision,
    CASE WHEN type_oid IN (20, 21, 23) THEN 2 WHEN type_oid = 1700 THEN 10 END
      AS numeric_precision_radix,
    CASE WHEN type_oid IN (20, 21, 23) THEN 0 WHEN type_oid = 1700 THEN numeric_scale
      END::INTEGER AS numeric_scale,
    CASE WHEN type_oid IN (1083, 1114, 1184) THEN 6 END AS datetime_precision,
    NULL::VARCHAR AS interval_type, NULL::VARCHAR AS character_set_name,
    NULL::VARCHAR AS collation_name, NULL::VARCHAR AS domain_name,
    '{db}' AS udt_catalog, 'pg_catalog' AS udt_schema,
    tarn_system.main.format_type(type_oid, -1) AS udt_name, comment AS remarks
  FROM tarn_system.main.attributes;
CREATE VIEW tarn_system.info.table_constraints AS
  SELECT '{db}' AS constraint_catalog, namespace AS constraint_schema,
    name || '_pkey' AS constraint_name, '{db}' AS table_catalog, namespace AS table_schema,
    name AS table_name, 'PRIMARY KEY' AS constraint_type, 'NO' AS is_deferrable,
    'NO' AS initially_deferred
  FROM tarn_system.main.relations WHERE tags['primary key'] IS NOT NULL;
CREATE VIEW tarn_system.info.key_column_usage AS
  SELECT '{db}' AS constraint_catalog, namespace AS constraint_schema,
    name || '_pkey' AS constraint_name, '{db}' AS table_catalog, namespace AS table_schema,
    name AS table_name, unnest(string_split(tags['primary key'], ',')) AS column_name,
    unnest(range(1, length(string_split(tags['primary key'], ',')) + 1))::INTEGER
      AS ordinal_position
  FROM tarn_system.main.relations WHERE tags['primary key'] IS NOT NULL;
CREATE VIEW tarn_system.pg.svv_tables AS
  SELECT table_catalog, table_schema, table_name, table_type, NULL::VARCHAR AS remarks
  FROM tarn_system.info.tables;
CREATE VIEW tarn_system.pg.svv_columns AS
  SELECT table_catalog, table_schema, table_name, column_name, ordinal_position,
    column_default, is_nullable, data_type, character_maximum_length, numeric_precision,
    numeric_precision_radix, numeric_scale, datetime_precision, interval_type,
    NULL::VARCHAR AS interval_precision, character_set_name, collation_name, domain_name, remarks
  FROM tarn_system.info.columns;
CREATE VIEW tarn_system.pg.svv_redshift_schemas AS
  SELECT '{db}' AS database_name, nspname AS schema_name, 100 AS schema_owner,
    'local' AS schema_type, NULL::VARCHAR AS schema_acl, NULL::VARCHAR AS schema_option
  FROM tarn_system.pg.pg_namespace;
CREATE VIEW tarn_system.pg.svv_all_schemas AS
  SELECT database_name, schema_name, schema_owner, schema_type, schema_acl,
    NULL::VARCHAR AS source_database, schema_option
  FROM tarn_system.pg.svv_redshift_schemas;
CREATE VIEW tarn_system.pg.svv_redshift_tables AS
  SELECT '{db}' AS database_name, namespace AS schema_name, name AS table_name,
    CASE kind WHEN 'v' THEN 'VIEW' ELSE 'TABLE' END AS table_type, NULL::VARCHAR AS table_acl,
    comment AS remarks, '{user}' AS table_owner
  FROM tarn_system.main.relations;
CREATE VIEW tarn_system.pg.svv_all_tables AS
  SELECT database_name, schema_name, table_name, table_type, table_acl, remarks, table_owner AS owner
  FROM tarn_system.pg.svv_redshift_tables;
CREATE VIEW tarn_system.pg.svv_redshift_columns AS
  SELECT table_catalog AS database_name, table_schema AS schema_name, table_name, column_name,
    ordinal_position, data_type, column_default, is_nullable, 'none' AS encoding,
    false AS distkey, 0 AS sortkey, NULL::VARCHAR AS column_acl, remarks,
    character_maximum_length, numeric_precision, numeric_scale
  FROM tarn_system.info.columns;
CREATE VIEW tarn_system.pg.svv_all_columns AS
  SELECT database_name, schema_name, table_name, column_name, ordinal_position, column_default,
    is_nullable, data_type, character_maximum_length, numeric_precision, numeric_scale, remarks
  FROM tarn_system.pg.svv_redshift_columns;
CREATE VIEW tarn_system.pg.svv_redshift_databases AS
  SELECT '{db}' AS database_name, 100 AS database_owner, 'local' AS database_type,
    NULL::VARCHAR AS database_acl, NULL::VARCHAR AS database_options,
    'Serializable' AS database_isolation_level;
CREATE VIEW tarn_system.pg.svv_table_info AS
  SELECT '{db}' AS "database", namespace AS "schema", oid AS table_id, name AS "table",
    CASE WHEN len(map_keys(tags)) > 0 THEN 'Y' ELSE 'N' END AS encoded,
    upper(coalesce(tags['diststyle'], 'auto')) || CASE WHEN tags['distkey'] IS NULL THEN ''
      ELSE '(' || tags['distkey'] || ')' END AS diststyle,
    tags['sortkey'] AS sortkey1, 0 AS max_varchar, 'none' AS sortkey1_enc,
    coalesce(length(string_split(tags['sortkey'], ',')), 0) AS sortkey_num, 1 AS "size",
    0.0 AS pct_used, 0 AS "empty", 0.0 AS unsorted, 0.0 AS stats_off, rows AS tbl_rows,
    1.0 AS skew_sortkey1, 1.0 AS skew_rows, rows AS estimated_visible_rows,
    NULL::VARCHAR AS risk_event, 0.0 AS vacuum_sort_benefit, NULL::TIMESTAMP AS create_time
  FROM tarn_system.main.relations WHERE kind = 'r';
)sql";

std::string empty_views() {
  std::string script;
  for (const char* spec : k_empty) {
    const std::string text = spec;
    const std::size_t colon = text.find(':');
    std::string columns;
    for (const auto& field : split(text.substr(colon + 1), ' ')) {
      if (field.empty()) continue;
      const char last = field.back();
      const bool marked = last == '$' || last == '?';
      const char* type = last == '$' ? "VARCHAR" : last == '?' ? "BOOLEAN" : "BIGINT";
      columns += (columns.empty() ? "" : ", ") + std::string("NULL::") + type + " AS \"" +
                 (marked ? field.substr(0, field.size() - 1) : field) + "\"";
    }
    script += "CREATE VIEW tarn_system.pg." + text.substr(0, colon) + " AS SELECT " + columns +
              " WHERE false;\n";
  }
  return script;
}

}  // namespace

const char* catalog_script() {
  static const std::string k_script =
      std::string(k_base) + k_pg_catalog + empty_views() + k_information;
  return k_script.c_str();
}

const std::set<std::string>& catalog_views(const std::string& schema) {
  static const auto* k_views = [] {
    auto* views = new std::map<std::string, std::set<std::string>>;
    const std::string script = catalog_script();
    const std::string marker = "CREATE VIEW tarn_system.";
    for (std::size_t at = script.find(marker); at != std::string::npos;
         at = script.find(marker, at + 1)) {
      const std::size_t begin = at + marker.size();
      const std::string name = script.substr(begin, script.find(' ', begin) - begin);
      const std::size_t dot = name.find('.');
      const std::string schema = name.substr(0, dot);  // DuckDB owns the real names
      (*views)[schema == "pg"     ? "pg_catalog"
               : schema == "info" ? "information_schema"
                                  : schema]
          .insert(name.substr(dot + 1));
    }
    return views;
  }();
  static const std::set<std::string> k_none;
  const auto found = k_views->find(schema);
  return found == k_views->end() ? k_none : found->second;
}

}  // namespace tarn::sql
