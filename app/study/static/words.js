/* An answer as words that can be marked: by clicking or selecting them, or with the keyboard. */
const SinkTrackWords = (() => {
  "use strict";

  const { make, clamp } = SinkTrackDom;

  class Words {
    /**
     * @param {string} text
     * @param {string} label what a screen reader calls it
     * @param {() => void} onChange after words were marked or unmarked
     */
    constructor(text, label, onChange) {
      this.onChange = onChange;
      this.at = 0;
      this.box = make("div", "sj-words");
      Object.assign(this.box, { tabIndex: 0, dir: "auto" });
      this.box.setAttribute("role", "listbox");
      this.box.setAttribute("aria-multiselectable", "true");
      this.box.setAttribute("aria-label", label);
      this.words = [];
      for (const { 0: part, index } of text.matchAll(/\s+|\S+/g)) {
        if (!part.trim()) {
          this.box.append(part);
          continue;
        }
        const node = make("span", "sj-word", part);
        node.id = `sj-word-${serial++}`;
        node.setAttribute("role", "option");
        this.words.push({ node, start: index, end: index + part.length, marked: false });
        this.box.append(node);
      }
      this.box.addEventListener("keydown", (event) => this.key(event));
      this.box.addEventListener("mouseup", (event) => this.pointed(event));
      this.show();
    }

    /** [start, end] of every run of marked words, in characters of the text as Python counts them. */
    spans(text) {
      const found = [];
      this.words.forEach(({ start, end, marked }, index) => {
        if (!marked) return;
        const last = found.at(-1);
        if (last && this.words[index - 1].marked) last[1] = end;
        else found.push([start, end]);
      });
      // JavaScript counts what lies beyond the basic plane twice
      const count = (to) => Array.from(text.slice(0, to)).length;
      return found.map(([start, end]) => [count(start), count(end)]);
    }

    /** Mark what spans of characters cover. */
    mark(spans, text) {
      const count = (to) => Array.from(text.slice(0, to)).length;
      for (const word of this.words) {
        const [start, end] = [count(word.start), count(word.end)];
        word.marked = spans.some(([from, to]) => start < to && end > from);
      }
      this.show();
    }

    get any() {
      return this.words.some(({ marked }) => marked);
    }

    key(event) {
      const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
      if (step && this.words.length) {
        this.at = clamp(this.at + step, 0, this.words.length - 1);
        if (event.shiftKey) this.set([this.at], true);
        else this.show();
      } else if (event.key === " " && this.words.length) {
        this.set([this.at], !this.words[this.at].marked);
      } else return;
      this.words[this.at].node.scrollIntoView({ block: "nearest" });
      event.preventDefault();
    }

    /** A click turns a word over; the second click of a double one leaves it marked, and a third does nothing. */
    pointed(event) {
      const selection = window.getSelection();
      if (event.detail > 2) {
        selection.removeAllRanges();
        return;
      }
      const chosen = [];
      this.words.forEach(({ node }, index) => {
        const hit = selection.isCollapsed ? node === event.target : selection.containsNode(node, true);
        if (hit) chosen.push(index);
      });
      if (!chosen.length) return;
      selection.removeAllRanges();
      this.at = chosen.at(-1);
      this.set(chosen, event.detail === 2 || !chosen.every((index) => this.words[index].marked));
    }

    set(indices, marked) {
      for (const index of indices) this.words[index].marked = marked;
      this.show();
      this.onChange();
    }

    show() {
      this.words.forEach(({ node, marked }, index) => {
        node.classList.toggle("sj-marked", marked);
        node.classList.toggle("sj-here", index === this.at);
        node.setAttribute("aria-selected", String(marked));
      });
      const here = this.words[this.at];
      if (here) this.box.setAttribute("aria-activedescendant", here.node.id);
    }
  }

  let serial = 0;

  return { Words };
})();
