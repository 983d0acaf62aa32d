// j and k go down and up in a list, or to the case after and before; u to the next unread; / to the
// search. Everything works without this file.
"use strict";

document.addEventListener("keydown", (event) => {
  const typing = event.target.closest("input, textarea, select");
  if (typing || event.ctrlKey || event.altKey || event.metaKey || event.isComposing) return;
  if (event.key === "/") {
    const box = document.getElementById("query");
    if (box) {
      event.preventDefault();
      box.focus();
    }
  } else if ("jku".includes(event.key)) {
    const link = document.querySelector(`a[data-key="${event.key}"]`);
    if (link) link.click();
    else if (event.key !== "u") move(event.key === "j" ? 1 : -1);
  }
});

function move(step) {
  const cases = [...document.querySelectorAll("a.case")];
  const place = cases.indexOf(document.activeElement);
  const next = cases[place < 0 ? 0 : place + step];
  if (next) next.focus();
}
