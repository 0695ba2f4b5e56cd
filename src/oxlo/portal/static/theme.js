// Switches the theme without reloading; without scripts the form does it.

export function watchTheme() {
  const form = document.querySelector("form.theme");
  form?.addEventListener("submit", (event) => {
    event.preventDefault();
    const chosen = document.documentElement.dataset.theme;
    const dark = chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    const next = dark ? "light" : "dark";
    document.documentElement.dataset.theme = next;
    const secure = location.protocol === "https:" ? "; Secure" : "";
    document.cookie = `theme=${next}; Path=/; Max-Age=31536000; SameSite=Lax${secure}`;
  });
}
