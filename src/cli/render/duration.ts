/** Times for people. */

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** `12 ms`, `3.4 s`, `2 m 05 s`, `1 h 02 m`, `3 d 4 h`. */
export function formatDuration(ms: number): string {
  const time = Math.max(0, Math.round(ms));
  if (time < SECOND) return `${time} ms`;
  if (time < MINUTE) return `${(Math.floor(time / 100) / 10).toFixed(1)} s`;
  if (time < HOUR)
    return `${Math.floor(time / MINUTE)} m ${pad(Math.floor((time % MINUTE) / SECOND))} s`;
  if (time < DAY)
    return `${Math.floor(time / HOUR)} h ${pad(Math.floor((time % HOUR) / MINUTE))} m`;
  return `${Math.floor(time / DAY)} d ${Math.floor((time % DAY) / HOUR)} h`;
}

/** Local time of day, `12:01:03`. */
export function formatTime(time: number): string {
  const date = new Date(time);
  return [date.getHours(), date.getMinutes(), date.getSeconds()].map(pad).join(':');
}

/** Local date and time, `2026-03-01 12:01:03`. */
export function formatDateTime(time: number): string {
  const date = new Date(time);
  const day = [date.getFullYear(), pad(date.getMonth() + 1), pad(date.getDate())].join('-');
  return `${day} ${formatTime(time)}`;
}

const pad = (number: number): string => String(number).padStart(2, '0');
