// Pages are written in UTC, as limits are; here moments are told in the reader's own zone as well.

const WHOLE = new Intl.DateTimeFormat("en", { dateStyle: "medium", timeStyle: "long" });
const SHORT = new Intl.DateTimeFormat("en", { month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", hourCycle: "h23" });

export function tellTimes(root) {
  for (const time of root.querySelectorAll('time[title$="UTC"]')) {
    const moment = new Date(time.dateTime);
    time.title += `\n${WHOLE.format(moment)}`;
    // A day with its hour, as in lists; what is told by its distance or its day alone stays.
    if (time.classList.contains("stamp") && time.textContent.includes(":")) time.textContent = SHORT.format(moment);
  }
}
