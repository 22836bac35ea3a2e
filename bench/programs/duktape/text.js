// Strings: joined, split, searched with regular expressions.
/* global print */
(function () {
  var seed = 42;
  function random(limit) {
    seed = (seed * 1103515245 + 12345) % 2147483648;
    return Math.floor(seed / 65536) % limit;
  }
  var words = [];
  for (var i = 0; i < 3000; ++i) {
    var word = '';
    for (var j = 2 + random(8); j > 0; --j) word += String.fromCharCode(97 + random(26));
    words.push(word);
  }
  var text = words.join(' ');
  var counts = {};
  text.split(' ').forEach(function (word) {
    var key = word.slice(0, 2);
    counts[key] = (counts[key] || 0) + 1;
  });
  print('keys', Object.keys(counts).length, counts.ab);
  print('replaced', text.slice(0, 8000).replace(/[aeiou]/g, '').length);
  var sorted = words.slice().sort();
  print('sorted', sorted[0], sorted[sorted.length - 1]);
  var joined = '';
  for (i = 0; i < 2000; ++i) joined += words[i].toUpperCase();
  print('joined', joined.length);
})();
