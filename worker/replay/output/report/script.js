"use strict";
// Folds and filters claims, and opens everything for paper. The page says all it has to say without it.
(() => {
  const all = (selector) => [...document.querySelectorAll(selector)];
  const claims = all("details.claim");
  const controls = document.querySelector(".controls");

  if (controls) {
    const filter = document.getElementById("filter");
    const shown = document.getElementById("shown");
    const open = (value) => claims.filter((one) => !one.hidden).forEach((one) => { one.open = value; });
    const narrow = () => {
      const sought = filter.value.trim().toLowerCase();
      for (const one of claims) {
        one.hidden = !one.firstElementChild.textContent.toLowerCase().includes(sought);
      }
      const left = claims.filter((one) => !one.hidden).length;
      shown.classList.toggle("all", left === claims.length);
      shown.textContent = left === claims.length ? `${left} shown` : `${left} of ${claims.length} shown`;
    };
    document.getElementById("expand").addEventListener("click", () => open(true));
    document.getElementById("collapse").addEventListener("click", () => open(false));
    filter.addEventListener("input", narrow);
    controls.hidden = false;
    narrow(); // browsers keep what was typed over a reload
  }

  // A frame that scrolls is a stop of the Tab key, and only then.
  const watching = new ResizeObserver((seen) => {
    for (const { target } of seen) {
      if (target.scrollWidth > target.clientWidth) target.tabIndex = 0;
      else target.removeAttribute("tabindex");
    }
  });
  all(".scroll").forEach((one) => watching.observe(one));

  let opened = [];
  addEventListener("beforeprint", () => {
    opened = all("details:not([open])");
    opened.forEach((one) => { one.open = true; });
  });
  addEventListener("afterprint", () => {
    opened.forEach((one) => { one.open = false; });
    opened = [];
  });
})();
