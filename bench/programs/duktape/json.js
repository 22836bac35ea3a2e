// Data as programs exchange it: written as JSON, read again.
/* global print */
(function () {
  var records = [];
  for (var i = 0; i < 1500; ++i)
    records.push({
      id: i,
      name: 'record ' + i,
      tags: ['a' + (i % 7), 'b' + (i % 11)],
      position: { x: i / 3, y: -i, z: null }
    });
  var text = JSON.stringify(records);
  for (var round = 0; round < 6; ++round) {
    var copy = JSON.parse(text);
    copy[round].name += '!';
    text = JSON.stringify(copy);
  }
  print('length', text.length, JSON.parse(text)[3].name);
})();
