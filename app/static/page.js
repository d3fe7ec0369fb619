/* What the page adds to the viewer: the line that says what happens now, and the examples. */
const SinkTrackPage = (() => {
  "use strict";

  const { make } = SinkTrackHeatmap;

  /** Keep the stage in step with the value that the server sends. */
  function stage(host, props, watch) {
    const status = make("div", "st-status");
    const text = make("p", "st-status-text");
    const spoken = make("p", "st-spoken");
    text.setAttribute("aria-hidden", "true");
    spoken.setAttribute("role", "status");
    status.append(make("span", "st-dot"), text, spoken);
    const notices = make("ul", "st-notices");
    const cards = make("div", "st-cards");
    host.append(status, notices, cards);

    function show() {
      const state = JSON.parse(props.value);
      text.textContent = state.status;
      // A screen reader hears that writing goes on, not every number.
      const phase = state.status.replace(/\d+/g, "").trim();
      if (spoken.dataset.phase !== phase) spoken.textContent = state.status;
      spoken.dataset.phase = phase;
      status.classList.toggle("st-busy", state.busy);
      notices.replaceChildren(...state.notices.map((notice) => make("li", "", notice)));
      if (state.payload) SinkTrackViewer.mount(cards, JSON.parse(state.payload));
      else SinkTrackViewer.progress(cards, state.lanes);
      if (state.began) reveal(host);
    }
    watch("value", show);
    show();
  }

  /** On a small screen the answers begin below the fold: go there. */
  function reveal(host) {
    if (host.getBoundingClientRect().top < window.innerHeight * 0.7) return;
    const calm = window.matchMedia("(prefers-reduced-motion: reduce)").matches;
    host.scrollIntoView({ block: "start", behavior: calm ? "auto" : "smooth" });
  }

  /** One button an example; `choose` receives {index}. */
  function examples(host, props, choose) {
    const buttons = JSON.parse(props.value).map(({ src, question, note }, index) => {
      const button = make("button", "st-example");
      button.type = "button";
      const picture = make("img");
      picture.src = src;
      picture.alt = "";
      const words = make("span", "st-words");
      words.append(make("span", "st-question", question));
      if (note) words.append(make("span", "st-note", note));
      button.append(picture, words);
      button.addEventListener("click", () => choose({ index }));
      return button;
    });
    host.append(...buttons);
  }

  return { stage, examples };
})();
