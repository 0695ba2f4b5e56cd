// Behaviour of every page: copy buttons, theme, shortcuts, menus, snippet language.

import { watchForms } from "./busy.js";
import { watchConnection } from "./connection.js";
import { watchContents } from "./contents.js";
import { showCopyButtons, watchCopyButtons } from "./copy.js";
import { watchFilters } from "./filters.js";
import { watchKeys } from "./keys.js";
import { watchMenus } from "./menus.js";
import { applyLanguage, watchLanguages } from "./snippets.js";
import { watchTheme } from "./theme.js";
import { tellTimes } from "./times.js";

watchConnection();
watchContents();
watchCopyButtons();
watchFilters();
watchForms();
watchKeys();
watchLanguages();
watchMenus();
watchTheme();
tellTimes(document);

// The same for content that htmx loads later.
document.addEventListener("htmx:load", (event) => {
  showCopyButtons(event.target);
  applyLanguage(event.target);
  tellTimes(event.target);
});
