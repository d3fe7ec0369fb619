/* Any plot as a picture to keep: PNG as it is on the screen, SVG for a paper. */
const SinkTrackSave = (() => {
  "use strict";

  const { make, draw } = SinkTrackDom;

  function download(name, blob) {
    const link = Object.assign(make("a"), { href: URL.createObjectURL(blob), download: name });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  }

  /** A drawing as a file; token texts in it may hold what XML forbids. */
  function asFile(drawing) {
    // oxlint-disable-next-line no-control-regex -- these are the characters to take out
    const text = new XMLSerializer().serializeToString(drawing).replace(/[\0-\x08\x0b\x0c\x0e-\x1f]/g, "");
    return new Blob([text], { type: "image/svg+xml" });
  }

  function button(kind, caption, act) {
    const node = make("button", "stv-save", kind);
    const title = `Save this plot as ${kind}: ${caption.textContent}`;
    Object.assign(node, { type: "button", title, ariaLabel: title });
    node.addEventListener("click", act);
    return node;
  }

  /** Two buttons; `png` and `svg` give [name, canvas] and [name, SVG element] when pressed. */
  function both(caption, png, svg) {
    const box = make("span", "stv-saves");
    box.append(
      button("PNG", caption, () => {
        const [name, canvas] = png();
        canvas.toBlob((blob) => download(`sinktrack-${name}.png`, blob));
      }),
      button("SVG", caption, () => {
        const [name, drawing] = svg();
        download(`sinktrack-${name}.svg`, asFile(drawing));
      }),
    );
    caption.append(box);
  }

  /** Buttons that save a heatmap; `describe` gives {name, title, map} when one is pressed. */
  function add(caption, describe) {
    both(caption, () => {
      const { name, map } = describe();
      return [name, onPaper(map.canvas, map.paper)];
    }, () => {
      const { name, title, map } = describe();
      return [name, asSvg(map, title)];
    });
  }

  /** Buttons that save colours over a picture; `describe` gives {name, image, canvas}. */
  function addOverlay(caption, describe) {
    both(caption, () => {
      const { name, image, canvas } = describe();
      const sheet = make("canvas");
      [sheet.width, sheet.height] = [image.naturalWidth, image.naturalHeight];
      const context = sheet.getContext("2d");
      context.drawImage(image, 0, 0);
      context.imageSmoothingEnabled = false;
      context.drawImage(canvas, 0, 0, sheet.width, sheet.height);
      return [name, sheet];
    }, () => {
      const { name, image, canvas } = describe();
      const [width, height] = [image.naturalWidth, image.naturalHeight];
      const svg = draw("svg", { viewBox: `0 0 ${width} ${height}` });
      for (const href of [image.src, canvas.toDataURL()]) {
        const style = "image-rendering: pixelated";
        svg.append(draw("image", { href, width, height, preserveAspectRatio: "none", style }));
      }
      return [name, svg];
    });
  }

  /** A button that saves an SVG which is on the page, with the colours that the page gives it. */
  function addSvg(caption, name, svg) {
    const box = make("span", "stv-saves");
    box.append(button("SVG", caption, () => {
      const copy = svg.cloneNode(true);
      const [width, height] = [svg.clientWidth, svg.clientHeight];
      copy.setAttribute("width", width);
      copy.setAttribute("height", height);
      [...svg.children].forEach((child, index) => {
        const { fill, stroke } = getComputedStyle(child);
        Object.assign(copy.children[index].style, { fill, stroke, vectorEffect: "non-scaling-stroke" });
      });
      download(`sinktrack-${name}.svg`, asFile(copy));
    }));
    caption.append(box);
  }

  function onPaper(canvas, paper) {
    const sheet = make("canvas");
    [sheet.width, sheet.height] = [canvas.width, canvas.height];
    const context = sheet.getContext("2d");
    context.fillStyle = paper;
    context.fillRect(0, 0, sheet.width, sheet.height);
    context.drawImage(canvas, 0, 0);
    return sheet;
  }

  /** Cells as rectangles, runs of one colour in a row as one, with layers and columns at the axes. */
  function asSvg(map, title) {
    const { rows, columns, values, scale, first } = map;
    const [width, height, left, top] = [12, 14, 40, 26];
    const svg = draw("svg", {
      viewBox: `0 0 ${left + columns * width + 10} ${top + rows * height + 34}`,
      "font-family": "sans-serif", "font-size": 10,
    });
    svg.append(draw("text", { x: left, y: 14, "font-size": 12 }, title));
    for (let r = 0; r < rows; r++) {
      let start = 0;
      let step = null;
      for (let c = 0; c <= columns; c++) {
        const next = c < columns
          ? SinkTrackColour.step(values[r * columns + c], scale.low, scale.high) : null;
        if (next === step && c) continue;
        if (step !== null) {
          svg.append(draw("rect", {
            x: left + start * width, y: top + r * height, width: (c - start) * width, height,
            fill: SinkTrackColour.css(scale.map, step),
          }));
        }
        [start, step] = [c, next];
      }
      const y = top + (r + 0.7) * height;
      svg.append(draw("text", { x: left - 6, y, "text-anchor": "end" }, String(r)));
    }
    const every = Math.max(1, Math.ceil(columns / 40));
    for (let c = 0; c < columns; c += every) {
      const x = left + (c + 0.5) * width;
      svg.append(draw("text",
        { x, y: top + rows * height + 12, "text-anchor": "middle" }, String(c + first)));
    }
    const range = `${scale.low.toPrecision(2)} to ${scale.high.toPrecision(2)}`;
    svg.append(draw("text", { x: left, y: top + rows * height + 28 }, `colours: ${range}`));
    return svg;
  }

  return { add, addOverlay, addSvg, asSvg };
})();
