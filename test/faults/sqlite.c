/*
 * SQLite at work on a database in memory, and what a careful program does when it answers
 * SQLITE_NOMEM: nothing of a step that has failed may be left, neither in the database nor in memory.
 *
 * Link it with SQLite compiled without lookaside, its own small allocator, or most allocations never
 * get to malloc.
 */
#include "inject.h"

#include "sqlite3.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The first rows have a statement, or bindings, of their own each; the others one for all. */
#define CUSTOMERS 16
#define CUSTOMERS_BY_HAND 4
#define ORDERS_BY_HAND 16
#define DOCUMENTS 10
#define PIECE 4000 /* bytes of a document that are written at a time */

static sqlite3 *database;

/* The same numbers in every attempt (Marsaglia's xorshift). */
static uint32_t next_random(uint32_t *state) {
  *state ^= *state << 13;
  *state ^= *state >> 17;
  *state ^= *state << 5;
  return *state;
}

static int execute(const char *sql) {
  return sqlite3_exec(database, sql, NULL, NULL, NULL);
}

static bool is_out_of_memory(int result) {
  return result == SQLITE_NOMEM || result == SQLITE_IOERR_NOMEM;
}

/* The column as text. NULL means an SQL NULL, or that SQLite has no memory to make the text. */
static int add_column(sqlite3_stmt *statement, int column, uint32_t *digest) {
  bool is_null = sqlite3_column_type(statement, column) == SQLITE_NULL;
  const unsigned char *text = sqlite3_column_text(statement, column);
  if (!text && !is_null)
    return SQLITE_NOMEM;
  *digest = add_to_digest(*digest, text, (size_t)sqlite3_column_bytes(statement, column));
  *digest = add_to_digest(*digest, "|", 1);
  return SQLITE_OK;
}

/* Runs a query and adds all its rows to the digest. */
static int query(sqlite3 *where, const char *sql, uint32_t *digest) {
  sqlite3_stmt *statement;
  int result = sqlite3_prepare_v2(where, sql, -1, &statement, NULL);
  if (result != SQLITE_OK)
    return result;
  while ((result = sqlite3_step(statement)) == SQLITE_ROW) {
    for (int column = 0; column < sqlite3_column_count(statement); ++column) {
      result = add_column(statement, column, digest);
      if (result != SQLITE_OK) {
        sqlite3_finalize(statement);
        return result;
      }
    }
  }
  int ending = sqlite3_finalize(statement);
  if (result == SQLITE_DONE)
    result = ending;
  return is_out_of_memory(result) && program_has(GUESSES) ? SQLITE_OK : result;
}

/* ---- the steps: each is done as a whole or not at all ---- */

static int open_database(uint32_t *digest) {
  (void)digest;
  int result = sqlite3_open(":memory:", &database);
  /* What does not fit into its cache would go into files. */
  if (result == SQLITE_OK)
    result = execute("PRAGMA temp_store = MEMORY; PRAGMA foreign_keys = ON");
  if (result != SQLITE_OK) {
    sqlite3_close(database); /* there may be one even if it could not be opened */
    database = NULL;
  }
  return result;
}

static int create_tables(uint32_t *digest) {
  (void)digest;
  return execute("BEGIN;"
                 "CREATE TABLE customers (id INTEGER PRIMARY KEY, name TEXT NOT NULL, city TEXT);"
                 "CREATE TABLE orders (id INTEGER PRIMARY KEY, customer INTEGER NOT NULL"
                 "  REFERENCES customers ON DELETE CASCADE, amount REAL, note TEXT);"
                 "CREATE TABLE documents (id INTEGER PRIMARY KEY, content BLOB);"
                 "CREATE TABLE readings (at INTEGER PRIMARY KEY, value INTEGER);"
                 "CREATE TRIGGER changed AFTER UPDATE ON orders BEGIN"
                 "  INSERT INTO readings (value) VALUES (old.id); END;"
                 "COMMIT");
}

static int insert_customers(uint32_t *digest) {
  (void)digest;
  int result = execute("BEGIN");
  for (int i = 0; i < CUSTOMERS_BY_HAND && result == SQLITE_OK; ++i) {
    char *sql =
        sqlite3_mprintf("INSERT INTO customers VALUES (%d, 'customer %d', 'city %d')", i, i, i % 7);
    result = sql ? execute(sql) : SQLITE_NOMEM;
    sqlite3_free(sql);
  }
  if (result != SQLITE_OK)
    return result;
  return execute("INSERT INTO customers WITH RECURSIVE numbers (n) AS"
                 "  (SELECT 4 UNION ALL SELECT n + 1 FROM numbers WHERE n < 15)"
                 "  SELECT n, 'customer ' || n, 'city ' || (n % 7) FROM numbers;"
                 "COMMIT");
}

static int insert_order(sqlite3_stmt *statement, int number, uint32_t *state) {
  char note[64];
  int length = snprintf(note, sizeof note, "order %d of %u", number, next_random(state));
  int result = sqlite3_bind_int(statement, 1, number);
  if (result == SQLITE_OK)
    result = sqlite3_bind_int(statement, 2, (int)(next_random(state) % CUSTOMERS));
  if (result == SQLITE_OK)
    result = sqlite3_bind_double(statement, 3, next_random(state) % 100000 / 100.0);
  if (result == SQLITE_OK)
    result = sqlite3_bind_text(statement, 4, note, length, SQLITE_TRANSIENT);
  if (result == SQLITE_OK)
    sqlite3_step(statement);
  int ending = sqlite3_reset(statement);
  return result == SQLITE_OK ? ending : result;
}

static int insert_orders(uint32_t *digest) {
  (void)digest;
  int result = execute("BEGIN");
  if (result != SQLITE_OK)
    return result;
  sqlite3_stmt *statement;
  result =
      sqlite3_prepare_v2(database, "INSERT INTO orders VALUES (?, ?, ?, ?)", -1, &statement, NULL);
  uint32_t state = 2463534242u;
  for (int i = 0; i < ORDERS_BY_HAND && result == SQLITE_OK; ++i)
    result = insert_order(statement, i, &state);
  sqlite3_finalize(statement);
  if (result != SQLITE_OK)
    return result;
  return execute("INSERT INTO orders WITH RECURSIVE numbers (n) AS"
                 "  (SELECT 16 UNION ALL SELECT n + 1 FROM numbers WHERE n < 47)"
                 "  SELECT n, n * 7 % 16, n * 7919 % 1000, 'order ' || n FROM numbers;"
                 "INSERT INTO readings SELECT a.id * 20 + b.id, (a.id * b.id) * 7919 % 1009"
                 "  FROM customers a JOIN customers b WHERE b.id < 20;"
                 "COMMIT");
}

static int create_indexes(uint32_t *digest) {
  (void)digest;
  int result = execute("CREATE INDEX IF NOT EXISTS by_customer ON orders (customer, amount)");
  return result == SQLITE_OK ? execute("CREATE INDEX IF NOT EXISTS by_note ON orders (note DESC)")
                             : result;
}

static int ask_for_turnover(uint32_t *digest) {
  return query(database,
               "SELECT city, count(*), round(sum(amount), 2), max(note) FROM customers "
               "JOIN orders ON customer = customers.id GROUP BY city ORDER BY 3 DESC",
               digest);
}

static int ask_for_neighbours(uint32_t *digest) {
  return query(
      database,
      "WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers LIMIT 3)"
      "SELECT n, (SELECT group_concat(note, ', ') FROM orders WHERE customer = n),"
      "  (SELECT printf('%.2f', avg(amount)) FROM orders WHERE note LIKE '%7')"
      "  FROM numbers",
      digest);
}

static int ask_for_ranks(uint32_t *digest) {
  return query(database,
               "SELECT name, amount, rank() OVER (PARTITION BY city ORDER BY amount DESC) AS place "
               "FROM orders JOIN customers ON customers.id = customer "
               "WHERE amount IN (SELECT DISTINCT amount FROM orders WHERE id % 2) "
               "ORDER BY place, name LIMIT 50",
               digest);
}

/* A text that SQLite makes longer by realloc. If it cannot, the text is gone, and that is all. */
static int write_report(uint32_t *digest) {
  sqlite3_str *report = sqlite3_str_new(database);
  for (int i = 0; i < 60; ++i)
    sqlite3_str_appendf(report, "%d: %*d\n", i, PIECE, i);
  int result = sqlite3_str_errcode(report);
  int length = sqlite3_str_length(report);
  char *text = sqlite3_str_finish(report);
  if (result == SQLITE_OK && !text)
    result = SQLITE_NOMEM;
  if (result == SQLITE_OK) {
    *digest = add_to_digest(*digest, text + length - PIECE, PIECE);
    *digest = add_to_digest(*digest, &length, sizeof length);
  }
  sqlite3_free(text);
  return result;
}

static uint32_t document_size(int number) {
  return 20000u + 9000u * (uint32_t)number;
}

/* A new document, all zeros, is filled piece by piece from the buffer. */
static int write_pieces(int number, const char *buffer, uint32_t size) {
  sqlite3_blob *blob;
  int result = sqlite3_blob_open(database, "main", "documents", "content", number, 1, &blob);
  for (uint32_t at = 0; at < size && result == SQLITE_OK; at += PIECE) {
    uint32_t rest = size - at;
    result = sqlite3_blob_write(blob, buffer + at, (int)(rest < PIECE ? rest : PIECE), (int)at);
  }
  int ending = sqlite3_blob_close(blob);
  return result == SQLITE_OK ? ending : result;
}

static int insert_document(sqlite3_stmt *statement, int number) {
  uint32_t size = document_size(number);
  char *buffer = malloc(size);
  if (!buffer) {
    if (program_has(CRASHES))
      __builtin_trap();
    return SQLITE_NOMEM;
  }
  memset(buffer, 'a' + number, size);
  int result = sqlite3_bind_int(statement, 1, number);
  if (result == SQLITE_OK)
    result = sqlite3_bind_zeroblob(statement, 2, (int)size);
  if (result == SQLITE_OK)
    sqlite3_step(statement);
  int ending = sqlite3_reset(statement);
  if (result == SQLITE_OK)
    result = ending;
  if (result == SQLITE_OK)
    result = write_pieces(number, buffer, size);
  if (result != SQLITE_OK && program_has(OVERRUNS))
    damage(buffer);
  if (result == SQLITE_OK || !(program_has(FORGETS) || program_has(OVERRUNS)))
    free(buffer);
  return result;
}

static int insert_documents(uint32_t *digest) {
  (void)digest;
  int result = execute("BEGIN");
  if (result != SQLITE_OK)
    return result;
  sqlite3_stmt *statement;
  result =
      sqlite3_prepare_v2(database, "INSERT INTO documents VALUES (?, ?)", -1, &statement, NULL);
  for (int i = 0; i < DOCUMENTS && result == SQLITE_OK; ++i)
    result = insert_document(statement, i);
  sqlite3_finalize(statement);
  return result == SQLITE_OK ? execute("COMMIT") : result;
}

static int change_orders(uint32_t *digest) {
  int result = execute("UPDATE orders SET note = note || ' (changed)', amount = amount + 1 "
                       "WHERE id % 3 = 0 AND note NOT LIKE '%(changed)'");
  if (result != SQLITE_OK)
    return result;
  return query(database, "SELECT count(*), max(at), sum(value) FROM readings", digest);
}

static int delete_orders(uint32_t *digest) {
  int result = execute("DELETE FROM customers WHERE id % 5 = 0");
  if (result == SQLITE_OK)
    result = execute("DELETE FROM orders WHERE amount < 100");
  if (result == SQLITE_OK)
    result = execute("DELETE FROM documents WHERE id % 4 = 3");
  if (result != SQLITE_OK)
    return result;
  return query(database,
               "SELECT (SELECT count(*) FROM orders), count(*), sum(at * value) FROM readings"
               " WHERE value > (SELECT avg(amount) FROM orders)",
               digest);
}

static const char *const about_copy =
    "SELECT (SELECT group_concat(note) FROM orders), sum(length(content)), "
    "group_concat(hex(substr(content, -3))) FROM documents";

/* By SQLite's backup, page by page, into a second database. */
static int copy_by_backup(uint32_t *digest) {
  sqlite3 *copy;
  int result = sqlite3_open(":memory:", &copy);
  if (result == SQLITE_OK) {
    sqlite3_backup *backup = sqlite3_backup_init(copy, "main", database, "main");
    if (backup) {
      sqlite3_backup_step(backup, -1);
      result = sqlite3_backup_finish(backup);
    } else {
      result = sqlite3_errcode(copy);
    }
  }
  if (result == SQLITE_OK)
    result = query(copy, about_copy, digest);
  sqlite3_close(copy);
  return result;
}

/* In one piece, which becomes a database of its own. */
static int copy_in_one_piece(uint32_t *digest) {
  sqlite3 *copy;
  int result = sqlite3_open(":memory:", &copy);
  if (result == SQLITE_OK) {
    sqlite3_int64 size;
    unsigned char *bytes = sqlite3_serialize(database, "main", &size, 0);
    /* From here on they are the copy's, even if it refuses them. */
    result =
        bytes ? sqlite3_deserialize(copy, "main", bytes, size, size,
                                    SQLITE_DESERIALIZE_FREEONCLOSE | SQLITE_DESERIALIZE_RESIZEABLE)
              : SQLITE_NOMEM;
  }
  if (result == SQLITE_OK)
    result = sqlite3_exec(copy, "DELETE FROM documents WHERE id % 4 = 1", NULL, NULL, NULL);
  if (result == SQLITE_OK)
    result = query(copy, about_copy, digest);
  sqlite3_close(copy);
  return result;
}

static int check_integrity(uint32_t *digest) {
  return query(database, "PRAGMA integrity_check", digest);
}

static const struct step {
  const char *name;
  int (*take)(uint32_t *digest);
} steps[] = {
    {"open", open_database},
    {"create tables", create_tables},
    {"insert customers", insert_customers},
    {"insert orders", insert_orders},
    {"create indexes", create_indexes},
    {"ask for turnover", ask_for_turnover},
    {"ask for neighbours", ask_for_neighbours},
    {"ask for ranks", ask_for_ranks},
    {"write report", write_report},
    {"insert documents", insert_documents},
    {"change orders", change_orders},
    {"delete orders", delete_orders},
    {"copy by backup", copy_by_backup},
    {"copy in one piece", copy_in_one_piece},
    {"check integrity", check_integrity},
};

/* One attempt at a step. The digest grows only if it succeeds. */
static int take(const struct step *step, uint32_t *answers) {
  uint32_t digest = *answers;
  int result = step->take(&digest);
  if (result == SQLITE_OK)
    *answers = digest;
  /* SQLite may have done that already. Where it cannot, for want of memory, closing does. */
  else if (database && !sqlite3_get_autocommit(database))
    execute("ROLLBACK");
  return result;
}

static enum outcome take_all(uint32_t *answers) {
  for (size_t i = 0; i < sizeof steps / sizeof *steps; ++i) {
    int result = take(&steps[i], answers);
    if (is_out_of_memory(result) && program_has(MISLEADS))
      result = SQLITE_ERROR;
    if (is_out_of_memory(result) && program_is_told())
      result = take(&steps[i], answers);
    if (is_out_of_memory(result))
      return OUT_OF_MEMORY;
    if (result != SQLITE_OK) {
      program_fails("%s: %s (%d)", steps[i].name, sqlite3_errstr(result), result);
      return FAILED;
    }
  }
  return COMPLETE;
}

enum outcome program_run(uint32_t *answers) {
  *answers = 0;
  enum outcome outcome = take_all(answers);
  if (sqlite3_close(database) != SQLITE_OK) {
    program_fails("close: %s", sqlite3_errmsg(database));
    outcome = FAILED;
  }
  database = NULL;
  sqlite3_shutdown();
  return outcome;
}
