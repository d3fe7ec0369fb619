/* Panels of which one is shown, after the tabs pattern of ARIA: one stop of the keyboard, and arrow keys from tab
 * to tab. A panel is made when it is first shown; on paper all are there.
 *
 * https://www.w3.org/WAI/ARIA/apg/patterns/tabs/
 */
const SinkTrackTabs = (() => {
  "use strict";

  const { make } = SinkTrackDom;
  const MOVES = { ArrowLeft: -1, ArrowRight: 1, Home: -Infinity, End: Infinity };
  let groups = 0;

  class Tabs {
    /**
     * @param {HTMLElement} parent
     * @param {string} label what the panels are about
     * @param {{title: string, name: string, build: (panel: HTMLElement) => object}[]} panels `build` returns the view
     * @param {(view: object) => void} onShow told of a view when its panel has come into sight
     */
    constructor(parent, label, panels, onShow) {
      const group = `stv-tabs-${groups++}`;
      this.onShow = onShow;
      this.row = make("div", "stv-tabs");
      this.row.setAttribute("role", "tablist");
      this.row.setAttribute("aria-label", label);
      this.all = panels.map(({ title, name, build }, at) => this.tab(`${group}-${at}`, title, name, build));
      parent.append(this.row, ...this.all.map(({ panel }) => panel));
      this.row.addEventListener("keydown", (event) => this.move(event));
      if (this.all.length) this.show(this.all[0]);
    }

    tab(id, title, name, build) {
      const button = Object.assign(make("button", "stv-tab", title), { type: "button", id });
      const panel = make("div", `stv-section ${name}`);
      Object.assign(panel, { id: `${id}-panel`, hidden: true, tabIndex: -1 });
      for (const [node, attributes] of [
        [button, { role: "tab", "aria-controls": panel.id }],
        [panel, { role: "tabpanel", "aria-labelledby": id }],
      ]) for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
      const tab = { button, panel, build, view: null };
      button.addEventListener("click", () => this.show(tab));
      this.row.append(button);
      return tab;
    }

    /** The view that is in sight; none where there are no panels. */
    get view() {
      return this.shown?.view ?? null;
    }

    show(tab) {
      this.shown = tab;
      for (const each of this.all) {
        each.button.setAttribute("aria-selected", String(each === tab));
        each.button.tabIndex = each === tab ? 0 : -1;
        each.panel.hidden = each !== tab;
      }
      this.onShow(this.made(tab));
    }

    /** Show a panel by its name, and go to it. */
    turnTo(name) {
      const tab = this.all.find(({ panel }) => panel.classList.contains(name));
      this.show(tab);
      tab.button.focus({ preventScroll: true });
      this.row.scrollIntoView({ block: "start" });
    }

    made(tab) {
      tab.view ??= tab.build(tab.panel);
      return tab.view;
    }

    move(event) {
      if (!(event.key in MOVES) || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      event.stopPropagation(); // the same keys choose a token elsewhere
      const { length } = this.all;
      const at = this.all.indexOf(this.shown) + MOVES[event.key];
      const next = Number.isFinite(at) ? (at + length) % length : at < 0 ? 0 : length - 1;
      this.show(this.all[next]);
      this.all[next].button.focus();
    }

    /** Show every panel, as on paper; returns what hides them again. */
    open() {
      for (const tab of this.all) {
        tab.panel.hidden = false;
        this.onShow(this.made(tab));
      }
      return () => this.show(this.shown);
    }
  }

  return { Tabs };
})();
