// Objects, closures and arrays that come and go. (Duktape knows ECMAScript 5.)
/* global print */
(function () {
  function List() {
    this.head = null;
    this.length = 0;
  }
  List.prototype.push = function (value) {
    this.head = { value: value, next: this.head };
    ++this.length;
  };
  List.prototype.map = function (change) {
    var result = new List();
    for (var item = this.head; item; item = item.next) result.push(change(item.value));
    return result;
  };
  List.prototype.sum = function () {
    var sum = 0;
    for (var item = this.head; item; item = item.next) sum += item.value;
    return sum;
  };

  var list = new List();
  for (var i = 0; i < 5000; ++i) list.push(i);
  for (var round = 0; round < 6; ++round)
    list = list.map(function (value) {
      return value + round;
    });
  print('list', list.length, list.sum());

  var table = {};
  for (i = 0; i < 8000; ++i) table['key' + ((i * 7919) % 10007)] = { id: i, list: [i, i + 1] };
  var sum = 0;
  for (var key in table) sum += table[key].list[1];
  print('table', sum);

  var matrix = [];
  for (i = 0; i < 100; ++i) {
    matrix.push([]);
    for (var j = 0; j < 100; ++j) matrix[i].push((i * j) % 17);
  }
  var flat = matrix.reduce(function (all, row) {
    return all.concat(
      row.filter(function (value) {
        return value % 2;
      })
    );
  }, []);
  print('matrix', flat.length);
})();
