/* Asking the server, where a line of the page says what went wrong. */
const SinkTrackAsk = (() => {
  "use strict";

  /**
   * Return what sends a request and gives the answer; null after saying why there is none. Answers may come in
   * another order than they were asked for, so asking clears the line, and an answer says only what went wrong.
   * @param {(request: object) => Promise<object>} ask asks the server; nothing where it has gone
   * @param {HTMLElement} line where it is said
   */
  function asker(ask, line) {
    return async (request) => {
      line.textContent = "";
      const answer = (await ask(request).catch(() => null)) ?? { error: "The server cannot be reached: try again." };
      if (!answer.error) return answer;
      line.textContent = answer.error;
      return null;
    };
  }

  return { asker };
})();
