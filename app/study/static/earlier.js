/* What somebody said so far, vote by vote, each to be changed without the later ones. */
const SinkTrackEarlier = (() => {
  "use strict";

  const { make } = SinkTrackDom;
  const { button } = SinkTrackPairForm;
  const { NAMES, sideName } = SinkTrackSides;
  const better = (said) => (NAMES.includes(said) ? `${sideName(said)} is better` : said);

  /**
   * @param {object} answer votes, latest first, and whether the methods' names may be seen
   * @param {(vote: object) => void} onChange takes a vote back, to be given again
   * @param {(vote: object) => void} onReveal asks which method wrote which answer
   * @param {() => void} onClose
   */
  function list(answer, onChange, onReveal, onClose) {
    const box = make("section", "sj-card sj-earlier");
    const head = make("div", "sj-row");
    head.append(make("h2", "", "Your votes"), button("Close", "sj-quiet", onClose));
    const rows = make("ol");
    for (const vote of answer.votes) {
      const row = make("li");
      const question = make("span", "", vote.question);
      question.dir = "auto";
      row.append(question, make("span", "sj-hint", `${better(vote.better)}${vote.comment ? ` · “${vote.comment}”` : ""}`));
      const does = make("span", "sj-row");
      if (vote.changeable) does.append(button("Change", "sj-quiet", () => onChange(vote)));
      if (answer.reveal) does.append(button("Which was which?", "sj-quiet", () => onReveal(vote)));
      row.append(does);
      rows.append(row);
    }
    box.append(head, rows);
    return box;
  }

  return { list };
})();
