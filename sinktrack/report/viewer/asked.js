/* What stands before the answers: the conversation so far, the passage, and the prompt's sinks. */
const SinkTrackAsked = (() => {
  "use strict";

  const { make, visible } = SinkTrackDom;
  const SPEAKERS = { system: "System", user: "User", assistant: "Assistant" };
  const LONG = 600; // characters; what is longer begins closed
  const MOST_FRAMES = 8; // of a video, beside a turn
  const MOST_SINKS = 12;

  /** The elements to show above the answers; none for a bare question. */
  function before({ turns = [], passage = "", visuals = [] }) {
    const found = [];
    if (turns.length) {
      const length = turns.reduce((sum, { text }) => sum + text.length, 0);
      const exchanges = turns.filter(({ role }) => role !== "system").length;
      const count = exchanges ? ` (${exchanges} message${exchanges > 1 ? "s" : ""})` : "";
      const box = folded(`The conversation so far${count}`, "stv-turns", length);
      box.append(...turns.map((turn) => said(turn, visuals)));
      found.push(box);
    }
    if (passage) {
      const words = passage.split(/\s+/).length;
      const box = folded(`The passage (${words} word${words > 1 ? "s" : ""})`, "stv-passage", passage.length);
      const text = make("p", "stv-asked-text", passage);
      text.dir = "auto";
      box.append(text);
      found.push(box);
    }
    return found;
  }

  function folded(title, name, length) {
    const box = make("details", `stv-asked ${name}`);
    box.open = length <= LONG;
    box.append(make("summary", "", title));
    return box;
  }

  function said({ role, text, visuals: shown }, visuals) {
    const row = make("div", `stv-turn stv-turn-${role}`);
    row.append(make("span", "stv-speaker", SPEAKERS[role] ?? role));
    const body = make("div", "stv-turn-body");
    for (const at of shown) if (visuals[at]) body.append(strip(visuals[at]));
    if (text) {
      const words = make("p", "stv-asked-text", text);
      words.dir = "auto";
      body.append(words);
    }
    row.append(body);
    return row;
  }

  /** A picture, or some frames of a video side by side. */
  function strip({ title, frames }) {
    const box = make("div", "stv-strip");
    const count = Math.min(frames.length, MOST_FRAMES);
    for (let i = 0; i < count; i++) {
      const image = make("img");
      image.setAttribute("src", frames[Math.floor((i * frames.length) / count)]);
      image.setAttribute("alt", frames.length > 1 ? `${title}, ${i + 1} of ${count} frames` : title);
      box.append(image);
    }
    return box;
  }

  /** The pictures and videos that were asked about, where no attention is laid over them; none for none. */
  function pictures({ visuals = [] }) {
    return visuals.map(strip);
  }

  /** One line on the sinks of the prompt; none where they are not known. */
  function sinks(found = []) {
    if (!found.length) return [];
    const named = found.slice(0, MOST_SINKS).map(({ position, text, title }) =>
      `${position + 1} ${title}${text ? ` “${visible(text)}”` : ""}`);
    const more = found.length - named.length;
    const rest = more > 0 ? `, and ${more} more` : "";
    const line = make("p", "stv-note stv-sinks", `Sinks of this prompt: ${named.join(", ")}${rest}.`);
    line.title = "Tokens whose residual carries a massive activation, by their position in the prompt. "
      + "Attention gathers there.";
    return [line];
  }

  return { before, pictures, sinks };
})();
