// `popfetch config check|show|schema|reference`: answers about the configuration. Reads no secret, asks no server, and runs no command but
// that of `accountsFrom`. `schema` and `reference` need no configuration.
import type { Configuration } from '../../../config/schema.ts'
import { placeName } from '../../../config/state/place.ts'
import { WrongConfiguration } from '../../../config/problem.ts'
import { EXIT_CONFIGURATION, EXIT_OK, exitCodeOfError, mostSerious } from '../../../status/exit.ts'
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
  const configuration = await readConfiguration(invocation, surroundings, { isFresh: true }).catch((error: unknown) => {
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
  const code = checkCode(configuration)
  if (invocation.json) output.object(checkObject(configuration, code))
  else output.prose(checkLines(configuration, code).join('\n'))
  return code
}

/** Not 0 where an account cannot be polled, or the answer of `accountsFrom` is not taken. */
function checkCode({ accounts, disabled, trouble }: Configuration): number {
  const isFaulty = [...accounts, ...disabled].some(({ fault }) => fault !== null)
  return mostSerious([
    ...(isFaulty ? [EXIT_CONFIGURATION] : []),
    ...(trouble === null ? [] : [exitCodeOfError(trouble)]),
  ])
}

const FAULTS_SHOWN = 100

function checkLines(configuration: Configuration, code: number): string[] {
  const { file, accounts, disabled, destinations, trouble, warnings } = configuration
  const faulty = faultyOf(configuration)
  const resting = disabled.length === 0 ? '' : `, ${counted(disabled.length, 'disabled account')}`
  const counts = `${counted(accounts.length, 'account')}, ${counted(destinations.size, 'destination')}${resting}`
  const more = faulty.length > FAULTS_SHOWN ? [`and ${faulty.length - FAULTS_SHOWN} more`] : []
  return [
    `${file}: ${code === EXIT_OK ? 'correct' : 'not all of it can be used'}: ${counts}`,
    ...faulty.slice(0, FAULTS_SHOWN).map(({ name, fault }) => `${name} is not polled: ${fault}`),
    ...more,
    ...(trouble === null ? [] : [trouble.message]),
    `ledger: ${placeName(configuration)}`,
    ...warnings.map((warning) => `warning: ${warning}`),
  ]
}

function faultyOf({ accounts, disabled }: Configuration) {
  return [...accounts, ...disabled].filter(({ fault }) => fault !== null)
}

function checkObject(configuration: Configuration, code: number): object {
  const { file, accounts, disabled, destinations, trouble, warnings } = configuration
  const faults = faultyOf(configuration).map(({ name, fault }) => ({ account: name, fault }))
  return {
    ok: code === EXIT_OK,
    file,
    state: placeName(configuration),
    accounts: accounts.map((account) => account.name),
    ...(disabled.length === 0 ? {} : { disabled: disabled.map((account) => account.name) }),
    destinations: [...destinations.keys()],
    ...(faults.length === 0 ? {} : { faults }),
    ...(trouble === null ? {} : { error: { code: trouble.code, message: trouble.message, retry: trouble.retry } }),
    warnings,
  }
}
