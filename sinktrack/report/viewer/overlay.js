/* Attention over patches, laid over the picture that was asked about. */
const SinkTrackOverlay = (() => {
  "use strict";

  const { make } = SinkTrackDom;
  const HEAT = [226, 0, 116]; // no shape and few photographs have this colour

  /** Show a picture in a plot, under a canvas that takes the colours; name() is for the file to save. */
  function pictured(plot, picture, name) {
    const frame = make("div", "stv-picture");
    const image = make("img");
    Object.assign(image, { src: picture, alt: "The picture that was asked about" });
    const canvas = make("canvas");
    canvas.setAttribute("role", "img");
    frame.append(image, canvas);
    plot.box.append(frame);
    SinkTrackSave.addOverlay(plot.caption, () => ({ name: name(), image, canvas }));
    return { frame, canvas };
  }

  /** Colour a canvas of one pixel a patch: nothing where nobody looked, up to `opacity` at `high`. */
  function heat(canvas, values, columns, high, opacity) {
    canvas.width = columns;
    canvas.height = values.length / columns;
    const context = canvas.getContext("2d");
    const pixels = context.createImageData(canvas.width, canvas.height);
    values.forEach((value, i) => {
      pixels.data.set([...HEAT, 255 * opacity * Math.min(1, value / high)], 4 * i);
    });
    context.putImageData(pixels, 0, 0);
  }

  /** These colours as a map, for a legend. */
  function heatMap({ dark }) {
    const map = new Uint8ClampedArray(256 * 3);
    const paper = dark ? 40 : 255;
    for (let i = 0; i < 255; i++) {
      map.set(HEAT.map((level) => paper + ((level - paper) * i) / 254), 3 * i);
    }
    return map;
  }

  return { pictured, heat, heatMap };
})();
