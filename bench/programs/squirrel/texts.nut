// The words of a text, counted, sorted and put together again in another order.

local words = ["allocate", "block", "chunk", "free", "heap", "list", "merge", "page", "split"];
local seed = 7;
function random(limit) {
  seed = (seed * 75) % 65537;
  return seed % limit;
}

function make(count) {
  local text = "";
  for (local i = 0; i < count; ++i) text += words[random(words.len())] + random(50) + (i % 12 == 11 ? ".\n" : " ");
  return text;
}

local followers = {};
for (local page = 0; page < 60; ++page) {
  local last = null;
  foreach (sentence in split(make(200), ".\n")) {
    foreach (word in split(sentence, " ")) {
      if (last) {
        if (!(last in followers)) followers[last] <- {};
        local next = followers[last];
        next[word] <- (word in next ? next[word] : 0) + 1;
      }
      last = word;
    }
  }
}

local ranks = [];
foreach (word, next in followers) {
  local total = 0;
  foreach (count in next) total += count;
  ranks.append({ word = word, total = total, kinds = next.len() });
}
ranks.sort(@(a, b) b.total <=> a.total || a.word <=> b.word);
local pattern = regexp("[a-z]+e[0-9]+");
local matches = ranks.filter(@(index, rank) pattern.match(rank.word));
print(ranks.len() + " " + ranks[0].word + " " + ranks[0].total + " " + matches.len() + "\n");

local text = "";
local word = ranks[0].word;
for (local i = 0; i < 400; ++i) {
  text += word.toupper() + format(" %03d ", i);
  local best = null;
  foreach (next, count in followers[word])
    if (!best || count > followers[word][best] || (count == followers[word][best] && next < best)) best = next;
  delete followers[word][best];
  word = followers[word].len() && best in followers && followers[best].len() ? best : ranks[i].word;
}
print(text.len() + " " + text.slice(0, 60) + "\n");
