// The list of pages beside a long one: what is read now is marked in it, and in sight.

const side = document.querySelector(".docs .side");

function bringIntoSight(link) {
  const above = link.offsetTop - side.clientHeight / 3;
  if (side.scrollHeight > side.clientHeight) side.scrollTop = above;
}

function mark(link) {
  side.querySelector("[aria-current='location']")?.removeAttribute("aria-current");
  link.setAttribute("aria-current", "location");
}

// A part is read from when its heading has passed the upper third until the next one has.
function follow(links) {
  const headings = links.map((link) => document.getElementById(link.hash.slice(1))).filter(Boolean);
  const read = () => {
    const passed = headings.filter((one) => one.getBoundingClientRect().top < innerHeight / 3);
    const link = passed.length && links.find((one) => one.hash === `#${passed.at(-1).id}`);
    if (link) mark(link);
  };
  const watcher = new IntersectionObserver(read, { rootMargin: "0px 0px -66% 0px" });
  for (const heading of headings) watcher.observe(heading);
}

export function watchContents() {
  const page = side?.querySelector("[aria-current='page']");
  if (!page) return;
  bringIntoSight(page);
  const links = [...page.parentElement.querySelectorAll("li a")];
  if (links.length) follow(links);
}
