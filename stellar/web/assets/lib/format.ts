const UNITS = ["B", "KiB", "MiB", "GiB", "TiB"];

/** Bytes as `1.5 GiB`. */
export function size(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (Math.abs(value) >= 1024 && unit < UNITS.length - 1) {
    value /= 1024;
    unit += 1;
  }
  const digits = unit === 0 || value >= 100 || Number.isInteger(value) ? 0 : 1;
  return `${value.toFixed(digits)} ${UNITS[unit]}`;
}

/** Seconds as `3 h 12 min`. */
export function duration(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds));
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  if (whole < 86400) return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
  return `${Math.floor(whole / 86400)} d ${Math.floor((whole % 86400) / 3600)} h`;
}

const STEPS: [number, Intl.RelativeTimeFormatUnit][] = [
  [60, "second"],
  [60, "minute"],
  [24, "hour"],
  [30, "day"],
  [12, "month"],
];
const RELATIVE = new Intl.RelativeTimeFormat("en", { numeric: "auto" });
const CLOCK = dates({ dateStyle: "medium", timeStyle: "medium" });

/** The account's own way of writing dates, or the browser's where there is none such. */
function locales(): string[] {
  try {
    return Intl.getCanonicalLocales(document.documentElement.dataset["locale"] || []);
  } catch {
    return [];
  }
}

/** A format in the account's time zone, or the browser's where none is chosen or the browser doesn't know it. */
function dates(style: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  const timeZone = document.documentElement.dataset["timeZone"];
  if (timeZone) {
    try {
      return new Intl.DateTimeFormat(locales(), { ...style, timeZone });
    } catch {
      // A zone that is newer than the browser.
    }
  }
  return new Intl.DateTimeFormat(locales(), style);
}

/** A time as `3 minutes ago`. */
export function relative(moment: Date, now = new Date()): string {
  let value = (moment.getTime() - now.getTime()) / 1000;
  if (Math.abs(value) < 10) return "just now";
  for (const [step, unit] of STEPS) {
    if (Math.abs(value) < step) return RELATIVE.format(Math.round(value), unit);
    value /= step;
  }
  return RELATIVE.format(Math.round(value), "year");
}

/** A time in the reader's own zone. */
export function clock(moment: Date): string {
  return CLOCK.format(moment);
}

const TIME_OF_DAY = dates({ timeStyle: "short" });
const MONTH_DAY = dates({ month: "short", day: "numeric" });

/** The hour and minute of a time. */
export function timeOfDay(moment: Date): string {
  return TIME_OF_DAY.format(moment);
}

/** The day of a time, without its year. */
export function monthDay(moment: Date): string {
  return MONTH_DAY.format(moment);
}
