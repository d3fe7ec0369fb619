/* The address of a comparison, and the gallery. The server says a name; the address is made of it here, because
 * only the browser knows under which name the page was reached.
 */
const SinkTrackShare = (() => {
  "use strict";

  const { make } = SinkTrackDom;
  const PICTURE = /^data:image\/png;base64,/;

  /** The address of this page with the comparison of a name. */
  function addressOf(name, place = window.location) {
    return `${place.origin}${place.pathname}?c=${encodeURIComponent(name)}`;
  }

  /** Keep the sentences beside the files in step with the value that the server sends. */
  function share(host, props, watch) {
    const show = () => {
      const { name, sentences } = JSON.parse(props.value);
      host.dataset.name = name;
      host.replaceChildren(...sentences.map((each) => make("p", "", each)));
    };
    watch("value", show);
    show();
  }

  /** Copy the address of the comparison that is shown, or show it where the clipboard is refused. */
  async function copy(host = document.querySelector(".st-share")) {
    const { name } = host?.dataset ?? {};
    if (!name) return;
    host.querySelector(".st-copied")?.remove();
    const line = make("p", "st-copied");
    host.prepend(line);
    await SinkTrackCopy.copy(line, addressOf(name), "Link to this comparison");
  }

  /** One button an entry of the gallery; `choose` receives {entry}. */
  function gallery(host, props, watch, choose) {
    const show = () => {
      const entries = JSON.parse(props.value);
      const list = make("div", "st-examples");
      list.append(...entries.map((each) => entry(each, choose)));
      const title = make("h2", "st-gallery-title", "Gallery of this server");
      host.replaceChildren(title, entries.length ? list : make("p", "st-note", "Nobody has kept a comparison yet."));
    };
    watch("value", show);
    show();
  }

  function entry({ name, title, question, methods, date, src }, choose) {
    const button = make("button", "st-example");
    button.type = "button";
    if (PICTURE.test(src)) button.append(Object.assign(make("img"), { src, alt: "" }));
    const words = make("span", "st-words");
    words.append(make("span", "st-question", title), make("span", "st-note", question),
      make("span", "st-note", `${methods} · ${date}`));
    button.append(words);
    button.addEventListener("click", () => choose({ entry: name }));
    return button;
  }

  return { share, copy, gallery, addressOf };
})();
