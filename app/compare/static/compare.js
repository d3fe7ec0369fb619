/* What the page adds to the viewer: the line that says what happens now, and the examples. */
const SinkTrackPage = (() => {
  "use strict";

  const { make } = SinkTrackDom;

  /** Keep the stage in step with the value that the server sends. */
  function stage(host, props, watch, { why, force, shorter }) {
    const status = make("div", "st-status");
    const text = make("p", "st-status-text");
    const spoken = make("p", "st-spoken");
    text.setAttribute("aria-hidden", "true");
    spoken.setAttribute("role", "status");
    status.append(make("span", "st-dot"), text, spoken);
    const notices = make("ul", "st-notices");
    const verdict = make("div", "st-verdict");
    const cards = make("div", "st-cards");
    const less = Object.assign(make("button", "st-less"), { type: "button", hidden: true });
    less.addEventListener("click", () => shorter());
    host.append(status, less, notices, verdict, cards);
    let last = null; // what stood here before a question that got no answer

    function show() {
      const state = JSON.parse(props.value);
      if (state.began) {
        host.style.setProperty("--st-held", `${host.offsetHeight}px`);
        host.style.setProperty("--st-verdict-held", `${verdict.offsetHeight}px`);
      }
      text.textContent = state.status;
      // A screen reader hears that writing goes on, not every number.
      const phase = state.status.replace(/\d+/g, "").trim();
      if (spoken.dataset.phase !== phase) spoken.textContent = state.status;
      spoken.dataset.phase = phase;
      status.classList.toggle("st-busy", state.busy);
      less.hidden = !state.offered;
      less.textContent = state.offered ?? "";
      // what can be taken away is the last comparison's, which is there again if this one is refused
      document.getElementById("take")?.toggleAttribute("inert", state.busy);
      notices.replaceChildren(...state.notices.map((notice) => make("li", "", notice)));
      if (state.payload) last = state;
      if (state.payload || (state.again && last)) mount(last);
      else {
        SinkTrackVerdict.show(verdict, [], null, null);
        SinkTrackViewer.progress(cards, state.lanes);
      }
      if (!state.payload && !state.again && !state.busy) last = null;
      if (state.began) reveal(host);
    }

    function mount({ payload: packed, key, forces, truth, right, hint }) {
      const payload = withReaders(JSON.parse(packed));
      SinkTrackVerdict.show(verdict, payload.lanes, truth, right);
      if (key) payload.why = (asked) => why({ ...asked, key });
      if (forces) payload.force = force;
      if (hint) payload.hint = hint;
      SinkTrackViewer.mount(cards, payload);
    }
    watch("value", show);
    show();
  }

  /** Let maps that were too large to come along be fetched piece by piece. */
  function withReaders(payload) {
    const root = window.gradio_config?.root ?? "";
    for (const map of payload.lanes.flatMap((lane) => lane.maps ?? [])) {
      if (!map.file) continue;
      const address = `${root}/gradio_api/file=${encodeURI(map.file)}`;
      map.read = async (from, length) => {
        const headers = { Range: `bytes=${from}-${from + length - 1}` };
        const response = await fetch(address, { headers });
        if (!response.ok) throw new Error(`status ${response.status}`);
        const bytes = new Uint8Array(await response.arrayBuffer());
        return response.status === 206 ? bytes : bytes.subarray(from, from + length);
      };
    }
    return payload;
  }

  /** On a small screen the answers begin below the fold, and who goes on from a word is below them: go there. */
  function reveal(host) {
    const { top } = host.getBoundingClientRect();
    if (top > -40 && top < window.innerHeight * 0.7) return;
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

  /** The earlier turns of a conversation, kept in step with the value that the server sends; `edit` receives
   * the {index} of a question to ask anew. */
  function turns(host, props, watch, edit) {
    const show = () => {
      host.replaceChildren(...JSON.parse(props.value).flatMap((each, index) => turn(each, () => edit({ index }))));
      host.scrollTop = host.scrollHeight;
    };
    watch("value", show);
    show();
  }

  function turn({ question, about, pictures, answer, by }, edit) {
    const asked = said("You", question);
    const again = Object.assign(make("button", "st-edit", "Edit"), { type: "button" });
    again.setAttribute("aria-label", `Edit and ask again: ${question}`);
    again.addEventListener("click", edit);
    for (const src of pictures) {
      const picture = make("img");
      picture.src = src;
      picture.alt = "Your picture";
      asked.append(picture);
    }
    if (about) asked.append(make("p", "st-note", about));
    asked.append(again);
    const answered = said(by, answer);
    answered.classList.add("st-answered");
    return [asked, answered];
  }

  function said(who, text) {
    const box = make("div", "st-turn");
    const words = make("p", "st-turn-text", text);
    words.dir = "auto";
    box.append(make("p", "st-who", who), words);
    return box;
  }

  /** After going on from an answer the next question is typed. */
  function askNext() {
    document.querySelector("#question textarea")?.focus();
  }

  return { stage, examples, turns, askNext };
})();
