// The actors of a game: objects of classes with states, messages between them, and generators that say
// what they do next.

local seed = 42;
function random(limit) {
  seed = (seed * 75) % 65537;
  return seed % limit;
}

class Actor {
  name = null;
  life = 0;
  messages = null;
  plan = null;
  things = null;

  constructor(name) {
    this.name = name;
    life = 20 + random(30);
    messages = [];
    things = {};
    plan = act();
  }

  function act() {
    while (life > 0) {
      yield { kind = "walk", by = random(10) };
      if (random(3) == 0) yield { kind = "take", what = "thing " + random(40) };
      if (messages.len() > 0) yield { kind = "answer", to = messages.remove(0) };
    }
    return null;
  }

  function receive(message) {
    messages.append(message);
    if (messages.len() > 8) messages.remove(0);
  }
}

class Fighter extends Actor {
  strength = 0;

  constructor(name) {
    base.constructor(name);
    strength = random(10);
  }

  function receive(message) {
    life -= message.len() % 3;
    base.receive(message + "!");
  }
}

local actors = [];
local counts = { walk = 0, take = 0, answer = 0, gone = 0 };
local number = 0;

function enter() {
  ++number;
  actors.append(random(2) ? Actor("actor " + number) : Fighter("fighter " + number));
}

local handlers = {
  walk = function(actor, action) { actor.life -= action.by / 5; },
  take = function(actor, action) {
    if (!(action.what in actor.things)) actor.things[action.what] <- [];
    actor.things[action.what].append({ from = actor.name, worth = random(100) });
  },
  answer = function(actor, action) {
    actors[random(actors.len())].receive(actor.name + " says: " + action.to.slice(0, action.to.len() > 20 ? 20 : action.to.len()));
  }
};

for (local i = 0; i < 250; ++i) enter();
for (local step = 0; step < 80; ++step) {
  foreach (actor in actors) {
    local action = actor.life > 0 ? resume actor.plan : null;
    if (!action) continue;
    ++counts[action.kind];
    handlers[action.kind](actor, action);
    if (random(4) == 0) actors[random(actors.len())].receive("hello from " + actor.name);
  }
  local left = actors.filter(@(index, actor) actor.life > 0);
  counts.gone += actors.len() - left.len();
  actors = left;
  while (actors.len() < 250) enter();
}
local worth = 0;
foreach (actor in actors)
  foreach (name, list in actor.things)
    foreach (thing in list) worth += thing.worth;
print(counts.walk + " " + counts.take + " " + counts.answer + " " + counts.gone + " " + worth + "\n");
