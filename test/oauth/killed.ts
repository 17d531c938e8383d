// A process that asks for a token and is killed at a step: `node killed.ts FOLDER ISSUER STEP`. Prints the steps that it came to.
import { writeSync } from 'node:fs'
import { KeptSignIns } from '../../src/oauth/sign-ins.ts'
import { clientOf, DAY_MS, request } from './scene.ts'

const [folder = '', issuer = '', wanted = ''] = process.argv.slice(2)
const client = clientOf(issuer)
let count = 0

await new KeptSignIns({
  folder,
  clients: new Map([[client.name, client]]),
  env: {},
  nowMs: () => Date.now() + DAY_MS,
  step(name) {
    writeSync(1, `${name}\n`)
    if (count++ === Number(wanted)) process.kill(process.pid, 'SIGKILL')
  },
}).tokenFor(request())
