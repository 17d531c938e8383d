// Thunderbird's prefs.js and profiles.ini as far as popfetch reads them: `user_pref("name", value);`, one a line. Nothing of it is run.
// Only what differs from Thunderbird's default is there. Pure.
import { parseIni } from '../ini.ts'
import { filledLines, named, quotationEnd } from '../text.ts'

export type Preference = string | number | boolean
export type Preferences = Readonly<Record<string, Preference>>

/** The settings by name; a line that is none is left out, and the last of two with one name counts, as in Thunderbird. */
export function parsePreferences(text: string): Preferences {
  const found = named<Preference>()
  for (const line of filledLines(text)) {
    const start = line.indexOf('user_pref("')
    if (start < 0 || line.slice(0, start).trim() !== '') continue
    const from = start + 'user_pref('.length
    const end = quotationEnd(line, from)
    const name = line.slice(from + 1, end)
    const comma = line.indexOf(',', end)
    const close = line.lastIndexOf(')')
    if (comma < 0 || close < comma) continue
    const value = valueOf(line.slice(comma + 1, close).trim())
    if (value !== null) found[name] = value
  }
  return found
}

/** Null: no value that Thunderbird writes. */
function valueOf(text: string): Preference | null {
  if (text === 'true' || text === 'false') return text === 'true'
  if (/^-?\d{1,15}$/.test(text)) return Number(text)
  if (text.length < 2 || !text.startsWith('"') || quotationEnd(text, 0) !== text.length - 1) return null
  return text
    .slice(1, -1)
    .replace(/\\(?:u([0-9A-Fa-f]{4})|x([0-9A-Fa-f]{2})|([\s\S]))/g, (_, ...groups: (string | undefined)[]) => {
      const [four, two, one = ''] = groups
      const digits = four ?? two
      if (digits !== undefined) return String.fromCharCode(Number.parseInt(digits, 16))
      return one === 'n' ? '\n' : one === 'r' ? '\r' : one === 't' ? '\t' : one
    })
}

/** The folder of the profile that Thunderbird starts with, relative to the folder of profiles.ini or absolute; null: it names none. */
export function usualProfile(profilesIni: string): string | null {
  const sections = Object.entries(parseIni(profilesIni))
  const ofInstallation = sections.find(([name]) => name.startsWith('Install'))?.[1]['default']
  const profiles = sections.filter(([name]) => name.startsWith('Profile')).map(([, section]) => section)
  const marked = profiles.find((section) => section['default'] === '1') ?? profiles[0]
  return ofInstallation || marked?.['path'] || null
}
