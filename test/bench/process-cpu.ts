// CPU seconds of the programs that a measurement started, by kind: who was at work while something took its time. What ended
// meanwhile counts with whoever waited for it.
import { readdirSync, readFileSync } from 'node:fs'

/** Clock ticks of a second in /proc, on every Linux that Node runs on (sysconf(3), _SC_CLK_TCK). */
const TICKS = 100

interface Seen {
  readonly parent: number
  readonly seconds: number
  readonly command: string
}

/** User and system time since they began, of all processes below this one. `kindOf` gives the kind by the command line, and with it
 *  that of all processes below; null: look further down. */
export function cpuByKind(kindOf: (command: string) => string | null): ReadonlyMap<string, number> {
  const all = new Map(pids().flatMap((pid) => seen(pid) ?? []))
  const below = Map.groupBy(all, ([, { parent }]) => parent)
  const sums = new Map<string, number>()
  const add = (parent: number, kind: string | null): void => {
    for (const [pid, { seconds, command }] of below.get(parent) ?? []) {
      const own = kind ?? kindOf(command)
      if (own !== null) sums.set(own, (sums.get(own) ?? 0) + seconds)
      add(pid, own)
    }
  }
  add(process.pid, null)
  return sums
}

function pids(): readonly number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
}

/** Null: it has ended. */
function seen(pid: number): [[number, Seen]] | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    // The program's name, which stands in brackets, may have any character.
    const fields = stat
      .slice(stat.lastIndexOf(')') + 2)
      .split(' ')
      .map(Number)
    const [parent = 0] = fields.slice(1)
    const seconds = fields.slice(11, 15).reduce((sum, ticks) => sum + ticks, 0) / TICKS
    return [[pid, { parent, seconds, command: readFileSync(`/proc/${pid}/cmdline`, 'latin1').replaceAll('\0', ' ') }]]
  } catch {
    return null
  }
}
