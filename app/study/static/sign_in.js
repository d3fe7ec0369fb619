/* Signing in: a name, the code of the study, and the personal code that makes a name somebody's own.
 * It knows no server: what is typed goes to whoever made the form.
 */
const SinkTrackSignIn = (() => {
  "use strict";

  const { make } = SinkTrackDom;
  const { button } = SinkTrackPairForm;
  const { attempt } = SinkTrackDrafts;
  const LETTERS = "abcdefghjkmnpqrstuvwxyz23456789";

  /** A personal code: three groups of four letters and digits. */
  function personalCode() {
    const letters = [];
    while (letters.length < 12) {
      const [byte] = crypto.getRandomValues(new Uint8Array(1));
      if (byte < 248) letters.push(LETTERS[byte % LETTERS.length]); // 8 x 31, so that none is likelier
    }
    return letters.join("").replace(/(.{4})(?=.)/g, "$1-");
  }

  function field(label, name, type) {
    const box = make("label", "sj-field");
    const input = Object.assign(make("input"), { name, type, autocomplete: "off" });
    box.append(make("span", "", label), input);
    return { box, input };
  }

  /**
   * Who comes by a platform's link: their id and the study's code, which do not stay in the address.
   * @param {string} id what the platform calls the id
   * @returns {{name: string, code: string} | null} null for who does not
   */
  function fromAddress(id) {
    const address = new URL(location.href);
    const [name, code] = [id, "code"].map((each) => address.searchParams.get(each)?.trim());
    if (!name || !code) return null;
    for (const each of [id, "code"]) address.searchParams.delete(each);
    history.replaceState(history.state, "", address);
    return { name, code };
  }

  /** The code that a new name is to have, kept from before it is sent until it is known whose it is: the answer may
   * never come, and then nobody else knows it.
   */
  class Proposal {
    /** @param {string} study its key */
    constructor(study) {
      this.key = `${study}-proposed`;
    }

    of(name) {
      const own = name.trim().toLowerCase();
      this.made = attempt(() => JSON.parse(localStorage.getItem(this.key))) ?? this.made;
      if (this.made?.name !== own) {
        this.made = { name: own, code: personalCode() };
        attempt(() => localStorage.setItem(this.key, JSON.stringify(this.made)));
      }
      return this.made.code;
    }

    forget() {
      this.made = null;
      attempt(() => localStorage.removeItem(this.key));
    }
  }

  class SignIn {
    /**
     * @param {Proposal} proposal of a code, for a name that has none
     * @param {HTMLElement[]} above what stands above the fields
     * @param {object | null} kept who signed in here last: name and personal code
     * @param {(request: object) => Promise<object | null>} onSubmit signs in; null where that failed,
     *   and an answer with "taken" where the name is somebody's
     */
    constructor(proposal, above, kept, onSubmit) {
      Object.assign(this, { proposal, kept, onSubmit });
      this.box = make("form", "sj-card sj-sign");
      this.name = field("Your name", "name", "text");
      this.code = field("Code of this study", "code", "password");
      this.personal = field("Your personal code", "personal", "text");
      this.name.input.value = kept?.name ?? "";
      for (const { input } of [this.name, this.code]) input.required = true;
      this.name.input.autocomplete = "username";
      this.personal.box.hidden = true;
      const told = "Everybody in this study has the same code. Your name goes with your votes to the people who "
        + "run it. At your first sign-in you get a personal code, which makes the name yours: nobody else can "
        + "vote under it or read what you wrote.";
      const go = Object.assign(make("button", "sj-button sj-main", "Begin"), { type: "submit" });
      this.box.append(...above, this.name.box, this.code.box, this.personal.box, go, make("p", "sj-hint", told));
      this.box.addEventListener("submit", (event) => {
        event.preventDefault();
        this.submit();
      });
    }

    focus() {
      (this.name.input.value ? this.code : this.name).input.focus();
    }

    async submit() {
      const name = this.name.input.value;
      const same = this.kept?.personal && name.trim().toLowerCase() === this.kept.name.toLowerCase();
      const personal = this.personal.input.value.trim() || (same ? this.kept.personal : this.proposal.of(name));
      await this.onSubmit({ what: "sign in", name, code: this.code.input.value, personal });
    }

    /** Sign in with a name and a code that are known, as of who comes by a platform's link. */
    async submitAs({ name, code }) {
      [this.name.input.value, this.code.input.value] = [name, code];
      await this.submit();
    }

    /** Ask for the personal code of a name that is somebody's. */
    askPersonal() {
      this.personal.box.hidden = false;
      this.personal.input.focus();
    }
  }

  /**
   * A card that shows somebody their personal code.
   * @param {string} name
   * @param {string} code
   * @param {[string, () => void][]} ways how it is left: the words of a button, and what it does
   */
  function codeCard(name, code, ways) {
    const box = make("section", "sj-card sj-own");
    const shown = make("code", "sj-code", code);
    const words = make("p", "", "Your personal code is ");
    words.append(shown, `. Copy it: with the name ${name} it lets you go on in another browser. `
      + "If you lose it, ask the people who run this study.");
    const row = make("div", "sj-row");
    const copy = button("Copy", "sj-quiet", async () => {
      try {
        await navigator.clipboard.writeText(code);
        copy.textContent = "Copied";
      } catch { // not on an address without https: select it, for Ctrl+C
        getSelection().selectAllChildren(shown);
      }
    });
    row.append(copy, ...ways.map(([text, act]) => button(text, "sj-quiet", act)));
    box.append(words, row);
    return box;
  }

  return { Proposal, SignIn, codeCard, fromAddress };
})();
