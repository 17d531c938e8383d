// node test/ledger/damage/run.ts [seeds] [first]: repairs so many damaged ledgers (500), and prints what came of them by kind. Ends with 1
// when a promise was broken. Not part of `npm test`, which tries a few of them (repair.test.ts).
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { damage, judge, KINDS, type Verdict } from './damage.ts'
import { copyLedger, makeSample } from './sample.ts'

const [count = 500, first = 0] = process.argv.slice(2).map(Number)
const directory = mkdtempSync(join(tmpdir(), 'popfetch-damage-'))
const closed = join(directory, 'closed', 'state.db')
const open = join(directory, 'open', 'state.db')
mkdirSync(join(directory, 'open'), { mode: 0o700 })
const truth = await makeSample(closed, { work: 150, home: 600, tiny: 3 }, () => copyLedger(closed, open))
const verdicts: Verdict[] = []
for (let seed = first; seed < first + count; seed++) {
  const place = join(directory, String(seed))
  mkdirSync(place, { mode: 0o700 })
  const path = join(place, 'state.db')
  copyLedger(seed % 2 === 0 ? closed : open, path)
  const kind = damage(path, seed)
  verdicts.push(await judge(path, kind, truth, `seed ${seed} (${kind})`))
  rmSync(place, { recursive: true, force: true })
}
for (const kind of KINDS) {
  const of = verdicts.filter((verdict) => verdict.kind === kind)
  const sum = (value: (verdict: Verdict) => number): number => of.reduce((all, verdict) => all + value(verdict), 0)
  const whats = ['unnoticed', 'repaired', 'nothing saved'].map(
    (what) => `${of.filter((each) => each.what === what).length} ${what}`,
  )
  process.stdout.write(
    `${kind}: ${of.length}: ${whats.join(', ')}; of ${sum(({ all }) => all)} messages SQLite read ${sum(({ before }) => before)}, ${sum(({ after }) => after)} are known after\n`,
  )
}
const faults = verdicts.flatMap((verdict) => verdict.faults)
for (const fault of faults.slice(0, 40)) process.stdout.write(`${fault}\n`)
process.stdout.write(`${verdicts.length} damages, ${faults.length} broken promises\n`)
rmSync(directory, { recursive: true, force: true })
process.exitCode = faults.length > 0 ? 1 : 0
