/*
 * What a LevelDB holds in memory: batches of writes go into a memtable; when it has its size another
 * one takes its place, and the full one is read from end to end, as if it were written to a file, and
 * dropped, while snapshots are taken and keys looked up in both. Prints what was found.
 */
#include <cstdio>
#include <memory>
#include <string>
#include "db/memtable.h"
#include "db/write_batch_internal.h"
#include "leveldb/comparator.h"
#include "leveldb/iterator.h"
#include "leveldb/write_batch.h"
#include "random.h"

using namespace leveldb;

namespace {

/* The write buffer of a small database. LevelDB's own is 4 MiB. */
constexpr size_t write_buffer = 1 << 20;
constexpr int batches = 4000, keys = 20000;

std::string make_key(uint32_t number) {
  char key[32];
  std::snprintf(key, sizeof key, "user%08u/%s", number, number % 3 ? "profile" : "log");
  return key;
}

class Database {
public:
  ~Database() {
    if (full_)
      full_->Unref();
    current_->Unref();
  }

  void write(WriteBatch &batch) {
    WriteBatchInternal::SetSequence(&batch, sequence_ + 1);
    sequence_ += uint64_t(WriteBatchInternal::Count(&batch));
    WriteBatchInternal::InsertInto(&batch, current_);
    if (current_->ApproximateMemoryUsage() > write_buffer)
      turn();
  }

  bool read(const std::string &key, std::string *value) const {
    const LookupKey lookup(key, sequence_);
    Status status;
    return current_->Get(lookup, value, &status) || (full_ && full_->Get(lookup, value, &status));
  }

  void report() const {
    std::printf("%d turns, %llu bytes in %llu entries\n", turns_, bytes_, entries_);
  }

private:
  static MemTable *make(const InternalKeyComparator &comparator) {
    MemTable *table = new MemTable(comparator);
    table->Ref();
    return table;
  }

  /* The full one is read from end to end; that before it is dropped. */
  void turn() {
    if (full_)
      full_->Unref();
    full_ = current_;
    current_ = make(comparator_);
    ++turns_;
    const std::unique_ptr<Iterator> iterator(full_->NewIterator());
    std::string block;
    for (iterator->SeekToFirst(); iterator->Valid(); iterator->Next()) {
      ++entries_;
      block.append(iterator->key().data(), iterator->key().size());
      block.append(iterator->value().data(), iterator->value().size());
      if (block.size() > 4096) {
        bytes_ += block.size();
        block = std::string();
      }
    }
    bytes_ += block.size();
  }

  const InternalKeyComparator comparator_{BytewiseComparator()};
  MemTable *current_ = make(comparator_), *full_ = nullptr;
  uint64_t sequence_ = 0;
  int turns_ = 0;
  unsigned long long bytes_ = 0, entries_ = 0;
};

} // namespace

int main() {
  Database database;
  unsigned long found = 0, length = 0;
  for (int i = 0; i < batches; ++i) {
    WriteBatch batch;
    for (uint32_t count = 1 + random_below(16); count > 0; --count) {
      const std::string key = make_key(random_below(keys));
      if (random_below(8) == 0)
        batch.Delete(key);
      else
        batch.Put(key, std::string(20 + random_below(300), char('a' + random_below(26))));
    }
    database.write(batch);
    for (int k = 0; k < 4; ++k) {
      std::string value;
      found += database.read(make_key(random_below(keys)), &value);
      length += value.size();
    }
  }
  database.report();
  std::printf("%lu found, %lu bytes\n", found, length);
  return 0;
}
