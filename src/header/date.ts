// A date of a header (RFC 5322 section 3.3), read without trusting it.
const SPACE = 32
const PLUS = 43
const COMMA = 44
const MINUS = 45
const ZERO = 48
const NINE = 57
const LETTER_X = 88
const LETTER_A = 97
/** Makes the code of a capital that of its small letter. */
const LOWER = 32

const MONTHS: readonly string[] = 'jan feb mar apr may jun jul aug sep oct nov dec'.split(' ')
// Zone names of RFC 822, in hours; all others mean "unknown", which RFC 5322 section 4.3 reads as -0000.
const ZONE_HOURS: Readonly<Record<string, number>> = {
  EST: -5,
  EDT: -4,
  CST: -6,
  CDT: -5,
  MST: -7,
  MDT: -6,
  PST: -8,
  PDT: -7,
}
const DATE =
  /^[ \t]*(?:[a-z]{3}[ \t]*,)?[ \t]*(\d{1,2})[ \t]+([a-z]{3})[ \t]+(\d{4}|\d{2})[ \t]+(\d{2}):(\d{2})(?::(\d{2}))?[ \t]+(?:([+-])(\d{2})(\d{2})|([a-z]{1,5}))[ \t]*(?:\([^()]*\)[ \t]*)?$/i

/** A date-time of RFC 5322 section 3.3, with the two-digit years and zone names of section 4.3 and one comment at the
 *  end. Null for all else. Not Date.parse: that one believes nearly anything. */
export function parseDateMs(text: string): number | null {
  return plainDateMs(text) ?? anyDateMs(text)
}

/** The form that nearly all have, with `Tue, ` before it or not. 0: a digit; a letter and the sign are looked at by themselves. */
const FORM = '00 Xxx 0000 00:00:00 +0000'
const MONTH_NAMES = 'JanFebMarAprMayJunJulAugSepOctNovDec'

/** Null: in doubt. In a tenth of the time that the other one takes. */
function plainDateMs(text: string): number | null {
  const first = text.charCodeAt(3) === COMMA && text.charCodeAt(4) === SPACE && areLetters(text, 3) ? 5 : 0
  // As if the day had two digits.
  const at = text.length - FORM.length
  if ((at !== first && at !== first - 1) || !hasForm(text, at, first)) return null
  const day = at === first ? twoDigits(text, at) : digit(text, first)
  const month = MONTH_NAMES.indexOf(text.slice(at + 3, at + 6)) / 3
  const year = twoDigits(text, at + 7) * 100 + twoDigits(text, at + 9)
  const hour = twoDigits(text, at + 12)
  const minute = twoDigits(text, at + 15)
  const second = twoDigits(text, at + 18)
  const sign = text.charCodeAt(at + 21)
  const zoneMinutes = twoDigits(text, at + 24)
  // Which months have more days is for the other one to know.
  const isDay = day >= 1 && day <= 28 && month >= 0 && Number.isInteger(month) && year >= 1900
  const isTime = hour <= 23 && minute <= 59 && second <= 60 && zoneMinutes <= 59 && (sign === PLUS || sign === MINUS)
  if (!isDay || !isTime) return null
  const offsetMinutes = (sign === MINUS ? -1 : 1) * (twoDigits(text, at + 22) * 60 + zoneMinutes)
  return Date.UTC(year, month, day) + ((hour * 60 + minute - offsetMinutes) * 60 + second) * 1000
}

/** Has `text`, from `from` on, the form that would begin at `at`? */
function hasForm(text: string, at: number, from: number): boolean {
  for (let index = from; index < text.length; index++) {
    const wanted = FORM.charCodeAt(index - at)
    const code = text.charCodeAt(index)
    const isRight =
      wanted === ZERO ? code >= ZERO && code <= NINE : code === wanted || wanted >= LETTER_X || wanted === PLUS
    if (!isRight) return false
  }
  return true
}

function areLetters(text: string, count: number): boolean {
  for (let at = 0; at < count; at++) {
    const code = text.charCodeAt(at) | LOWER
    if (code < LETTER_A || code > LETTER_A + 25) return false
  }
  return true
}

function digit(text: string, at: number): number {
  return text.charCodeAt(at) - ZERO
}

function twoDigits(text: string, at: number): number {
  return digit(text, at) * 10 + digit(text, at + 1)
}

function anyDateMs(text: string): number | null {
  if (text.length > 100) return null
  const match = DATE.exec(text)
  if (match === null) return null
  const [
    ,
    day = '',
    monthName = '',
    yearText = '',
    hour = '',
    minute = '',
    second = '0',
    sign,
    zoneHours,
    zoneMinutes,
    zone,
  ] = match
  const month = MONTHS.indexOf(monthName.toLowerCase())
  const short = Number(yearText)
  const year = yearText.length === 4 ? short : short < 50 ? 2000 + short : 1900 + short
  if (month < 0 || Number(hour) > 23 || Number(minute) > 59 || Number(second) > 60 || Number(zoneMinutes ?? '0') > 59)
    return null
  const dayMs = Date.UTC(year, month, Number(day))
  // 31 Nov would silently be 1 Dec; a year below 100 would be in the 20th century.
  const date = new Date(dayMs)
  if (date.getUTCMonth() !== month || date.getUTCDate() !== Number(day) || date.getUTCFullYear() !== year) return null
  const offsetMinutes =
    zone === undefined
      ? (sign === '-' ? -1 : 1) * (Number(zoneHours ?? '0') * 60 + Number(zoneMinutes ?? '0'))
      : (ZONE_HOURS[zone.toUpperCase()] ?? 0) * 60
  return dayMs + ((Number(hour) * 60 + Number(minute) - offsetMinutes) * 60 + Number(second)) * 1000
}
