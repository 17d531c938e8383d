// `popfetch config check|show|schema|reference`: answers about the configuration. Runs no command, reads no secret, asks no
// server. `schema` and `reference` need no configuration.
import type { Configuration } from '../../../config/schema.ts'
import { WrongConfiguration } from '../../../config/problem.ts'
import { EXIT_CONFIGURATION, EXIT_OK } from '../../../status/exit.ts'
import type { ConfigInvocation } from './options.ts'
import { printReference } from './reference.ts'
import { readConfiguration } from '../../open/configured.ts'
import { counted } from '../../../status/words/amounts.ts'
import type { Surroundings } from '../../surroundings.ts'

/** Rejects with ERR_CONFIG, whose message lists every fault, and with ERR_USAGE for a key that does not exist. */
export async function run(invocation: ConfigInvocation, surroundings: Surroundings): Promise<number> {
  const { output, rooms } = surroundings
  if (invocation.action === 'reference') return await printReference(invocation, surroundings)
  const { jsonSchema, showConfiguration } = await rooms.configuration()
  if (invocation.action === 'schema') {
    const schema = jsonSchema()
    if (invocation.json) output.object(schema)
    else output.answer(JSON.stringify(schema, null, 2))
    return EXIT_OK
  }
  const configuration = await readConfiguration(invocation, surroundings, true).catch((error: unknown) => {
    if (!invocation.json || !(error instanceof WrongConfiguration)) throw error
    const { code, retry, problems } = error
    const [message = ''] = error.message.split('\n', 1)
    output.object({ ok: false, problems, error: { code, message, retry } })
    return null
  })
  if (configuration === null) return EXIT_CONFIGURATION
  if (invocation.action === 'show') {
    const shown = showConfiguration(configuration)
    if (invocation.json) output.object({ ok: true, file: configuration.file, configuration: shown })
    else output.answer(shown.trimEnd())
    return EXIT_OK
  }
  if (invocation.json) output.object(checkObject(configuration))
  else output.prose(checkLines(configuration).join('\n'))
  return EXIT_OK
}

function checkLines({ file, accounts, destinations, statePath, warnings }: Configuration): string[] {
  return [
    `${file}: correct: ${counted(accounts.length, 'account')}, ${counted(destinations.size, 'destination')}`,
    `ledger: ${statePath}`,
    ...warnings.map((warning) => `warning: ${warning}`),
  ]
}

function checkObject({ file, accounts, destinations, statePath, warnings }: Configuration): object {
  return {
    ok: true,
    file,
    state: statePath,
    accounts: accounts.map((account) => account.name),
    destinations: [...destinations.keys()],
    warnings,
  }
}
