/* Asking the server, where a line of the page says what went wrong. */
const SinkTrackAsk = (() => {
  "use strict";

  /**
   * Return what sends a request and gives the answer; null after saying why there is none.
   * @param {(request: object) => Promise<object>} ask asks the server
   * @param {HTMLElement} line where it is said
   */
  function asker(ask, line) {
    return async (request) => {
      try {
        const answer = await ask(request);
        line.textContent = answer.error ?? "";
        return answer.error ? null : answer;
      } catch {
        line.textContent = "The server cannot be reached: try again.";
        return null;
      }
    };
  }

  return { asker };
})();
