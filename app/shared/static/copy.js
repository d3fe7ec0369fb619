/* An address for the clipboard, or shown where the clipboard is refused. */
const SinkTrackCopy = (() => {
  "use strict";

  const { make } = SinkTrackDom;

  /**
   * Copy an address and say so.
   * @param {HTMLElement} line where it is said
   * @param {string} address
   * @param {string} label what a screen reader calls the address where it is shown
   */
  async function copy(line, address, label) {
    line.setAttribute("role", "status");
    try {
      await navigator.clipboard.writeText(address);
      line.textContent = "The link is copied.";
    } catch { // no clipboard without https, or not allowed
      const field = make("input", "st-address");
      Object.assign(field, { value: address, readOnly: true, ariaLabel: label });
      line.replaceChildren("Copy this link: ", field);
      field.focus();
      field.select();
    }
  }

  return { copy };
})();
