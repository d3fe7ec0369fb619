/* Passing over a pair: skipped, or because something is wrong with its item. It asks once more before,
 * for only the people who run the study can bring the item back.
 */
const SinkTrackPassing = (() => {
  "use strict";

  const { make } = SinkTrackDom;
  const { button } = SinkTrackPairForm;
  const FINAL = "You will not see it again, and somebody else may judge it. Only the people who run this study can "
    + "bring it back.";

  class Passing {
    /**
     * @param {(reason?: string) => void} onPass with what is wrong, if anything is
     * @param {() => void} onStay after this was left without passing over
     */
    constructor(onPass, onStay) {
      Object.assign(this, { onPass, onStay });
      this.box = make("div", "sj-passing");
      const row = make("div", "sj-row");
      row.append(button("Skip (X)", "sj-quiet", () => this.skip()),
        button("Something is wrong with this item (W)", "sj-quiet", () => this.report()));
      this.asks = make("div", "sj-slot");
      this.box.append(row, this.asks);
      this.box.addEventListener("keydown", (event) => this.key(event));
    }

    /** Open what a key stands for; whether it stands for anything. */
    press(key) {
      const letter = key.toUpperCase();
      if (letter === "X") this.skip();
      else if (letter === "W") this.report();
      else return false;
      return true;
    }

    skip() {
      const go = button("Skip it (Enter)", "", () => this.onPass());
      this.open(make("p", "", `Skip this pair? ${FINAL}`), [go], go);
    }

    report() {
      const label = make("label", "sj-field");
      this.reason = Object.assign(make("textarea"), { rows: 2, maxLength: 2000, required: true });
      label.append(make("span", "", "What is wrong with this item?"), this.reason);
      const go = button("Report and skip (Ctrl+Enter)", "", () => this.send());
      this.open(label, [make("p", "sj-hint", FINAL), go], this.reason);
    }

    open(first, rest, focused) {
      const row = make("div", "sj-row");
      const go = rest.pop();
      row.append(go, button("Stay (Esc)", "sj-quiet", () => this.close()));
      this.asks.replaceChildren(first, ...rest, row);
      focused.focus();
    }

    close() {
      this.asks.replaceChildren();
      this.onStay();
    }

    send() {
      if (this.reason.reportValidity()) this.onPass(this.reason.value);
    }

    key(event) {
      const writes = event.target === this.reason;
      if (event.key === "Escape" && this.asks.firstChild) this.close();
      else if (event.key === "Enter" && event.ctrlKey && writes) this.send();
      else return;
      event.preventDefault();
    }
  }

  return { Passing };
})();
