/*
 * A program that lives in the standard containers: a small shop with its customers, its stock and
 * its orders. Strings, vectors, maps, sets, lists, a deque, a priority queue, shared pointers,
 * functions. Prints what became of it.
 */
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <deque>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <queue>
#include <set>
#include <sstream>
#include <string>
#include <unordered_map>
#include <vector>
#include "random.h"

namespace {

std::string random_name() {
  std::string name(4 + random_below(28), ' ');
  for (char &letter : name)
    letter = char('a' + random_below(26));
  return name;
}

struct Item {
  std::string name;
  uint32_t price;
};

struct Order {
  uint32_t number;
  std::string customer;
  std::vector<std::shared_ptr<const Item>> items;
  uint64_t total() const {
    uint64_t sum = 0;
    for (const auto &item : items)
      sum += item->price;
    return sum;
  }
};

class Shop {
public:
  Shop() {
    for (int i = 0; i < 2000; ++i)
      stock_.push_back(std::make_shared<Item>(Item{random_name(), 1 + random_below(1000)}));
    for (int i = 0; i < 3000; ++i)
      customers_.push_back(random_name());
  }

  /* An order comes in; old ones are delivered and forgotten. */
  void order(uint32_t number) {
    auto order = std::make_unique<Order>();
    order->number = number;
    order->customer = customers_[random_below(uint32_t(customers_.size()))];
    for (uint32_t count = 1 + random_below(12); count > 0; --count)
      order->items.push_back(stock_[random_below(uint32_t(stock_.size()))]);
    by_customer_[order->customer].insert(number);
    urgent_.emplace(order->total(), number);
    waiting_.push_back(number);
    open_.emplace(number, std::move(order));
    if (waiting_.size() > 5000)
      deliver();
  }

  /* A new version of an item: orders keep the old one. */
  void change_item() {
    auto &item = stock_[random_below(uint32_t(stock_.size()))];
    item = std::make_shared<Item>(Item{item->name + "+", item->price + 1});
    if (item->name.size() > 60)
      item = std::make_shared<Item>(Item{random_name(), 1 + random_below(1000)});
  }

  void later(std::function<void(Shop &)> task) {
    tasks_.push_back(std::move(task));
  }

  void run_tasks() {
    std::list<std::function<void(Shop &)>> tasks;
    tasks.swap(tasks_);
    for (auto &task : tasks)
      task(*this);
  }

  void report() const {
    std::map<std::string, uint64_t> turnover;
    for (const auto &[number, order] : open_)
      turnover[order->customer.substr(0, 2)] += order->total();
    std::vector<std::pair<std::string, uint64_t>> best(turnover.begin(), turnover.end());
    std::stable_sort(best.begin(), best.end(),
                     [](const auto &a, const auto &b) { return a.second > b.second; });
    std::ostringstream text;
    for (size_t i = 0; i < 3 && i < best.size(); ++i)
      text << best[i].first << ' ' << best[i].second << "; ";
    std::printf("%zu open, %zu customers, %llu delivered, %s\n", open_.size(), by_customer_.size(),
                (unsigned long long)delivered_, text.str().c_str());
  }

private:
  void deliver() {
    /* One of three is the dearest, the others are the oldest. */
    uint32_t number;
    if (waiting_.front() % 3 == 0) {
      while (!open_.count(urgent_.top().second))
        urgent_.pop();
      number = urgent_.top().second;
      urgent_.pop();
    } else {
      number = waiting_.front();
      waiting_.pop_front();
    }
    auto found = open_.find(number);
    if (found == open_.end())
      return;
    auto customer = by_customer_.find(found->second->customer);
    customer->second.erase(number);
    if (customer->second.empty())
      by_customer_.erase(customer);
    delivered_ += found->second->total();
    open_.erase(found);
  }

  std::vector<std::shared_ptr<const Item>> stock_;
  std::vector<std::string> customers_;
  std::unordered_map<uint32_t, std::unique_ptr<Order>> open_;
  std::map<std::string, std::set<uint32_t>> by_customer_;
  std::priority_queue<std::pair<uint64_t, uint32_t>> urgent_;
  std::deque<uint32_t> waiting_;
  std::list<std::function<void(Shop &)>> tasks_;
  uint64_t delivered_ = 0;
};

} // namespace

int main() {
  Shop shop;
  uint32_t number = 0;
  for (int day = 0; day < 100; ++day) {
    for (int i = 0; i < 2000; ++i) {
      shop.order(++number);
      if (i % 4 == 0)
        shop.change_item();
      if (i % 5 == 0) {
        std::string note = random_name();
        shop.later([note](Shop &place) {
          if (note.size() > 20)
            place.change_item();
        });
      }
    }
    shop.run_tasks();
    if (day % 20 == 19)
      shop.report();
  }
  return 0;
}
