// Pages are rendered in UTC, like limits; this adds timestamps in the reader's time zone.

const WHOLE = new Intl.DateTimeFormat("en", { dateStyle: "medium", timeStyle: "long" });
const SHORT = new Intl.DateTimeFormat("en", { month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", hourCycle: "h23" });

export function tellTimes(root) {
  for (const time of root.querySelectorAll('time[title$="UTC"]')) {
    const moment = new Date(time.dateTime);
    time.title += `\n${WHOLE.format(moment)}`;
    // Only texts with a date and a time are converted; relative times and dates stay.
    if (time.classList.contains("stamp") && time.textContent.includes(":")) time.textContent = SHORT.format(moment);
  }
}
