// `npm run bench:micro [-- NAME…]`: parts of popfetch by themselves, in this process, without server or network. For the
// person who changes one of them; what users notice is what bench.ts measures.
import { availableParallelism } from 'node:os'
import { columns } from '../table.ts'
import { decoding } from './decoding.ts'
import { ledger } from './ledger.ts'
import { lineEnds } from './line-ends.ts'
import { pages } from './page.ts'
import { planning } from './planning.ts'
import { measureRate } from './rate.ts'

const chosen = process.argv.slice(2)
await using stack = new AsyncDisposableStack()
const works = [...decoding, ...lineEnds, ...planning, ...(await ledger(stack)), ...(await pages(stack))]
const unknown = chosen.find((name) => works.every((work) => !work.name.startsWith(name)))
if (unknown !== undefined)
  throw new Error(`nothing begins with ${unknown}: ${works.map(({ name }) => name).join(', ')}`)

console.log(`Node ${process.version}, ${availableParallelism()} processors`)
const rows = [['', 'median', '±', 'unit', 'rounds']]
for (const work of works) {
  if (chosen.length > 0 && !chosen.some((name) => work.name.startsWith(name))) continue
  const { rate, noise, rounds } = await measureRate(work)
  rows.push([
    work.name,
    String(Number(rate.toPrecision(3))),
    `${Math.round((noise / rate) * 100)} %`,
    work.unit,
    String(rounds),
  ])
}
console.log(columns(rows))
