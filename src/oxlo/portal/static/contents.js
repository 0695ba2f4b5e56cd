// The sidebar of a long page: marks the section in view and keeps its entry visible.

const side = document.querySelector(".docs .side");

function bringIntoSight(link) {
  const above = link.offsetTop - side.clientHeight / 3;
  if (side.scrollHeight > side.clientHeight) side.scrollTop = above;
}

function mark(link) {
  side.querySelector("[aria-current='location']")?.removeAttribute("aria-current");
  link?.setAttribute("aria-current", "location");
}

// A section is current once its heading has scrolled past the upper third of the window.
function follow(links) {
  const headings = links.map((link) => document.getElementById(link.hash.slice(1))).filter(Boolean);
  const read = () => {
    const passed = headings.filter((one) => one.getBoundingClientRect().top < innerHeight / 3);
    mark(links.find((one) => one.hash === `#${passed.at(-1)?.id}`));
  };
  // No IntersectionObserver: a heading that Page Down jumps over never intersects.
  addEventListener("scroll", read, { passive: true });
  read();
}

export function watchContents() {
  const page = side?.querySelector("[aria-current='page']");
  if (!page) return;
  bringIntoSight(page);
  const links = [...page.parentElement.querySelectorAll("li a")];
  if (links.length) follow(links);
}
