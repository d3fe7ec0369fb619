/* What somebody has begun to say of a pair, kept in the browser until the vote is kept. */
const SinkTrackDrafts = (() => {
  "use strict";

  const MOST = 40; // of pairs that were never kept, the oldest go first

  /** A short name for a pair as it is shown, so that no draft comes back with other sides. */
  function fingerprint(pair) {
    const text = JSON.stringify([pair.question, pair.left, pair.right, pair.passage, pair.pictures,
      ...(pair.earlier ?? [])]);
    let [a, b] = [0xdeadbeef, 0x41c6ce57]; // cyrb53, which is no secret and need not be one
    for (let i = 0; i < text.length; i++) {
      const code = text.charCodeAt(i);
      a = Math.imul(a ^ code, 2654435761);
      b = Math.imul(b ^ code, 1597334677);
    }
    a = Math.imul(a ^ (a >>> 16), 2246822507) ^ Math.imul(b ^ (b >>> 13), 3266489909);
    b = Math.imul(b ^ (b >>> 16), 2246822507) ^ Math.imul(a ^ (a >>> 13), 3266489909);
    return (4294967296 * (2097151 & b) + (a >>> 0)).toString(36);
  }

  /** Where a browser keeps nothing, drafts last as long as the page. */
  function attempt(action, otherwise = null) {
    try {
      return action();
    } catch {
      return otherwise;
    }
  }

  class Drafts {
    /**
     * @param {string} study its key
     * @param {string} person whose drafts they are
     */
    constructor(study, person) {
      this.prefix = `${study}-draft-${encodeURIComponent(person.toLowerCase())}-`;
    }

    read(pair) {
      return attempt(() => JSON.parse(localStorage.getItem(this.prefix + fingerprint(pair))));
    }

    write(pair, said) {
      attempt(() => {
        localStorage.setItem(this.prefix + fingerprint(pair), JSON.stringify({ ...said, at: Date.now() }));
        this.forgetOld();
      });
    }

    drop(pair) {
      attempt(() => localStorage.removeItem(this.prefix + fingerprint(pair)));
    }

    forgetOld() {
      const keys = Object.keys(localStorage).filter((key) => key.startsWith(this.prefix));
      if (keys.length <= MOST) return;
      const age = (key) => attempt(() => JSON.parse(localStorage.getItem(key)).at, 0);
      const oldest = keys.map((key) => [age(key), key]).sort(([a], [b]) => a - b);
      for (const [, key] of oldest.slice(0, keys.length - MOST)) localStorage.removeItem(key);
    }
  }

  return { Drafts, attempt };
})();
