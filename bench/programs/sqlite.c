/*
 * SQLite at work on a database in memory: a schema, 100,000 rows, indexes, joins, updates, deletes.
 *
 * Prints the answers, one line each, which must be the same whatever the allocator; then, on a line
 * that begins with '#', the time in milliseconds and the peak of linear memory in bytes. Exits with 1
 * when an SQL statement fails, out of memory included.
 */
#include <stdio.h>
#include <stdlib.h>
#include <emscripten/emscripten.h>
#include "sqlite3.h"
#include "random.h"

#define ROWS 100000

static sqlite3 *database;

static void fail(const char *what) {
  printf("%s: %s\n", what, database ? sqlite3_errmsg(database) : "no database");
  exit(1);
}

static void execute(const char *sql) {
  if (sqlite3_exec(database, sql, NULL, NULL, NULL) != SQLITE_OK)
    fail(sql);
}

/* Runs a query and prints the columns of all its rows. */
static void print(const char *sql) {
  sqlite3_stmt *statement;
  if (sqlite3_prepare_v2(database, sql, -1, &statement, NULL) != SQLITE_OK)
    fail(sql);
  int result;
  while ((result = sqlite3_step(statement)) == SQLITE_ROW)
    for (int column = 0; column < sqlite3_column_count(statement); ++column)
      printf("%s%s", (const char *)sqlite3_column_text(statement, column),
             column + 1 < sqlite3_column_count(statement) ? " " : "\n");
  if (result != SQLITE_DONE)
    fail(sql);
  sqlite3_finalize(statement);
}

static void insert_rows(void) {
  sqlite3_stmt *statement;
  if (sqlite3_prepare_v2(database, "INSERT INTO orders VALUES (?, ?, ?, ?)", -1, &statement, NULL))
    fail("INSERT");
  for (int row = 0; row < ROWS; ++row) {
    char note[64];
    int length = snprintf(note, sizeof note, "order %d of %u", row, random_number());
    sqlite3_bind_int(statement, 1, row);
    sqlite3_bind_int(statement, 2, (int)random_below(1000));
    sqlite3_bind_double(statement, 3, random_below(100000) / 100.0);
    sqlite3_bind_text(statement, 4, note, length, SQLITE_TRANSIENT);
    if (sqlite3_step(statement) != SQLITE_DONE)
      fail("INSERT");
    sqlite3_reset(statement);
  }
  sqlite3_finalize(statement);
}

int main(void) {
  double start = emscripten_get_now();
  if (sqlite3_open(":memory:", &database) != SQLITE_OK)
    fail("open");
  execute("CREATE TABLE customers (id INTEGER PRIMARY KEY, name TEXT, city TEXT)");
  execute("CREATE TABLE orders (id INTEGER PRIMARY KEY, customer INTEGER, amount REAL, note TEXT)");
  execute("BEGIN");
  for (int i = 0; i < 1000; ++i) {
    char *sql = sqlite3_mprintf("INSERT INTO customers VALUES (%d, 'customer %d', 'city %d')", i, i,
                                i % 37);
    if (!sql)
      fail("mprintf");
    execute(sql);
    sqlite3_free(sql);
  }
  insert_rows();
  execute("COMMIT");
  execute("CREATE INDEX by_customer ON orders (customer, amount)");
  execute("CREATE INDEX by_note ON orders (note)");

  print("SELECT count(*), round(sum(amount), 2) FROM orders");
  print("SELECT city, count(*), round(sum(amount), 2) FROM customers "
        "JOIN orders ON orders.customer = customers.id GROUP BY city ORDER BY 3 DESC LIMIT 5");
  print("SELECT name, round(max(amount), 2) FROM customers JOIN orders ON customer = customers.id "
        "GROUP BY name ORDER BY 2 DESC, 1 LIMIT 3");
  print("SELECT count(*) FROM orders a JOIN orders b ON a.customer = b.customer AND a.id < b.id "
        "WHERE a.amount > 990 AND b.amount < 10");
  print(
      "SELECT length(group_concat(note)) FROM (SELECT note FROM orders ORDER BY note LIMIT 20000)");
  execute("UPDATE orders SET note = note || ' (changed)' WHERE id % 3 = 0");
  execute("DELETE FROM orders WHERE id % 5 = 0");
  print("SELECT count(*), sum(length(note)), min(note), max(note) FROM orders");
  execute("CREATE TABLE copies AS SELECT upper(note) AS note, amount FROM orders ORDER BY amount");
  print("SELECT count(DISTINCT substr(note, 1, 9)), round(avg(amount), 3) FROM copies");
  /* Many small statements, as an application makes them. */
  unsigned long long sum = 0;
  for (int i = 0; i < 20000; ++i) {
    char *sql = sqlite3_mprintf("SELECT amount FROM orders WHERE id = %u", random_below(ROWS));
    sqlite3_stmt *statement;
    if (!sql || sqlite3_prepare_v2(database, sql, -1, &statement, NULL) != SQLITE_OK)
      fail("SELECT");
    if (sqlite3_step(statement) == SQLITE_ROW)
      sum += (unsigned long long)(sqlite3_column_double(statement, 0) * 100 + 0.5);
    sqlite3_finalize(statement);
    sqlite3_free(sql);
  }
  printf("%llu\n", sum);
  print("PRAGMA integrity_check");
  if (sqlite3_close(database) != SQLITE_OK)
    fail("close");
  printf("# %.1f %zu\n", emscripten_get_now() - start,
         (size_t)__builtin_wasm_memory_size(0) * 65536);
  return 0;
}
