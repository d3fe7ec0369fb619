/* As much of a document as the scripts need to build what they show; nothing is laid out or drawn. */
"use strict";

class FakeElement {
  constructor(tag) {
    Object.assign(this, { tag, children: [], attributes: {}, dataset: {}, listeners: {} });
    this.style = { setProperty: (name, value) => (this.style[name] = value) };
    const classes = new Set();
    this.classList = {
      add: (name) => classes.add(name),
      contains: (name) => classes.has(name),
      toggle: (name, on) => (on ? classes.add(name) : classes.delete(name)),
    };
  }

  set textContent(text) {
    this.children = [String(text)];
  }

  get textContent() {
    return this.children.map((child) => child.textContent ?? child).join("");
  }

  append(...children) {
    this.children.push(...children);
  }

  replaceChildren(...children) {
    this.children = children;
  }

  setAttribute(name, value) {
    this.attributes[name] = String(value);
  }

  removeAttribute(name) {
    delete this.attributes[name];
    delete this[name];
  }

  addEventListener(type, listener) {
    this.listeners[type] = listener;
  }

  remove() {}

  scrollIntoView() {}

  focus() {}

  querySelector() {
    return null;
  }

  /** All elements of a kind below this one, in order. */
  all(tag) {
    return this.children.filter((child) => child instanceof FakeElement).flatMap(
      (child) => [...(child.tag === tag ? [child] : []), ...child.all(tag)]);
  }
}

globalThis.document = {
  createElement: (tag) => new FakeElement(tag),
  createElementNS: (_, tag) => new FakeElement(tag),
  getElementById: () => null,
};

module.exports = { FakeElement };
