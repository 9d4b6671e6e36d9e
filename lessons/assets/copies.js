// Material makes a landmark of each copy button, and gives none of them a name: they are none.
(() => {
  "use strict";
  const plain = node => {
    if (node.matches?.("nav.md-code__nav")) node.setAttribute("role", "presentation");
  };
  new MutationObserver(changes => {
    for (const { addedNodes } of changes) addedNodes.forEach(plain);
  }).observe(document.documentElement, { childList: true, subtree: true });
  document.querySelectorAll("nav.md-code__nav").forEach(plain);
})();
