// Keeps the owner's page fresh. What does not answer is shown faint, and asked again.
(() => {
  const SECONDS = 5;
  const now = document.getElementById("now");

  async function refresh() {
    if (document.hidden) {
      return;
    }
    try {
      const answer = await fetch(`${location.pathname.replace(/\/$/, "")}/now`);
      if (answer.status === 401) {
        location.reload(); // the sign has grown old, or the server has started anew
      } else if (answer.ok) {
        const told = new DOMParser().parseFromString(await answer.text(), "text/html");
        now.replaceChildren(...told.body.childNodes);
      }
      document.body.classList.toggle("so-late", !answer.ok);
    } catch {
      document.body.classList.add("so-late");
    }
  }

  setInterval(refresh, SECONDS * 1000);
  document.addEventListener("visibilitychange", refresh);
})();
