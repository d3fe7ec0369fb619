/* Any plot as a file to keep: SVG for a paper, or the same as PNG. Knows nothing about what a figure holds. */
const SinkTrackSave = (() => {
  "use strict";

  const { make } = SinkTrackDom;
  const FINE = 3; // pixels of a PNG for one of the figure
  const WIDEST = 12_000; // pixels, below every browser's limit

  function download(name, blob) {
    const link = Object.assign(make("a"), { href: URL.createObjectURL(blob), download: name });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  }

  /** A figure as XML; token texts in it may hold what XML forbids. */
  function written(figure) {
    // oxlint-disable-next-line no-control-regex -- these are the characters to take out
    return new XMLSerializer().serializeToString(figure).replace(/[\0-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]/g, "");
  }

  /** A figure as a canvas. Through a data URL, which a report's content security policy allows. */
  async function drawn(figure) {
    const [width, height] = ["width", "height"].map((side) => Number(figure.getAttribute(side)));
    const fine = Math.min(FINE, WIDEST / width, WIDEST / height);
    const image = make("img");
    image.setAttribute("src", `data:image/svg+xml;charset=utf-8,${encodeURIComponent(written(figure))}`);
    await image.decode();
    const canvas = make("canvas");
    [canvas.width, canvas.height] = [width * fine, height * fine].map(Math.round);
    canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
    return canvas;
  }

  function button(kind, caption, act) {
    const node = make("button", "stv-save", kind);
    const title = `Save this plot as ${kind}: ${caption.textContent}`;
    Object.assign(node, { type: "button", title, ariaLabel: title });
    node.addEventListener("click", act);
    return node;
  }

  /** Two buttons; `describe` gives the file's name and the figure when one is pressed. */
  function add(caption, describe) {
    const box = make("span", "stv-saves");
    const fileName = (name) => `sinktrack-${name.replace(/[^\p{L}\p{N}.-]+/gu, "-")}`;
    box.append(
      button("PNG", caption, async () => {
        const [name, figure] = describe();
        const canvas = await drawn(figure);
        canvas.toBlob((blob) => download(`${fileName(name)}.png`, blob));
      }),
      button("SVG", caption, () => {
        const [name, figure] = describe();
        download(`${fileName(name)}.svg`, new Blob([written(figure)], { type: "image/svg+xml" }));
      }),
    );
    caption.append(box);
  }

  /** Buttons that save colours over a picture; `describe` gives {name, image, canvas}. */
  function addOverlay(caption, describe) {
    add(caption, () => {
      const { name, image, canvas } = describe();
      return [name, SinkTrackFigure.overlay({ image, canvas, ...said(caption) })];
    });
  }

  /** What the page says of a plot: in its caption, in those of the plots around it, and in its section; or what
   * a plot says itself, in `data-saved`. */
  function said(caption) {
    const own = caption.closest("figure");
    const around = own.parentElement.closest("figure");
    const found = [around, own].filter(Boolean);
    const all = (name) => found.flatMap((box) => [box.querySelector(name)?.textContent]).filter(Boolean);
    const section = own.closest("section.stv-section")?.querySelector(".stv-title")?.textContent;
    const texts = (name) => [...new Set(all(name))];
    const notes = texts(":scope > figcaption > .stv-note");
    const value = (name) => found.map((box) => box.querySelector(`:scope > figcaption ${name}`)?.textContent).find(Boolean) ?? "";
    return {
      title: own.dataset.saved ?? [section, ...texts(":scope > figcaption .stv-heading")].filter(Boolean).join(" · "),
      note: texts(":scope > .stv-readout > .stv-chosen").join(" "),
      low: value(".stv-low"),
      high: value(".stv-high"),
      of: [...(notes.length ? notes : ["attention"]), "as a share of 1"].join(", "),
    };
  }

  return { add, addOverlay };
})();
