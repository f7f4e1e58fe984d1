// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "engines/sql/query_text.hpp"
#include "engines/sql/syntax.hpp"
#include "engines/sql/warehouse.hpp"

namespace tarn::sql {
namespace {

template <class T>
T parse(const std::string& sql) {
  const auto tokens = tokenize(sql);
  TokenCursor cursor(tokens, sql);
  return std::get<T>(parse_statement(cursor));
}
std::string refusal(const std::string& sql) {
  try {
    const auto tokens = tokenize(sql);
    TokenCursor cursor(tokens, sql);
    parse_statement(cursor);
  } catch (const SqlError& error) {
    return error.state + "@" + std::to_string(error.position) + " " + error.message();
  }
  return "none";
}
std::string written(const std::string& sql) {
  const auto tokens = tokenize(sql);
  std::string text = write_query(sql, tokens, {0, tokens.size() - 1}).text;
  while (text.find("  ") != std::string::npos) text.erase(text.find("  "), 1);
  return text;
}

TEST(Lexer, knows_every_form_of_literal_and_comment) {
  const auto tokens =
      tokenize("sel /* a /* b */ c */ 'it''s' E'\\n' $x$q'$x$ \"A b\" 1.5e3 $2 -- z");
  ASSERT_EQ(tokens.size(), 8u);
  EXPECT_EQ(tokens[0].text, "sel");
  EXPECT_EQ(tokens[1].text, "it's");
  EXPECT_EQ(tokens[2].text, "\n");
  EXPECT_EQ(tokens[3].text, "q'");
  EXPECT_EQ(tokens[4].text, "a b");
  EXPECT_EQ(tokens[5].text, "1.5e3");
  EXPECT_EQ(tokens[6].text, "2");
  EXPECT_THROW(tokenize("'open"), SqlError);
  EXPECT_THROW(tokenize("/* open"), SqlError);
  EXPECT_THROW(tokenize("$a$ open"), SqlError);
}

TEST(Lexer, splits_scripts_outside_of_literals) {
  const auto parts = split_statements("a ';' ; ; -- c;\n b $$;$$;");
  ASSERT_EQ(parts.size(), 2u);
  EXPECT_EQ(parts[0], "a ';'");
  EXPECT_EQ(parts[1], "b $$;$$");
}

TEST(Syntax, create_table_takes_redshifts_attributes) {
  const auto table = parse<CreateTable>(
      "create temp table if not exists s.t (id bigint identity(0,1), n numeric(9) default 1 + 2 "
      "not null encode az64, c char(3) distkey, v varchar(max), f float, primary key (id, n), "
      "foreign key (c) references o(c)) diststyle key interleaved sortkey (id, c) backup no");
  EXPECT_TRUE(table.temporary && table.if_not_exists);
  EXPECT_EQ(table.name.text(), "s.t");
  ASSERT_EQ(table.columns.size(), 5u);
  EXPECT_EQ(table.columns[0].identity, (std::pair<std::int64_t, std::int64_t>{0, 1}));
  EXPECT_EQ(table.columns[1].type.storage, "DECIMAL(9,0)");
  EXPECT_TRUE(table.columns[1].not_null);
  EXPECT_EQ(table.columns[1].default_value.to - table.columns[1].default_value.from, 3u);
  EXPECT_EQ(table.columns[3].type.length, 65535);
  EXPECT_EQ(table.columns[4].type.storage, "DOUBLE");
  EXPECT_EQ(table.tags.at("sortkey"), "id,c");
  EXPECT_EQ(table.tags.at("distkey"), "c");
  EXPECT_EQ(table.tags.at("primary key"), "id,n");
  EXPECT_EQ(table.tags.at("foreign key:c"), "o(c)");
}

TEST(Syntax, copy_takes_its_options_in_any_order) {
  const auto copy = parse<CopyFrom>(
      "COPY a.b (x, \"Y\") FROM 's3://b/p' CREDENTIALS 'aws_access_key_id=A;"
      "aws_secret_access_key=S' DELIMITER '\\t' IGNOREHEADER AS 2 GZIP DATEFORMAT 'auto' "
      "NULL AS 'NA' COMPUPDATE OFF STATUPDATE ON REGION 'eu-west-1' MAXERROR 0 TRIMBLANKS;");
  EXPECT_EQ(copy.table.text(), "a.b");
  EXPECT_EQ(copy.columns, (std::vector<std::string>{"x", "y"}));
  EXPECT_EQ(copy.access_key_id, "A");
  EXPECT_EQ(copy.secret_access_key, "S");
  EXPECT_EQ(copy.delimiter, '\t');
  EXPECT_EQ(copy.ignore_header, 2);
  EXPECT_EQ(copy.compression, "gzip");
  EXPECT_EQ(copy.null_as, "NA");
  EXPECT_TRUE(copy.trim_blanks);
  EXPECT_EQ(refusal("copy t from 's3://b' iam_role 'r' maxerror 5").substr(0, 5), "0A000");
  EXPECT_EQ(refusal("copy t from 'dynamodb://t' iam_role 'r'").substr(0, 5), "0A000");
  EXPECT_EQ(refusal("copy t from 's3://b' iam_role 'r' roundec").substr(0, 5), "0A000");
}

TEST(Syntax, refusals_name_what_they_refuse) {
  EXPECT_EQ(refusal("create materialized view v as select 1"),
            "0A000@8 CREATE MATERIALIZED VIEW is not supported");
  EXPECT_EQ(refusal("drop user u"), "0A000@6 DROP USER is not supported");
  EXPECT_EQ(refusal("call p()"), "0A000@1 CALL is not supported");
  EXPECT_EQ(refusal("create table t(a super)"), "0A000@18 type \"super\" is not supported");
  EXPECT_EQ(refusal("create table t(a nosuch)"), "42704@18 type \"nosuch\" does not exist");
  EXPECT_EQ(refusal("create table t(a int"), "42601@21 syntax error at end of input");
  EXPECT_EQ(refusal("begin now"), "42601@7 syntax error at or near \"now\"");
  EXPECT_EQ(refusal("frobnicate"), "42601@1 syntax error at or near \"frobnicate\"");
}

TEST(QueryText, writes_redshifts_forms_as_duckdbs) {
  EXPECT_EQ(written("select TOP 3 A from T"), "select a from t limit 3 ");
  EXPECT_EQ(written("select 1 minus select 2"), "select 1 except select 2");
  EXPECT_EQ(written("select listagg(x, ',') within group (order by y desc) from t"),
            "select listagg(x, ',' order by y desc) from t");
  EXPECT_EQ(written("select convert(int, '3')"), "select cast( '3' as int )");
  EXPECT_EQ(written("delete t where a = 1"), "delete from t where a = 1");
  EXPECT_EQ(written("select a operator(pg_catalog.~) 'x'"), "select a ~ 'x'");
  EXPECT_EQ(written("select approximate count(distinct a) from \"T\""),
            "select count(distinct a) from \"t\"");
  EXPECT_EQ(written("select lag(x) ignore nulls over (order by x) from t"),
            "select lag(x ignore nulls ) over (order by x) from t");
  EXPECT_EQ(written("select 'a\\\\b', x::char(3) from #tmp"),
            "select 'a\\b', x::tarn_char(3) from \"#tmp\"");
}

TEST(QueryText, positions_lead_back_to_the_original) {
  const std::string sql = "select top 1\n  listagg(a) within group (order by bad) from t";
  const auto tokens = tokenize(sql);
  const auto text = write_query(sql, tokens, {0, tokens.size() - 1});
  EXPECT_EQ(text.original_position(text.text.find("bad")), sql.find("bad") + 1);
  EXPECT_EQ(text.original_position(text.text.find("from")), sql.find("from") + 1);
}

}  // namespace
}  // namespace tarn::sql
