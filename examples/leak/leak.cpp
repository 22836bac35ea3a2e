// Never frees the names of people, nor the people.
#include <cstdio>
#include <cstring>
#include <vector>

struct Person {
  char *name;
};

// Whoever calls this owns the copy. Nobody below seems to know.
static char *copy(const char *text) {
  char *copied = new char[strlen(text) + 1]; // leak of the names
  return strcpy(copied, text);
}

static Person *meet(const char *name) {
  return new Person{copy(name)}; // leak of the people
}

int main() {
  std::vector<Person *> people;
  for (const char *name : {"Ada", "Grace", "Barbara"})
    people.push_back(meet(name));
  printf("%zu people\n", people.size());
}
