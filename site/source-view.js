// Shows a C source with the lines that ran. Usage: new SourceView(element, sources).show(...)

/** The source of one file after the other in an element, which scrolls. */
export class SourceView {
  #file;
  #lines = [];
  #marked = new Set(); // the lines that are marked now

  constructor(element, sources) {
    this.element = element;
    this.sources = sources;
  }

  #open(file) {
    if (this.#file === file) return;
    this.#file = file;
    this.#marked.clear();
    this.#lines = this.sources[file].map((pieces, index) => {
      const line = document.createElement('div');
      line.className = 'line';
      line.dataset.line = index + 1;
      const code = document.createElement('span');
      code.className = 'code';
      for (const [text, kind] of pieces) {
        const piece = document.createElement('span');
        piece.textContent = text;
        if (kind) piece.className = kind;
        code.append(piece);
      }
      line.append(code);
      return line;
    });
    this.element.replaceChildren(...this.#lines);
    this.element.scrollTop = 0;
  }

  #mark(number, times, current) {
    const line = this.#lines[number - 1];
    line.className = `line ${times ? 'ran' : ''} ${current ? 'current' : ''}`;
    if (times > 1) line.dataset.times = `${times}×`;
    else delete line.dataset.times;
  }

  /**
   * @param {{ file: string, ran: Map<number, number>, current?: [number, number], at?: number }} view `ran`
   *   says how often each line ran; `current` are the first and last of the one that is next; the line `at`
   *   is to be seen
   */
  show({ file, ran, current: [from, to] = [0, 0], at }) {
    this.#open(file);
    const marked = new Set(ran.keys());
    for (let number = from; number && number <= to; ++number) marked.add(number);
    for (const number of new Set([...this.#marked, ...marked]))
      this.#mark(number, ran.get(number) ?? 0, number >= from && number <= to);
    this.#marked = marked;
    this.#scrollTo(this.#lines[(from || at) - 1]);
  }

  /** Scrolls no more than is needed to see a line with its neighbours. */
  #scrollTo(line) {
    if (!line) return;
    const { scrollTop, clientHeight } = this.element;
    const top = line.offsetTop;
    if (top < scrollTop + 40 || top > scrollTop + clientHeight - 60)
      this.element.scrollTop = top - clientHeight / 3;
  }
}
