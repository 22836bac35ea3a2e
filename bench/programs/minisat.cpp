/*
 * MiniSat solves formulas one after the other: random ones of three literals a clause, close to where
 * half of them can be satisfied, maps in four colours, and pigeons with too few holes. Prints the
 * answers. Without memory it throws, which ends a program without exceptions.
 */
#include <cstdio>
#include "minisat/core/Solver.h"
#include "random.h"

using namespace Minisat;

namespace {

void report(const char *what, Solver &solver) {
  const bool satisfied = solver.solve();
  unsigned long sum = 0;
  for (int i = 0; satisfied && i < solver.model.size(); ++i)
    sum = sum * 3 + (solver.model[i] == l_True ? 2 : 1);
  std::printf("%s: %s, %lu, %llu conflicts, %llu decisions\n", what, satisfied ? "yes" : "no",
              sum & 0xffff, static_cast<unsigned long long>(solver.conflicts),
              static_cast<unsigned long long>(solver.decisions));
}

/* `clauses` of three literals each. */
void random_formula(int variables, int clauses) {
  Solver solver;
  for (int i = 0; i < variables; ++i)
    solver.newVar();
  for (int i = 0; i < clauses; ++i) {
    vec<Lit> clause;
    for (int k = 0; k < 3; ++k)
      clause.push(mkLit(int(random_below(uint32_t(variables))), random_below(2) != 0));
    solver.addClause(clause);
  }
  report("random", solver);
}

/* Each pigeon sits in a hole, and no two in the same. */
void pigeons(int count, int holes) {
  Solver solver;
  for (int i = 0; i < count * holes; ++i)
    solver.newVar();
  for (int pigeon = 0; pigeon < count; ++pigeon) {
    vec<Lit> somewhere;
    for (int hole = 0; hole < holes; ++hole)
      somewhere.push(mkLit(pigeon * holes + hole));
    solver.addClause(somewhere);
  }
  for (int hole = 0; hole < holes; ++hole)
    for (int a = 0; a < count; ++a)
      for (int b = 0; b < a; ++b)
        solver.addClause(~mkLit(a * holes + hole), ~mkLit(b * holes + hole));
  report("pigeons", solver);
}

/* A map of `regions`, of which some are neighbours, in four colours. */
void colours(int regions, int borders) {
  Solver solver;
  for (int i = 0; i < 4 * regions; ++i)
    solver.newVar();
  for (int region = 0; region < regions; ++region) {
    vec<Lit> coloured;
    for (int colour = 0; colour < 4; ++colour)
      coloured.push(mkLit(4 * region + colour));
    solver.addClause(coloured);
  }
  for (int i = 0; i < borders; ++i) {
    const int a = int(random_below(uint32_t(regions))), b = int(random_below(uint32_t(regions)));
    for (int colour = 0; a != b && colour < 4; ++colour)
      solver.addClause(~mkLit(4 * a + colour), ~mkLit(4 * b + colour));
  }
  report("colours", solver);
}

} // namespace

int main() {
  for (int i = 0; i < 6; ++i)
    random_formula(110, 462);
  for (int i = 0; i < 3; ++i)
    colours(1500, 3000 + 100 * i);
  pigeons(7, 6);
  return 0;
}
