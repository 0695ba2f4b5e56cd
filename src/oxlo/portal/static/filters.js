// While a filter is being applied, a list that updates itself stays in place: the filter's response
// would find no element to replace.

export function watchFilters() {
  document.addEventListener("htmx:beforeSwap", (event) => {
    const form = document.querySelector("form.filters.htmx-request");
    if (form && event.detail.requestConfig.elt !== form) event.detail.shouldSwap = false;
  });
}
