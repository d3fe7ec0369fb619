/* Asking the server, where a line of the page says what went wrong. */
const SinkTrackAsk = (() => {
  "use strict";

  /**
   * Return what sends a request and gives the answer; null after saying why there is none. Answers may come in
   * another order than they were asked for: only what was asked last changes the line.
   * @param {(request: object) => Promise<object>} ask asks the server
   * @param {HTMLElement} line where it is said
   */
  function asker(ask, line) {
    let asked = 0;
    return async (request) => {
      const turn = (asked += 1);
      const say = (text) => {
        if (turn === asked) line.textContent = text;
      };
      try {
        const answer = await ask(request);
        say(answer.error ?? "");
        return answer.error ? null : answer;
      } catch {
        say("The server cannot be reached: try again.");
        return null;
      }
    };
  }

  return { asker };
})();
